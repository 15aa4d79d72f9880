"""The metrics of a training, by the names that a history has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portanet.errors import ArgumentError, shown
from portanet.plots.curves import VALIDATION
from portanet.training.metrics.base import Metric
from portanet.training.metrics.regression import MeanOf


def named(metrics: Any) -> dict[str, Metric]:
    """Return metrics by name: a mapping as it is, others by their own names.

    A function is the mean of what it returns.
    """
    if isinstance(metrics, Metric):
        metrics = [metrics]
    found: list[tuple[Any, Metric]]
    if isinstance(metrics, Mapping):
        found = [(name, _metric(metric)) for name, metric in metrics.items()]
    elif isinstance(metrics, Sequence) and not isinstance(metrics, str):
        found = [(metric.name, metric) for metric in map(_metric, metrics)]
    else:
        raise ArgumentError(f"metrics is a dict or a list of metrics: got {shown(metrics)}")
    for name, _ in found:
        if not isinstance(name, str) or name == "loss" or name.startswith(VALIDATION):
            raise ArgumentError(
                f'the name of a metric is a text, neither "loss" nor one that begins with '
                f'"{VALIDATION}": got {shown(name)}'
            )
    if len(dict(found)) != len(found):
        raise ArgumentError(
            f"each metric has a name of its own: got {[name for name, _ in found]}: give them as "
            f"a dict"
        )
    return dict(found)


def _metric(given: Any) -> Metric:
    if isinstance(given, Metric):
        return given
    if isinstance(given, type) and issubclass(given, Metric):
        raise ArgumentError(
            f"a metric is one such as pn.training.metrics.Accuracy(): got the class "
            f"{given.__name__}: make one with {given.__name__}()"
        )
    return MeanOf(given)
