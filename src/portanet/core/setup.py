"""From a model to its first parameters and states, and back to an output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet import devices
from portanet.core.depth import within_depth
from portanet.core.layer import Layer
from portanet.core.lazy import refuse_unresolved, resolve
from portanet.errors import HyperparameterError, shown
from portanet.parameters import precision


def setup(
    rng: np.random.Generator | int,
    model: Layer,
    example: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw the parameters and the states of a model.

    The parameters are drawn first, on the host, by NumPy, as float32; then the states. They are
    moved and converted afterwards, so one seed gives the same model on every backend.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        A generator, which moves on, or the seed of a new one.
    model : Layer
        The model.
    example : tree, optional
        An input, or what has its shapes and dtypes. A layer such as ``pn.Dense(None, 10)`` takes
        its size from it, see `resolve`; the model itself runs with what is drawn.
    dtype : str or dtype, optional
        The floating type of the result, such as ``"float64"``; float32 without it.
    device : Device or str, optional
        Where the arrays go, such as ``"torch:cuda:0"``; they are NumPy arrays without it.

    Returns
    -------
    ps, st : dict
        Parameters and states: nested dicts by the names of the layers.

    Raises
    ------
    HyperparameterError
        If `rng` is neither a generator nor a seed, `model` is no layer, or a layer waits for an
        input and there is no example.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> ps["layer_1"]["weight"].shape, st
    ((16, 1), {'layer_1': {}, 'layer_2': {}})

    Sizes that follow from the input:

    >>> model = pn.Chain(pn.Dense(None, 16, pn.relu), pn.Dense(None, 1))
    >>> ps, st = pn.setup(0, model, np.ones((8, 5), np.float32))
    >>> ps["layer_1"]["weight"].shape, model(np.ones((8, 5), np.float32), ps, st)[0].shape
    ((16, 5), (8, 1))
    """
    if not isinstance(model, Layer):
        raise HyperparameterError(
            f"model is a portanet.Layer: got {shown(model)}: "
            f"a plain function becomes one with pn.WrappedFunction(function)"
        )
    generator = _generator(rng)
    if example is not None:
        model = resolve(model, example)
    trees = drawn(model.initial_parameters, generator), drawn(model.initial_states, generator)
    if device is not None:
        place = device if isinstance(device, devices.Device) else devices.device(device)
        trees = place(trees)
    if dtype is not None:
        trees = precision.astype(trees, dtype)
    return trees


@within_depth
def drawn(draw: Callable[[np.random.Generator], Any], rng: np.random.Generator) -> Any:
    """Return the tree that a model draws, in which no layer waits for its input."""
    tree = draw(rng)
    refuse_unresolved((), tree)
    return tree


def apply(model: Layer, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
    """Return ``model(x, ps, st)``: the output and the new states.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dense(2, 3)
    >>> y, st = pn.apply(model, np.ones((4, 2), np.float32), *pn.setup(0, model))
    >>> y.shape
    (4, 3)
    """
    if not isinstance(model, Layer):
        raise HyperparameterError(f"apply: model is a portanet.Layer: got {shown(model)}")
    return model(x, ps, st)


def _generator(rng: Any) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise HyperparameterError(
        f"rng is a numpy.random.Generator or a seed >= 0: got {shown(rng)}: "
        f"write pn.setup(np.random.default_rng(0), model)"
    )
