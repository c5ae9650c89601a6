"""What may be added to plain training: the clipping and pulling of steps, adversaries, changed pictures, averages."""
