"""Loss of sequences whose alignment with their labels is unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional import ctc_loss
from portanet.interface import array_namespace
from portanet.losses._base import Loss, Reduction, parts


@dataclass(frozen=True, kw_only=True)
class CTCLoss(Loss):
    """Connectionist temporal classification: minus the log-probability of the labels [1]_.

    Each step of the prediction is a distribution over the classes and a blank. The probability of
    the labels is the sum over all paths through the steps that give them, when repetitions are
    merged first and blanks dropped then.

    Prediction: array of shape (N, steps, classes) of scores before a softmax; logarithms of
    probabilities are such scores too. Target: array of integers of shape (N, length), the labels of
    each sample, filled up at its end with negative numbers; or a tuple ``(labels, steps)`` with,
    for each sample, how many of the steps count, an array of integers of shape (N,).

    The loss is infinite, with derivatives of 0, where the labels need more steps than there are; it
    is 0 there with `zero_infinity`. A
    label that is the blank, and a negative number before a label, give NaN.

    Parameters
    ----------
    blank : int, default 0
        The class that stands for nothing; a negative one counts from the last class.
    zero_infinity : bool, default False
        Whether samples count for nothing whose labels need more steps than there are.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples. (PyTorch's mean divides each by the number of its labels first.)

    Raises
    ------
    IndexRangeError
        If a label is above the last class, or a count of steps outside of its range, as in
        `portanet.functional.ctc_loss`.

    References
    ----------
    .. [1] A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, "Connectionist Temporal
       Classification: Labelling Unsegmented Sequence Data with Recurrent Neural Networks",
       ICML 2006.

    Examples
    --------
    Three paths of two steps give the label 1: ``(0, 1)``, ``(1, 0)`` and ``(1, 1)``.

    >>> import numpy as np
    >>> import portanet as pn
    >>> probabilities = np.asarray([[[0.5, 0.5], [0.5, 0.5]]])
    >>> value = pn.CTCLoss()(np.log(probabilities), np.asarray([[1]]))
    >>> print(np.exp(-value).round(6))
    0.75
    """

    blank: int = 0
    zero_infinity: bool = False
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.integers(self, "blank", minimum=None)
        checks.flags(self, "zero_infinity")

    def check(self, prediction: Any, target: Any) -> None:
        checks.real_floating("prediction", prediction)
        if len(prediction.shape) != 3:
            raise ShapeError(
                f"prediction.ndim == 3: {len(prediction.shape)} != 3: its shape is "
                "(N, steps, classes)"
            )
        n, steps_in_all, classes = prediction.shape
        if not steps_in_all:
            raise ShapeError(f"steps >= 1: prediction.shape is {tuple(prediction.shape)}")
        if not -classes <= self.blank < classes:
            raise ShapeError(f"-classes <= blank < classes: blank {self.blank}, classes {classes}")
        labels, steps = _split(target)
        checks.integral("target", labels)
        checks.same_device("target", labels, "prediction", prediction)
        array_namespace(prediction, labels)
        if len(labels.shape) != 2 or labels.shape[0] != n:
            raise ShapeError(
                f"target.shape == (N, length): {tuple(labels.shape)}, where prediction has N == {n}"
            )
        if steps is not None:
            checks.integral("steps", steps)
            checks.shape_of("steps", steps, (n,), "(N,)")
            checks.same_device("steps", steps, "prediction", prediction)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        labels, steps = _split(target)
        values = ctc_loss(prediction, labels, steps, blank=self.blank)
        return xp.where(values == math.inf, 0.0, values) if self.zero_infinity else values


def _split(target: Any) -> tuple[Any, Any]:
    if isinstance(target, tuple | list):
        return parts("target", target, ("labels", "steps"))  # pyright: ignore[reportReturnType]
    return target, None
