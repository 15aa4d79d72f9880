"""The loss of whatever batch comes, with the prediction for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.losses import Loss
from portanet.training.gradients import check_loss

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


def pair_of(data: Any) -> tuple[Any, Any]:
    """Return the input and the target of a batch."""
    return checks.pair("a batch", data)
