"""Checks of shapes, and of the trees that arrays come in.

They run in every call, so they compare first and compose their message only when that failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from portanet.errors import BackendMismatchError, ParameterTreeError, ShapeError, shown


def entry(tree: Any, name: str, what: str = "ps") -> Any:
    """Return ``tree[name]`` of a layer's parameters (`what` is ``"ps"``) or states (``"st"``)."""
    try:
        return tree[name]
    except Exception:  # whatever it is, it has no such entry
        raise ParameterTreeError(_missing(tree, name, what)) from None


def _missing(tree: Any, name: str, what: str) -> str:
    if isinstance(tree, Mapping):
        found = ", ".join(map(shown, list(tree)[:_MOST])) or "no entries"
    else:
        found = f"a {type(tree).__name__}"
    return (
        f"{name!r} in {what}: found {found}: pass the tree that pn.setup(rng, model) made for "
        f"this model"
    )


_MOST = 20
"""Names of entries in a message."""


def require_tree(tree: Any, what: str) -> Mapping[str, Any]:
    """Return `tree`, which is a dict of entries."""
    if not isinstance(tree, Mapping):
        raise ParameterTreeError(
            f"{what} is a dict of entries: got a {type(tree).__name__}: pass the tree that "
            f"pn.setup(rng, model) made for this model"
        )
    return tree


def one_or_pair(x: Any, second: str) -> tuple[Any, Any]:
    """Return the two parts of an input that is ``x`` or ``(x, second)``; the second may be None."""
    if not isinstance(x, tuple | list):
        return x, None
    if len(x) != 2:
        raise ShapeError(f"the input is x or (x, {second}): got {len(x)} entries")
    return x[0], x[1]


def flag(tree: Any, name: str, what: str = "st") -> bool:
    """Return ``tree[name]``, which is True or False."""
    value = entry(tree, name, what)
    if not isinstance(value, bool):
        raise ParameterTreeError(
            f'{what}["{name}"] is True or False: got {shown(value)}: set it with '
            f'pn.update_state({what}, "{name}", True)'
        )
    return value


def axes(name: str, x: Any) -> tuple[int, ...]:
    """Return the shape of `x`, which has to be an array."""
    try:
        return x.shape
    except AttributeError:
        raise BackendMismatchError(
            f"{name} is an array: got {type(x).__name__}: convert it first, for example with "
            f"numpy.asarray({name}, dtype=numpy.float32)"
        ) from None


def shape_of(name: str, x: Any, shape: tuple[int, ...], relation: str) -> None:
    """`x` has exactly `shape`, which the message spells as `relation`."""
    if axes(name, x) != shape:
        raise ShapeError(f"{name}.shape == {relation}: {tuple(x.shape)} != {shape}")


def member(tree: Any, name: str, shape: tuple[int, ...], relation: str, what: str = "ps") -> Any:
    """Return the array ``tree[name]``, which has exactly `shape`; see `entry` and `shape_of`."""
    try:
        x = tree[name]
        if x.shape == shape:
            return x
    except Exception:  # found out below
        pass
    x = entry(tree, name, what)
    shape_of(f'{what}["{name}"]', x, shape, relation)
    return x


def same_shape(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two arrays have one shape: nothing is broadcast silently."""
    if axes(name, x) != axes(other_name, other):
        raise ShapeError(
            f"{name}.shape == {other_name}.shape: {tuple(x.shape)} != {tuple(other.shape)}"
        )


def last_axis(name: str, x: Any, size: int, size_name: str) -> None:
    """`x` has at least one axis, and its last one has `size` entries."""
    shape = axes(name, x)
    if not shape:
        raise ShapeError(f"{name}.ndim >= 1: 0 < 1: the features are the last axis of {name}")
    if shape[-1] != size:
        raise ShapeError(f"{name}.shape[-1] == {size_name}: {shape[-1]} != {size}")


def last_axes(name: str, x: Any, shape: tuple[int, ...], shape_name: str) -> None:
    """The last axes of `x` have `shape`."""
    found, rank = axes(name, x), len(shape)
    if len(found) < rank or found[len(found) - rank :] != shape:
        raise ShapeError(
            f"{name}.shape[-{rank}:] == {shape_name}: {tuple(found)} does not end with {shape}"
        )


def product(sizes: Iterable[int | None]) -> int | None:
    """Return the product of sizes, None where a library does not know one of them yet."""
    product = 1
    for size in sizes:
        if size is None:
            return None
        product *= size
    return product


def to_reshape(name: str, sizes: Iterable[int | None]) -> tuple[int, ...]:
    """Return the sizes that `name` is to have, -1 for the one that a library does not know yet."""
    found = tuple(-1 if n is None else n for n in sizes)
    if found.count(-1) > 1:
        raise ShapeError(
            f"all sizes of {name} but one are known: {found.count(-1)} are not: give the library "
            f"the shape, with None for the batch alone"
        )
    return found


def rank_at_least(name: str, x: Any, rank: int) -> None:
    """`x` has at least `rank` axes."""
    found = len(axes(name, x))
    if found < rank:
        raise ShapeError(f"{name}.ndim >= {rank}: {found} < {rank}")


def axis_of(name: str, x: Any, axis: int) -> int:
    """Return `axis`, which is one of `x`, counted from 0 up."""
    rank = len(axes(name, x))
    if not -rank <= axis < rank:
        raise ShapeError(f"-{name}.ndim <= axis < {name}.ndim: axis {axis}, {name}.ndim {rank}")
    return axis % rank


def images(x: Any, rank: int | None = None) -> tuple[int, ...]:
    """Return the shape of `x`, which has the axes (N, *spatial, C), `rank` of them spatial."""
    shape = axes("x", x)
    if rank is None and len(shape) < 3:
        raise ShapeError(f"x.ndim >= 3: {len(shape)} < 3: x has the axes (N, *spatial, C)")
    if rank is not None and len(shape) != rank + 2:
        raise ShapeError(
            f"x.ndim == {rank + 2}: {len(shape)} != {rank + 2}: x has the axes (N, *spatial, C), "
            f"and {rank} of them are spatial"
        )
    return shape
