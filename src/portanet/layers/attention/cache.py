"""Decoding one piece at a time: states that remember the keys and values of what came before."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks, trees
from portanet.core import Layer
from portanet.errors import ArgumentError, ParameterTreeError, ShapeError, shown
from portanet.functional.indices import value_on_host
from portanet.functional.sequences.masks import check_mask
from portanet.interface import array_namespace, device_of, is_array


def with_cache(model: Layer, ps: Any, st: Any, batch: int, length: int) -> Any:
    """Return states with which a model decodes piece by piece, each seeing all before it.

    Every causal `MultiHeadAttention` in the model gets room for the keys and values of `length`
    positions, and every `LearnedPositionalEmbedding` counts on from call to call. A call then
    takes the next piece of a sequence, of one position or more, and returns the states for the
    one after. All shapes stay, so that under `portanet.jit` one program serves every step.

    Parameters
    ----------
    model : Layer
    ps, st : tree
        Its parameters and states. Those given here are not changed: they start another sequence.
    batch, length : int
        The number of sequences, and the most positions that they will have.

    Returns
    -------
    dict
        States, for `test_mode` as well as `train_mode`.

    Raises
    ------
    ArgumentError
        If a number is not a positive integer.
    ShapeError
        By a call of the model with more positions than there is room for, on the host. Inside
        `portanet.jit` and on accelerators, which do not look at numbers, what is too much is
        lost.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.MultiHeadAttention(4, causal=True)
    >>> ps, st = pn.setup(0, model)
    >>> x = np.random.default_rng(0).normal(size=(1, 3, 4)).astype(np.float32)
    >>> whole, _ = model(x, ps, st)
    >>> cached = pn.with_cache(model, ps, st, batch=1, length=8)
    >>> first, cached = model(x[:, :2], ps, cached)
    >>> last, cached = model(x[:, 2:], ps, cached)
    >>> bool(np.allclose(np.concatenate([first, last], axis=1), whole, atol=1e-6))
    True
    """
    for name, n in (("batch", batch), ("length", length)):
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n < 2**31:
            raise ArgumentError(f"with_cache: {name} is an integer, at least 1: got {shown(n)}")
    if not isinstance(model, Layer):
        raise ArgumentError(f"with_cache: model is a portanet.Layer: got {shown(model)}")
    like = next(filter(is_array, trees.leaves(ps)), None)
    if like is None:
        raise ParameterTreeError("with_cache: ps has an array: got none")
    return _with_cache(model, st, batch, length, like)


def _with_cache(layer: Any, st: Any, batch: int, length: int, like: Any) -> Any:
    states = dict(checks.require_tree(st, "st"))
    for name, child in layer.children().items():
        states[name] = _with_cache(child, checks.entry(st, name, "st"), batch, length, like)
    add = getattr(layer, "_cached_state", None)
    return states if add is None else add(states, batch, length, like)


class Cache:
    """The keys and values of the positions before a piece.

    Parameters
    ----------
    entries : dict
        ``keys``, ``values``, both (N, length, heads, features), and ``used``, how many positions
        of them are taken.
    piece : array, shape (N, L, heads, features)
        The queries of what comes next.
    """

    def __init__(self, entries: Any, piece: Any) -> None:
        self.entries = entries
        self.piece = piece
        self.used = checks.member(entries, "used", (1,), "(1,)", "cache")
        self.count = piece.shape[1]
        self._check(piece)
        xp = array_namespace(piece)
        self.positions = self.used + xp.arange(self.count, device=device_of(piece))

    @staticmethod
    def empty(keys: tuple[int, ...], values: tuple[int, ...], like: Any) -> dict[str, Any]:
        """Return the entries of a cache of these shapes, of the kind of `like`, without any."""
        xp = array_namespace(like)
        place = device_of(like)
        return {
            "keys": xp.zeros(keys, dtype=like.dtype, device=place),
            "values": xp.zeros(values, dtype=like.dtype, device=place),
            "used": xp.zeros(1, dtype=xp.int32, device=place),
        }

    def extended(self, keys: Any, values: Any, mask: Any) -> tuple[Any, Any, Any, Any]:
        """Put a piece in; return all keys and values, what each query may see, and the entries."""
        self._check_mask(mask)
        for name, new in (("key", keys), ("value", values)):
            self._check_entry(name, new)
        xp = array_namespace(keys)
        places = xp.arange(self.entries["keys"].shape[1], device=device_of(keys))
        seen = places[None, :] <= self.positions[:, None]
        if mask is None:
            mask = seen
        elif xp.isdtype(mask.dtype, "bool"):
            mask = xp.logical_and(mask, seen)
        else:
            mask = xp.where(seen, mask, -math.inf)
        keys, values = self._placed("keys", keys, places), self._placed("values", values, places)
        used = self.used + self.count
        return keys, values, mask, {"keys": keys, "values": values, "used": used}

    def _placed(self, name: str, new: Any, places: Any) -> Any:
        """Return the entries with `new` from place `used` on."""
        old = self.entries[name]
        xp = array_namespace(old, new)
        if self.count == 0:
            return old
        source = places - self.used
        fresh = xp.logical_and(source >= 0, source < self.count)
        taken = xp.take(new, xp.clip(source, 0, self.count - 1), axis=1)
        return xp.where(xp.reshape(fresh, (1, -1, 1, 1)), taken, old)

    def _check_mask(self, mask: Any) -> None:
        if mask is None:
            return
        keys = self.entries["keys"]
        remark = f": S is the length of the cache, {keys.shape[1]}"
        check_mask(self.piece, keys, mask, remark)

    def _check_entry(self, name: str, new: Any) -> None:
        """What is put in is as long as the piece, and like what is there."""
        if new.shape[1] != self.count:
            raise ShapeError(
                f"{name}.shape[1] == query.shape[1], as they share a cache: "
                f"{new.shape[1]} != {self.count}"
            )
        old = checks.entry(self.entries, f"{name}s", "cache")
        shape = (new.shape[0], self.entries["keys"].shape[1], *new.shape[2:])
        checks.shape_of(f'cache["{name}s"]', old, shape, "(N, length, heads, features)")

    def _check(self, piece: Any) -> None:
        keys = checks.entry(self.entries, "keys", "cache")
        checks.rank_at_least('cache["keys"]', keys, 4)
        if keys.shape[0] != piece.shape[0]:
            raise ShapeError(
                f"x.shape[0] == batch of the cache: {piece.shape[0]} != {keys.shape[0]}"
            )
        used = value_on_host(self.used[0])
        if used is not None and used + self.count > keys.shape[1]:
            raise ShapeError(
                f"positions <= length of the cache: {used} + {self.count} > {keys.shape[1]}: make "
                "a longer one with pn.with_cache"
            )
