"""The loop is the loop one would have written, and no less."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from training.problems import (
    LABELS,
    LOSS,
    MODEL,
    TARGETS,
    X,
    check_same,
    check_same_history,
    fit,
    fresh,
    loader,
)

import portanet as pn
from portanet.errors import (
    ArgumentError,
    CallbackError,
    HyperparameterError,
    PortanetError,
    ShapeError,
    TracedValueError,
)
from portanet.training import callbacks, metrics, train_step
from portanet.training.known.known_steps import STEPS


def test_it_is_a_loop_of_steps(backend):
    device = pn.device(backend.place)
    ts, history = fit(fresh(backend.place), LOSS, loader(), epochs=3)
    expected = fresh(backend.place)
    batches, means = loader(), []
    for _ in range(3):
        total = 0.0
        for x, y in batches:
            value, _, expected = train_step(LOSS, device((x, y)), expected)
            total += float(value) * len(y)
        means.append(total / len(X))
    check_same(ts, expected)
    assert ts.step == 9
    np.testing.assert_allclose(history["loss"], means)


def test_it_learns_and_says_so(backend):
    held_out = pn.data.DataLoader((X, LABELS), 16, pad=True)
    before = fresh(backend.place)
    ts, history = fit(
        before,
        LOSS,
        loader(pad=True),
        epochs=12,
        validation=held_out,
        metrics=[metrics.Accuracy(), metrics.ConfusionMatrix()],
    )
    assert before.step == 0
    names = ["loss", "accuracy", "confusion_matrix"]
    assert list(history) == [*names, *(f"validation_{name}" for name in names)]
    assert history["validation_loss"][-1] < history["validation_loss"][0]
    assert history["validation_confusion_matrix"].shape == (12, 2, 2)
    assert history["validation_accuracy"][-1] > 0.8
    assert history["confusion_matrix"].sum(axis=(1, 2)).tolist() == [22] * 12
    found = pn.training.evaluate(ts, LOSS, held_out, metrics={"right": metrics.Accuracy()})
    assert found["loss"] == history["validation_loss"][-1]
    assert found["right"] == history["validation_accuracy"][-1]


def test_the_same_seed_gives_the_same_bits(backend):
    def train(prefetch):
        return fit(fresh(backend.place), LOSS, loader(prefetch=prefetch), epochs=2)

    (one, first), (other, second) = train(0), train(2)
    check_same(one, other)
    check_same_history(first, second)


def test_a_step_that_is_not_recorded_gives_the_same_numbers():
    recorded, _ = fit(fresh(), LOSS, loader(), epochs=2, validation=(X, LABELS))
    plain, _ = fit(fresh(), LOSS, loader(), epochs=2, validation=(X, LABELS), jit=False)
    one, other = recorded.parameters["layer_1"], plain.parameters["layer_1"]
    np.testing.assert_allclose(one["weight"], other["weight"], rtol=1e-5)


def test_one_program_serves_all_padded_batches():
    STEPS.clear()
    fit(fresh(), LOSS, loader(pad=True), epochs=3)
    assert [known.run.recordings for known in STEPS._steps] == [1]


def test_whatever_gives_batches_is_taken():
    torch = pytest.importorskip("torch")
    pairs = [(X[i : i + 8], LABELS[i : i + 8]) for i in range(0, 22, 8)]
    dataset = torch.utils.data.TensorDataset(torch.asarray(X), torch.asarray(LABELS))
    expected, history = fit(fresh(), LOSS, pn.data.DataLoader((X, LABELS), 8), epochs=2)
    for data in (pairs, torch.utils.data.DataLoader(dataset, 8), Rows()):
        ts, found = fit(fresh(), LOSS, data, epochs=2)
        check_same(ts, expected)
        check_same_history(found, history)


class Rows:
    """An iterable without a length."""

    def __iter__(self):
        for i in range(0, 22, 8):
            yield [X[i : i + 8], LABELS[i : i + 8]]


def test_a_tuple_of_arrays_is_one_batch(backend):
    ts, _ = fit(fresh(backend.place), LOSS, (X, LABELS), epochs=2, validation=(X, LABELS))
    assert ts.step == 2


def with_penalty(model, ps, st, data):
    x, target = data
    y, st = model(x, ps, st)
    xp = pn.array_namespace(y)
    weights = {"norm": xp.sum(ps["weight"] ** 2), "kept": 3}
    stats = {"weights": weights, "rows": xp.sum(y, axis=-1), "prediction": y}
    return pn.MSELoss()(y, target), st, stats


def test_losses_of_ones_own_with_statistics(backend):
    model = pn.Dense(3, 1)
    ts = fresh(backend.place, model, pn.optimizers.SGD(0.05))
    batches = pn.data.DataLoader((X, TARGETS), 8)
    ts, history = fit(
        ts,
        with_penalty,
        batches,
        epochs=30,
        validation=batches,
        metrics={"error": metrics.MeanAbsoluteError()},
    )
    names = ["loss", "weights.kept", "weights.norm", "error"]
    assert sorted(history) == sorted([*names, *(f"validation_{n}" for n in names)])
    assert history["weights.kept"].tolist() == [3.0] * 30
    np.testing.assert_allclose(history["validation_weights.norm"][-1], 5.25, rtol=0.05)
    assert history["validation_error"][-1] < history["error"][0]


def test_metrics_of_a_loss_that_keeps_its_prediction():
    def plain(model, ps, st, data):
        y, st = model(data[0], ps, st)
        return pn.MSELoss()(y, data[1]), st, {}

    ts = fresh(model=pn.Dense(3, 1))
    _, history = fit(ts, plain, (X, TARGETS), validation=(X, TARGETS), metrics=[metrics.R2Score()])
    assert list(history) == ["loss", "validation_loss", "validation_r2"]


def test_parameters_of_a_graph_are_refused():
    """Each step would be another part of the graph that torch differentiates."""
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 1)
    ps = {"weight": layer.weight, "bias": layer.bias}
    ts = pn.training.TrainState(pn.Dense(3, 1), ps, {}, pn.optimizers.SGD(0.1))
    with pytest.raises(TracedValueError, match=r"'bias' is being differentiated, .* x.detach\(\)"):
        fit(ts, pn.MSELoss(), (X, TARGETS))
    ps = pn.trees.map_leaves(lambda x: x.detach(), ps)
    ts, _ = fit(ts.replaced(parameters=ps), pn.MSELoss(), (X, TARGETS))
    assert not ts.parameters["bias"].requires_grad


@pytest.mark.parametrize("predicts", [True, False])
def test_metrics_of_batches_with_weights(predicts):
    def weighted(model, ps, st, data):
        x, target, weights = data
        y, st = model(x, ps, st)
        value = np.mean(weights * pn.MSELoss(reduction="none")(y, target))
        return value, st, {"prediction": y} if predicts else {}

    ts, batch = fresh(model=pn.Dense(3, 1)), (X, TARGETS, np.ones_like(TARGETS))
    _, history = fit(ts, weighted, batch, validation=batch, metrics=[metrics.R2Score()])
    assert ("r2" in history) is predicts
    expected = metrics.R2Score()(pn.training.predict(ts, X), TARGETS)
    if predicts:
        np.testing.assert_allclose(history["r2"], [expected], rtol=1e-6)
    with pytest.raises(ShapeError, match="as the statistics of the loss"):
        fit(
            ts,
            lambda model, ps, st, x: weighted(model, ps, st, (x, TARGETS, 1.0)),
            [X],
            validation=[X],
            metrics=[metrics.R2Score()],
        )


@pytest.mark.parametrize("epochs", [0, 1])
def test_histories(epochs):
    _, history = fit(fresh(), LOSS, loader(), epochs=epochs)
    assert history.epochs == epochs
    assert len(history) == epochs
    assert repr(history) == f"History({epochs} epochs of {'loss' if epochs else 'nothing'})"
    with pytest.raises(KeyError, match="accuracy"):
        history["accuracy"]


def test_histories_as_tables():
    pandas = pytest.importorskip("pandas")
    _, history = fit(fresh(), LOSS, loader(), epochs=3, validation=loader())
    table = history.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table.index.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(table["validation_loss"], history["validation_loss"])


class Failing(callbacks.Callback):
    def __init__(self, hook, error, step=5):
        self.error, self.step = error, step
        self.hook = hook

    def on_step(self, run):
        self.fail("on_step", run)

    def on_epoch(self, run):
        self.fail("on_epoch", run)

    def fail(self, hook, run):
        if hook == self.hook and run.ts.step >= self.step:
            raise self.error


@pytest.mark.parametrize("hook", ["on_step", "on_epoch"])
def test_a_callback_that_raises_loses_nothing(hook):
    failing = Failing(hook, OSError("no space left"))
    with pytest.raises(
        CallbackError, match=f"{hook} of the callback .*OSError: no space"
    ) as caught:
        fit(fresh(), LOSS, loader(), epochs=5, callbacks=[failing])
    error = caught.value
    assert isinstance(error.__cause__, OSError)
    steps = 5 if hook == "on_step" else 6
    assert error.ts.step == steps
    assert error.history.epochs == steps // 3
    assert f"after step {steps}" in error.__notes__[0]
    same, _ = fit(fresh(), LOSS, loader(), epochs=2)
    if hook == "on_epoch":
        check_same(error.ts, same)


def test_errors_of_the_family_and_of_the_loss_stay_what_they_are():
    failing = Failing("on_step", ShapeError("mine"))
    with pytest.raises(ShapeError, match=r"^mine") as caught:
        fit(fresh(), LOSS, loader(), callbacks=[failing], epochs=5)
    assert caught.value.ts.step == 5

    def broken(model, ps, st, data):
        raise ZeroDivisionError("mine too")

    with pytest.raises(ZeroDivisionError, match="mine too") as other:
        fit(fresh(), broken, loader())
    assert not isinstance(other.value, PortanetError)
    assert other.value.ts.step == 0


class Pressing(callbacks.Callback):
    """Presses Ctrl-C after some step."""

    def __init__(self, step, times=1):
        self.step = step
        self.times = times

    def on_step(self, run):
        if run.ts.step == self.step:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [1, 4, 6])
def test_ctrl_c_ends_after_the_step(step):
    before = signal.getsignal(signal.SIGINT)
    ended = []
    ts, history = fit(
        fresh(),
        LOSS,
        loader(),
        epochs=9,
        callbacks=[Pressing(step), Ending(ended)],
    )
    assert signal.getsignal(signal.SIGINT) is before
    assert ts.step == step
    assert history.stopped == "interrupted"
    assert history.epochs == (step - 1) // 3
    assert ended == [step]
    expected = fresh()
    batches = loader()
    while expected.step < step:
        for batch in batches:
            if expected.step < step:
                _, _, expected = train_step(LOSS, batch, expected)
    check_same(ts, expected)


class Ending(callbacks.Callback):
    def __init__(self, seen):
        self.seen = seen

    def on_end(self, run):
        self.seen.append(run.ts.step)


def test_ctrl_c_while_the_data_are_made_and_twice():
    def pressing(rng, batch):
        signal.raise_signal(signal.SIGINT)
        return batch

    ts, history = fit(fresh(), LOSS, loader(transform=pressing), epochs=2)
    assert (ts.step, history.stopped) == (0, "interrupted")
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(), LOSS, loader(), callbacks=[Pressing(2, times=2)])


def test_ctrl_c_in_a_callback_after_an_epoch_ends_before_the_next_one():
    def press(run):
        signal.raise_signal(signal.SIGINT)

    ts, history = fit(fresh(), LOSS, loader(), epochs=3, callbacks=[press])
    assert (ts.step, history.epochs, history.stopped) == (3, 1, "interrupted")


def endless():
    rng = np.random.default_rng(3)
    while True:
        rows = rng.integers(len(X), size=8)
        yield X[rows], LABELS[rows]


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_data_without_an_end_are_cut_into_epochs(epochs):
    seen = []

    def look(run):
        seen.append((run.epoch, run.batches, run.ts.step))

    steps = 10 // epochs
    ts, history = fit(
        fresh(), LOSS, endless(), epochs=epochs, steps_per_epoch=steps, callbacks=look
    )
    expected, values = fresh(), []
    for _, batch in zip(range(10), endless(), strict=False):
        value, _, expected = train_step(LOSS, batch, expected)
        values.append(value)
    check_same(ts, expected)
    assert seen == [(i, steps, i * steps) for i in range(1, epochs + 1)]
    np.testing.assert_allclose(history["loss"], np.reshape(values, (epochs, steps)).mean(axis=1))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_epochs_of_so_many_steps_go_on_where_the_last_one_stopped(prefetch):
    whole, _ = fit(fresh(), LOSS, loader(), epochs=4)  # of three batches
    parts, history = fit(fresh(), LOSS, loader(prefetch=prefetch), epochs=6, steps_per_epoch=2)
    check_same(parts, whole)
    assert history.epochs == 6
    assert [t for t in threading.enumerate() if t.name == "portanet-prefetch"] == []


@pytest.mark.parametrize("steps", [2, 4])
def test_data_that_end_in_an_epoch(steps):
    batches = [(X[:8], LABELS[:8]), (X[8:16], LABELS[8:16]), (X[16:], LABELS[16:])]
    ts, _ = fit(fresh(), LOSS, batches, epochs=3, steps_per_epoch=steps)
    again, _ = fit(fresh(), LOSS, (batches * 4)[: 3 * steps])
    check_same(ts, again)
    with pytest.raises(ArgumentError, match="ended after 1 and has no more") as caught:
        fit(fresh(), LOSS, iter(batches), epochs=2, steps_per_epoch=2)
    assert caught.value.ts.step == 3


def test_it_runs_in_any_thread():
    expected, _ = fit(fresh(), LOSS, loader(), epochs=2)
    with ThreadPoolExecutor(1) as pool:
        ts, _ = pool.submit(fit, fresh(), LOSS, loader(), epochs=2).result()
    check_same(ts, expected)


@pytest.mark.parametrize("failing", ["training", "validation"])
def test_no_thread_is_left_while_somebody_looks_at_an_error(failing):
    def broken(model, ps, st, data):
        if ps is not None and st["layer_3"]["training"] is (failing == "training"):
            raise ZeroDivisionError
        return LOSS(model, ps, st, data)

    with pytest.raises(ZeroDivisionError) as caught:
        fit(fresh(), broken, loader(prefetch=1), validation=loader(prefetch=1), jit=False)
    assert caught.value.ts.step == (0 if failing == "training" else 3)
    assert [t for t in threading.enumerate() if t.name == "portanet-prefetch"] == []


def test_functions_are_callbacks_and_may_stop():
    seen = []

    def look(run):
        seen.append((run.epoch, run.batch, run.batches, run.ts.step, run.history.last["loss"]))
        if run.epoch == 2:
            run.stop("enough")

    ts, history = fit(fresh(), LOSS, loader(), epochs=9, callbacks=look)
    assert [entry[:4] for entry in seen] == [(1, 0, 3, 3), (2, 0, 3, 6)]
    assert [entry[4] for entry in seen] == history["loss"].tolist()
    assert (ts.step, history.stopped) == (6, "enough")


@pytest.mark.parametrize(("step", "place"), [(3, "after epoch 1"), (4, "in epoch 2")])
def test_it_says_where_it_was_stopped(step, place, capsys):
    def look(run):
        if run.ts.step == step:
            run.stop("enough")

    class Looking(callbacks.Callback):
        def on_step(self, run):
            if step % 3:
                look(run)

    around = [look, Looking()]
    pn.training.fit(fresh(), LOSS, loader(), epochs=9, callbacks=around)
    assert f"stopped {place}: enough" in capsys.readouterr().err


def test_progress_goes_to_standard_error_in_lines(capsys):
    pn.training.fit(fresh(), LOSS, loader(), epochs=3, metrics=[metrics.Accuracy()])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 3/3: loss 0." in shown.err
    assert "accuracy 0." in shown.err
    assert "steps/s, 0 s left)" in shown.err


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    pn.training.fit(fresh(), LOSS, loader(), epochs=3, callbacks=[lambda run: None])
    shown = capsys.readouterr().err
    assert "epoch 3/3: 100%" in shown
    assert "9/9" in shown
    assert "loss=" in shown or "loss 0." in shown


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fit(None, LOSS, loader()), ArgumentError, "ts is a TrainState"),
        (lambda: fit(fresh(), None, loader()), ArgumentError, "loss is a function"),
        (lambda: fit(fresh(), LOSS, None), ArgumentError, "data is a DataLoader"),
        (lambda: fit(fresh(), LOSS, "text"), ArgumentError, "data is a DataLoader"),
        (lambda: fit(fresh(), LOSS, []), ArgumentError, "at least one batch"),
        (lambda: fit(fresh(), LOSS, iter([(X, LABELS)]), epochs=2), ArgumentError, "generator"),
        (lambda: fit(fresh(), LOSS, loader(), epochs=-1), HyperparameterError, "epochs"),
        (lambda: fit(fresh(), LOSS, loader(), epochs=1.5), HyperparameterError, "epochs"),
        (lambda: fit(fresh(), LOSS, loader(), metrics=["x"]), ArgumentError, "a metric is"),
        (lambda: fit(fresh(), LOSS, loader(), callbacks=[3]), ArgumentError, "a callback is"),
        (lambda: fit(fresh(), LOSS, loader(), callbacks=[callbacks.Callback]), ArgumentError, "is"),
        (lambda: fit(fresh(), LOSS, loader(), validation=[]), ArgumentError, "validation has"),
        (lambda: fit(fresh(), LOSS, loader(), validation=3), ArgumentError, "validation is"),
        (lambda: fit(fresh(), LOSS, [X]), ShapeError, "pair"),
        (lambda: fit(fresh(), LOSS, [X, LABELS]), ShapeError, "a list is one of batches"),
        (lambda: fit(fresh(), LOSS, [(X, LABELS, X)]), ShapeError, "a tuple of 3: a loss of your"),
        (lambda: fit(fresh(), LOSS, (X.tolist(), LABELS)), ArgumentError, "convert it first"),
        (lambda: fit(fresh(), type(LOSS), loader()), ArgumentError, "got the class CrossEntropy"),
        (
            lambda: fit(fresh(), LOSS, (X, LABELS.astype(np.float32))),
            ShapeError,
            "labels are integers, convert them",
        ),
        (
            lambda: fit(fresh(), LOSS, loader(), steps_per_epoch=0),
            HyperparameterError,
            "steps_per_epoch",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_metric_that_is_measured_nowhere_is_refused():
    def bare(model, ps, st, data):
        value, st, _ = LOSS(model, ps, st, data)
        return value, st, {}

    options = {"metrics": [metrics.Accuracy()]}
    with pytest.raises(ArgumentError, match=r"\['accuracy'\] are measured in validation, or where"):
        fit(fresh(), bare, loader(), **options)
    _, history = fit(fresh(), bare, loader(), validation=(X, LABELS), **options)
    assert "accuracy" not in history
    assert "validation_accuracy" in history


def test_a_model_that_the_batch_does_not_fit_says_what_metrics_need():
    def loss(model, ps, st, data):
        value, st, _ = LOSS(model, ps, st, (data["x"], data["y"]))
        return value, st, {}

    data = {"x": X, "y": LABELS}
    with pytest.raises(PortanetError):
        fit(fresh(), loss, data, validation=data, metrics=[metrics.Accuracy()])

    def other(model, ps, st, data):
        return loss(model, ps, st, {"x": data[0][0], "y": data[1]})

    pairs = ((X, X), LABELS)
    with pytest.raises(PortanetError) as caught:
        fit(fresh(), other, pairs, validation=pairs, metrics=[metrics.Accuracy()], jit=False)
    assert "the statistics of the loss have no 'prediction'" in " ".join(caught.value.__notes__)


def test_models_are_described_not_changed():
    before = repr(MODEL)
    fit(fresh(), LOSS, loader())
    assert repr(MODEL) == before
