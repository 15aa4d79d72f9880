"""Parameters that several places of a model share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import trees
from portanet.core import Argument, Layer
from portanet.core.unresolved import Unresolved
from portanet.errors import HyperparameterError, ParameterTreeError, ShapeError, shown
from portanet.layers.wrappers._paths import entry_at, paths_of, with_entries, without


@dataclass(frozen=True, init=False)
class Tied(Layer):
    """A model in which some parameters are one: each group of them has a single entry.

    Gradients of a shared parameter add up over the places where it is used.

    Parameters
    ----------
    model : Layer
        The model.
    *groups : sequence of str
        Dotted paths of parameters, or of whole layers, that are one. The entry stays at the first
        path; the others leave the tree.

    Notes
    -----
    Input, output and state tree: those of `model`. Parameter tree: that of `model` without the
    entries of all paths but the first of each group.

    Raises
    ------
    HyperparameterError
        If a group has fewer than two paths, or two paths meet.
    ParameterTreeError
        In setup, if the parameters of the model have no such entry.
    ShapeError
        In setup, if the parameters of a group differ in shape.

    References
    ----------
    .. [1] Press and Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.Chain(embed=pn.Embedding(9, 4), head=pn.Dense(4, 9, use_bias=False))
    >>> tied = pn.Tied(model, ("embed.weight", "head.weight"))
    >>> ps, st = pn.setup(0, tied)
    >>> list(ps["embed"]), list(ps["head"])
    (['weight'], [])
    """

    model: Layer
    groups: tuple[tuple[str, ...], ...]

    def __init__(self, model: Layer, *groups: Any) -> None:
        if not isinstance(model, Layer):
            raise HyperparameterError(f"Tied: model is a portanet.Layer: got {shown(model)}")

        def refuse(rule: str) -> None:
            raise HyperparameterError(f"Tied: a group holds {rule}: got {shown(groups)}")

        if not groups or not all(
            isinstance(group, tuple | list) and len(group) > 1 for group in groups
        ):
            refuse("at least two paths")
        paths_of([path for group in groups for path in group], refuse)
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "groups", tuple(map(tuple, groups)))

    def children(self) -> Mapping[str, Layer]:
        return self.model.children()

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        return Tied(self.model.with_children(children), *self.groups)

    def arguments(self) -> list[Argument]:
        named = [Argument(f"group_{i}", group, False) for i, group in enumerate(self.groups, 1)]
        return [Argument("model", self.model, False), *named]

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        ps = self.model.initial_parameters(rng)
        for first, *others in self.groups:
            for path in others:
                _check_alike(ps, first, path)
        return without(ps, [path for path in self._sources() if not _waits(ps, path)])

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.model.initial_states(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        shared = {
            path: entry_at(ps, first)
            for path, first in self._sources().items()
            if not (_waits(ps, path) or _waits(ps, first))
        }
        return self.model(x, with_entries(ps, shared), st)

    def _sources(self) -> dict[str, str]:
        """Return the first path of its group for each path that has no entry of its own."""
        return {path: first for first, *others in self.groups for path in others}


def _waits(ps: Any, path: str) -> bool:
    """Whether the entry at a path is, or is inside, that of a layer which waits for its input."""
    for name in path.split("."):
        if isinstance(ps, Unresolved) or not isinstance(ps, Mapping):
            break
        ps = ps.get(name)
    return isinstance(ps, Unresolved)


def _check_alike(ps: Any, first: str, other: str) -> None:
    if _waits(ps, first) or _waits(ps, other):
        return
    mine, its = (trees.map_leaves(np.shape, entry_at(ps, path)) for path in (first, other))
    if mine == its:
        return
    if isinstance(mine, tuple) and isinstance(its, tuple):
        raise ShapeError(f'ps["{first}"].shape == ps["{other}"].shape: {mine} != {its}')
    raise ParameterTreeError(
        f"{first!r} and {other!r} in ps hold the same entries: {mine} != {its}"
    )
