"""Schedules that go down and up again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from portanet import checks


@dataclass(frozen=True)
class CosineAnnealing:
    r"""Half a wave of a cosine from one value to another.

    .. math:: b + \tfrac{1}{2} (a - b) (1 + \cos(\pi t' / n))

    with :math:`t' = \min(t, n)`, or :math:`t \bmod n` with restarts.

    Parameters
    ----------
    start, end : float
        The first value :math:`a` and the last one :math:`b`.
    steps : int
        The number of steps :math:`n` between them.
    restart : bool, default False
        Begin again after `steps`, instead of staying at the end.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2016,
       arXiv:1608.03983.

    Examples
    --------
    >>> import portanet as pn
    >>> schedule = pn.optimizers.schedules.CosineAnnealing(1.0, 0.0, steps=4)
    >>> [round(schedule(t), 3) for t in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    start: float
    end: float
    steps: int
    restart: bool = False

    def __post_init__(self) -> None:
        checks.finite(self, "start", "end")
        checks.integers(self, "steps")
        checks.flags(self, "restart")

    @checks.checked
    def __call__(self, step: int) -> float:
        step = step % self.steps if self.restart else min(step, self.steps)
        return _cosine(self.start, self.end, step / self.steps)


@dataclass(frozen=True)
class Triangle:
    r"""A triangular wave from the low value up to the high one and back.

    .. math:: a + (b - a) \, r^{\lfloor t / n \rfloor} \, (1 - |2 (t \bmod n) / n - 1|)

    Parameters
    ----------
    low, high : float
        The value :math:`a` at the ends of a period and :math:`b` in the middle of the first.
    steps : int
        The steps :math:`n` of one period.
    decay : float, default 1.0
        The factor :math:`r` of the height from period to period, above 0.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", 2015,
       arXiv:1506.01186.

    Examples
    --------
    >>> import portanet as pn
    >>> schedule = pn.optimizers.schedules.Triangle(0.0, 1.0, steps=4, decay=0.5)
    >>> [schedule(t) for t in range(7)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5]
    """

    low: float
    high: float
    steps: int
    decay: float = 1.0

    def __post_init__(self) -> None:
        checks.finite(self, "low", "high")
        checks.integers(self, "steps")
        checks.positive(self, "decay")

    @checks.checked
    def __call__(self, step: int) -> float:
        period, place = divmod(step, self.steps)
        height = (self.high - self.low) * self.decay**period
        return self.low + height * (1.0 - abs(2.0 * place / self.steps - 1.0))


@dataclass(frozen=True)
class OneCycle:
    """A cosine up to the peak and a longer one down, far below the start; there it stays.

    Parameters
    ----------
    peak : float
        The highest value.
    steps : int
        The steps of both ways together, at least 2.
    start, end : float, optional
        The first value and the last one: by default `peak` / 25 and `peak` / 100,000.
    rising : float, default 0.25
        The share of the steps that goes up, above 0 and below 1; rounded to whole steps, to one at
        least and all but one at most.

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-convergence: Very fast training of neural networks using
       large learning rates", 2017, arXiv:1708.07120.

    Examples
    --------
    >>> import portanet as pn
    >>> schedule = pn.optimizers.schedules.OneCycle(1.0, steps=8)
    >>> [round(schedule(t), 3) for t in (0, 1, 2, 5, 8, 9)]
    [0.04, 0.52, 1.0, 0.5, 0.0, 0.0]
    """

    peak: float
    steps: int
    start: float | None = None
    end: float | None = None
    rising: float = 0.25

    def __post_init__(self) -> None:
        checks.finite(self, "peak", "rising")
        for name, divisor in (("start", 25.0), ("end", 1e5)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.peak / divisor)
        checks.finite(self, "start", "end")
        checks.integers(self, "steps", minimum=2)
        if not 0 < self.rising < 1:
            checks.refuse(self, "0 < rising < 1", self.rising)

    @checks.checked
    def __call__(self, step: int) -> float:
        assert self.start is not None
        assert self.end is not None
        top = min(max(round(self.rising * self.steps), 1), self.steps - 1)
        if step < top:
            return _cosine(self.start, self.peak, step / top)
        share = (min(step, self.steps) - top) / (self.steps - top)
        return _cosine(self.peak, self.end, share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0
