"""The rules on a GPU: each a kernel or two that read and write every number once, where one operation after the other
would read and write them a dozen times.

`torch.cuda.jiterator` compiles them, by what comes with torch, the first time that they are used.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from batchlab.engines.stacked.descent import Descent, Moments, Rule
from batchlab.engines.stacked.stack import Stack
from batchlab.optimizers import Sgd

Kernel = Callable[..., tuple[Tensor, ...]]

PLAIN = """
template <typename T> void plain(T weight, T gradient, T rate, T decay, T alive, T& after) {
    after = alive > T(0) ? weight - rate * (gradient + decay * weight) : weight;
}"""
HEAVY = """
template <typename T> void heavy(
    T weight, T gradient, T velocity, T rate, T momentum, T decay, T alive, T& after, T& moved
) {
    T slope = gradient + decay * weight;
    bool moving = momentum > T(0);
    moved = moving ? momentum * velocity + slope : velocity;
    T step = moving ? AHEAD : slope;
    after = alive > T(0) ? weight - rate * step : weight;
}"""
MEANS = """
template <typename T> void means(
    T weight, T gradient, T mean, T square, T first, T second, T beta, T decay, T& mean_after, T& square_after
) {
    T slope = gradient + decay * weight;
    mean_after = first < T(0.5) ? mean + first * (slope - mean) : slope - (slope - mean) * (T(1) - first);
    square_after = beta * square + slope * second * slope;
}"""
SCALED = """
template <typename T> void scaled(
    T weight, T mean, T square, T size, T root, T eps, T decay, T alive, T& after
) {
    T step = size * mean / (sqrt(square) / root + eps) + decay * weight;
    after = alive > T(0) ? weight - step : weight;
}"""


@cache
def kernel(code: str, outputs: int) -> Kernel:
    """What computes the outputs of every number at once; its arguments are broadcast against each other."""
    made = torch.cuda.jiterator._create_multi_output_jit_fn(code, outputs)

    def compute(*values: Tensor) -> tuple[Tensor, ...]:
        found: Tensor | tuple[Tensor, ...] = made(*values)
        return (found,) if isinstance(found, Tensor) else found

    return compute


class Fused(Rule):
    """What the rules here have in common."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._none = stack.weights.new_zeros(1, 1)
        """The decay where nothing decays."""


class FusedDescent(Fused, Descent):
    """`Descent` in one kernel."""

    def step(self, weights: Tensor, gradient: Tensor, numbers: Tensor, alive: Tensor) -> Tensor:
        rate, momentum, _, _ = numbers
        decay, living = self._none if self._decay is None else self._decay, alive.to(weights.dtype)
        if not self.memory:
            (after,) = kernel(PLAIN, 1)(weights, gradient, rate, decay, living)
            return after
        ahead = "slope + momentum * moved" if self._nesterov else "moved"
        moved = kernel(HEAVY.replace("AHEAD", ahead), 2)
        after, self.memory["velocity"] = moved(
            weights, gradient, self.memory["velocity"], rate, momentum, decay, living
        )
        return after


class FusedMoments(Fused, Moments):
    """`Moments` in two kernels: they take no more than eight numbers each."""

    def step(self, weights: Tensor, gradient: Tensor, numbers: Tensor, alive: Tensor) -> Tensor:
        rate, size, root = numbers
        coupled = decoupled = self._none
        if self._decay is not None and self._decoupled:
            decoupled = self._decay * rate
        elif self._decay is not None:
            coupled = self._decay
        mean, square = kernel(MEANS, 2)(
            weights, gradient, self.memory["mean"], self.memory["square"],
            self._first, self._second, self._beta2, coupled,
        )  # fmt: skip
        self.memory |= {"mean": mean, "square": square}
        living = alive.to(weights.dtype)
        (after,) = kernel(SCALED, 1)(weights, mean, square, size, root, self._eps, decoupled, living)
        return after


def rule(stack: Stack) -> Rule:
    """The rule of the stack's optimizer."""
    return FusedDescent(stack) if isinstance(stack.cells[0].optimizer, Sgd) else FusedMoments(stack)
