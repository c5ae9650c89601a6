"""Optimizers that torch.optim lacks, as subclasses of its Optimizer. These modules load torch."""
