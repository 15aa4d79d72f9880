"""Losses of batches of which not all samples count."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, BackendMismatchError, DTypeError, ShapeError

RNG = np.random.default_rng(1)
SCORES = RNG.normal(size=(5, 4))
SOFT = np.exp(SCORES[::-1]) / np.exp(SCORES[::-1]).sum(axis=-1, keepdims=True)
CLASSES = np.asarray([0, 3, 1, 1, 2])
WEIGHTS = (1.0, 2.0, 0.5, 3.0)
MASK = np.asarray([True, True, False, True, False])
CROSS = pn.CrossEntropyLoss(logits=True)
SIGNS = np.where(SCORES > 0, 1.0, -1.0)

LOSSES = {
    "mse": (pn.MSELoss(), SCORES, SOFT),
    "sum": (pn.MAELoss(reduction="sum"), SCORES, SOFT),
    "labels": (CROSS, SCORES, CLASSES),
    "soft": (CROSS, SCORES, SOFT),
    "weighted": (
        pn.CrossEntropyLoss(logits=True, class_weights=WEIGHTS, label_smoothing=0.1),
        SCORES,
        CLASSES,
    ),
    "ignored": (pn.CrossEntropyLoss(logits=True, ignore_index=1), SCORES, CLASSES),
    "unsigned": (CROSS, SCORES, CLASSES.astype(np.uint8)),
    "images": (
        pn.CrossEntropyLoss(logits=True, axis=1),
        RNG.normal(size=(5, 4, 3)),
        RNG.integers(0, 4, (5, 3)),
    ),
    "nll": (pn.NLLLoss(class_weights=WEIGHTS), np.log(SOFT), CLASSES),
    "binary": (pn.BinaryCrossEntropyLoss(logits=True), SCORES, SOFT),
    "focal": (pn.FocalLoss(logits=True), SCORES, CLASSES),
    "dice": (pn.DiceLoss(), SOFT, SOFT[::-1].copy()),
    "divergence": (pn.KLDivergenceLoss(), SOFT, SOFT[::-1].copy()),
    "margin": (pn.MultiMarginLoss(class_weights=WEIGHTS), SCORES, CLASSES),
    "hinge": (pn.SquaredHingeLoss(), SCORES, SIGNS),
    "vector": (pn.HuberLoss(), SCORES[:, 0].copy(), SOFT[:, 0].copy()),
    "own": (pn.GenericLoss(lambda p, t: (p - t) ** 4), SCORES, SOFT),
}


def with_surplus(x, value):
    """Return an array in which the samples that do not count have some value."""
    return np.where(MASK.reshape((5,) + (1,) * (x.ndim - 1)), x, value).astype(x.dtype)


@pytest.mark.parametrize("surplus", [1e4, np.nan])
@pytest.mark.parametrize("case", LOSSES)
def test_masked_losses_are_those_of_the_samples_that_count(backend, case, surplus):
    """Value and gradient, whatever the surplus samples hold."""
    loss, prediction, target = LOSSES[case]
    if np.isnan(surplus) and target.dtype.kind == "f":
        target = with_surplus(target, surplus)
    inputs = [backend.asarray(x) for x in (with_surplus(prediction, surplus), target, MASK)]
    value, gradient = pn.value_and_grad(lambda p: loss.masked(p, *inputs[1:]))(inputs[0])
    plain, kept = pn.value_and_grad(lambda p: loss(p, target[MASK]))(prediction[MASK])
    np.testing.assert_allclose(backend.to_numpy(value), plain, rtol=1e-12)
    gradient = backend.to_numpy(gradient)
    np.testing.assert_allclose(gradient[MASK], kept, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(gradient[~MASK], 0.0)


def test_predictions_and_targets_of_several_arrays(backend):
    """Each sample's own, whatever the tuple is made of."""
    pairs = {
        pn.GaussianNLLLoss(): ((SCORES, SOFT), SCORES[::-1].copy()),
        pn.TripletMarginLoss(): (SCORES, (SOFT, SCORES[::-1].copy())),
        pn.CosineEmbeddingLoss(): ((SCORES, SOFT), SIGNS[:, 0].copy()),
    }
    for loss, given in pairs.items():
        whole, kept = (
            pn.trees.map_leaves(lambda x, f=f: backend.asarray(f(x)), given)
            for f in (np.asarray, lambda x: x[MASK])
        )
        found = loss.masked(*whole, backend.asarray(MASK))
        np.testing.assert_allclose(
            backend.to_numpy(found), backend.to_numpy(loss(*kept)), rtol=1e-12
        )


def test_halves_are_worked_out_in_float32(backend):
    """A square of them overflows, and a sum of 6000."""
    if backend.name == "array_api_strict":
        pytest.skip("the standard has no float16")
    prediction = np.full((6000, 1), 8.0, np.float16)
    prediction[0] = 400.0
    inputs = [backend.asarray(x) for x in (prediction, 0 * prediction, np.ones(6000, bool))]
    for loss in (pn.MSELoss(), pn.GenericLoss(lambda p, t: abs(p - t))):
        found = backend.to_numpy(loss.masked(*inputs))
        assert found.dtype == np.float16
        expected = loss(prediction.astype(np.float64), np.zeros((6000, 1)))
        np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_no_samples_and_no_reduction(backend):
    prediction, target = backend.asarray(SCORES), backend.asarray(SOFT)
    nothing = backend.asarray(np.zeros(5, bool))
    for loss in (pn.MSELoss(), CROSS):
        assert float(loss.masked(prediction, target, nothing)) == 0.0
    each = pn.CrossEntropyLoss(logits=True, reduction="none")
    mask = backend.asarray(MASK)
    for labels in (CLASSES, SOFT):
        found = backend.to_numpy(each.masked(prediction, backend.asarray(labels), mask))
        np.testing.assert_allclose(found, np.where(MASK, each(SCORES, labels), 0.0), rtol=1e-12)


@pytest.mark.parametrize("jit", [None, False])
def test_a_step_with_a_batch_that_is_filled_up_is_that_of_its_samples(backend, jit):
    x, y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 1))
    model = pn.Dense(3, 1)
    ts = pn.training.TrainState(model, *pn.setup(0, model, dtype="float64"), pn.optimizers.SGD())
    ts, batch = pn.device(backend.name)((ts, (x, y)))
    loader = pn.data.DataLoader(batch, 8, pad=True)
    options = {"jit": jit}
    for filled_up in loader:
        value, _, found = pn.training.train_step(pn.MSELoss(), filled_up, ts, **options)
        expected, _, plain = pn.training.train_step(pn.MSELoss(), batch, ts, **options)
        np.testing.assert_allclose(float(value), float(expected), rtol=1e-12)
        for a, b in zip(*map(pn.trees.leaves, (found.parameters, plain.parameters)), strict=True):
            np.testing.assert_allclose(backend.to_numpy(a), backend.to_numpy(b), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pn.InfoNCELoss().masked(SCORES, SOFT, MASK), ArgumentError, "drop_last=True"),
        (
            lambda: pn.KLDivergenceLoss(axis=0).masked(SOFT, SOFT, MASK),
            ShapeError,
            "samples are the first axis",
        ),
        (lambda: pn.MSELoss().masked(SCORES, SOFT, MASK[:3]), ShapeError, "the samples"),
        (lambda: CROSS.masked(SCORES, CLASSES, MASK[:3]), ShapeError, "the samples"),
        (lambda: pn.MSELoss().masked(SCORES, SOFT, SCORES > 0), ShapeError, "mask.shape"),
        (lambda: pn.MSELoss().masked(SCORES, SOFT, CLASSES), DTypeError, "mask.dtype is bool"),
        (lambda: pn.MSELoss().masked(SCORES, SOFT, None), BackendMismatchError, "mask"),
        (lambda: pn.MSELoss().masked(SCORES, SOFT[:3], MASK), ShapeError, "prediction.shape"),
        (
            lambda: pn.MSELoss().masked(np.asarray(1.0), np.asarray(1.0), MASK),
            ShapeError,
            "prediction.ndim >= 1",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
