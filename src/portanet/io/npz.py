"""Trees of arrays in NumPy's own files, ``.npz``, which need no other library.

They are what ``numpy.savez`` writes, without pickles. `portanet.io.safetensors` is the format that
more programs read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portanet.io import _files
from portanet.io._files import Path
from portanet.io._formats import NPZ
from portanet.io.matching import Only
from portanet.listing import listing

__all__ = ["load", "metadata", "save"]
__dir__ = listing(__all__)


def save(path: Path, tree: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write the arrays of a tree to a file, named by their dotted paths.

    Parameters and errors are those of `portanet.io.safetensors.save`; complex128 can be saved too,
    and ``np.load`` reads the file: arrays of bfloat16 and float8 as integers of their bits.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import portanet as pn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pn.io.npz.save(f"{folder}/a.npz", {"layer": {"weight": np.ones(2)}})
    ...     pn.io.npz.load(f"{folder}/a.npz"), np.load(f"{folder}/a.npz")["layer.weight"]
    ({'layer': {'weight': array([1., 1.])}}, array([1., 1.]))
    """
    _files.save(NPZ, path, tree, metadata)


def load(path: Path, like: Any = None, *, device: Any = None, only: Only | None = None) -> Any:
    """Read a tree from a file that `save` or ``numpy.savez`` wrote.

    Parameters and errors are those of `portanet.io.safetensors.load`. Arrays of texts and of
    Python's objects are refused.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import portanet as pn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", weight=np.ones(2))
    ...     pn.io.npz.load(f"{folder}/a.npz", like={"weight": np.zeros(2)})
    {'weight': array([1., 1.])}
    """
    return _files.load(NPZ, path, like, device, only=only)


def metadata(path: Path) -> dict[str, str]:
    """Return the notes that a file was saved with, without reading its arrays.

    Raises
    ------
    ArgumentError, OSError
        As by `load`.
    """
    return _files.metadata(NPZ, path)
