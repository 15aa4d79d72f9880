"""The loss, the metrics and the predictions of a model that does not learn meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portanet import checks, trees
from portanet.core import test_mode
from portanet.data import DataLoader
from portanet.data.batch import common_length, taken_apart
from portanet.data.source import is_tree_of_arrays
from portanet.devices import get_device
from portanet.distributed import DistributedLoader
from portanet.errors import ArgumentError, PortanetError, shown
from portanet.interface import array_namespace, is_array
from portanet.training.batches import Batches
from portanet.training.forward import forward, forward_with_loss
from portanet.training.meter import Meter
from portanet.training.metrics.base import Metric, to_numpy
from portanet.training.metrics.naming import named
from portanet.training.objective import Objective, own_part
from portanet.training.state import TrainState, check_state


class Evaluator:
    """Evaluates a model again and again, by one recorded program.

    Parameters
    ----------
    model : Layer
    loss : Loss or callable
    metrics : mapping of str to Metric
    jit : bool or None
        As for `portanet.training.train_step`.
    together : bool
        Whether the result is that of all workers.
    """

    def __init__(
        self, model: Any, loss: Any, metrics: Mapping[str, Metric], jit: bool | None, together: bool
    ) -> None:
        self._loss = loss
        self._forward = forward_with_loss(Objective(loss, bool(metrics)), model, jit)
        self._meter = Meter(metrics, together)

    def __call__(self, ts: TrainState, batches: Batches) -> dict[str, Any]:
        """Return the loss, the statistics and the metrics over all batches."""
        self._meter.clear()
        ps, st = ts.parameters, test_mode(ts.states)
        for batch in batches:
            value, stats = self._forward(ps, st, own_part(self._loss, batch)[0])
            self._meter.add(value, stats, batch)
        return self._meter.result()


def place_of(ts: TrainState) -> Any:
    """Return the device of a training state, None if it has no arrays."""
    return get_device((ts.parameters, ts.states))


def evaluate(
    ts: TrainState, loss: Any, data: Any, *, metrics: Any = (), jit: bool | None = None
) -> dict[str, Any]:
    """Compute the loss and metrics of a model in test mode over all batches of some data.

    Parameters
    ----------
    ts : TrainState
        The training state, which stays as it is.
    loss : Loss or callable
        As for `portanet.training.train_step`.
    data : DataLoader, tuple of arrays, or iterable of batches
        A tuple or a dict of arrays is one batch. Batches are moved to the device of `ts`. Of a
        `portanet.distributed.DistributedLoader` all workers get the result of all samples.
    metrics : list of Metric or functions, or dict of them by name, optional
        Such as ``[pn.training.metrics.Accuracy()]``. A loss that is a function gives the prediction
        as an entry ``"prediction"`` of its statistics; without it the model is called once more on
        the input of a batch ``(x, target)``.
    jit : bool, optional
        As for `portanet.training.train_step`.

    Returns
    -------
    dict
        ``"loss"``, the mean over the batches weighted by their numbers of samples; so are the
        numbers among the statistics of `loss`; and each metric, of all samples at once.

    Raises
    ------
    ArgumentError
        If there are no batches, or an argument is of the wrong kind.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([[1.0], [-1.0]])}
    >>> model = pn.Dense(1, 2, use_bias=False)
    >>> ts = pn.training.TrainState(model, ps, {}, pn.optimizers.SGD(0.1))
    >>> data = np.asarray([[1.0], [-2.0], [3.0]]), np.asarray([0, 1, 1])
    >>> loss, accuracy = pn.CrossEntropyLoss(logits=True), pn.training.metrics.Accuracy()
    >>> found = pn.training.evaluate(ts, loss, data, metrics=[accuracy])
    >>> print({name: round(value, 3) for name, value in found.items()})
    {'loss': 2.049, 'accuracy': 0.667}
    """
    check_state(ts)
    together = isinstance(data, DistributedLoader)
    evaluator = Evaluator(ts.model, loss, named(metrics), jit, together)
    return evaluator(ts, Batches(data, place_of(ts), apart=True))


def predict(ts: TrainState, data: Any, *, batch_size: int = 256, jit: bool | None = None) -> Any:
    """Compute the outputs of a model in test mode for all samples of its input, in batches.

    Parameters
    ----------
    ts : TrainState
        The training state, which stays as it is.
    data : array, tree of arrays, DataLoader, or iterable of batches
        Inputs of the model. Arrays are cut into batches along their first axis.
    batch_size : int, default 256
        Of arrays. A last batch with fewer samples is filled up meanwhile.
    jit : bool, optional
        As for `portanet.training.train_step`.

    Returns
    -------
    tree of arrays
        The outputs of all samples along the first axis, on the device of `ts`.

    Raises
    ------
    ArgumentError
        If there are no batches.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([[2.0]]), "bias": np.asarray([1.0])}
    >>> ts = pn.training.TrainState(pn.Dense(1, 1), ps, {}, pn.optimizers.SGD(0.1))
    >>> pn.training.predict(ts, np.asarray([[1.0], [2.0], [3.0]]), batch_size=2)
    array([[3.],
           [5.],
           [7.]])
    """
    check_state(ts)
    if isinstance(data, DistributedLoader):
        raise ArgumentError(
            "predict: data is what one worker computes: got a DistributedLoader: give it the loader"
        )
    if is_tree_of_arrays(data):
        size = checks.integer("predict: batch_size", batch_size, 1)
        data = DataLoader(data, max(min(size, common_length(data, "data")), 1), pad=True)
    run, ps, st = forward(ts.model, jit), ts.parameters, test_mode(ts.states)
    parts = list(_outputs(run, ps, st, Batches(data, place_of(ts), apart=True)))
    columns = zip(*map(trees.leaves, parts), strict=True)
    joined = [array_namespace(*column).concat(list(column), axis=0) for column in columns]
    return trees.unflatten(trees.flatten(parts[0])[1], joined)


def _outputs(run: Any, ps: Any, st: Any, batches: Batches) -> Iterator[Any]:
    for batch in batches:
        x, mask = taken_apart(batch)
        try:
            y = run(x, ps, st)
        except PortanetError as error:
            if isinstance(x, tuple):
                error.add_note(
                    "predict calls the model with what the data give: leave the targets out"
                )
            raise
        if mask is not None:
            count = int(to_numpy(mask).sum())
            y = trees.map_leaves(lambda part, count=count: part[:count, ...], y)
        if not all(map(is_array, trees.leaves(y))):
            raise ArgumentError(f"predict: the model returns arrays: got {shown(y)}")
        yield y
