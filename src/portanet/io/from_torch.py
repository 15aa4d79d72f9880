"""Networks of torch as layers of portanet."""

from __future__ import annotations

from typing import Any

from portanet.core import Chain, Layer, test_mode
from portanet.errors import ArgumentError, shown
from portanet.io.torch_modules import images, plain, sequences
from portanet.io.torch_modules.converted import Converted, Place

_CONVERTERS = {**plain.CONVERTERS, **images.CONVERTERS, **sequences.CONVERTERS}


def from_torch(module: Any) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Return a module of torch as a layer, with its numbers as arrays of NumPy.

    Parameters
    ----------
    module : torch.nn.Module
        A layer of ``torch.nn`` or a ``Sequential`` of them, also of further ones: dense and
        convolutional layers, norms, pooling, padding, activations, dropout, embeddings, recurrent
        layers, attention and the encoders of transformers.

    Returns
    -------
    model : Layer
    ps, st : dict
        Its parameters and states, copies of what the module holds, of the same dtypes. The states
        are in train or test mode as the module is.

    Raises
    ------
    DTypeError
        If a tensor is of a dtype that NumPy has not: ``module.float()`` has none such.
    ArgumentError
        If `module` is none, or has a part or an option without counterpart; the message names it
        as ``module.named_modules()`` does. Parts that torch knows can be converted one by one, and
        put together in a layer of your own.

    Notes
    -----
    Images have their channels last: what torch takes as (N, C, H, W) the layer takes, and gives, as
    (N, H, W, C). A ``Flatten`` of images still puts the channels first, as the layer after it was
    trained. What is flattened before the first layer of images is not known to be one: that takes
    what torch takes, channels second. Recurrent layers give all outputs, and no last states.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> model, ps, st = pn.io.from_torch(module)
    >>> model
    Chain(Dense(4, 8), WrappedFunction(relu), Dense(8, 2))
    >>> x = np.ones((3, 4), np.float32)
    >>> y, st = model(x, ps, st)
    >>> np.allclose(y, module(torch.asarray(x)).detach(), atol=1e-6)
    True
    """
    if not callable(getattr(module, "named_modules", None)):
        raise ArgumentError(f"from_torch: module is a torch.nn.Module: got {shown(module)}")
    converted = _convert(module, Place())
    st = converted.st if module.training else test_mode(converted.st)
    return converted.layer, converted.ps, st


def _convert(module: Any, place: Place) -> Converted:
    kind = type(module)
    if getattr(module, "parametrizations", None):
        place.refuse(module, "it is parametrized: remove_parametrizations makes numbers of it")
    if kind.__module__.startswith("torch.nn."):
        if kind.__name__ == "Sequential":
            return _chain(module, place)
        if kind.__name__ in _CONVERTERS:
            return _CONVERTERS[kind.__name__](module, place)
    place.refuse(
        module,
        "it has no counterpart here: convert its parts one by one, and write a layer that calls "
        "them as its forward does",
    )


def _chain(module: Any, place: Place) -> Converted:
    outer, parts = place.path, {}
    for name, part in module.named_children():
        place.path = f"{outer}.{name}" if outer else name
        parts[name] = _convert(part, place)
    place.path = outer
    if not parts:
        place.refuse(module, "it is empty")
    named = all(name.isidentifier() for name in parts)
    names = list(parts) if named else [f"layer_{i}" for i in range(1, len(parts) + 1)]
    layers = dict(zip(names, (part.layer for part in parts.values()), strict=True))
    pairs = list(zip(names, parts.values(), strict=True))
    return Converted(
        Chain(**layers) if named else Chain(*layers.values()),
        {name: part.ps for name, part in pairs},
        {name: part.st for name, part in pairs},
    )
