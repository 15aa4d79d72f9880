"""Impossible classes, saturated predictions, masked NaN: what has weight 0 counts for nothing."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

IMPOSSIBLE = np.asarray([[np.log(0.5), np.log(0.5), -np.inf]])
HALVES = np.asarray([[0.5, 0.5, 0.0]])
FIRST = np.asarray([[1.0, 0.0, 0.0]])
LOG2 = np.log(2)
IGNORING = pn.CrossEntropyLoss(logits=True, ignore_index=-1)
VALUES = {
    "KL": (pn.KLDivergenceLoss(logits=True), IMPOSSIBLE, HALVES, 0.0),
    "cross entropy": (pn.CrossEntropyLoss(logits=True), IMPOSSIBLE, FIRST, LOG2),
    "its values": (
        pn.CrossEntropyLoss(logits=True, reduction="none"), IMPOSSIBLE, FIRST, [LOG2]
    ),
    "weights of 0": (
        pn.CrossEntropyLoss(logits=True, class_weights=(1.0, 1.0, 0.0), reduction="sum"),
        np.concatenate([IMPOSSIBLE, IMPOSSIBLE]), np.asarray([0, 2]), LOG2,
    ),
    "impossible and wanted": (pn.CrossEntropyLoss(logits=True), IMPOSSIBLE, 1 - FIRST, np.inf),
    "focal": (pn.FocalLoss(logits=True), IMPOSSIBLE, np.asarray([0]), 0.25 * LOG2),
    "binary": (
        pn.BinaryCrossEntropyLoss(logits=True), np.asarray([-np.inf, np.inf]),
        np.asarray([0.0, 1.0]), 0.0,
    ),
    "Poisson": (
        pn.PoissonLoss(log_input=True), np.asarray([-np.inf]), np.asarray([0.0]), 0.0
    ),
    "ignored NaN": (
        IGNORING, np.asarray([[0.0, 0.0], [np.nan, np.inf]]), np.asarray([1, -1]), LOG2
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_zero_times_the_logarithm_of_zero_is_zero(backend, name):
    loss, prediction, target, want = VALUES[name]
    prediction, target = backend.asarray(prediction), backend.asarray(target)
    np.testing.assert_allclose(backend.to_numpy(loss(prediction, target)), want, atol=1e-12)
    if loss.reduction != "none" and np.isfinite(want):
        gradient = backend.to_numpy(pn.grad(lambda p: loss(p, target))(prediction))
        assert np.isfinite(gradient).all(), gradient


def test_the_gradient_is_that_of_the_possible_classes(backend):
    target, loss = backend.asarray(FIRST), pn.CrossEntropyLoss(logits=True)
    gradient = pn.grad(lambda p: loss(p, target))(backend.asarray(IMPOSSIBLE))
    np.testing.assert_allclose(backend.to_numpy(gradient), [[-0.5, 0.5, 0.0]], atol=1e-12)


def test_a_target_of_zero_has_a_derivative(backend):
    prediction = backend.asarray(np.asarray([[1.0, 3.0]]))
    gradient = pn.grad(lambda t: pn.CrossEntropyLoss(logits=True)(prediction, t))(
        backend.asarray(np.asarray([[1.0, 0.0]]))
    )
    np.testing.assert_allclose(backend.to_numpy(gradient), [[2.126928, 0.126928]], rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_losses_are_flat_where_the_prediction_is_saturated(backend, gamma):
    for loss, prediction, target in (
        (pn.FocalLoss(gamma=gamma, logits=True), [[2000.0, 0.0]], np.asarray([0])),
        (pn.BinaryFocalLoss(gamma=gamma, logits=True), [2000.0], np.asarray([1.0])),
        (pn.BinaryFocalLoss(gamma=gamma), [1.0], np.asarray([1.0])),
    ):
        given, there = backend.asarray(np.asarray(prediction)), backend.asarray(target)
        gradient = pn.grad(lambda p, loss=loss, there=there: loss(p, there))(given)
        np.testing.assert_allclose(
            backend.to_numpy(gradient), np.zeros_like(prediction), atol=1e-12
        )


def test_small_probabilities_keep_their_digits():
    p = np.asarray([1e-4, 3e-5], np.float32)
    loss = pn.BinaryCrossEntropyLoss(epsilon=0.0, reduction="none")
    np.testing.assert_allclose(loss(p, p * 0), -np.log1p(-p.astype(float)), rtol=3e-7)
    focal = pn.BinaryFocalLoss(epsilon=0.0, reduction="none")(p, p * 0)
    wide = p.astype(float)
    np.testing.assert_allclose(focal, -(wide**2) * np.log1p(-wide), rtol=1e-6)


def test_what_comes_after_the_last_step_of_ctc_may_be_nan(backend):
    scores = np.random.default_rng(0).normal(size=(1, 5, 3))
    scores[:, 3:] = np.nan
    labels, steps = backend.asarray(np.asarray([[1, 2]])), backend.asarray(np.asarray([3]))
    loss = pn.CTCLoss()
    value, gradient = pn.value_and_grad(lambda s: loss(s, (labels, steps)))(backend.asarray(scores))
    want = float(loss(backend.asarray(scores[:, :3]), labels))
    np.testing.assert_allclose(float(value), want)
    gradient = backend.to_numpy(gradient)
    assert np.isfinite(gradient).all()
    assert (gradient[:, 3:] == 0).all()


def test_ctc_of_no_labels_is_that_of_blanks(backend):
    got = pn.CTCLoss(reduction="none")(
        backend.asarray(np.zeros((2, 3, 4))), backend.asarray(np.zeros((2, 0), int))
    )
    np.testing.assert_allclose(backend.to_numpy(got), [3 * np.log(4)] * 2)
