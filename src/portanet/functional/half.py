"""Numbers of 16 bits, too short for sums and squares: worked out in float32 and rounded once.

A sum of float16 stops growing at 2048 and its squares overflow at 256; bfloat16 has three digits.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from portanet.interface import backend_of, is_array
from portanet.tape import Box

F = TypeVar("F", bound=Callable[..., Any])
_half: dict[type, dict[Any, bool]] = {}


def is_half(x: Any) -> bool:
    """Whether `x` is an array of float16 or bfloat16."""
    try:
        return _half[type(x)][x.dtype]
    except (AttributeError, KeyError, TypeError):
        return _look_up(x)


def _look_up(x: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    if dtype is None or not (is_array(x) or isinstance(x, Box)):
        return False
    known = _half.setdefault(type(x), {})  # dtypes of two libraries are not to be compared
    answer = known[dtype] = backend_of(x).dtype_name(dtype) in ("float16", "bfloat16")
    return answer


def widened(x: Any) -> Any:
    """Return an array of 16 bits in float32, and anything else as it is."""
    if not is_half(x):
        return x
    xp = backend_of(x).xp
    return xp.astype(x, xp.float32)


def rounded(x: Any, like: Any) -> Any:
    """Return an array, or a tuple of them, in the dtype of `like`."""
    if isinstance(x, tuple):
        return tuple(rounded(part, like) for part in x)
    return x if x.dtype == like.dtype else backend_of(x).xp.astype(x, like.dtype)


def in_float32(function: F) -> F:
    """Let a function of arrays work 16 bits out in float32; its results are rounded once.

    The first argument decides. So do its derivatives, of which each is rounded once too. A native
    kernel that does the same itself gets the arrays as they are.
    """
    name = function.__name__
    first = next(iter(inspect.signature(function).parameters))

    @functools.wraps(function)
    def computed(*args: Any, **options: Any) -> Any:
        x = args[0] if args else options.get(first)
        if not is_half(x):
            return function(*args, **options)
        if name in backend_of(x).wide_kernels and not isinstance(x, Box):
            return function(*args, **options)
        wide = {key: widened(value) for key, value in options.items()}
        return rounded(function(*map(widened, args), **wide), x)

    return computed  # pyright: ignore[reportReturnType]
