"""Where a minimisation is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Progress(NamedTuple):
    """Where one step of a method leads.

    Attributes
    ----------
    vector : array
        The parameters.
    value, size : float
        The loss, and the largest magnitude of its gradient.
    states : tree
        The states that the loss returned.
    evaluations : int
        How often the loss was evaluated so far.
    """

    vector: Any
    value: float
    size: float
    states: Any
    evaluations: int

    @classmethod
    def at(cls, probe: Any, evaluations: int) -> Progress:
        """Return the progress at a probe of a search."""
        return cls(probe.vector, probe.value, probe.size, probe.states, evaluations)


@dataclass(frozen=True)
class Minimum:
    """How `minimize` ended.

    Attributes
    ----------
    value : float
        The loss at the parameters found.
    gradient : float
        The largest magnitude of its gradient there.
    steps, evaluations : int
        How many steps were taken, and how often the loss was evaluated.
    converged : bool
        Whether the gradient or the decrease of the loss fell below its bound.
    reason : str
        Why it ended.
    values : array of float64
        The loss at the start and after each step.
    """

    value: float
    gradient: float
    steps: int
    evaluations: int
    converged: bool
    reason: str
    values: np.ndarray = field(repr=False, compare=False)
