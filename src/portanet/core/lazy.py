"""Sizes that come from the input: layers that wait for it, and a model's run to find them out."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from portanet import checks, trees
from portanet.core.depth import within_depth
from portanet.core.layer import Layer
from portanet.core.modes import test_mode
from portanet.core.unresolved import Finished, Search, Unresolved
from portanet.errors import HyperparameterError, shown
from portanet.interface import backend_of, is_array

Class = TypeVar("Class", bound=type)


def last_size(x: Any) -> int:
    """Return the size of the last axis of an input: its features or channels."""
    checks.rank_at_least("x", x, 1)
    return x.shape[-1]


def sized_by_input(**rules: Callable[[Any], Any]) -> Callable[[Class], Class]:
    """Let hyperparameters of a layer be None: they follow from the first input.

    A class decorator, above ``@dataclass``. The layer's ``__call__`` says
    ``return call_resolved(self, x, ps, st)`` where one of them is None.

    Parameters
    ----------
    **rules : callable
        How each hyperparameter follows from the input of the layer.
    """

    def decorate(cls: Class) -> Class:
        setattr(cls, "sizes_by_input", rules)  # noqa: B010  (a class of any kind)
        for name in ("initial_parameters", "initial_states"):
            setattr(cls, name, _waiting(getattr(cls, name)))
        return cls

    return decorate


def _waiting(draw: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(draw)
    def method(self: Layer, rng: np.random.Generator) -> Any:
        return Unresolved(self) if self.unresolved else draw(self, rng)

    return method


def call_resolved(layer: Layer, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
    """Call a layer that lacks sizes as one that has those of its input."""
    known, ps, st = met(layer, x, ps, st)
    return known(x, ps, st)


def met(layer: Layer, x: Any, ps: Any, st: Any) -> tuple[Layer, Any, Any]:
    """Return a layer with the sizes of its input, and the trees to call it with."""
    if not isinstance(ps, Unresolved):
        return layer.with_sizes_of(x), ps, st
    search = ps.search
    if search is None:
        raise _waits((), ps.layer)
    known = ps.known or ps.layer.with_sizes_of(x)
    if ps.known is None:
        search.note(ps, known)
    rng = np.random.default_rng(0)
    st = known.initial_states(rng) if isinstance(st, Unresolved) else st
    return known, known.initial_parameters(rng), test_mode(st)


def refuse_unresolved(path: tuple[str, ...], tree: Any) -> None:
    """Raise `HyperparameterError` for the first layer in a tree that waits for its input."""
    if isinstance(tree, Unresolved):
        raise _waits(path, tree.layer)
    if isinstance(tree, Mapping):
        for name, entry in tree.items():
            refuse_unresolved((*path, name), entry)


def _waits(path: tuple[str, ...], layer: Layer) -> HyperparameterError:
    error = HyperparameterError(
        f"{layer!r} takes {', '.join(layer.unresolved)} from its input: give one to look at, "
        f"as in pn.setup(rng, model, example), or pn.resolve(model, example) first"
    )
    error.path = path
    return error


@within_depth
def resolve(model: Layer, example: Any) -> Layer:
    """Return the model with the sizes that its layers take from their inputs.

    The model is run on the example as far as its last layer of unknown size, in test mode and
    with parameters that are thrown away.

    Parameters
    ----------
    model : Layer
        A model with layers such as ``pn.Dense(None, 10)``.
    example : tree
        An input. What is no array but has a shape and a dtype stands for an array of zeros.

    Returns
    -------
    Layer
        An equal model if no size was missing.

    Raises
    ------
    HyperparameterError
        If the example does not reach a layer that waits for its input.

    See Also
    --------
    setup : Does the same when it is given an example.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(None, 16, pn.relu), pn.Dense(None, 10))
    >>> pn.resolve(model, np.ones((1, 784), np.float32))
    Chain(Dense(784, 16, relu), Dense(16, 10))
    """
    if not hasattr(model, "initial_parameters"):
        raise HyperparameterError(f"resolve: model is a portanet.Layer: got {shown(model)}")
    rng = np.random.default_rng(0)
    ps, st = model.initial_parameters(rng), model.initial_states(rng)
    places = [leaf for leaf in trees.leaves(ps) if isinstance(leaf, Unresolved)]
    if not places:
        return model
    search = Search(len(places))
    for place in places:
        place.search = search
    with contextlib.suppress(Finished):
        model(trees.map_leaves(on_host, example), ps, _tested(st))
    return _settled(model, ps, ())


def _tested(st: Any) -> Any:
    return st if isinstance(st, Unresolved) else test_mode(st)


def on_host(leaf: Any) -> Any:
    """Return an example on the host, in the precision of fresh parameters."""
    if not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")):
        return leaf
    x = backend_of(leaf).to_numpy(leaf) if is_array(leaf) else np.zeros(leaf.shape, leaf.dtype)
    return x.astype(np.float32) if x.dtype.kind == "f" else x


def _settled(layer: Layer, ps: Any, path: tuple[str, ...]) -> Layer:
    """Return `layer` with the sizes that were noted in its tree of parameters."""
    if isinstance(ps, Unresolved):
        if ps.known is None:
            raise HyperparameterError(
                f"model.{'.'.join(path)}: {layer!r} takes {', '.join(layer.unresolved)} from its "
                f"input: the example did not reach it"
            )
        return ps.known if layer == ps.layer else layer
    children = layer.children()
    if not (children and isinstance(ps, Mapping)):
        return layer
    return layer.with_children(
        {
            name: _settled(child, ps[name], (*path, name))
            for name, child in children.items()
            if name in ps
        }
    )
