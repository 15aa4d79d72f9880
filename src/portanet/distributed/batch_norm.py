"""Batch normalisation by the statistics of the whole batch, of which each worker has a part."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer, layer_map, sized_by_input
from portanet.core.lazy import last_size
from portanet.distributed.group import workers
from portanet.distributed.shared import own_weight, sum_of_workers
from portanet.functional import batch_norm, stop_gradient
from portanet.functional.half import rounded, widened
from portanet.interface import array_namespace
from portanet.layers import BatchNorm
from portanet.layers.normalization.batch import normalized


@sized_by_input(features=last_size)
@dataclass(frozen=True)
class SyncBatchNorm(BatchNorm):
    """A `portanet.BatchNorm` whose mean and variance are those of the parts of all workers.

    Hyperparameters, parameters and states are those of `portanet.BatchNorm`; `sync_batch_norm`
    makes one of each in a model. In test mode, and of a single worker, it does the same.

    Notes
    -----
    Two messages of ``features + 1`` numbers in the call, and two in its derivative. All workers
    call it, in the same order; a step on JAX is not compiled then.

    Raises
    ------
    HyperparameterError, ShapeError, DTypeError, DeviceError, BackendMismatchError
        As `portanet.BatchNorm`.
    DistributedError
        In the call, if `portanet.distributed.initialize` was not called, or a worker is gone.
    TracedValueError
        In the call, in training, in a function that JAX compiles.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> model = pn.distributed.SyncBatchNorm(1, epsilon=0.0)
    >>> model(np.asarray([[1.0], [3.0]], np.float32), *pn.setup(0, model))[0].tolist()
    [[-1.0], [1.0]]
    """

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 2)
        values = checks.product(x.shape[:-1])
        values = None if values is None else values * workers()
        return normalized(self, _synchronized, "batch", values, x, ps, st)


def sync_batch_norm(model: Layer) -> Any:
    """Return a model in which each `portanet.BatchNorm` is a `SyncBatchNorm`.

    Parameters
    ----------
    model : Layer

    Returns
    -------
    Layer
        With the same parameters and states.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.distributed.sync_batch_norm(pn.Chain(pn.Dense(2, 3), pn.BatchNorm(3)))
    Chain(Dense(2, 3), SyncBatchNorm(3))
    """
    return layer_map(_replaced, model)


def _replaced(path: str, layer: Layer) -> Layer:
    if type(layer) is not BatchNorm:
        return layer
    fields = (field.name for field in dataclasses.fields(layer) if field.init)
    return SyncBatchNorm(**{name: getattr(layer, name) for name in fields if name != "_"})


def is_synchronized(model: Any) -> bool:
    """Whether a model has a layer that sends messages in its call."""
    if isinstance(model, SyncBatchNorm):
        return True
    return isinstance(model, Layer) and any(map(is_synchronized, model.children().values()))


def _synchronized(
    x: Any,
    scale: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    training: bool = True,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
) -> tuple[Any, Any, Any]:
    """As `portanet.functional.batch_norm`, of all workers."""
    tracked = running_mean is not None
    if workers() == 1 or (tracked and not training):
        return batch_norm(
            x, scale, bias, running_mean, running_var,
            training=training, momentum=momentum, epsilon=epsilon,
        )  # fmt: skip
    wide = widened(x)
    xp, axes = array_namespace(wide), tuple(range(x.ndim - 1))
    total = xp.sum(wide, axis=axes)
    # A part without samples has one that does not count.
    own = xp.astype(xp.zeros_like(total[:1]) + own_weight() > 0, wide.dtype)
    rows = math.prod(x.shape[:-1]) * own
    sums = sum_of_workers(xp.concat([total * own, rows]))
    n = sums[-1:]
    mean = sums[:-1] / n
    centred = wide - mean
    variance = sum_of_workers(xp.sum(xp.square(centred), axis=axes) * own) / n
    y = centred / xp.sqrt(variance + epsilon)
    y = y if scale is None else y * widened(scale)
    y = y if bias is None else y + widened(bias)
    if not tracked:
        return rounded(y, x), None, None
    mean, variance = stop_gradient(mean), stop_gradient(variance * n / (n - 1))
    running_mean, running_var = (
        rounded((1 - momentum) * widened(old) + momentum * new, old)
        for old, new in ((running_mean, mean), (running_var, variance))
    )
    return rounded(y, x), running_mean, running_var
