"""Means of the loss and of statistics, and metrics, over the batches of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet import trees
from portanet.data.batch import taken_apart
from portanet.data.part import part_of
from portanet.distributed.agreement import gathered
from portanet.distributed.group import current
from portanet.interface import backend_of, is_array
from portanet.training.metrics.base import Metric, joined, on_host, to_numpy
from portanet.training.objective import PREDICTION, pair_of

_MOST_PENDING = 64
"""Batches whose values may still be on their way: looking at one waits for its step to end."""


class Meter:
    """What is measured of the batches of an epoch, weighted by their numbers of samples.

    Parameters
    ----------
    metrics : mapping of str to Metric
        Measured where the statistics of a batch have the prediction.
    together : bool, default False
        Whether the result is that of the batches of all workers.
    """

    def __init__(self, metrics: Mapping[str, Metric], together: bool = False) -> None:
        self._metrics = metrics
        self._together = together
        self.clear()

    def clear(self) -> None:
        """Forget all batches."""
        self._pending: list[tuple[Any, ...]] = []
        self._sums: dict[str, list[float]] = {}
        self._totals: dict[str, Any] = {}

    def add(self, value: Any, stats: Any, batch: Any) -> None:
        """Add a batch; its numbers are looked at later."""
        batch, part = part_of(batch)
        data, mask = taken_apart(batch)
        if part is not None and not part.samples:
            mask = np.zeros(_samples(data), np.bool_)
        weight = _samples(data) if mask is None else mask
        numbers = measured = None
        if stats:
            numbers = _numbers(stats)
            if self._metrics and isinstance(stats, Mapping) and PREDICTION in stats:
                target = stats["target"] if "target" in stats else pair_of(data)[1]
                measured = {
                    name: metric.measure(stats[PREDICTION], target)
                    for name, metric in self._metrics.items()
                }
        self._pending.append((value, weight, mask, numbers, measured))
        if len(self._pending) >= _MOST_PENDING:
            self._look()

    def _look(self) -> None:
        for value, weight, mask, numbers, measured in self._pending:
            weight = float(weight if mask is None else np.count_nonzero(to_numpy(mask)))
            self._sum("loss", value, weight)
            for name, number in (numbers or {}).items():
                self._sum(name, number, weight)
            for name, arrays in (measured or {}).items():
                total = self._totals.get(name)
                self._totals[name] = self._metrics[name].add(total, on_host(arrays, mask))
        self._pending.clear()

    def _sum(self, name: str, value: Any, weight: float) -> None:
        entry = self._sums.setdefault(name, [0.0, 0.0])
        if weight:  # what no sample has made may be NaN
            entry[0] += float(value) * weight
            entry[1] += weight

    def mean_loss(self) -> float:
        """Return the mean loss so far, NaN before the first batch."""
        self._look()
        total, weight = self._sums.get("loss", (0.0, 0.0))
        return total / weight if weight else float("nan")

    def result(self) -> dict[str, Any]:
        """Return the means and the metrics of all batches."""
        sums, totals = self._all()
        means = {name: total / weight for name, (total, weight) in sums.items() if weight}
        return {**means, **{name: self._metrics[name].result(x) for name, x in totals.items()}}

    def _all(self) -> tuple[dict[str, list[float]], dict[str, Any]]:
        """Return the sums and the totals of this worker, or of all in the order of their ranks."""
        self._look()
        if not self._together:
            return self._sums, self._totals
        sums: dict[str, list[float]] = {}
        totals: dict[str, Any] = {}
        for own_sums, own_totals in gathered(current(), (self._sums, self._totals)):
            for name, (total, weight) in own_sums.items():
                entry = sums.setdefault(name, [0.0, 0.0])
                entry[0] += total
                entry[1] += weight
            for name, total in own_totals.items():
                known = totals.get(name)
                totals[name] = total if known is None else self._metrics[name].join(known, total)
        return sums, totals

    def state(self) -> dict[str, Any]:
        """Return what was measured so far: sums, and the totals of metrics as arrays."""
        sums, totals = self._all()
        kept = {
            name: {part: joined(x) for part, x in total.items()} for name, total in totals.items()
        }
        return {"sums": sums, "totals": kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; of several workers the first one does."""
        self.clear()
        if self._together and current().rank:
            return
        self._sums = {name: list(entry) for name, entry in state["sums"].items()}
        self._totals = {name: dict(total) for name, total in state["totals"].items()}


def _samples(data: Any) -> int:
    """Return the number of samples of a batch, 1 where its arrays have no axes."""
    first = data
    while type(first) is tuple and first:  # such as (x, target), without taking the tree apart
        first = first[0]
    shape = getattr(first, "shape", ())
    if shape:
        return int(shape[0])
    for leaf in trees.leaves(data):
        shape = getattr(leaf, "shape", ())
        if shape:
            return int(shape[0])
    return 1


def _numbers(stats: Any) -> dict[str, Any]:
    """Return the numbers among the statistics of a loss, by their dotted paths."""
    if not isinstance(stats, Mapping):
        return {}
    shown = {name: x for name, x in stats.items() if name not in (PREDICTION, "target", "loss")}
    return {path: x for path, x in trees.flatten_with_paths(shown) if _is_number(x)}


def _is_number(x: Any) -> bool:
    if isinstance(x, int | float):
        return True
    return is_array(x) and tuple(x.shape) == () and not backend_of(x).is_complex(x.dtype)
