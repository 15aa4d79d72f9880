"""Numbers that point at something: labels, indices, positions, lengths.

Arithmetic on them is done in int64, since 8 bits hold no more than 255; and one that points at
nothing is refused, also in the replay of a recorded program.
"""

from __future__ import annotations

from typing import Any

from portanet import tape
from portanet.backends import backend_of, device_of
from portanet.backends.generic import GENERIC
from portanet.errors import DTypeError, ShapeError
from portanet.tape.rule import Elementwise


def as_indices(x: Any) -> Any:
    """Return an array of integers in int64; in int32 on JAX while its 64 bits are off."""
    backend = backend_of(x)
    try:
        wide = backend.dtype("int64")
    except DTypeError:
        wide = backend.dtype("int32")
    return x if x.dtype == wide else backend.xp.astype(x, wide)


def indices_below(x: Any, *, size: int, name: str, size_name: str) -> Any:
    """Return `x` as indices, which are at least 0 and below `size`.

    Looking at values waits for an accelerator, and a compiler has none yet: there the library's
    own behaviour applies.
    """
    backend = backend_of(x)
    check = backend.kernels.get("checked_indices", checked_indices)
    if isinstance(x, tape.Box):  # recorded as one call, which replays what it looks at
        check = backend.xp.primitive("checked_indices", check, _STEPS)
    return check(x, size=size, name=name, size_name=size_name)


_STEPS = Elementwise(lambda xp, d, y, x, **names: xp.zeros_like(d))


def checked_indices(x: Any, *, size: int, name: str, size_name: str) -> Any:
    """Compute `indices_below` of an array that has values."""
    x = as_indices(x)
    if 0 in x.shape or not _on_host(x):
        return x
    xp = backend_of(x).xp
    lowest = value_on_host(xp.min(x))
    highest = None if lowest is None else value_on_host(xp.max(x))
    if lowest is not None and highest is not None and (lowest < 0 or highest >= size):
        wrong = lowest if lowest < 0 else highest
        raise ShapeError(f"0 <= {name} < {size_name}: {name} has {wrong}, {size_name} is {size}")
    return x


GENERIC["checked_indices"] = checked_indices


def value_on_host(x: Any) -> int | None:
    """Return the value of an integer array of one entry, None where looking at it is not free."""
    try:
        return int(x) if _on_host(x) else None
    except (TypeError, RuntimeError):
        return None


def _on_host(x: Any) -> bool:
    return "cpu" in str(device_of(x)).lower()
