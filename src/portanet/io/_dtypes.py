"""The dtypes of the format as NumPy's, or those of `ml_dtypes` where NumPy has none."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.errors import BackendNotAvailableError, DTypeError
from portanet.interface import backend_of

_NARROW = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
_NAMES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16",
    "U32": "uint32", "I32": "int32", "F32": "float32", "U64": "uint64", "I64": "int64",
    "F64": "float64", "C64": "complex64",
}  # fmt: skip
SAFETENSORS = frozenset((*_NAMES.values(), *_NARROW.values()))
"""The dtypes of safetensors."""

NPZ = SAFETENSORS | {"complex128"}
"""Those of NumPy's files, of which the narrow ones are written as integers of their bits."""


def of_code(name: str, code: str) -> np.dtype:
    """Return the dtype of the entry `name`, which a file calls `code`."""
    if code in _NAMES:
        return np.dtype(_NAMES[code])
    if code in _NARROW:
        return narrow(_NARROW[code])
    raise DTypeError(
        f"{name!r} has dtype {code}, which no array library here has: "
        f"known are {', '.join((*_NAMES, *_NARROW))}"
    )


def is_narrow(dtype: np.dtype) -> bool:
    """Whether a dtype is none of NumPy's own."""
    return dtype.name in _NARROW.values()


def narrow(name: str) -> np.dtype:
    """Return the dtype of `ml_dtypes` that is called `name`."""
    if name not in _NARROW.values():
        raise DTypeError(f"{name!r} is none of {', '.join(_NARROW.values())}")
    try:
        import ml_dtypes
    except ImportError as error:
        raise BackendNotAvailableError(
            f"{name} on the host needs the package ml_dtypes: pip install ml_dtypes"
        ) from error
    return np.dtype(getattr(ml_dtypes, name))


def check_known(name: str, dtype: str, known: frozenset[str]) -> None:
    """Refuse a dtype that a format does not have."""
    if dtype not in known:
        raise DTypeError(
            f"{name!r}: the format has no dtype {dtype}: it has {', '.join(sorted(known))}"
        )


def on_host(x: Any) -> np.dtype:
    """Return the dtype of an array of any library as NumPy writes it."""
    if isinstance(x.dtype, np.dtype):
        return x.dtype
    name = backend_of(x).dtype_name(x.dtype)
    return narrow(name) if name in _NARROW.values() else np.dtype(name)


def holds(wanted: np.dtype, given: np.dtype) -> bool:
    """Whether each number of the dtype `given` is one of the dtype `wanted`."""
    # NumPy calls it safe to round an integer of 64 bits to a float of 53.
    rounded = given.kind in "iu" and given.itemsize == 8 and wanted.name in _DOUBLES
    return np.can_cast(given, wanted) and not rounded


_DOUBLES = ("float64", "complex128")


def kind(dtype: np.dtype) -> str:
    """Return what the numbers of a dtype are, whatever their width."""
    if is_narrow(dtype):
        return "floating"
    return {"b": "bool", "i": "integer", "u": "integer", "f": "floating"}.get(dtype.kind, "complex")
