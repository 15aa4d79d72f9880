"""Cards of reading by index, and of its transposes, which add into a zero array.

The standard has no scatter. The generic bodies write into a fresh array where the index names
every element once, and sum sorted elements where it may name one twice; an adapter with a scatter
of its own replaces them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.tape.box import device_of, strip
from portanet.tape.ops import index_batching
from portanet.tape.ops.batching import natural
from portanet.tape.ops.card import Card
from portanet.tape.ops.form import Form
from portanet.tape.ops.index_keys import checked_index, has_integer_array, is_basic
from portanet.tape.rule import Linear, Rule
from portanet.tape.scattered import Scattered
from portanet.tape.segmented import reduced
from portanet.tape.signature import axes_of


def _add_rows(raw: Any, g: Any, places: Any, count: int) -> Any:
    return reduced(raw, operator.add, 0, g, places, count)


def _positions(raw: Any, g: Any, shape: tuple[int, ...]) -> Any:
    return raw.reshape(raw.arange(math.prod(shape), device=device_of(g)), shape)


def _scatter_getitem(raw: Any, g: Any, key: Any, shape: tuple[int, ...]) -> Any:
    if has_integer_array(key):
        places = raw.reshape(_positions(raw, g, shape)[key], (-1,))
        return raw.reshape(_add_rows(raw, raw.reshape(g, (-1,)), places, math.prod(shape)), shape)
    fresh = raw.zeros(shape, dtype=g.dtype, device=device_of(g))
    key, g = _without_new_axes(raw, g, key, fresh)
    fresh[key] = g
    return fresh


def _without_new_axes(raw: Any, g: Any, key: Any, fresh: Any) -> tuple[Any, Any]:
    """Drop the new axes of an index, with which the standard cannot write."""
    parts = key if isinstance(key, tuple) else (key,)
    kept = tuple(part for part in parts if part is not None)
    if len(kept) == len(parts):
        return key, g
    return kept, raw.reshape(g, fresh[kept].shape)


def _scatter_sum(raw: Any, *parts: Any, keys: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    fresh = raw.zeros(shape, dtype=parts[0].dtype, device=device_of(parts[0]))
    for g, key in zip(parts, keys, strict=True):
        key, g = _without_new_axes(raw, g, key, fresh)
        fresh[key] = fresh[key] + g
    return fresh


class _ScatterSum(Rule):
    """The sum of arrays of zeros in each of which one part was written, linear in all parts."""

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [cotangent[kwargs["keys"][i]] for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        keys = tuple(kwargs["keys"][i] for i in argnums)
        return primitive(*tangents, keys=keys, shape=kwargs["shape"])


def _getitem_transpose(xp: Any, g: Any, x: Any, key: Any) -> Any:
    if is_basic(key):
        return Scattered(xp, g, key, x.shape)
    return xp.scatter_getitem(g, key, x.shape)


def _scatter_take(raw: Any, g: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    rows = raw.arange(shape[axis], device=device_of(g))
    places = raw.take(rows, raw.reshape(indices, (-1,)), axis=0)
    before, after = shape[:axis], shape[axis + 1 :]
    g = raw.reshape(g, (math.prod(before), places.shape[0], math.prod(after)))
    y = _add_rows(raw, raw.moveaxis(g, 1, 0), places, shape[axis])
    return raw.reshape(raw.moveaxis(y, 0, 1), shape)


def _take_transpose(xp: Any, g: Any, x: Any, indices: Any, *, axis: int | None = None) -> Any:
    if axis is None and x.ndim > 1:
        return xp.reshape(xp.scatter_take(g, indices, 0, (math.prod(x.shape),)), x.shape)
    return xp.scatter_take(g, indices, axes_of(axis, x.ndim)[0], x.shape)


def _getitem_form(call: Any, x: Any, key: Any) -> Form | None:
    if not is_basic(key):
        return None
    if call.result.shape:
        return Form(view="{0}[{1}]")
    if Ellipsis in (key if isinstance(key, tuple) else (key,)):  # an array without axes
        return None
    return Form(fresh="{0}[{1}]", number="{0}[{1}]")


def _scatter_getitem_form(call: Any, g: Any, key: Any, shape: Any) -> Form | None:
    if not is_basic(key):
        return None
    return Form("{out}.fill(0); {out}[{1}] = {0}")


def _scatter_sum_form(call: Any, *parts: Any, keys: Any, shape: Any) -> Form | None:
    if not all(map(is_basic, keys)):
        return None
    places = [f"{{out}}[{_subscript(key)}]" for key in keys]
    if _fill_apart(keys, shape):
        return Form("; ".join(f"{place} = {{{i}}}" for i, place in enumerate(places)))
    lines = [f"{place} += {{{i}}}" for i, place in enumerate(places)]
    return Form("; ".join(["{out}.fill(0)", *lines]))


def _subscript(key: Any) -> str:
    """Return the text of an index without arrays."""
    texts = []
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, slice):
            ends = ("" if x is None else repr(x) for x in (part.start, part.stop, part.step))
            texts.append(":".join(ends))
        else:
            texts.append("..." if part is ... else repr(part))
    return ", ".join(texts) + ("," if len(texts) == 1 and isinstance(key, tuple) else "")


def _fill_apart(keys: Any, shape: Any) -> bool:
    """Whether indices name each entry of an array once."""
    named = np.zeros(shape, np.uint8)
    for key in keys:
        named[key] += 1
    return bool((named == 1).all())


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _copies(args: Sequence[Any]) -> bool:
    """Whether an index has arrays in it, so that the result is no view."""
    return any(isinstance(part, list) or getattr(part, "shape", ()) for part in _parts(args[1]))


def _masked(args: Sequence[Any]) -> str:
    masks = (str(getattr(part, "dtype", "")).endswith("bool") for part in _parts(args[1]))
    return "an index by a condition" if any(masks) else ""


CARDS = [
    Card("checked_index", batching=natural, body=checked_index, fresh=True),
    Card(
        "getitem", Linear(_getitem_transpose, arity=None), index_batching.getitem,
        numpy=_getitem_form, body=lambda raw, x, key: operator.getitem(x, key),
        fresh=_copies, of_values=_masked,
    ),
    Card(
        "scatter_getitem", Linear(lambda xp, g, x, key, shape: g[key], arity=None),
        index_batching.scatter_getitem, numpy=_scatter_getitem_form, body=_scatter_getitem,
        fresh=True,
    ),
    Card(
        "scatter_sum", _ScatterSum(), index_batching.scatter_sum, numpy=_scatter_sum_form,
        body=_scatter_sum, fresh=True,
    ),
    Card(
        "scatter_take",
        Linear(
            lambda xp, g, x, indices, axis, shape: xp.take(g, indices, axis=axis), arity=None
        ),
        index_batching.scatter_take, body=_scatter_take, fresh=True,
    ),
    Card("take", Linear(_take_transpose, arity=None), index_batching.take, fresh=True),
    Card("take_along_axis", batching=index_batching.take_along_axis, fresh=True),
]  # fmt: skip


def _take_along_axis(xp: Any, x: Any, indices: Any, /, *, axis: int | None = -1) -> Any:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    given, (axis,) = axis, axes_of(axis, x.ndim) or (0,)
    indices = strip(indices)
    pairs = enumerate(zip(x.shape, indices.shape, strict=True))
    shape = tuple(m if n == 1 and i != axis else n for i, (n, m) in pairs)
    positions = xp.broadcast_to(_positions(xp, x, x.shape), shape)
    wanted = tuple(n if i != axis else indices.shape[axis] for i, n in enumerate(shape))
    flat = xp.constants.take_along_axis(positions, xp.broadcast_to(indices, wanted), axis=given)
    gathered = xp.take(xp.reshape(x, (-1,)), xp.reshape(flat, (-1,)), axis=0)
    return xp.reshape(gathered, wanted)


COMPOSITES: dict[str, Callable[..., Any]] = {"take_along_axis": _take_along_axis}
