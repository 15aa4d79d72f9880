"""Schedules that go one way."""

from __future__ import annotations

from dataclasses import dataclass

from portanet import checks


@dataclass(frozen=True)
class Constant:
    """The same value at every step.

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.schedules.Constant(0.1)(7)
    0.1
    """

    value: float

    def __post_init__(self) -> None:
        checks.finite(self, "value")

    @checks.checked
    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class StepDecay:
    r"""Multiplication by a factor every so many steps: :math:`a \, r^{\lfloor t / n \rfloor}`.

    Parameters
    ----------
    start : float
        The first value :math:`a`.
    decay : float
        The factor :math:`r`, above 0.
    every : int
        The number of steps :math:`n` between two changes.

    Examples
    --------
    >>> import portanet as pn
    >>> schedule = pn.optimizers.schedules.StepDecay(1.0, decay=0.5, every=10)
    >>> schedule(9), schedule(10), schedule(25)
    (1.0, 0.5, 0.25)
    """

    start: float
    decay: float
    every: int

    def __post_init__(self) -> None:
        checks.finite(self, "start")
        checks.positive(self, "decay")
        checks.integers(self, "every")

    @checks.checked
    def __call__(self, step: int) -> float:
        return self.start * self.decay ** (step // self.every)


@dataclass(frozen=True)
class ExponentialDecay:
    r"""Multiplication by a factor at every step: :math:`a \, r^t`.

    Parameters
    ----------
    start : float
        The first value :math:`a`.
    decay : float
        The factor :math:`r`, above 0.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.schedules.ExponentialDecay(8.0, decay=0.5)(3)
    1.0
    """

    start: float
    decay: float

    def __post_init__(self) -> None:
        checks.finite(self, "start")
        checks.positive(self, "decay")

    @checks.checked
    def __call__(self, step: int) -> float:
        return self.start * self.decay**step


@dataclass(frozen=True)
class InverseDecay:
    r"""Decay with the inverse of the step: :math:`a / (1 + r t)^p`.

    Parameters
    ----------
    start : float
        The first value :math:`a`.
    decay : float
        The rate :math:`r`, not negative.
    power : float, default 1.0
        The exponent :math:`p`, above 0.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.schedules.InverseDecay(1.0, decay=0.5)(2)
    0.5
    """

    start: float
    decay: float
    power: float = 1.0

    def __post_init__(self) -> None:
        checks.finite(self, "start")
        checks.non_negative(self, "decay")
        checks.positive(self, "power")

    @checks.checked
    def __call__(self, step: int) -> float:
        return self.start / (1.0 + self.decay * step) ** self.power


@dataclass(frozen=True)
class Polynomial:
    r"""From one value to another, on a line or a power of one, and there it stays.

    .. math:: b + (a - b) \, (1 - \min(t, n) / n)^p

    Parameters
    ----------
    start, end : float
        The first value :math:`a` and the last one :math:`b`. A warm-up starts at 0.
    steps : int
        The number of steps :math:`n` between them. With 0 it is the last value throughout, such as
        a warm-up that is switched off.
    power : float, default 1.0
        The exponent :math:`p`, above 0.

    Examples
    --------
    >>> import portanet as pn
    >>> warmup = pn.optimizers.schedules.Polynomial(0.0, 1.0, steps=4)
    >>> [warmup(t) for t in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    start: float
    end: float
    steps: int
    power: float = 1.0

    def __post_init__(self) -> None:
        checks.finite(self, "start", "end")
        checks.integers(self, "steps", minimum=0)
        checks.positive(self, "power")

    @checks.checked
    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.end
        rest = 1.0 - step / self.steps
        return self.end + (self.start - self.end) * rest**self.power
