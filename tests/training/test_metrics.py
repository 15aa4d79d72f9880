"""Metrics against scikit-learn, whatever the size of the batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as oracle

import portanet as pn
from portanet.errors import (
    ArgumentError,
    DTypeError,
    HyperparameterError,
    IndexRangeError,
    ShapeError,
)
from portanet.training import metrics
from portanet.training.meter import Meter
from portanet.training.metrics.naming import named

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(101, 5)).astype(np.float32)
LABELS = RNG.choice([0, 1, 3, 4], size=101).astype(np.int32)  # class 2 never occurs
SCORES[np.arange(101), LABELS] += 0.8
GUESSES = SCORES.argmax(axis=-1)
BINARY = np.round(RNG.uniform(size=101), 1).astype(np.float32)  # with many equal scores
TRUTH = (RNG.uniform(size=101) < 0.3 + 0.4 * BINARY).astype(np.int32)
NUMBERS = RNG.normal(size=(101, 3)).astype(np.float32)
TARGETS = (NUMBERS + RNG.normal(size=(101, 3)) + 1000.0).astype(np.float32)
PROBABILITIES = np.exp(SCORES.astype(np.float64))
PROBABILITIES /= PROBABILITIES.sum(axis=1, keepdims=True)


def of_classes(name, **options):
    function = getattr(oracle, name)
    return lambda: function(LABELS, GUESSES, **options)


def of_two(name, **options):
    function = getattr(oracle, name)
    return lambda: function(TRUTH, BINARY > 0.5, **options)


ZERO = {"zero_division": 0}
OVER = {"average": "none"}
CASES = {
    "accuracy": (metrics.Accuracy(), SCORES, LABELS, of_classes("accuracy_score")),
    "mean squared error": (
        metrics.MeanSquaredError(),
        NUMBERS,
        TARGETS,
        lambda: oracle.mean_squared_error(TARGETS, NUMBERS),
    ),
    "root mean squared error": (
        metrics.MeanSquaredError(root=True),
        NUMBERS,
        TARGETS,
        lambda: oracle.root_mean_squared_error(TARGETS.ravel(), NUMBERS.ravel()),
    ),
    "a function": (
        metrics.MeanOf(lambda prediction, target: abs(prediction - target)),
        NUMBERS,
        TARGETS,
        lambda: oracle.mean_absolute_error(TARGETS, NUMBERS),
    ),
    "top 2": (
        metrics.TopKAccuracy(k=2),
        SCORES,
        LABELS,
        lambda: oracle.top_k_accuracy_score(LABELS, SCORES, k=2, labels=range(5)),
    ),
    "confusion": (
        metrics.ConfusionMatrix(),
        SCORES,
        LABELS,
        of_classes("confusion_matrix", labels=range(5)),
    ),
    "binary accuracy": (metrics.Accuracy(threshold=0.5), BINARY, TRUTH, of_two("accuracy_score")),
    "binary precision": (
        metrics.Precision(threshold=0.5),
        BINARY,
        TRUTH,
        of_two("precision_score"),
    ),
    "binary recall": (metrics.Recall(threshold=0.5), BINARY, TRUTH, of_two("recall_score")),
    "binary f1": (metrics.F1Score(threshold=0.5), BINARY, TRUTH, of_two("f1_score")),
    "auc": (metrics.ROCAUC(), BINARY, TRUTH, lambda: oracle.roc_auc_score(TRUTH, BINARY)),
    "r2": (metrics.R2Score(), NUMBERS, TARGETS, lambda: oracle.r2_score(TARGETS, NUMBERS)),
    "mae": (
        metrics.MeanAbsoluteError(),
        NUMBERS,
        TARGETS,
        lambda: oracle.mean_absolute_error(TARGETS.astype(float), NUMBERS.astype(float)),
    ),
    "perplexity": (
        metrics.Perplexity(),
        SCORES,
        LABELS,
        lambda: math.exp(oracle.log_loss(LABELS, PROBABILITIES, labels=range(5))),
    ),
}
for kind, score in (
    (metrics.Precision, "precision_score"),
    (metrics.Recall, "recall_score"),
    (metrics.F1Score, "f1_score"),
):
    for average in ("macro", "micro", "weighted"):
        CASES[f"{average} {score}"] = (
            kind(average=average),
            SCORES,
            LABELS,
            of_classes(score, average=average, **ZERO),
        )
    CASES[f"each {score}"] = (
        kind(average="none"),
        SCORES,
        LABELS,
        of_classes(score, average=None, labels=range(5), **ZERO),
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [101, 16, 1])
def test_metrics_are_those_of_scikit_learn(case, size):
    metric, prediction, target, expected = CASES[case]
    meter = Meter({"it": metric})
    for batch in pn.data.DataLoader((prediction, target), size):
        meter.add(np.float32(0), {"prediction": batch[0]}, batch)
    np.testing.assert_allclose(meter.result()["it"], expected(), rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_metrics_on_every_library(backend, case):
    metric, prediction, target, _ = CASES[case]
    expected = metric(prediction, target)
    found = metric(backend.asarray(prediction), backend.asarray(target))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_padded_samples_count_for_nothing(backend, case):
    metric, prediction, target, expected = CASES[case]
    meter = Meter({"it": metric})
    data = backend.asarray(prediction), backend.asarray(target)
    for batch in pn.data.DataLoader(data, 32, pad=True):
        meter.add(np.float32(0), {"prediction": batch.data[0]}, batch)
    np.testing.assert_allclose(meter.result()["it"], expected(), rtol=1e-6)


def test_one_hot_targets_and_labels_are_the_same():
    one_hot = np.eye(5, dtype=np.float32)[LABELS]
    for metric in (metrics.Accuracy(), metrics.ConfusionMatrix(), metrics.TopKAccuracy(k=2)):
        np.testing.assert_array_equal(metric(SCORES, one_hot), metric(SCORES, LABELS))


def test_what_is_ignored_counts_for_nothing():
    labels = LABELS.reshape(1, 101).copy()
    labels[:, ::3] = -1
    scores, kept = SCORES.reshape(1, 101, 5), labels[0] != -1
    for kind in (metrics.Accuracy, metrics.F1Score, metrics.TopKAccuracy, metrics.Perplexity):
        found = kind(ignore_index=-1)(scores, labels)
        np.testing.assert_allclose(found, kind()(SCORES[kept], LABELS[kept]), rtol=1e-6)


def test_the_area_of_several_classes_is_that_of_each_against_the_rest():
    labels = np.arange(101) % 5
    expected = oracle.roc_auc_score(labels, PROBABILITIES, multi_class="ovr")
    np.testing.assert_allclose(metrics.ROCAUC()(PROBABILITIES, labels), expected)


def test_published_numbers():
    """The examples of Hanley and McNeil (1982), table I, and of scikit-learn's documentation."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    scores = np.repeat([1.0, 2, 3, 4, 5, 1, 2, 3, 4, 5], normal + abnormal)
    truth = np.repeat([0, 1], [58, 51])
    assert round(metrics.ROCAUC()(scores, truth), 3) == 0.893
    y_true, y_pred = np.asarray([0, 1, 2, 0, 1, 2]), np.asarray([0, 2, 1, 0, 0, 1])
    scores = np.eye(3)[y_pred]
    assert round(metrics.Precision()(scores, y_true), 2) == 0.22
    assert round(metrics.Recall(average="micro")(scores, y_true), 2) == 0.33
    assert round(metrics.F1Score(average="weighted")(scores, y_true), 2) == 0.27


def test_r2_of_what_does_not_vary():
    ones = np.ones(4)
    assert metrics.R2Score()(ones, ones) == 1.0
    assert metrics.R2Score()(ones + 1.0, ones) == 0.0


def test_halves_are_counted_in_float64():
    prediction, target = np.full(4096, 30000, np.float16), np.zeros(4096, np.float16)
    assert metrics.MeanAbsoluteError()(prediction, target) == 30000.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.Accuracy()(SCORES[:0], LABELS[:0]), ShapeError, "at least one sample"),
        (lambda: metrics.R2Score()(NUMBERS[:0], TARGETS[:0]), ShapeError, "at least one sample"),
        (lambda: metrics.ROCAUC()(BINARY[:0], TRUTH[:0]), ShapeError, "at least one sample"),
        (lambda: metrics.Accuracy()(SCORES, LABELS[:3]), ShapeError, "labels of the samples"),
        (lambda: metrics.Accuracy()(SCORES, SCORES[:3]), ShapeError, "target.shape"),
        (lambda: metrics.Accuracy()(SCORES, LABELS, TRUTH[:3] > 0), ShapeError, "mask.shape"),
        (lambda: metrics.F1Score()(SCORES, LABELS + 9), IndexRangeError, "none of 5 classes"),
        (lambda: metrics.ROCAUC()(BINARY, TRUTH - 1), IndexRangeError, "-1 is none of 2"),
        (lambda: metrics.R2Score()(NUMBERS, TARGETS[:, :1]), ShapeError, "prediction.shape"),
        (lambda: metrics.R2Score()(NUMBERS[0, 0], TARGETS[0, 0]), ShapeError, "ndim >= 1"),
        (
            lambda: metrics.MeanOf(lambda p, t: p + 1j * t)(NUMBERS, TARGETS),
            DTypeError,
            "real numbers: got complex64",
        ),
        (lambda: metrics.TopKAccuracy(k=0), HyperparameterError, "k >= 1"),
        (lambda: metrics.F1Score(average="mean"), HyperparameterError, "average is one of"),
        (lambda: metrics.Accuracy(threshold="x"), HyperparameterError, "finite"),
        (lambda: metrics.Accuracy()(None, LABELS), TypeError, "array"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_names():
    listed = [metrics.F1Score(), metrics.TopKAccuracy(), metrics.ROCAUC(), metrics.R2Score()]
    names = ["f1_score", "top_5_accuracy", "roc_auc", "r2"]
    assert list(named(listed)) == names
    assert list(named(metrics.MeanAbsoluteError())) == ["mean_absolute_error"]
    both = [metrics.Accuracy(), metrics.Accuracy(threshold=0.5)]
    with pytest.raises(ArgumentError, match="a name of its own"):
        named(both)
    for wrong in (
        3,
        "accuracy",
        ["accuracy"],
        {"loss": metrics.Accuracy()},
        [metrics.Accuracy],
        {"validation_right": metrics.Accuracy()},
    ):
        with pytest.raises(ArgumentError):
            named(wrong)


def test_functions_are_metrics():
    def far(prediction, target):
        return abs(prediction - target)[:, 0] > 1.0

    x = np.zeros((10, 1), np.float32)
    target = np.linspace(0.0, 2.0, 10, dtype=np.float32)[:, None]
    model = pn.Chain(lambda x: 0.0 * x)
    ts = pn.training.TrainState(model, {"layer_1": {}}, {"layer_1": {}}, pn.optimizers.SGD(0.1))
    loader = pn.data.DataLoader((x, target), 4, pad=True)
    found = pn.training.evaluate(ts, pn.MSELoss(), loader, metrics=[far])
    assert found["far"] == 0.5
    found = pn.training.evaluate(ts, pn.MSELoss(), loader, metrics={"share": far})
    assert found["share"] == 0.5
    with pytest.raises(ShapeError, match="an array with an entry for each sample"):
        pn.training.evaluate(
            ts, pn.MSELoss(), (x, target), metrics=[lambda p, t: abs(p - t).mean()]
        )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (metrics.Accuracy, r"got the class Accuracy: make one with Accuracy\(\)"),
        ("accuracy", "a metric is one such as .* or a function of a prediction and a target"),
        (lambda prediction: prediction, "a function of a prediction and a target"),
    ],
)
def test_what_is_no_metric(given, text):
    with pytest.raises(ArgumentError, match=text):
        pn.training.evaluate(
            pn.training.TrainState(pn.NoOp(), {"x": np.ones(1)}, {}, pn.optimizers.SGD(0.1)),
            pn.MSELoss(),
            (np.ones((2, 1)), np.ones((2, 1))),
            metrics=[given],
        )


def test_numbers_that_are_no_scores_are_never_right():
    scores, labels = SCORES[:4].copy(), LABELS[:4]
    scores[1:] = np.nan
    assert metrics.TopKAccuracy(k=5)(scores, labels) == 0.25
    assert math.isnan(metrics.ROCAUC()(np.asarray([0.1, np.nan, 0.3]), np.asarray([0, 1, 1])))
    assert math.isnan(metrics.ROCAUC()(scores, np.arange(4)))


@pytest.mark.parametrize("kind", [metrics.Accuracy, metrics.TopKAccuracy, metrics.F1Score])
def test_one_score_for_two_classes_needs_a_threshold(backend, kind):
    """The class of the largest of one score is always 0, so all would be right."""
    scores, labels = pn.device(backend.name)((BINARY[:, None], TRUTH[:, None].astype(np.float32)))
    for prediction, target in ((scores, labels), (scores[:, 0], labels[:, 0])):
        with pytest.raises(ShapeError, match="give the metric a threshold"):
            kind()(prediction, target)


@pytest.mark.parametrize("kind", [metrics.Accuracy, metrics.TopKAccuracy, metrics.F1Score])
def test_labels_are_classes(backend, kind):
    scores, labels = pn.device(backend.name)((SCORES, np.where(LABELS == 3, 5, LABELS)))
    with pytest.raises(IndexRangeError, match=r"5 is none of 5 classes: .* ignore_index"):
        kind()(scores, labels)
    if kind is not metrics.TopKAccuracy:
        scores, labels = pn.device(backend.name)((BINARY, 2 * TRUTH - 1))
        with pytest.raises(IndexRangeError, match="-1 is none of 2 classes"):
            kind(threshold=0.5)(scores, labels)
