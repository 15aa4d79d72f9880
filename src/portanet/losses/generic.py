"""Losses made of a user's own formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from portanet.checks import functions
from portanet.core.display import spelled
from portanet.losses._base import Loss, Reduction


@dataclass(frozen=True)
class GenericLoss(Loss):
    """A loss whose formula for one element, or one sample, is a function.

    Parameters
    ----------
    function : callable
        ``function(prediction, target)`` returns an array of values.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the values.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> quantile = pn.GenericLoss(lambda p, t: np.maximum(0.9 * (t - p), -0.1 * (t - p)))
    >>> print(quantile(np.asarray([0.0, 0.0]), np.asarray([1.0, -1.0])))
    0.5
    """

    widens: ClassVar[bool] = False  # the function is given what the user gives
    function: Callable[[Any, Any], Any]
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        functions(self, "function")

    def __repr__(self) -> str:
        return f"GenericLoss({spelled(self.function)}, {self.reduction!r})"

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return self.function(prediction, target)
