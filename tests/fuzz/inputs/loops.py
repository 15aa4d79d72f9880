"""Valid calls of what makes batches, trains on them and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import portanet as pn
from fuzz.inputs.places import Call
from portanet.data import Buckets, DataLoader, k_folds, pad_sequences, split, stack
from portanet.training import callbacks, metrics

Place = Callable[[Any], Any]


def calls(arrays: Place) -> Iterator[Call]:
    """Walk over valid calls with the arrays that `arrays` makes."""
    yield from _data(arrays)
    yield from _metrics(arrays)
    yield from _loop(arrays)
    yield from _callbacks()


def _first(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes the first of what another one makes."""

    def called(*args: Any, **options: Any) -> Any:
        return next(iter(make(*args, **options)))

    return called


def _data(arrays: Place) -> Iterator[Call]:
    x, y = arrays((np.ones((5, 2)), np.zeros(5)))
    plain = {"shuffle": True, "rng": 0, "drop_last": False, "pad": True, "prefetch": 0}
    yield Call("DataLoader", _first(DataLoader), ((x, y), 2), {**plain, "device": None})
    yield Call(
        "DataLoader of samples",
        _first(DataLoader),
        ([1, 2, 3], 2),
        {"buckets": Buckets([1, 2, 3], [4]), "collate": None, "transform": None, "rng": None},
    )
    loader = DataLoader((x, y), 2)
    yield Call("DataLoader.restore", loader.restore, (loader.state(),))
    yield Call("Buckets", Buckets, ([1, 2, 3], [2, 4]))
    yield Call("stack", stack, ([{"a": x, "b": 1}, {"a": x, "b": 2}],))
    yield Call("pad_sequences", pad_sequences, ([[1, 2], [3]], [2, 4]), {"value": 0})
    yield Call("split", split, ((x, y), 0.5, 1), {"rng": 0})
    yield Call("k_folds", k_folds, ((x, y), 2), {"rng": 0})


def _metrics(arrays: Place) -> Iterator[Call]:
    scores, one_hot, mask = np.eye(4, 3), np.eye(4, 3), np.ones(4, bool)
    pair = arrays((scores, one_hot))
    for metric in (
        metrics.Accuracy(),
        metrics.TopKAccuracy(k=2),
        metrics.ConfusionMatrix(),
        metrics.F1Score(),
        metrics.ROCAUC(),
        metrics.MeanAbsoluteError(),
        metrics.R2Score(),
        metrics.Perplexity(),
        metrics.Accuracy(threshold=0.5),
    ):
        yield Call(type(metric).__name__, metric, pair, {"mask": mask}, arrays=((0, 0), (0, 1)))
    options = {"threshold": 0.5, "ignore_index": 1}
    yield Call("Accuracy of options", metrics.Accuracy, (), options)
    yield Call("F1Score of options", metrics.F1Score, (), {**options, "average": "macro"})
    yield Call("TopKAccuracy of options", metrics.TopKAccuracy, (), {"k": 2, "ignore_index": 1})
    yield Call("Perplexity of options", metrics.Perplexity, (), {"logits": True})


def _loop(arrays: Place) -> Iterator[Call]:
    model, training, loss = pn.Dense(3, 2), pn.training, pn.MSELoss()
    data = arrays((np.ones((2, 3)), np.zeros((2, 2))))
    ts = training.TrainState(model, *arrays(pn.setup(0, model)), pn.optimizers.SGD(0.1))
    measured = {"metrics": {"error": metrics.MeanAbsoluteError()}, "jit": False}
    yield Call("evaluate", training.evaluate, (ts, loss, data), measured)
    yield Call("predict", training.predict, (ts, data[0]), {"batch_size": 2, "jit": False})
    options = {"validation": data, "callbacks": [], "progress": False, "ad": None, **measured}
    yield Call("fit", training.fit, (ts, loss, data), options)
    yield Call("fit of epochs", _epochs, (ts, loss, [data], 2))


def _epochs(ts: Any, loss: Any, data: Any, epochs: Any) -> Any:
    if isinstance(epochs, int) and epochs > 3:
        return None  # it would take as long as it says
    return pn.training.fit(ts, loss, data, epochs=epochs, progress=False)


def _callbacks() -> Iterator[Call]:
    best = {"monitor": "loss", "mode": "min"}
    yield Call(
        "EarlyStopping",
        callbacks.EarlyStopping,
        (2,),
        {**best, "min_delta": 0.1, "restore_best": True},
    )
    yield Call(
        "ReduceOnPlateau",
        callbacks.ReduceOnPlateau,
        (0.5, 2),
        {**best, "min_delta": 0.1, "min_lr": 0.0},
    )
    yield Call("Schedule", callbacks.Schedule, (), {"lr": lambda epoch: 0.1})
    yield Call(
        "Checkpoint",
        callbacks.Checkpoint,
        ("run",),
        {"every": 1, "every_steps": 2, "resume": False},
    )
    yield Call("CSVLogger", callbacks.CSVLogger, ("history.csv",))
    yield Call("TensorBoard", callbacks.TensorBoard, ("runs",))
    yield Call("Plot", callbacks.Plot, ("history.png",))
