"""What the loop of training adds to its steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import portanet as pn
from benchmarks import networks
from benchmarks.agreement import agree
from benchmarks.peers import ours
from benchmarks.report import duration, table
from benchmarks.timing import interleave

_BATCHES = {networks.POLYNOMIAL: 100, networks.LARGE: 8}
_EPOCHS_OF_ONE = 50
_HEADER = ["workload", "a step by hand", "a step so", "÷ by hand", "added to a step"]

Losses = list[float]


def loop() -> Iterator[str]:
    """`fit` and loaders beside bare loops of `train_step` over the same batches."""
    with _one_core():
        rows = [row for network in _BATCHES for row in _rows(network)]
    yield "### The loop of training\n\n" + table(_HEADER, rows)


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep the thread of a loader from computing beside the contender that it belongs to."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _rows(network: networks.Network) -> Iterator[list[str]]:
    start, loss, _ = ours.training_run(network)
    size, steps = network.batch, _BATCHES[network]
    data = x, y = network.data(size * steps)
    batches = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]

    def bare(batches: Any) -> Losses:
        ts, values = start, []
        for batch in batches:
            value, _, ts = pn.training.train_step(loss, batch, ts)
            values.append(float(value))
        return values

    def fit(data: Any, epochs: int) -> Losses:
        _, history = pn.training.fit(start, loss, data, epochs=epochs, progress=False)
        return list(history["loss"])

    def loader(prefetch: int) -> Any:
        return pn.data.DataLoader(data, size, shuffle=True, rng=0, prefetch=prefetch)

    def by_hand() -> Iterator[Any]:
        order = np.random.default_rng(0).permutation(len(x))
        for i in range(0, len(x), size):
            rows = order[i : i + size]
            yield x[rows], y[rows]

    def row(title: str, steps: int, hand: Callable[[], Losses], so: Callable[[], Losses]) -> Any:
        return _row(f"{title}: {network.name}", steps, hand, so)

    yield row("`fit`", steps, lambda: bare(batches), lambda: fit(batches, 1))
    for prefetch in (0, 2):
        title = f"loader with shuffling{' and prefetch' if prefetch else ''}"
        yield row(title, steps, lambda: bare(by_hand()), lambda n=prefetch: bare(loader(n)))
    if network is networks.POLYNOMIAL:
        once = [batches[0]] * _EPOCHS_OF_ONE
        yield row(
            "`fit`, epochs of one step",
            _EPOCHS_OF_ONE,
            lambda: bare(once),
            lambda: fit(batches[0], _EPOCHS_OF_ONE),
        )


def _row(title: str, steps: int, hand: Callable[[], Losses], so: Callable[[], Losses]) -> list[str]:
    """Return the times of a step in two loops, whose first steps take the same batch or not."""
    if "loader" not in title:  # whose orders are its own
        agree(title, {"by hand": [np.mean(hand())], "so": [np.mean(so())]})
    times = interleave({"by hand": hand, "so": so})
    ratio, seconds = times["so"].ratios["by hand"], times["by hand"].seconds
    shown = map(duration, (seconds / steps, times["so"].seconds / steps))
    return [title, *shown, f"{ratio:.3f}", duration((ratio - 1) * seconds / steps)]
