"""Callbacks: when training stops, what it goes back to, what it writes."""

from __future__ import annotations

import csv
import math
import sys
import types

import numpy as np
import pytest
from training.problems import LABELS, LOSS, X, check_same, fit, fresh, loader

import portanet as pn
from portanet.errors import (
    ArgumentError,
    BackendNotAvailableError,
    HyperparameterError,
    NonFiniteError,
)
from portanet.training import callbacks, metrics

HELD_OUT = (X, LABELS)


class Played(callbacks.Callback):
    """Puts given numbers into the history in the place of what was measured."""

    def __init__(self, name, values):
        self.name = name
        self.values = values

    def on_epoch(self, run):
        run.history.rows[-1][self.name] = self.values[run.epoch - 1]


class Kept(callbacks.Callback):
    def __init__(self):
        self.states = []

    def on_epoch(self, run):
        self.states.append(run.ts)


@pytest.mark.parametrize(
    ("values", "options", "epochs", "best"),
    [
        ([3, 2, 1, 1, 1, 0], {}, 5, 3),
        ([3, 2, math.nan, 1, 2, 2, 2], {}, 6, 4),
        ([math.nan, math.nan, 1, 2], {}, 2, None),
        ([1, 2, 3, 3, 3, 9], {"mode": "max"}, 5, 3),
        ([3, 2.8, 2.6, 2.0, 1.9], {"min_delta": 0.5}, 3, 1),
        ([5, 4, 3, 2, 1, 0, -1], {}, 7, 7),
    ],
)
def test_early_stopping_goes_back_to_the_best(values, options, epochs, best):
    kept, played = Kept(), Played("loss", values)
    stopping = callbacks.EarlyStopping(2, monitor="loss", **options)
    ts, history = fit(
        fresh(), LOSS, loader(), epochs=len(values), callbacks=[played, kept, stopping]
    )
    assert history.epochs == epochs
    assert stopping.best_epoch == best
    check_same(ts, kept.states[epochs - 1 if best is None else best - 1])
    assert (history.stopped is None) is (epochs == 7)
    last, _ = fit(
        fresh(),
        LOSS,
        loader(),
        epochs=len(values),
        callbacks=[
            played,
            callbacks.EarlyStopping(2, monitor="loss", restore_best=False, **options),
        ],
    )
    assert last.step == 3 * epochs


def test_early_stopping_on_every_library(backend):
    kept, played = Kept(), Played("loss", [2, 1, 1])
    stopping = callbacks.EarlyStopping(1, monitor="loss")
    ts, history = fit(
        fresh(backend.place), LOSS, loader(), epochs=3, callbacks=[played, kept, stopping]
    )
    assert (history.epochs, ts.step) == (3, 6)
    check_same(ts, kept.states[1])


def test_metrics_say_what_is_better():
    accuracy = {"mine": metrics.Accuracy(), "far": metrics.MeanAbsoluteError()}

    def better(monitor):
        seen = []

        class Asking(callbacks.Callback):
            def on_start(self, run):
                seen.append(run.larger_is_better(monitor, "Asking"))

        fit(
            fresh(), LOSS, [], epochs=0, validation=HELD_OUT, metrics=accuracy, callbacks=[Asking()]
        )
        return seen[0]

    assert [better(n) for n in ("validation_mine", "mine", "validation_far", "loss")] == [
        True,
        True,
        False,
        False,
    ]


def best(metric):
    return pn.io.Checkpointer("unused", best=metric, mode="min")


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda: callbacks.EarlyStopping(), "needs validation data"),
        (lambda: callbacks.EarlyStopping(monitor="acuracy"), r"one of \['loss', 'matrix'\]"),
        (lambda: callbacks.EarlyStopping(monitor="matrix"), "is neither"),
        (lambda: callbacks.ReduceOnPlateau(), "needs validation data"),
        (lambda: callbacks.Checkpoint(best("validation_loss")), "needs validation data"),
        (lambda: callbacks.Checkpoint(best("matrix")), "is neither"),
    ],
)
def test_what_is_monitored_has_to_be_there(callback, message):
    with pytest.raises(ArgumentError, match=message):
        fit(
            fresh(),
            LOSS,
            loader(),
            metrics={"matrix": metrics.ConfusionMatrix()},
            callbacks=[callback()],
        )


def rates(optimizer, epochs, *added, **options):
    """Return the learning rate of each epoch."""
    seen = []

    class Looking(callbacks.Callback):
        def on_step(self, run):
            if run.batch == 1:
                seen.append(run.ts.optimizer_state.rules[0].lr)

    fit(
        fresh(rule=optimizer),
        LOSS,
        loader(),
        epochs=epochs,
        callbacks=[*added, Looking()],
        **options,
    )
    return seen


def test_schedules():
    halving = callbacks.Schedule(lr=pn.optimizers.schedules.ExponentialDecay(0.8, decay=0.5))
    assert rates(pn.optimizers.SGD(), 4, halving) == [0.8, 0.4, 0.2, 0.1]
    with pytest.raises(HyperparameterError, match="lr is a finite number: got nan"):
        rates(pn.optimizers.SGD(), 2, callbacks.Schedule(lr=lambda epoch: math.nan))
    with pytest.raises(HyperparameterError, match="no rule has"):
        rates(pn.optimizers.SGD(), 2, callbacks.Schedule(rate=lambda epoch: 0.1))


def test_a_plateau_lowers_the_learning_rate():
    played = Played("loss", [2, 1, 1, 1, 0.5, 1, 1, 1, 1])
    plateau = callbacks.ReduceOnPlateau(0.5, 2, monitor="loss", min_lr=0.02)
    clipped = pn.optimizers.chain(pn.optimizers.ClipGlobalNorm(1.0), pn.optimizers.SGD(0.08))
    seen = []

    def look(run):
        seen.append(run.ts.optimizer_state.rules[0].rules[1].lr)

    added = [played, plateau, look]
    _, history = fit(fresh(rule=clipped), LOSS, loader(), epochs=9, callbacks=added)
    assert seen == [0.08, 0.08, 0.08, 0.04, 0.04, 0.04, 0.02, 0.02, 0.02]
    assert history["lr"].tolist() == [0.08, *seen[:-1]]  # with which each epoch was trained
    without = pn.optimizers.ClipNorm(1.0)
    with pytest.raises(HyperparameterError, match="found none") as caught:
        fit(fresh(rule=without), LOSS, loader(), epochs=3, callbacks=[plateau])
    assert caught.value.ts.step == 0
    scheduled = pn.optimizers.Scheduler(pn.optimizers.SGD(), lr=lambda step: 0.1)
    with pytest.raises(HyperparameterError, match="no rule has") as caught:
        fit(fresh(rule=scheduled), LOSS, loader(), epochs=3, callbacks=[plateau])
    assert caught.value.ts.step == 0


@pytest.mark.parametrize(
    "around", [pn.optimizers.MasterWeights, lambda r: pn.optimizers.Accumulate(r, 2)]
)
def test_a_plateau_reaches_into_rules_around_a_rule(around):
    plateau = callbacks.ReduceOnPlateau(0.5, 1, monitor="loss")
    rule, played = around(pn.optimizers.SGD(0.08)), Played("loss", [2, 2, 2])
    ts, _ = fit(fresh(rule=rule), LOSS, loader(), epochs=3, callbacks=[played, plateau])
    assert ts.optimizer_state.rules[0].rule.lr == 0.02


def test_a_plateau_never_raises_the_learning_rate():
    plateau = callbacks.ReduceOnPlateau(0.5, 1, monitor="loss", min_lr=0.1)
    rule, played = pn.optimizers.SGD(0.08), Played("loss", [2, 2, 2])
    ts, _ = fit(fresh(rule=rule), LOSS, loader(), epochs=3, callbacks=[played, plateau])
    assert ts.optimizer_state.rules[0].lr == 0.08


def test_a_schedule_is_in_the_history():
    halving = callbacks.Schedule(lr=pn.optimizers.schedules.ExponentialDecay(0.8, decay=0.5))
    rule = pn.optimizers.SGD()
    _, history = fit(fresh(rule=rule), LOSS, loader(), epochs=3, callbacks=[halving])
    assert history["lr"].tolist() == [0.8, 0.4, 0.2]


def logarithm(x):
    return pn.array_namespace(x).log(x)


def test_the_nan_guard_names_layer_and_operation(backend):
    model = pn.Chain(pn.Dense(1, 1), logarithm)
    ps = {"layer_1": {"weight": np.ones((1, 1)), "bias": np.zeros(1)}, "layer_2": {}}
    ts = pn.training.TrainState(model, ps, {"layer_1": {}, "layer_2": {}}, pn.optimizers.SGD(0.0))
    ts = pn.device(backend.place)(ts)
    data = [(np.full((2, 1), x), np.zeros((2, 1))) for x in (2.0, 3.0, -4.0, 5.0)]
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(NonFiniteError, match=r"^model\.layer_2: ") as caught,
    ):
        fit(ts, pn.MSELoss(), data, callbacks=[callbacks.NaNGuard()])
    assert "in step 3 of the training" in str(caught.value)
    assert caught.value.ts.step == 2


def root(x):
    return pn.array_namespace(x).sqrt(x)


def test_the_nan_guard_finds_a_derivative_one_step_before(backend):
    """The root of 0 is finite, its derivative is not: the next loss is NaN."""
    model = pn.Chain(pn.Dense(1, 1, use_bias=False), root)
    ps = {"layer_1": {"weight": np.ones((1, 1))}, "layer_2": {}}
    ts = pn.training.TrainState(model, ps, {"layer_1": {}, "layer_2": {}}, pn.optimizers.SGD(0.1))
    ts = pn.device(backend.place)(ts)
    data = [(np.full((1, 1), x), np.ones((1, 1))) for x in (1.0, 0.0, 1.0)]
    with (
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteError, match=r"model\.layer_2: the derivative of ") as caught,
    ):
        fit(ts, pn.MSELoss(), data, callbacks=[callbacks.NaNGuard()])
    assert "in step 2" in str(caught.value)
    assert caught.value.ts.step == 1
    assert np.all(np.isfinite(pn.cpu_device()(caught.value.ts.parameters["layer_1"]["weight"])))


def test_the_nan_guard_says_when_it_is_not_the_model():
    def broken(model, ps, st, data):
        y, st = model(data[0], ps, st)
        xp = pn.array_namespace(y)
        return xp.log(xp.mean(y) * 0.0 - 1.0), st, {}

    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError, match="loss function itself"):
        fit(fresh(), broken, (X, LABELS), callbacks=[callbacks.NaNGuard()])


def test_the_nan_guard_lets_the_rest_pass(backend):
    guarded, _ = fit(fresh(backend.place), LOSS, loader(), callbacks=[callbacks.NaNGuard()])
    plain, _ = fit(fresh(backend.place), LOSS, loader())
    check_same(guarded, plain)


def test_tables(tmp_path):
    path = tmp_path / "history.csv"
    options = {"validation": HELD_OUT, "metrics": [metrics.Accuracy(), metrics.ConfusionMatrix()]}
    _, history = fit(
        fresh(), LOSS, loader(), epochs=3, callbacks=[callbacks.CSVLogger(path)], **options
    )
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["validation_loss"]) for row in rows] == history["validation_loss"].tolist()


class Writer:
    made: list = []  # noqa: RUF012

    def __init__(self, folder):
        self.folder, self.scalars, self.closed = folder, [], False
        self.made.append(self)

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def close(self):
        self.closed = True


@pytest.mark.parametrize("package", ["tensorboardX", "tensorboard", "writer", None])
def test_tensorboard(monkeypatch, tmp_path, package):
    folder = str(tmp_path / "runs")
    for name in ("tensorboardX", "tensorboard", "tensorboard.summary"):
        monkeypatch.setitem(sys.modules, name, None)
    if package == "tensorboardX":
        made = types.SimpleNamespace(SummaryWriter=Writer)
        monkeypatch.setitem(sys.modules, "tensorboardX", made)
    elif package == "tensorboard":
        monkeypatch.setitem(sys.modules, "tensorboard", types.ModuleType("tensorboard"))
        made = types.SimpleNamespace(Writer=Writer)
        monkeypatch.setitem(sys.modules, "tensorboard.summary", made)
    board = callbacks.TensorBoard(Writer(folder) if package == "writer" else folder)

    def train():
        return fit(fresh(), LOSS, loader(), epochs=2, validation=HELD_OUT, callbacks=[board])

    if package is None:
        with pytest.raises(BackendNotAvailableError, match="pip install tensorboardX"):
            train()
        return
    _, history = train()
    writer = Writer.made.pop()
    assert writer.folder == folder
    assert writer.closed is (package != "writer")
    assert writer.scalars == [
        (f"{part}/loss", history[name][i], 3 * (i + 1))
        for i in range(2)
        for part, name in (("training", "loss"), ("validation", "validation_loss"))
    ]


def test_plots(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.png"
    options = {"validation": HELD_OUT, "metrics": [metrics.Accuracy()]}
    fit(fresh(), LOSS, loader(), epochs=2, callbacks=[callbacks.Plot(path)], **options)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda: callbacks.CSVLogger("no/such/history.csv"), "CSVLogger: path lies in a folder"),
        (lambda: callbacks.Plot("no/such/history.png"), "Plot: path lies in a folder"),
        (lambda: callbacks.Plot("history.npy"), "Plot: path ends with one of"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_first_step(callback, message):
    pytest.importorskip("matplotlib")
    with pytest.raises(ArgumentError, match=message) as caught:
        fit(fresh(), LOSS, loader(), callbacks=[callback()])
    assert caught.value.ts.step == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.EarlyStopping(0), "patience is an integer >= 1"),
        (lambda: callbacks.EarlyStopping(mode="least"), "mode is 'min', 'max' or None"),
        (lambda: callbacks.EarlyStopping(min_delta=-1.0), "min_delta is a number >= 0"),
        (lambda: callbacks.EarlyStopping(monitor=3), "monitor is a name"),
        (lambda: callbacks.EarlyStopping(restore_best=1), "restore_best is True or False"),
        (lambda: callbacks.ReduceOnPlateau(1.5), "0 < factor < 1"),
        (lambda: callbacks.ReduceOnPlateau(min_lr=-1), "min_lr is a number >= 0"),
        (lambda: callbacks.Schedule(lr=0.1), "lr, of the epoch, is a function"),
        (lambda: callbacks.Checkpoint("x", every=0), "every is an integer >= 1"),
        (lambda: callbacks.Checkpoint("x", every_steps=1.5), "every_steps is an integer"),
        (lambda: callbacks.Checkpoint("x", resume=1), "resume is True or False"),
        (lambda: callbacks.Checkpoint(None), "path is a str or an os.PathLike"),
        (lambda: callbacks.CSVLogger(3), "path names a file"),
        (lambda: callbacks.TensorBoard(None), "path names a file"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises((HyperparameterError, ArgumentError), match=message):
        make()
