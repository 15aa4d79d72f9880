"""The loss of whatever batch comes, with the prediction for metrics."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.data import MaskedBatch
from portanet.errors import ArgumentError, ShapeError
from portanet.functional.indices import as_indices
from portanet.interface import array_namespace
from portanet.losses import CrossEntropyLoss, InfoNCELoss, Loss, NLLLoss
from portanet.training.gradients import check_loss

PREDICTION = "prediction"
"""What the statistics of a loss call the prediction."""

_IGNORED = -100
"""A label that no class has."""


@dataclass(frozen=True)
class Objective:
    """A loss as `portanet.training.train_step` takes it.

    Parameters
    ----------
    loss : Loss or callable
        A function gets the batches as they come.
    predicts : bool
        Whether the statistics of a loss object have the prediction.
    """

    loss: Any
    predicts: bool

    def __post_init__(self) -> None:
        check_loss(self.loss)

    def __call__(self, model: Any, ps: Any, st: Any, batch: Any) -> tuple[Any, Any, Any]:
        if not isinstance(self.loss, Loss):
            return self.loss(model, ps, st, batch)
        masked = isinstance(batch, MaskedBatch)
        if not (masked or self.predicts):
            return self.loss(model, ps, st, batch)
        data, mask = batch if masked else (batch, None)
        x, target = pair_of(data)
        prediction, st = model(x, ps, st)
        if mask is None:
            value = self.loss(prediction, target)
        else:
            value = masked_loss(self.loss, prediction, target, mask)
        return value, st, {PREDICTION: prediction} if self.predicts else {}


def pair_of(data: Any) -> tuple[Any, Any]:
    """Return the input and the target of a batch."""
    return checks.pair("a batch", data)


def masked_loss(loss: Loss, prediction: Any, target: Any, mask: Any) -> Any:
    """Return a loss of the samples that a mask does not exclude: neither value nor gradient."""
    if isinstance(loss, InfoNCELoss):
        raise ArgumentError(
            "InfoNCELoss compares the samples of a batch with each other: use drop_last=True "
            "instead of pad=True"
        )
    xp = array_namespace(mask)
    if isinstance(loss, CrossEntropyLoss | NLLLoss) and xp.isdtype(target.dtype, "integral"):
        ignored = _IGNORED if loss.ignore_index is None else loss.ignore_index
        kept = xp.reshape(mask, (-1,) + (1,) * (len(target.shape) - 1))
        labels = xp.where(kept, as_indices(target), ignored)
        return dataclasses.replace(loss, ignore_index=ignored)(prediction, labels)
    each: Any = dataclasses.replace(loss, reduction="none")  # pyright: ignore[reportArgumentType]
    values = each(prediction, target)
    if tuple(values.shape[:1]) != tuple(mask.shape):
        raise ShapeError(
            f"mask.shape == the samples of {type(loss).__name__}: {tuple(mask.shape)} != "
            f"{tuple(values.shape[:1])}: the samples are the first axis"
        )
    kept = xp.reshape(mask, (-1,) + (1,) * (len(values.shape) - 1))
    total = xp.sum(xp.where(kept, values, 0.0))
    if loss.reduction == "sum":
        return total
    samples = xp.maximum(xp.sum(xp.astype(mask, values.dtype)), 1.0)  # a worker may have none
    return total / (samples * math.prod(values.shape[1:]))
