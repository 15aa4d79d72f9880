"""Cases of losses."""

from __future__ import annotations

import numpy as np
from contract.catalogue.builders import LossCase, floats, several

import portanet as pn


def _distribution(rng: np.random.Generator, n: int) -> np.ndarray:
    weights = rng.uniform(0.1, 1.0, size=(n, 4))
    return weights / weights.sum(axis=-1, keepdims=True)


def _probability(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform(0.05, 0.95, size=(n, 2))


_NUMBERS = several(floats(2, 3), floats(2, 3))
_CLASSES = several(_distribution, _distribution)
_SCORES = several(floats(4), _distribution)
_BINARY = several(_probability, _probability)
_LOGITS = several(floats(2), _probability)

LOSSES = {
    "MSELoss": LossCase(lambda: pn.MSELoss(), _NUMBERS),
    "MSELoss, sum": LossCase(lambda: pn.MSELoss(reduction="sum"), _NUMBERS),
    "MSELoss, none": LossCase(lambda: pn.MSELoss(reduction="none"), _NUMBERS),
    "MAELoss": LossCase(lambda: pn.MAELoss(), _NUMBERS),
    "MAELoss, none": LossCase(lambda: pn.MAELoss(reduction="none"), _NUMBERS),
    "HuberLoss": LossCase(lambda: pn.HuberLoss(), _NUMBERS),
    "HuberLoss, narrow, sum": LossCase(lambda: pn.HuberLoss(delta=0.3, reduction="sum"), _NUMBERS),
    "CrossEntropyLoss": LossCase(lambda: pn.CrossEntropyLoss(), _CLASSES),
    "CrossEntropyLoss, logits, smooth": LossCase(
        lambda: pn.CrossEntropyLoss(logits=True, label_smoothing=0.1, reduction="none"), _SCORES
    ),
    "CrossEntropyLoss, no epsilon": LossCase(
        lambda: pn.CrossEntropyLoss(epsilon=0.0, reduction="sum"), _CLASSES
    ),
    "BinaryCrossEntropyLoss": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(label_smoothing=0.2), _BINARY
    ),
    "BinaryCrossEntropyLoss, logits": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(logits=True, reduction="none"), _LOGITS
    ),
    "BinaryCrossEntropyLoss, no epsilon": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(epsilon=0.0, reduction="sum"), _BINARY
    ),
}
