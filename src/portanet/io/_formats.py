"""The formats of files: what can be in them, and who reads and writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from portanet.io import _dtypes, _library, _npz

Arrays = dict[str, np.ndarray]
Metadata = dict[str, str]


@dataclass(frozen=True)
class Format:
    """A format of files with arrays by name and metadata.

    Parameters
    ----------
    name : str
        What files of it end with.
    dtypes : frozenset of str
    content_of, read, read_metadata : callable
        From the arrays and the metadata to bytes; from a path to both; to the metadata alone.
    """

    name: str
    dtypes: frozenset[str]
    content_of: Callable[[Mapping[str, np.ndarray], Mapping[str, str]], bytes]
    read: Callable[[str], tuple[Arrays, Metadata]]
    read_metadata: Callable[[str], Metadata]


SAFETENSORS = Format(
    "safetensors",
    _dtypes.SAFETENSORS,
    _library.content_of,
    _library.read,
    _library.read_metadata,
)
NPZ = Format("npz", _dtypes.NPZ, _npz.content_of, _npz.read, _npz.read_metadata)

FORMATS = {form.name: form for form in (SAFETENSORS, NPZ)}
