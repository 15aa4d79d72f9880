"""Pictures of matplotlib show the numbers that they were given."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from training.problems import LABELS, LOSS, X, fresh, loader

import portanet as pn
from portanet.errors import (
    ArgumentError,
    BackendNotAvailableError,
    HyperparameterError,
    PortanetError,
    ShapeError,
)
from portanet.training import callbacks, metrics

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

HISTORY = {
    "loss": [0.9, 0.4, 0.2],
    "accuracy": [0.5, 0.7, 0.8],
    "validation_loss": [0.8, 0.5, 0.6],
    "matrix": np.zeros((3, 2, 2)),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def lines_of(axes):
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def test_curves_are_the_history():
    loss, accuracy = pn.plots.curves(HISTORY).axes
    lines = lines_of(loss)
    np.testing.assert_array_equal(lines["training"], [[1, 0.9], [2, 0.4], [3, 0.2]])
    np.testing.assert_array_equal(lines["validation"][:, 1], HISTORY["validation_loss"])
    assert lines["best"].tolist() == [[2, 0.5]]
    assert set(lines_of(accuracy)) == {"training"}
    assert (loss.get_ylabel(), accuracy.get_xlabel()) == ("loss", "epoch")
    figure = matplotlib.figure.Figure()
    assert pn.plots.curves(HISTORY, ["accuracy"], figure=figure) is figure
    assert len(figure.axes) == 1


def test_curves_of_a_training_and_its_picture(tmp_path):
    path = tmp_path / "curves.png"
    _, history = pn.training.fit(
        fresh(),
        LOSS,
        loader(),
        epochs=3,
        validation=(X, LABELS),
        metrics=[metrics.Accuracy(), metrics.ConfusionMatrix()],
        callbacks=[callbacks.Plot(path)],
        progress=False,
    )
    loss, accuracy = pn.plots.curves(history).axes
    values = lines_of(accuracy)["validation"][:, 1]
    np.testing.assert_array_equal(values, history["validation_accuracy"])
    assert len(loss.get_lines()[0].get_xydata()) == 3
    image = pyplot.imread(path)
    assert image.shape[2] == 4
    assert image[..., :3].std() > 0.01


@pytest.mark.parametrize("normalize", [False, True])
def test_a_confusion_matrix_is_its_counts(normalize):
    counts = np.asarray([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    axes = pn.plots.confusion_matrix(counts, ["cat", "dog", "rat"], normalize=normalize)
    shown = np.asarray(axes.images[0].get_array())
    expected = counts / [[10], [10], [1]] if normalize else counts
    np.testing.assert_allclose(shown, expected)
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == (["0.80", "0.20", "0.00"] if normalize else ["8", "2", "0"])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "rat"]


def test_histograms_count_every_finite_number(backend):
    tree = {
        "weight": backend.asarray(np.asarray([[0.0, 1.0, 1.0, np.nan]])),
        "steps": backend.asarray(np.asarray([1, 2])),
        "empty": backend.asarray(np.zeros(0)),
        "bias": backend.asarray(np.arange(100.0)),
    }
    bias, weight = pn.plots.histograms(tree, bins=12).axes
    assert sum(patch.get_height() for patch in weight.patches) == 3
    assert sum(patch.get_height() for patch in bias.patches) == 100
    assert (len(weight.patches), len(bias.patches)) == (6, 12)
    assert weight.get_title() == "weight  0.67 ± 0.47, 1 not finite"


def problem():
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    model = pn.Chain(pn.Dense(1, 16, pn.tanh), pn.Dense(16, 1))
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
    return ts, (x, np.sin(3 * x))


def test_the_learning_rate_test_finds_where_the_loss_falls():
    ts, data = problem()
    before = pn.trees.leaves(ts.parameters)
    found = pn.training.learning_rate_test(ts, pn.MSELoss(), data, lowest=1e-5, highest=1e3)
    assert all(a is b for a, b in zip(before, pn.trees.leaves(ts.parameters), strict=True))
    # Much lower rates do nearly nothing in as many steps, much higher ones diverge.
    results = []
    for rate in (found.suggestion / 1000, found.suggestion, found.suggestion * 1000):
        other = pn.optimizers.adjust(ts, rate)
        with np.errstate(all="ignore"):
            values, _ = pn.training.train_steps(pn.MSELoss(), [data] * 30, other)
        results.append(float(values[-1]))
    assert results[1] < 0.5 * results[0]
    assert not results[2] < results[0]
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 100
    np.testing.assert_allclose(
        found.losses[0],
        float(pn.MSELoss()(ts.model(data[0], ts.parameters, ts.states)[0], data[1])),
        rtol=1e-6,
    )
    axes = pn.plots.learning_rate_test(found)
    np.testing.assert_array_equal(lines_of(axes)["loss"], np.stack([found.rates, found.losses], 1))
    assert axes.get_xscale() == "log"


def test_the_learning_rate_test_takes_each_step_with_its_rate():
    ts, data = problem()
    found = pn.training.learning_rate_test(
        ts, pn.MSELoss(), data, lowest=1e-3, highest=1e-1, steps=5
    )
    np.testing.assert_allclose(found.rates, [1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1])
    for rate, loss in zip(found.rates, found.losses, strict=True):
        value, _, ts = pn.training.train_step(
            pn.MSELoss(), data, pn.optimizers.adjust(ts, float(rate))
        )
        assert float(value) == loss


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lowest": 0.0}, "0 < lowest < highest"),
        ({"lowest": 2.0}, "0 < lowest < highest"),
        ({"highest": np.nan}, "highest is a number"),
        ({"steps": 2}, "steps is an integer >= 3"),
    ],
)
def test_bad_learning_rate_tests(options, text):
    with pytest.raises(HyperparameterError, match=text):
        pn.training.learning_rate_test(problem()[0], pn.MSELoss(), problem()[1], **options)


def test_a_learning_rate_test_that_begins_with_nan():
    ts, (x, y) = problem()
    with pytest.raises(ArgumentError, match=r"the first 3 losses are finite: got .* and then nan"):
        pn.training.learning_rate_test(ts, pn.MSELoss(), (x, np.full_like(y, np.nan)))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: pn.plots.curves({}), ArgumentError, "numbers of at least one epoch"),
        (lambda: pn.plots.curves(HISTORY, ["recall"]), ArgumentError, "names are of"),
        (lambda: pn.plots.curves("loss"), ArgumentError, "history is what fit returned"),
        (lambda: pn.plots.curves(HISTORY, "loss"), ArgumentError, "names a list of names"),
        (lambda: pn.plots.learning_rate_test(0.1), ArgumentError, "found is what"),
        (lambda: pn.plots.confusion_matrix(np.zeros((2, 3))), ShapeError, "matrix.shape =="),
        (lambda: pn.plots.confusion_matrix(np.eye(2), ["a"]), ShapeError, "len.labels. =="),
        (lambda: pn.plots.histograms({}), ArgumentError, "at least one floating array"),
        (lambda: pn.plots.histograms({"x": np.ones(3)}, bins=0), PortanetError, "bins"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: pn.plots.curves(HISTORY),
        lambda: pn.plots.confusion_matrix(np.eye(2)),
        lambda: pn.plots.histograms({"x": np.ones(3)}),
    ],
)
def test_a_missing_matplotlib_is_named(call, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BackendNotAvailableError, match="pip install matplotlib"):
        call()
