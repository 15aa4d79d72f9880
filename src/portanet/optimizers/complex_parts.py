"""Complex arrays as real ones: a rule steps their real and imaginary parts."""

from __future__ import annotations

from typing import Any

from portanet.interface import array_namespace, backend_of

Array = Any


def is_complex(x: Array) -> bool:
    """Whether `x` is complex."""
    return backend_of(x).is_complex(x.dtype)


def as_real(x: Array) -> Array:
    """Return a complex array with its real and imaginary parts along a last axis of 2.

    A real array is returned as it is.
    """
    if not is_complex(x):
        return x
    xp = array_namespace(x)
    return xp.stack([xp.real(x), xp.imag(x)], axis=-1)


def as_given(parts: Array, x: Array) -> Array:
    """Return what `as_real` made of an array like `x` as one like it again."""
    if not is_complex(x):
        return parts
    return parts[..., 0] + 1j * parts[..., 1]
