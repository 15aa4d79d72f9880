"""A run that is taken up again is the run that never stopped, bit for bit."""

from __future__ import annotations

import itertools
import shutil
import signal

import numpy as np
import pytest
from training.problems import (
    LABELS,
    LOSS,
    X,
    check_same,
    check_same_history,
    fit,
    fresh,
    loader,
)

import portanet as pn
from portanet.errors import ArgumentError, ParameterTreeError
from portanet.io import Checkpointer
from portanet.training import callbacks, metrics
from portanet.training.callbacks import Checkpoint
from portanet.training.portions import Portions

pytest.importorskip("safetensors")

EPOCHS = 4
METRICS = {
    "right": metrics.Accuracy(),
    "area": metrics.ROCAUC(),
    "matrix": metrics.ConfusionMatrix(),
    "undecided": metrics.Perplexity(),
}


class Dying(callbacks.Callback):
    """Ends the training after some step, and after a checkpoint that stands before it."""

    runs_last = True

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.ts.step == self.step:
            raise InterruptedError


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def train(place, *added, seed=0, **options):
    plateau = callbacks.ReduceOnPlateau(0.5, 1, monitor="validation_loss")
    return fit(
        fresh(place, seed=seed),
        LOSS,
        loader(**{"pad": True, **options}),
        epochs=EPOCHS,
        validation=(X, LABELS),
        metrics=METRICS,
        callbacks=[plateau, callbacks.EarlyStopping(4), *added],
    )


@pytest.mark.parametrize("step", [1, 3, 8, 12])
def test_a_run_that_died_is_taken_up(backend, tmp_path, step):
    path = tmp_path / "run"
    ts, history = train(backend.place)
    with pytest.raises(RuntimeError):
        train(backend.place, Checkpoint(path, every_steps=1), Dying(step))
    # Where the run begins does not matter: another seed, another order.
    again, found = train(
        backend.place, Checkpoint(path, every_steps=1, resume=True), seed=5, rng=9, prefetch=2
    )
    check_same(again, ts)
    check_same_history(found, history)
    # It has ended: once more is the same.
    once_more, found = train(backend.place, Checkpoint(path, resume=True))
    check_same(once_more, ts)
    check_same_history(found, history)


def test_a_run_in_mixed_precision_is_taken_up(tmp_path):
    path = tmp_path / "run"

    def run(*added):
        ts = pn.training.mixed_precision(fresh(), "float16", growth_interval=3)
        held_out = {"validation": (X, LABELS), "metrics": METRICS}
        return fit(ts, LOSS, loader(pad=True), epochs=3, callbacks=added, **held_out)

    ts, history = run(callbacks.NaNGuard())
    assert history["loss"][-1] < history["loss"][0]
    with pytest.raises(RuntimeError):
        run(Checkpoint(path, every_steps=1), Dying(5))
    again, found = run(Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


def test_a_run_that_died_twice_in_one_epoch_is_taken_up(tmp_path):
    path = tmp_path / "run"
    ts, history = train("numpy")
    for step in (4, 5):
        with pytest.raises(RuntimeError):
            train("numpy", Checkpoint(path, every_steps=1, resume=True), Dying(step))
    again, found = train("numpy", Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


@pytest.mark.parametrize("every", [1, 3])
def test_a_run_goes_on_from_its_last_file(tmp_path, every):
    path = tmp_path / "run"
    ts, history = train("numpy")
    with pytest.raises(RuntimeError):
        train("numpy", Checkpoint(path, every=every), Dying(11))
    again, found = train("numpy", Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    path = tmp_path / "run"

    class Pressing(callbacks.Callback):
        def on_step(self, run):
            if run.ts.step == 5:
                signal.raise_signal(signal.SIGINT)

    ts, history = train("numpy")
    cut, short = train("numpy", Checkpoint(path), Pressing())
    assert (cut.step, short.stopped) == (5, "interrupted")
    again, found = train("numpy", Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


class PressingMetric(metrics.Accuracy):
    """Presses Ctrl-C when it is measured the n-th time."""

    left = 0

    def measure(self, prediction, target):
        type(self).left -= 1
        if type(self).left == 0:
            signal.raise_signal(signal.SIGINT)
        return super().measure(prediction, target)


def test_a_run_that_was_interrupted_in_validation_goes_on(tmp_path):
    path = tmp_path / "run"
    held_out = {"shuffle": True, "rng": 1, "drop_last": True}

    def run(*added):
        return fit(
            fresh(),
            LOSS,
            loader(),
            epochs=4,
            validation=loader(**held_out),
            metrics={"right": PressingMetric()},
            callbacks=added,
        )

    ts, history = run()
    # An epoch has three batches to train on and two to validate: these are of the second one.
    for measured, epochs in ((9, 1), (10, 1), (4, 0)):
        shutil.rmtree(path, ignore_errors=True)
        PressingMetric.left = measured
        cut, short = run(Checkpoint(path))
        assert (cut.step, short.stopped, short.epochs) == (3 * epochs + 3, "interrupted", epochs)
        again, found = run(Checkpoint(path, resume=True))
        check_same(again, ts)
        check_same_history(found, history)


def test_a_run_that_a_callback_stopped_in_an_epoch_goes_on(tmp_path):
    path = tmp_path / "run"

    class Late(callbacks.Callback):
        def on_step(self, run):
            if run.ts.step == 5:
                run.stop("no time left")

    ts, history = train("numpy")
    _, short = train("numpy", Late(), Checkpoint(path))
    assert (short.stopped, short.epochs) == ("no time left", 1)
    assert pn.io.Checkpointer(path).latest == 5
    again, found = train("numpy", Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


def test_early_stopping_is_taken_up_with_its_best_state(tmp_path):
    path = tmp_path / "run"

    def run(*added):
        def play(run):
            run.history.rows[-1]["loss"] = [3.0, 1.0, 2.0, 2.0, 2.0, 0.0][run.epoch - 1]

        stopping = callbacks.EarlyStopping(3, monitor="loss")
        return fit(fresh(), LOSS, loader(), epochs=6, callbacks=[play, stopping, *added])

    ts, history = run()
    assert (ts.step, history.epochs) == (6, 5)
    for step in (7, 10, 13):
        shutil.rmtree(path, ignore_errors=True)
        with pytest.raises(RuntimeError):
            run(Checkpoint(path), Dying(step))
        again, found = run(Checkpoint(path, resume=True))
        check_same(again, ts)
        check_same_history(found, history)
    once_more, found = run(Checkpoint(path, resume=True))
    check_same(once_more, ts)
    check_same_history(found, history)


def test_one_loader_may_serve_training_and_validation(tmp_path):
    path = tmp_path / "run"

    def run(*added):
        shared = loader()
        done = fit(fresh(), LOSS, shared, epochs=3, validation=shared, callbacks=added)
        assert shared.state()["epoch"] == 3
        return done

    ts, history = run()
    alone, _ = fit(fresh(), LOSS, loader(), epochs=3)
    check_same(ts, alone)
    with pytest.raises(RuntimeError):
        run(Checkpoint(path, every_steps=1), Dying(5))
    again, found = run(Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


def test_a_source_without_a_position_skips_what_was_used(tmp_path):
    path = tmp_path / "run"
    batches = [(X[i : i + 8], LABELS[i : i + 8]) for i in range(0, 22, 8)]

    def run(*added):
        return fit(fresh(), LOSS, batches, epochs=3, callbacks=added)

    ts, history = run()
    with pytest.raises(RuntimeError):
        run(Checkpoint(path, every_steps=1), Dying(6))
    again, found = run(Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


@pytest.mark.parametrize("step", [3, 5, 7, 10])
@pytest.mark.parametrize("kind", ["loader", "ahead", "list", "endless"])
def test_epochs_of_so_many_steps_are_taken_up(tmp_path, kind, step):
    path = tmp_path / "run"
    batches = [(X[i : i + 8], LABELS[i : i + 8]) for i in range(0, 22, 8)]
    made = {
        "loader": loader,
        "ahead": lambda: loader(prefetch=2),
        "list": lambda: batches,
        "endless": lambda: itertools.cycle(batches),
    }

    def run(*added, epochs=2):  # of five steps, over three batches
        data = made[kind]()
        return fit(fresh(), LOSS, data, epochs=epochs, steps_per_epoch=5, callbacks=added)

    ts, history = run()
    with pytest.raises(RuntimeError):
        run(Checkpoint(path, every_steps=1), Dying(step), epochs=3)
    again, found = run(Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


@pytest.mark.parametrize("used", [2, 3])
@pytest.mark.parametrize("make", [loader, lambda: [(X[i : i + 8], LABELS[i]) for i in range(3)]])
def test_a_batch_that_was_handed_out_and_not_used_comes_again(make, used):
    first, again = Portions(make(), None, 5), Portions(make(), None, 5)
    batches = list(itertools.islice(iter(first), 3))
    again.restore(first.state(used))
    following = [*batches, *first][used:]
    rest = list(again)
    assert len(rest) == 5 - used
    for (x, _), (wanted, _) in zip(rest, following, strict=False):
        np.testing.assert_array_equal(x, wanted)


def test_epochs_of_so_many_steps_that_were_interrupted_go_on(tmp_path):
    path = tmp_path / "run"

    def run(data, *added):
        return fit(fresh(), LOSS, data, epochs=2, steps_per_epoch=5, callbacks=added)

    def pressing():
        for i, batch in enumerate(itertools.cycle(loader(shuffle=False)), 1):
            if i == 7:
                signal.raise_signal(signal.SIGINT)
            yield batch

    ts, history = run(loader(shuffle=False))
    cut, short = run(pressing(), Checkpoint(path))
    assert (cut.step, short.stopped) == (6, "interrupted")
    again, found = run(itertools.cycle(loader(shuffle=False)), Checkpoint(path, resume=True))
    check_same(again, ts)
    check_same_history(found, history)


def test_progress_begins_where_a_run_is_taken_up(tmp_path, monkeypatch, capsys):
    pytest.importorskip("tqdm")
    path = tmp_path / "run"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for epochs in (2, 3):
        capsys.readouterr()
        saving = [Checkpoint(path, resume=True)]
        pn.training.fit(fresh(), LOSS, loader(), epochs=epochs, callbacks=saving)
    shown = capsys.readouterr().err
    assert "| 6/9 " in shown
    assert "| 9/9 " in shown
    assert "| 0/9 " not in shown


def test_the_best_epoch_is_kept(tmp_path):
    path = tmp_path / "best"
    seen = []

    def play(run):
        run.history.rows[-1]["loss"] = [3.0, 1.0, 2.0][run.epoch - 1]
        seen.append(run.ts)

    ckpt = Checkpointer(path, keep=1, best="loss", mode="min")
    fit(fresh(), LOSS, loader(), epochs=3, callbacks=[play, Checkpoint(ckpt, every_steps=1)])
    assert (ckpt.steps, ckpt.best) == ([6, 9], 6)
    assert ckpt.metrics(6)["loss"] == 1.0
    check_same(ckpt.restore(step=6)["ts"]["parameters"], seen[1].parameters)


def test_a_run_without_a_file_begins(tmp_path):
    path = tmp_path / "none"
    ts, _ = train("numpy", Checkpoint(path, resume=True))
    check_same(ts, train("numpy")[0])
    assert path.exists()


def test_files_of_other_runs_are_refused(tmp_path):
    path = tmp_path / "run"
    train("numpy", Checkpoint(path))
    before = contents(path)
    resume = Checkpoint(path, resume=True)
    ts = fresh(model=pn.Dense(3, 2))
    same = (
        callbacks.ReduceOnPlateau(0.5, 1, monitor="loss"),
        callbacks.EarlyStopping(monitor="loss"),
    )
    with pytest.raises(ParameterTreeError, match="missing"):
        fit(ts, LOSS, loader(pad=True), callbacks=[*same, resume])
    ts = fresh(rule=pn.optimizers.AdamW(0.02))
    with pytest.raises(ParameterTreeError, match="weight_decay"):
        fit(ts, LOSS, loader(pad=True), callbacks=[*same, resume])
    short = pn.data.DataLoader((X[:11], LABELS[:11]), 8)
    with pytest.raises(ArgumentError, match="same samples: 22 != 11"):
        fit(fresh(), LOSS, short, validation=(X, LABELS), callbacks=[*same, resume])
    with pytest.raises(ArgumentError, match="ReduceOnPlateau"):
        fit(fresh(), LOSS, loader(pad=True), callbacks=[resume])
    assert contents(path) == before
    with pytest.raises(ArgumentError, match="validation data if it had any"):
        fit(fresh(), LOSS, loader(pad=True), callbacks=[*same, resume])
    path = tmp_path / "other"
    Checkpointer(path).save({"x": X}, step=0)
    resume = Checkpoint(path, resume=True)
    with pytest.raises(ArgumentError, match="no checkpoint of fit"):
        fit(fresh(), LOSS, loader(), callbacks=[resume])


def test_a_run_is_taken_up_on_another_library(backend, tmp_path):
    path = tmp_path / "run"
    with pytest.raises(RuntimeError):
        train("numpy", Checkpoint(path, every_steps=1), Dying(5))
    ts, history = train(backend.place, Checkpoint(path, resume=True))
    whole, expected = train(backend.place)
    assert (ts.step, history.epochs) == (whole.step, expected.epochs)
    assert pn.get_device(ts) == pn.device(backend.place)
    if not backend.adapter.own_draws:  # the same random numbers as on NumPy
        np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)


def test_a_callback_of_ones_own_is_taken_up(tmp_path):
    class Walk(callbacks.Callback):
        def __init__(self):
            self.rng, self.places = np.random.default_rng(0), {"x": np.zeros(2), "all": []}

        def on_step(self, run):
            x = self.places["x"] + self.rng.normal(size=2)
            self.places = {"x": x, "all": [*self.places["all"], float(x[0])]}

        def state(self):
            return {"rng": self.rng, "places": self.places, "first": None}

        def restore(self, run, state):
            self.rng, self.places = state["rng"], state["places"]

    whole, parts, rest = Walk(), Walk(), Walk()
    train("numpy", whole)
    with pytest.raises(RuntimeError):
        train("numpy", parts, Checkpoint(tmp_path, every_steps=2), Dying(7))
    train("numpy", rest, Checkpoint(tmp_path, resume=True))
    assert rest.places["all"] == whole.places["all"]
    assert rest.rng.random() == whole.rng.random()


def test_a_schedule_goes_on_from_a_run_that_was_over(tmp_path):
    """It had no next epoch, whose learning rate would be in the file."""

    def trained(epochs, *added):
        rates = [0.1, 0.05, 0.02, 0.01]
        halving = callbacks.Schedule(lr=lambda epoch: rates[epoch])
        return fit(fresh(), LOSS, loader(), epochs=epochs, callbacks=[halving, *added])

    whole, expected = trained(4)
    trained(2, Checkpoint(tmp_path, resume=True))
    ts, history = trained(4, Checkpoint(tmp_path, resume=True))
    check_same(ts, whole)
    check_same_history(history, expected)
    trained(4, Checkpoint(tmp_path, resume=True))


def test_a_callback_that_keeps_what_no_file_has_is_named(tmp_path):
    class Odd(callbacks.Callback):
        def state(self):
            return {"function": len}

    with pytest.raises(ArgumentError, match=r"'callbacks\.2\.rest\.function' is an array"):
        train("numpy", Odd(), Checkpoint(tmp_path))
