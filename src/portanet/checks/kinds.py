"""Checks that arrays share their library, dtype and device, or have a dtype of some kind."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from portanet.checks.calls import require_array
from portanet.errors import DeviceError, DTypeError
from portanet.interface import array_namespace, backend_of, dtype_name, same_dtype


def same_kind(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two arrays share their library, floating dtype and device."""
    if not _are_alike(name, x, other_name, other):
        _refuse_dtypes(name, x, other_name, other)
    same_device(name, x, other_name, other)


def same_or_wide(name: str, x: Any, other_name: str, other: Any) -> None:
    """As `same_kind`; beside `x` of 16 bits, `other` may be in float32."""
    if not _are_alike(name, x, other_name, other) and (
        dtype_name(x) not in ("float16", "bfloat16") or dtype_name(other) != "float32"
    ):
        _refuse_dtypes(name, x, other_name, other)
    same_device(name, x, other_name, other)


def _are_alike(name: str, x: Any, other_name: str, other: Any) -> bool:
    """Whether two arrays, which are of one library, have one dtype."""
    if type(x) is not type(other):
        _same_library(name, x, other_name, other)
    try:
        if x.dtype == other.dtype:
            return True
    except AttributeError:
        pass
    _same_library(name, x, other_name, other)
    return same_dtype(x, other)


def alike(tree: str, name: str, x: Any, other_name: str, other: Any) -> None:
    """Two entries of one tree, ``"ps"`` or ``"st"``, share their library, dtype and device."""
    if type(x) is not type(other):
        _same_library(f'{tree}["{name}"]', x, f'{tree}["{other_name}"]', other)
    if not same_dtype(x, other):
        own, wanted = dtype_name(x), dtype_name(other)
        raise DTypeError(
            f'{tree}["{name}"].dtype == {tree}["{other_name}"].dtype: {own} != {wanted}: convert '
            f'the whole tree with pn.astype({tree}, "{wanted}")'
        )
    same_device(name, x, other_name, other)


def _same_library(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two objects are arrays, and of one library."""
    require_array(name, x)
    require_array(other_name, other)
    backend_of(x, other)


def same_device(name: str, x: Any, other_name: str, other: Any) -> None:
    """Two arrays of one library live on one device; JAX does not tell that of a traced one."""
    if type(x) is np.ndarray:  # it has one device
        return
    backend = backend_of(x)
    here, there = backend.device_of(x), backend.device_of(other)
    if here != there and here is not None and there is not None:
        named = backend.device_name
        raise DeviceError(
            f"{name}.device == {other_name}.device: {named(here)} != {named(there)}: move both "
            f"with the same device, as in device((ps, st, x))"
        )


def _refuse_dtypes(name: str, x: Any, other_name: str, other: Any) -> NoReturn:
    """Raise the `DTypeError` for `x` whose dtype is not that of `other`."""
    floating(name, x)
    own, wanted = dtype_name(x), dtype_name(other)
    raise DTypeError(
        f"{name}.dtype == {other_name}.dtype: {own} != {wanted}: convert the input with "
        f'pn.astype({name}, "{wanted}") or build the parameters with '
        f'pn.setup(rng, model, dtype="{own}")'
    )


def floating(name: str, x: Any) -> None:
    """`x` holds real or complex floating point numbers."""
    if not _is_kind(name, x, _floating, ("real floating", "complex floating")):
        raise DTypeError(
            f"{name}.dtype is floating: {dtype_name(x)}: convert it with "
            f'pn.astype({name}, "float32")'
        )


def real_floating(name: str, x: Any) -> None:
    """`x` holds real floating point numbers."""
    if not _is_kind(name, x, _real, "real floating"):
        floating(name, x)
        raise DTypeError(f"{name}.dtype is real: {dtype_name(x)}: take xp.real or xp.abs of it")


def integral(name: str, x: Any) -> None:
    """`x` holds integers."""
    if not _is_kind(name, x, _integral, "integral"):
        raise DTypeError(
            f"{name}.dtype is an integer: {dtype_name(x)}: convert it with "
            f"xp.astype({name}, xp.int64)"
        )


_floating: dict[tuple[type, Any], bool] = {}
_integral: dict[tuple[type, Any], bool] = {}
_real: dict[tuple[type, Any], bool] = {}


def _is_kind(name: str, x: Any, known: dict[tuple[type, Any], bool], kind: Any) -> bool:
    try:
        key = type(x), x.dtype
    except AttributeError:
        require_array(name, x)
        raise
    try:
        return known[key]
    except KeyError:
        answer = known[key] = bool(array_namespace(x).isdtype(x.dtype, kind))
        return answer
