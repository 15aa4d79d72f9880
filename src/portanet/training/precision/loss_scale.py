"""The factor of a loss that keeps gradients of 16 bits from being zero."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet import trees
from portanet.interface import array_namespace, backend_of, is_array
from portanet.training.precision.model import MixedPrecision
from portanet.trees import Tree

Array = Any

_LEAST, _MOST = 2.0**-24, 2.0**24
"""The bounds of a scale: no data drives it to zero, and no loss to infinity."""


def initial_scale(like: Array, scale: float) -> dict[str, Array]:
    """Return the state of a scale, on the device of `like`.

    Parameters
    ----------
    like : array
        A parameter.
    scale : float
        The first factor.

    Returns
    -------
    dict
        ``scale``; ``clean_steps``, how many steps there were since it was changed; ``finite``,
        whether the last gradients were.
    """
    backend = backend_of(like)
    xp, device = backend.xp, backend.device_of(like)
    return {
        "scale": xp.full((), scale, dtype=xp.float32, device=device),
        "clean_steps": xp.full((), 0.0, dtype=xp.float32, device=device),
        "finite": xp.full((), True, dtype=xp.bool, device=device),
    }


def is_scaled(model: Any) -> bool:
    """Whether the gradients of a model are scaled."""
    # Layers are an ABC, of which `isinstance` costs more: this is asked twice a step.
    return type(model) is MixedPrecision and model.growth_interval is not None


def overflowed(model: Any, states: Tree) -> bool:
    """Whether the last gradients were not finite, so that their step is left out."""
    return is_scaled(model) and not bool(states["loss_scale"]["finite"])


def tolerant() -> np.errstate:
    """Return a context in which NumPy does not warn of overflows, which are looked for."""
    return np.errstate(over="ignore", invalid="ignore")


def scaled(
    differentiate: Callable[[Array], tuple[Any, Tree]], model: MixedPrecision, states: Tree
) -> tuple[Any, Tree]:
    """Return the value and the gradients of a loss, and the states after them.

    Parameters
    ----------
    differentiate : callable
        ``differentiate(scale)`` gives ``(value, states, stats)`` of the loss, and the gradients of
        `scale` times it.
    model : MixedPrecision
    states : tree
        Those before.

    Returns
    -------
    outcome : tuple
        The value, states and statistics. Arrays of the states that were there before are those of
        before if the gradients are not finite.
    gradients : tree
        Of the loss itself; zeros if they are not finite.
    """
    assert model.growth_interval is not None
    before = states["loss_scale"]
    with tolerant():
        (value, new_states, stats), gradients = differentiate(before["scale"])
    leaves = trees.leaves(gradients)
    xp = array_namespace(*leaves)
    finite = functools.reduce(xp.logical_and, (xp.all(xp.isfinite(g)) for g in leaves))
    inverse = 1.0 / before["scale"]

    def unscaled(g: Array) -> Array:
        return xp.where(finite, g, xp.zeros_like(g)) * xp.astype(inverse, g.dtype)

    after = _next(xp, before, finite, model.growth_interval)
    kept = _kept(xp, finite, new_states["model"], states["model"])
    new_states = {**new_states, "model": kept, "loss_scale": after}
    return (value, new_states, stats), trees.map_leaves(unscaled, gradients)


def rejected(model: Any, states: Tree, before: Tree) -> Tree:
    """Return the states of a step that is left out though its own gradients were finite."""
    scale = before["loss_scale"]
    xp = array_namespace(scale["finite"])
    nothing = xp.zeros_like(scale["finite"])
    return {
        **states,
        "model": _kept(xp, nothing, states["model"], before["model"]),
        "loss_scale": _next(xp, scale, nothing, model.growth_interval),
    }


def _next(xp: Any, before: dict[str, Array], finite: Array, interval: int) -> dict[str, Array]:
    """Return the scale after a step: halved by an overflow, doubled after enough steps without."""
    clean = before["clean_steps"] + 1.0
    grows = clean >= interval
    scale = before["scale"]
    grown = xp.where(grows, xp.minimum(2.0 * scale, _MOST), scale)
    known = before["finite"]
    counted = xp.logical_and(finite, xp.logical_not(grows))
    # NumPy's other functions make scalars of arrays without axes.
    return {
        "scale": xp.where(finite, grown, xp.maximum(0.5 * scale, _LEAST)),
        "clean_steps": xp.where(counted, clean, xp.zeros_like(scale)),
        "finite": xp.where(finite, xp.ones_like(known), xp.zeros_like(known)),
    }


def _kept(xp: Any, finite: Array, new: Tree, old: Tree) -> Tree:
    """Return new states, but those before in the place of arrays made by an overflow."""
    before = dict(trees.flatten_with_paths(old))

    def leaf(path: str, x: Any) -> Any:
        known = before.get(path)
        if known is None or x is known or not (is_array(x) and is_array(known)):
            return x
        return xp.where(finite, x, known) if x.shape == known.shape else x

    rows = trees.flatten_with_paths(new)
    return trees.unflatten(trees.flatten(new)[1], [leaf(path, x) for path, x in rows])
