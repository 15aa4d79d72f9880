"""A step length that fulfils the strong conditions of Wolfe."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

_DECREASE = 1e-4  # Nocedal and Wright's c1 and c2 for quasi-Newton methods
_SLOPE = 0.9
_MOST_PROBES = 25


class Probe(NamedTuple):
    """The loss at one step along a direction.

    Attributes
    ----------
    step, value, slope : float
        The length, the loss, and its derivative along the direction.
    vector, gradient : array
        The parameters there, and the gradient.
    size : float
        The largest magnitude of the gradient.
    states : tree
        The states that the loss returned.
    """

    step: float
    value: float
    slope: float
    vector: Any
    gradient: Any
    size: float
    states: Any


class StrongWolfe:
    r"""The search for a step :math:`t` from :math:`f(0)` with a slope :math:`f'(0) < 0`.

    .. math:: f(t) \le f(0) + c_1 t f'(0), \qquad |f'(t)| \le -c_2 f'(0)

    Where the values differ by no more than their rounding, the first condition is read from the
    slopes [2]_. Values that are not finite count as too high.

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright, "Numerical optimization", 2nd edition, 2006, algorithms 3.5
       and 3.6.
    .. [2] W. W. Hager, H. Zhang, "A new conjugate gradient method with guaranteed descent and an
       efficient line search", SIAM Journal on Optimization 16, 2005.
    """

    def __init__(self, probe: Callable[[float], Probe], start: Probe, rounding: float) -> None:
        self.probe, self.start = probe, start
        self.noise = rounding * abs(start.value)
        self.left = _MOST_PROBES

    def search(self, step: float) -> Probe | None:
        """Return the probe at a step that fulfils both, or the lowest found, or None."""
        before = self.start
        while self.left:
            now = self._at(step)
            if not self._decreases(now) or (before.step > 0 and now.value > before.value):
                return self._between(before, now)
            if self._is_flat(now):
                return now
            if now.slope >= 0:
                return self._between(now, before)
            farthest = 10.0 * now.step
            guess = _minimum(before, now)
            step = min(max(guess, now.step + 0.01 * (now.step - before.step)), farthest)
            step = farthest if math.isnan(step) else step
            before = now
        return self._lower(before)

    def _between(self, low: Probe, high: Probe) -> Probe | None:
        """Return a step between the lower end of an interval and the other one."""
        while self.left:
            width = high.step - low.step
            if abs(width) <= 1e-12 * max(low.step, high.step):
                break
            step = _minimum(low, high)
            nearest, farthest = sorted((low.step + 0.1 * width, low.step + 0.9 * width))
            # Halve where there is no parabola.
            step = low.step + 0.5 * width if math.isnan(step) else min(max(step, nearest), farthest)
            now = self._at(step)
            if not self._decreases(now) or now.value > low.value:
                high = now
                continue
            if self._is_flat(now):
                return now
            if now.slope * width >= 0:
                high = low
            low = now
        return self._lower(low)

    def _at(self, step: float) -> Probe:
        self.left -= 1
        return self.probe(step)

    def _decreases(self, now: Probe) -> bool:
        start = self.start
        if not (math.isfinite(now.value) and math.isfinite(now.slope)):
            return False
        if now.value <= start.value + _DECREASE * now.step * start.slope:
            return True
        alike = now.value <= start.value + self.noise
        return alike and now.slope <= (2.0 * _DECREASE - 1.0) * start.slope

    def _is_flat(self, now: Probe) -> bool:
        return abs(now.slope) <= -_SLOPE * self.start.slope

    def _lower(self, found: Probe) -> Probe | None:
        return found if found.step > 0 and found.value < self.start.value else None


def _minimum(a: Probe, b: Probe) -> float:
    """Return where the cubic through both values and slopes is lowest, NaN if nowhere."""
    width = b.step - a.step
    if not (width and all(map(math.isfinite, (a.value, a.slope, b.value, b.slope)))):
        return math.nan
    first = a.slope + b.slope - 3.0 * (b.value - a.value) / width
    square = first * first - a.slope * b.slope
    if square < 0:
        return math.nan
    second = math.copysign(math.sqrt(square), width)
    divisor = b.slope - a.slope + 2.0 * second
    return b.step - width * (b.slope + second - first) / divisor if divisor else math.nan
