"""How long work waits after it was lost."""

import random

LONGEST_DELAY = 60.0


def delay_after(losses: int) -> float:
    """Seconds after so many losses without progress: 2, 4, 8, .. with some chance, so that nobody comes in step."""
    return min(2.0**losses, LONGEST_DELAY) * random.uniform(0.75, 1.25) if losses else 0.0
