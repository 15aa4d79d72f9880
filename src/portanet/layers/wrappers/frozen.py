"""Layers whose parameters are not trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.core.unresolved import is_unresolved
from portanet.errors import HyperparameterError, ParameterTreeError, shown
from portanet.layers.wrappers._paths import entry_at, paths_of, with_entries, without


@dataclass(frozen=True)
class Frozen(Layer):
    """A layer whose parameters, or some of them, are kept among the states.

    No gradient is computed for them and no optimizer sees them. `freeze` makes one of a trained
    layer.

    Parameters
    ----------
    layer : Layer
        The layer. `setup` wants its sizes to be known: `resolve` it before.
    names : str or sequence of str, optional
        Which entries of its parameters to freeze, by dotted paths such as ``"layer_1.weight"``;
        all of them by default.

    Notes
    -----
    Input and output: those of `layer`.

    Parameter tree: that of `layer` without the frozen entries. State tree: ``frozen``, a dict of
    the frozen entries by their paths (everything is at ``""``), and ``layer``, its states.

    Raises
    ------
    HyperparameterError
        If `layer` is no layer, or the names are not disjoint paths; in setup, if it waits for an
        input.
    ParameterTreeError
        In setup, if the parameters of `layer` have no such entry.

    Examples
    --------
    >>> import portanet as pn
    >>> ps, st = pn.setup(0, pn.Frozen(pn.Dense(3, 2), "weight"))
    >>> list(ps), list(st["frozen"])
    (['bias'], ['weight'])
    """

    layer: Layer
    names: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer):
            checks.refuse(self, "layer is a portanet.Layer", self.layer)
        if self.names is not None:
            given = self.names
            paths = paths_of(given, lambda rule: checks.refuse(self, f"names are {rule}", given))
            object.__setattr__(self, "names", paths)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return self._split(self.layer.initial_parameters(rng))[0]

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        frozen = self._split(self.layer.initial_parameters(rng))[1]
        return {"frozen": frozen, "layer": self.layer.initial_states(rng)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        y, state = self.layer(x, self._whole(ps, st), checks.entry(st, "layer", "st"))
        return y, {"frozen": st["frozen"], "layer": state}

    def _split(self, ps: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if is_unresolved(ps):
            return ps, {}
        if self.names is None:
            return {}, {"": ps}
        found = {path: entry_at(ps, path) for path in self.names}
        return without(ps, found), found

    def _whole(self, ps: Any, st: Any) -> Any:
        frozen = checks.require_tree(checks.entry(st, "frozen", "st"), 'st["frozen"]')
        if not all(isinstance(path, str) for path in frozen):
            raise ParameterTreeError('the entries of st["frozen"] are dotted paths')
        if "" in frozen:
            return frozen[""]
        return with_entries(ps, frozen) if frozen else ps


def freeze(
    layer: Layer, ps: Any, st: Any, names: str | Iterable[str] | None = None
) -> tuple[Frozen, Any, Any]:
    """Freeze a layer with its parameters as they are.

    Parameters
    ----------
    layer : Layer
    ps, st : tree
        Its parameters and states.
    names : str or iterable of str, optional
        As in `Frozen`.

    Returns
    -------
    tuple
        The `Frozen` layer, the parameters that are left, and the states.

    Raises
    ------
    ParameterTreeError
        If `ps` has no such entry.

    See Also
    --------
    layer_map : Freezes layers inside a model.
    portanet.optimizers.freeze : Keeps an optimizer from changing parameters.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(3, 2), pn.Dense(2, 1))
    >>> frozen, ps, st = pn.freeze(model, *pn.setup(0, model), names="layer_1")
    >>> list(ps)
    ['layer_2']
    """
    if not (names is None or isinstance(names, str | list | tuple | set | frozenset)):
        raise HyperparameterError(f"freeze: names are dotted paths: got {shown(names)}")
    frozen = Frozen(layer, names if names is None or isinstance(names, str) else tuple(names))
    rest, taken = frozen._split(ps)
    return frozen, rest, {"frozen": taken, "layer": st}


def unfreeze(layer: Layer, ps: Any, st: Any) -> tuple[Layer, Any, Any]:
    """Undo `freeze`: return the layer inside, all its parameters, and its states.

    Raises
    ------
    HyperparameterError
        If `layer` is not `Frozen`.
    ParameterTreeError
        If `st` are not the states of a frozen layer.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.Dense(3, 2)
    >>> ps, st = pn.setup(0, model)
    >>> layer, again, _ = pn.unfreeze(*pn.freeze(model, ps, st))
    >>> layer, again["bias"] is ps["bias"]
    (Dense(3, 2), True)
    """
    if not isinstance(layer, Frozen):
        raise HyperparameterError(f"unfreeze: layer is a pn.Frozen: got {shown(layer)}")
    if not isinstance(st, dict) or st.keys() != {"frozen", "layer"}:
        raise ParameterTreeError("st has the entries 'frozen' and 'layer' of a frozen layer")
    return layer.layer, layer._whole(ps, st), st["layer"]
