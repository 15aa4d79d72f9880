"""The loss of whatever batch comes, with the prediction for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.data.part import BatchPart, part_of
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.losses import Loss
from portanet.training.steps.gradients import check_loss

PREDICTION = "prediction"
"""What the statistics of a loss call the prediction."""


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
        if not (self.predicts and isinstance(self.loss, Loss)):
            return self.loss(model, ps, st, batch)
        value, st, prediction = self.loss.of_model(model, ps, st, batch)
        return value, st, {PREDICTION: prediction}


def own_part(loss: Any, batch: Any) -> tuple[Any, BatchPart | None]:
    """Return what a loss gets of a batch, and the part of one that it is.

    Raises
    ------
    ArgumentError
        If it is a part and the loss a sum, of which the mean over the workers is another one.
    """
    data, part = part_of(batch)
    inner = loss.loss if isinstance(loss, Objective) else loss
    if part is not None and isinstance(inner, Loss) and inner.reduction == "sum":
        raise ArgumentError(
            f"the loss of a part of a batch is a mean over its samples, of which that of all "
            f"workers is made: got {shown(inner)}: take the mean, and a learning rate that is as "
            f"many times as large as a batch has samples"
        )
    return data, part


def pair_of(data: Any) -> tuple[Any, Any]:
    """Return the input and the target of a batch for the metrics: its first two entries."""
    if isinstance(data, tuple | list) and len(data) >= 2:
        return data[0], data[1]
    raise ShapeError(
        f"a batch has an input and a target first, (x, target, ...), for the metrics: got "
        f"{shown(data)}: else return {{'prediction': y, 'target': target}} as the statistics of "
        f"the loss"
    )
