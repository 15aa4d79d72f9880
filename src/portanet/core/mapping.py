"""Walking over the layers of a model."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

from portanet.core.layer import Layer
from portanet.errors import ArgumentError, HyperparameterError, ParameterTreeError, shown

Around = Callable[[tuple[str, ...], Layer, Callable[..., Any], Any, Any, Any], tuple[Any, Any]]


def layer_map(function: Callable[..., Any], model: Layer, *entries: Any) -> Any:
    """Replace every layer without layers inside, and its entries of trees such as parameters.

    Parameters
    ----------
    function : callable
        ``function(path, layer, *entries)`` gets the dotted path, a layer and its entry of each
        tree, and returns as many things without the path: the new layer alone where no tree is
        given, else a tuple.
    model : Layer
        The model.
    *entries : tree
        Any number of trees that nest like the model: its parameters, states, optimizer states.

    Returns
    -------
    Layer, or a tuple of a Layer and trees
        Nothing that was given is changed.

    Raises
    ------
    ParameterTreeError
        If a tree lacks the entry of a layer.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(2, 3), body=pn.Chain(pn.Dense(3, 3), pn.Dropout(0.5)))
    >>> pn.layer_map(lambda path, x: pn.NoOp() if isinstance(x, pn.Dropout) else x, model)
    Chain(Dense(2, 3), body=Chain(Dense(3, 3), NoOp()))

    Freeze what lies under a path:

    >>> def freeze_body(path, layer, ps, st):
    ...     return pn.freeze(layer, ps, st) if path.startswith("body") else (layer, ps, st)
    >>> model, ps, st = pn.layer_map(freeze_body, model, *pn.setup(0, model))
    >>> ps["body"]
    {'layer_1': {}, 'layer_2': {}}
    """
    if not isinstance(model, Layer):
        raise HyperparameterError(f"layer_map: model is a portanet.Layer: got {shown(model)}")
    if not callable(function):
        raise ArgumentError(f"layer_map: function is one: got {shown(function)}")
    new, *trees = _mapped(function, model, entries, ())
    return (new, *trees) if entries else new


def _mapped(
    function: Callable[..., Any], layer: Layer, entries: tuple[Any, ...], path: tuple[str, ...]
) -> tuple[Any, ...]:
    children = layer.children()
    if not children:
        found = function(".".join(path), layer, *entries)
        found = found if entries else (found,)
        if not isinstance(found, tuple) or len(found) != 1 + len(entries):
            raise ParameterTreeError(
                f"layer_map: the function returns {1 + len(entries)} things, the layer first: got "
                f"{shown(found)} for {'.'.join(path) or 'the model'}"
            )
        return found
    layers, trees = {}, [dict(_mapping(tree, path)) for tree in entries]
    for name, child in children.items():
        place = (*path, name)
        inside = tuple(_entry(tree, name, place) for tree in entries)
        layers[name], *changed = _mapped(function, child, inside, place)
        for tree, new in zip(trees, changed, strict=True):
            tree[name] = new
    return layer.with_children(layers), *trees


def _mapping(tree: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(tree, Mapping):
        raise ParameterTreeError(
            f"layer_map: the entry {'.'.join(('model', *path))} of a tree is a dict: got a "
            f"{type(tree).__name__}"
        )
    return tree


def _entry(tree: Any, name: str, path: tuple[str, ...]) -> Any:
    if not isinstance(tree, Mapping) or name not in tree:
        raise ParameterTreeError(f"layer_map: a tree has no entry model.{'.'.join(path)}")
    return tree[name]


def surround(layer: Layer, around: Around, path: tuple[str, ...] = ()) -> Layer:
    """Return a copy of a model in which every layer's call goes through `around`.

    Parameters
    ----------
    layer : Layer
    around : callable
        ``around(path, layer, call, x, ps, st)`` stands for the call of the layer at `path`, which
        is ``call(x, ps, st)``.
    path : tuple of str
        Where the layer is.

    Returns
    -------
    Layer
        Each of its layers is of a subclass of its own class, with everything else it had.
    """
    children = layer.children()
    layer = layer.with_children(
        {name: surround(child, around, (*path, name)) for name, child in children.items()}
    )
    cls: Any = type(layer)

    def call(self: Any, x: Any, ps: Any, st: Any) -> Any:
        return around(path, layer, functools.partial(cls.__call__, self), x, ps, st)

    surrounded = copy.copy(layer)
    object.__setattr__(surrounded, "__class__", type(cls.__name__, (cls,), {"__call__": call}))
    return surrounded
