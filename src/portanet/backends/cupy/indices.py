"""Indices that point at nothing: found on the device, and refused at the next wait for it.

The host would have to wait to look at them at once. So the kernel that prepares an index notes
one that is out of range in memory that all of a device share, and whoever waits for the device
looks there.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from portanet.tape.ops.index_keys import refuse_range

# What is noted: the number of the check, an index out of range, the size, whether negative ones
# count from the end. Of several at a time any one stays.
_CHECK = cupy.ElementwiseKernel(
    "T index, int64 size, bool wraps, int64 check",
    "int64 place, raw int64 noted",
    """
    const long long given = static_cast<long long>(index);
    place = wraps && given < 0 ? given + size : given;
    if (place < 0 || place >= size) {
        noted[0] = check; noted[1] = given; noted[2] = size; noted[3] = wraps;
        place = 0;
    }
    """,
    "portanet_checked_index",
)

_names: list[tuple[str, str]] = [("", "")]
_notes: dict[int, Any] = {}
_unread: set[int] = set()


def checked(index: Any, size: int, names: tuple[str, str], wraps: bool) -> Any:
    """Return an index as integers from 0 to ``size - 1``; one out of range is noted, and 0."""
    device = cupy.cuda.Device().id
    if device not in _notes:
        _notes[device] = cupy.zeros(4, dtype=np.int64)
    if names not in _names:
        _names.append(names)
    place = cupy.empty(index.shape, dtype=np.int64)
    if size:
        _CHECK(index, size, wraps, _names.index(names), place, _notes[device])
    elif place.size:
        refuse_range(0, 0, size, names, wraps)
    _unread.add(device)
    return place


def refuse_noted(device: int) -> None:
    """Raise `IndexRangeError` if an index was out of range since the last look; wait for it."""
    if device not in _unread:
        return
    _unread.discard(device)
    check, given, size, wraps = _notes[device].get().tolist()
    if check:
        with cupy.cuda.Device(device):
            _notes[device].fill(0)
        refuse_range(given, given, size, _names[check], bool(wraps))
