"""dask.array as a backend of portanet: lazy arrays in chunks, with the derivatives of its tape."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import dask
import dask.array
import numpy as np

from portanet import tape, trees
from portanet.backends import TapeBackend

__all__ = ["DaskBackend", "persist"]


class DaskBackend(TapeBackend):
    """Arrays of dask, differentiated by the tape.

    Functions build a graph, as everywhere in dask: `persist` what a step of training returns.
    """

    name = "dask"
    modules = ("dask",)
    distribution = "dask"
    jit = "none"

    @cached_property
    def xp(self) -> tape.Namespace:
        import array_api_compat.dask.array as standard

        if not hasattr(dask.array.Array, "mT"):  # the standard's attribute, which dask lacks
            dask.array.Array.mT = property(standard.matrix_transpose)
        return tape.Namespace("dask", standard)

    def device_of(self, x: Any) -> str:
        return "cpu"

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Any:
        return dask.array.from_array(x.copy())

    def to_numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def fingerprint(self, x: Any) -> str:
        """Return the name of the graph: what is written into an array gets another one."""
        return x.name


def persist(tree: Any) -> Any:
    """Compute the arrays of a tree at once, and return it with them in memory.

    What a step of training returns is a graph on that of the step before. Without this the graphs
    pile up, and each is computed from the first.

    Parameters
    ----------
    tree : tree
        Such as a `portanet.training.TrainState`, or a tuple of one and a loss.

    Returns
    -------
    tree
    """
    leaves, structure = trees.flatten(tree)
    places = [i for i, x in enumerate(leaves) if dask.is_dask_collection(x)]
    for i, x in zip(places, dask.persist(*(leaves[i] for i in places)), strict=True):
        leaves[i] = x
    return trees.unflatten(structure, leaves)
