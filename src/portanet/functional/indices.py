"""Numbers that point at something: labels, indices, positions, lengths.

Arithmetic on them is done in int64, since 8 bits hold no more than 255; and one that points at
nothing is refused, also in the replay of a recorded program.
"""

from __future__ import annotations

from typing import Any

from portanet.errors import DTypeError
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, backend_of, device_of


def as_indices(x: Any) -> Any:
    """Return an array of integers in int64; in int32 on JAX while its 64 bits are off."""
    backend = backend_of(x)
    try:
        wide = backend.dtype("int64")
    except DTypeError:
        wide = backend.dtype("int32")
    return x if x.dtype == wide else backend.xp.astype(x, wide)


@kernel
def checked_index(index: Any, size: int, names: tuple[str, str], wraps: bool) -> Any:
    """Return an index as integers from 0 to ``size - 1``, each of which is checked if it can be."""
    return array_namespace(index).checked_index(index, size, names, wraps)


def indices_below(x: Any, *, size: int, name: str, size_name: str) -> Any:
    """Return `x` as indices, which are at least 0 and below `size`.

    Looking at values waits for an accelerator, and a compiler has none yet: there the library's
    own behaviour applies.
    """
    return checked_index(x, size, (name, size_name), False)


def value_on_host(x: Any) -> int | None:
    """Return the value of an integer array of one entry, None where looking at it is not free."""
    try:
        return int(x) if _on_host(x) else None
    except (TypeError, RuntimeError):
        return None


def _on_host(x: Any) -> bool:
    return "cpu" in str(device_of(x)).lower()
