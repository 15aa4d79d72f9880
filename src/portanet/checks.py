"""Checks that layers, losses, optimizers and initializers share.

Hyperparameters are checked once, in ``__post_init__`` of a frozen dataclass: each function takes
the instance and the names of its fields, and turns NumPy scalars into Python ones on the way.
Arrays are checked in every call, so those functions compare first and compose their message only
after a comparison has failed. An error states the relation that does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, NoReturn, TypeAlias

from portanet.backends import array_namespace, backend_of
from portanet.errors import (
    BackendMismatchError,
    DeviceError,
    DTypeError,
    HyperparameterError,
    ParameterTreeError,
    ShapeError,
)

Sizes: TypeAlias = Any
"""A field that `sizes` checks: an integer or a sequence of them when given, a tuple afterwards."""


def refuse(owner: Any, relation: str, value: Any) -> NoReturn:
    """Raise `HyperparameterError`: `relation` does not hold for `value`, a field of `owner`."""
    raise HyperparameterError(f"{type(owner).__name__}: {relation}: got {value!r}")


def integers(owner: Any, *names: str, minimum: int | None = 1) -> None:
    """Each field is an integer, at least `minimum`."""
    for name in names:
        value = _integer(owner, name, getattr(owner, name), minimum)
        object.__setattr__(owner, name, value)


def sizes(owner: Any, *names: str, minimum: int | None = 1) -> None:
    """Each field is an integer or a sequence of them, at least `minimum`; it becomes a tuple."""
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, Integral):
            value = (value,)
        elif isinstance(value, str) or not isinstance(value, Iterable):
            refuse(owner, f"{name} is an integer or a sequence of integers", value)
        entries = tuple(_integer(owner, f"{name}[{i}]", n, minimum) for i, n in enumerate(value))
        if not entries:
            refuse(owner, f"{name} has at least one size", entries)
        object.__setattr__(owner, name, entries)


def finite(owner: Any, *names: str) -> None:
    """Each field is a finite real number."""
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            refuse(owner, f"{name} is a finite number", value)
        if hasattr(value, "item"):
            object.__setattr__(owner, name, value.item())  # pyright: ignore


def positive(owner: Any, *names: str) -> None:
    """Each field is a finite number above zero."""
    finite(owner, *names)
    for name in names:
        if not getattr(owner, name) > 0:
            refuse(owner, f"{name} > 0", getattr(owner, name))


def non_negative(owner: Any, *names: str) -> None:
    """Each field is a finite number, zero or above."""
    finite(owner, *names)
    for name in names:
        if not getattr(owner, name) >= 0:
            refuse(owner, f"{name} >= 0", getattr(owner, name))


def probabilities(owner: Any, *names: str) -> None:
    """Each field is a number in the closed interval from 0 to 1."""
    finite(owner, *names)
    for name in names:
        if not 0 <= getattr(owner, name) <= 1:
            refuse(owner, f"0 <= {name} <= 1", getattr(owner, name))


def decays(owner: Any, *names: str) -> None:
    """Each field is a number from 0 up to, not including, 1."""
    finite(owner, *names)
    for name in names:
        if not 0 <= getattr(owner, name) < 1:
            refuse(owner, f"0 <= {name} < 1", getattr(owner, name))


def functions(owner: Any, *names: str) -> None:
    """Each field can be called."""
    for name in names:
        if not callable(getattr(owner, name)):
            refuse(owner, f"{name} is a function", getattr(owner, name))


def optional_functions(owner: Any, *names: str) -> None:
    """Each field is None or can be called."""
    functions(owner, *(name for name in names if getattr(owner, name) is not None))


def flags(owner: Any, *names: str) -> None:
    """Each field is True or False."""
    for name in names:
        if not isinstance(getattr(owner, name), bool):
            refuse(owner, f"{name} is True or False", getattr(owner, name))


def one_of(owner: Any, name: str, options: Sequence[Any]) -> None:
    """The field is one of `options`."""
    if getattr(owner, name) not in options:
        refuse(owner, f"{name} is one of {', '.join(map(repr, options))}", getattr(owner, name))


def _integer(owner: Any, name: str, value: Any, minimum: int | None) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        refuse(owner, f"{name} is an integer", value)
    if minimum is not None and value < minimum:
        refuse(owner, f"{name} >= {minimum}", value)
    return int(value)


def entry(tree: Any, name: str, what: str = "ps") -> Any:
    """Return ``tree[name]`` of a layer's parameters (`what` is ``"ps"``) or states (``"st"``)."""
    try:
        return tree[name]
    except (KeyError, TypeError, IndexError):
        raise ParameterTreeError(_missing(tree, name, what)) from None


def _missing(tree: Any, name: str, what: str) -> str:
    try:
        found = ", ".join(map(repr, tree)) or "no entries"
    except TypeError:
        found = f"a {type(tree).__name__}"
    return (
        f"{name!r} in {what}: found {found}: pass the tree that pn.setup(rng, model) made for "
        f"this model"
    )


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
    except (KeyError, TypeError, IndexError, AttributeError):
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


def rank_at_least(name: str, x: Any, rank: int) -> None:
    """`x` has at least `rank` axes."""
    found = len(axes(name, x))
    if found < rank:
        raise ShapeError(f"{name}.ndim >= {rank}: {found} < {rank}")


def same_kind(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two arrays share their library, floating dtype and device."""
    if type(x) is not type(other):
        array_namespace(x, other)
    if x.dtype != other.dtype:
        _refuse_dtypes(name, x, other_name, other)
    same_device(name, x, other_name, other)


def same_device(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two arrays of one library live on one device."""
    if x.device != other.device:
        raise DeviceError(
            f"{name}.device == {other_name}.device: {x.device} != {other.device}: move both with "
            f"the same device, as in device((ps, st, x))"
        )


def _refuse_dtypes(name: str, x: Any, other_name: str, other: Any) -> NoReturn:
    """Raise the `DTypeError` for `x` whose dtype is not that of `other`."""
    floating(name, x)
    own, wanted = _dtype_name(x), _dtype_name(other)
    raise DTypeError(
        f"{name}.dtype == {other_name}.dtype: {own} != {wanted}: convert the input with "
        f'pn.astype({name}, "{wanted}") or build the parameters with '
        f'pn.setup(rng, model, dtype="{own}")'
    )


def floating(name: str, x: Any) -> None:
    """`x` holds real or complex floating point numbers."""
    if not _is_kind(name, x, _floating, ("real floating", "complex floating")):
        raise DTypeError(
            f"{name}.dtype is floating: {_dtype_name(x)}: convert it with "
            f'pn.astype({name}, "float32")'
        )


def integral(name: str, x: Any) -> None:
    """`x` holds integers."""
    if not _is_kind(name, x, _integral, "integral"):
        raise DTypeError(
            f"{name}.dtype is an integer: {_dtype_name(x)}: convert it with "
            f'pn.astype({name}, "int64")'
        )


_floating: dict[tuple[type, Any], bool] = {}
_integral: dict[tuple[type, Any], bool] = {}


def _is_kind(name: str, x: Any, known: dict[tuple[type, Any], bool], kind: Any) -> bool:
    axes(name, x)
    key = type(x), x.dtype
    try:
        return known[key]
    except KeyError:
        answer = known[key] = bool(array_namespace(x).isdtype(x.dtype, kind))
        return answer


def _dtype_name(x: Any) -> str:
    return backend_of(x).dtype_name(x.dtype)
