"""Cases of losses."""

from __future__ import annotations

import operator

import numpy as np
from contract.catalogue.builders import LossCase, floats, indices, several

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

_LABELS = several(floats(2, 4), indices(4, 2))
_OFF_CLASS = several(floats(4), lambda rng, n: rng.integers(-1, 3, size=n))
_VECTORS = several(floats(3), floats(3))


def _signs(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.where(rng.uniform(size=(n, 2)) < 0.5, -1.0, 1.0)


def _positive(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform(0.5, 3.0, size=(n, 2))


def _alignment(rng: np.random.Generator, n: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    labels = np.asarray([[1, 1], [2, -1], [-1, -1], [0, 2]])[:n]
    return rng.normal(size=(n, 5, 4)), (labels, np.asarray([5, 2, 4, 3])[:n])


LOSSES = {
    "MSELoss": LossCase(lambda: pn.MSELoss(), _NUMBERS),
    "MSELoss, sum": LossCase(lambda: pn.MSELoss(reduction="sum"), _NUMBERS),
    "MSELoss, none": LossCase(lambda: pn.MSELoss(reduction="none"), _NUMBERS),
    "MAELoss": LossCase(lambda: pn.MAELoss(), _NUMBERS),
    "MAELoss, none": LossCase(lambda: pn.MAELoss(reduction="none"), _NUMBERS),
    "HuberLoss": LossCase(lambda: pn.HuberLoss(), _NUMBERS),
    "HuberLoss, narrow, sum": LossCase(lambda: pn.HuberLoss(delta=0.3, reduction="sum"), _NUMBERS),
    "CrossEntropyLoss": LossCase(lambda: pn.CrossEntropyLoss(), _CLASSES, per_sample=True),
    "CrossEntropyLoss, labels": LossCase(
        lambda: pn.CrossEntropyLoss(logits=True, label_smoothing=0.1), _LABELS, of_arrays=False
    ),
    "CrossEntropyLoss, labels, weights, ignored": LossCase(
        lambda: pn.CrossEntropyLoss(
            logits=True, class_weights=(0.5, 2.0, 1.0, 0.0), ignore_index=-1
        ),
        _OFF_CLASS,
        of_arrays=False,
    ),
    "CrossEntropyLoss, weights, none": LossCase(
        lambda: pn.CrossEntropyLoss(class_weights=(0.5, 2.0, 1.0, 0.0), reduction="none"),
        _CLASSES,
        per_sample=True,
    ),
    "CrossEntropyLoss, logits, smooth": LossCase(
        lambda: pn.CrossEntropyLoss(logits=True, label_smoothing=0.1, reduction="none"),
        _SCORES,
        per_sample=True,
    ),
    "CrossEntropyLoss, no epsilon": LossCase(
        lambda: pn.CrossEntropyLoss(epsilon=0.0, reduction="sum"), _CLASSES, per_sample=True
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
    "BinaryFocalLoss": LossCase(lambda: pn.BinaryFocalLoss(), _BINARY),
    "BinaryFocalLoss, logits": LossCase(
        lambda: pn.BinaryFocalLoss(gamma=1.5, logits=True), several(floats(2), _signs)
    ),
    "BinaryCrossEntropyLoss, positive weights": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(pos_weight=(3.0, 0.5)), _BINARY
    ),
    "BinaryCrossEntropyLoss, logits, positive weight": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(logits=True, pos_weight=3.0), _LOGITS
    ),
    "CTCLoss": LossCase(lambda: pn.CTCLoss(blank=-1, reduction="none"), _alignment, True, False),
    "CosineEmbeddingLoss": LossCase(
        lambda: pn.CosineEmbeddingLoss(margin=-0.5, reduction="none"),
        several(_VECTORS, lambda rng, n: np.resize([1, -1], n)),
        True,
        False,
    ),
    "DiceLoss": LossCase(lambda: pn.DiceLoss(reduction="none"), _BINARY, per_sample=True),
    "FocalLoss": LossCase(lambda: pn.FocalLoss(gamma=1.5), _CLASSES),
    "FocalLoss, labels, logits": LossCase(
        lambda: pn.FocalLoss(logits=True), _LABELS, of_arrays=False
    ),
    "GaussianNLLLoss": LossCase(
        lambda: pn.GaussianNLLLoss(full=True),
        several(several(floats(2), _positive), floats(2)),
        of_arrays=False,
    ),
    "GenericLoss": LossCase(lambda: pn.GenericLoss(operator.mul, "none"), _NUMBERS),
    "HingeLoss": LossCase(lambda: pn.HingeLoss(), several(floats(2), _signs)),
    "InfoNCELoss": LossCase(
        lambda: pn.InfoNCELoss(temperature=0.5, reduction="none"), _VECTORS, per_sample=True
    ),
    "KLDivergenceLoss": LossCase(lambda: pn.KLDivergenceLoss(label_smoothing=0.1), _CLASSES),
    "MSLELoss": LossCase(lambda: pn.MSLELoss(), several(_positive, _positive)),
    "MultiMarginLoss": LossCase(
        lambda: pn.MultiMarginLoss(margin=0.7, power=2, class_weights=(0.5, 2.0, 1.0, 0.0)),
        _LABELS,
        of_arrays=False,
    ),
    "NLLLoss": LossCase(
        lambda: pn.NLLLoss(class_weights=(0.5, 2.0, 1.0, 0.0), ignore_index=-1),
        _OFF_CLASS,
        of_arrays=False,
    ),
    "PoissonLoss, full": LossCase(lambda: pn.PoissonLoss(full=True), several(_positive, _positive)),
    "SmoothL1Loss": LossCase(lambda: pn.SmoothL1Loss(beta=0.3), _NUMBERS),
    "SoftMarginLoss": LossCase(lambda: pn.SoftMarginLoss(), several(floats(2), _signs)),
    "PoissonLoss": LossCase(lambda: pn.PoissonLoss(), several(_positive, _positive)),
    "SiameseContrastiveLoss": LossCase(
        lambda: pn.SiameseContrastiveLoss(margin=2.0), several(_positive, _probability)
    ),
    "SquaredHingeLoss": LossCase(lambda: pn.SquaredHingeLoss(), several(floats(2), _signs)),
    "TripletMarginLoss": LossCase(
        lambda: pn.TripletMarginLoss(margin=2.0, swap=True, reduction="none"),
        several(floats(3), _VECTORS),
        True,
        False,
    ),
    "TverskyLoss": LossCase(lambda: pn.TverskyLoss(), _BINARY, per_sample=True),
}
