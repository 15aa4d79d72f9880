"""Trees of arrays in files of the safetensors format [1]_, which other libraries read too.

The format's own library reads and writes them: ``pip install "portanet[safetensors]"``. What is
here is what it has not: trees, a structure to load into, random keys, whole training states.

References
----------
.. [1] https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from portanet import devices
from portanet.core import Layer, setup
from portanet.devices import Device
from portanet.errors import ArgumentError
from portanet.io import _entries, _leaves, _library
from portanet.io._match import matched
from portanet.io._replace import replace
from portanet.listing import listing

__all__ = ["load", "load_model", "metadata", "save", "save_model"]
__dir__ = listing(__all__)

Path = str | os.PathLike[str]


def save(path: Path, tree: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write the arrays of a tree to a file, named by their dotted paths.

    Parameters
    ----------
    path : str or path
        A file that exists is replaced at once when all has been written, and keeps its mode;
        through a symbolic link it is the file that the link points at.
    tree : tree
        Arrays of any library, with any dtype of the format: booleans, integers, float16,
        bfloat16, float32, float64, complex64 and five of 8 bits. Random keys, numbers, booleans
        and texts are stored as small arrays. Of a `TrainState` or an `OptimizerState` all is
        stored that training changes: the step, the hyperparameters of the rules and the frozen
        flags too.
    metadata : mapping of str to str, optional
        Notes, which `metadata` returns.

    Raises
    ------
    DTypeError
        If the format does not have the dtype of an array.
    ParameterTreeError
        If two arrays have one path.
    ArgumentError
        If a leaf is none of these, an entry is called ``__metadata__``, `metadata` is something
        else, or `path` is no file.
    BackendNotAvailableError
        If the library `safetensors` is not installed, or `ml_dtypes` for bfloat16 and float8.
    OSError
        If the system cannot write the file. The old one is left as it was.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import portanet as pn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pn.io.safetensors.save(f"{folder}/a.safetensors", {"layer": {"weight": np.ones(2)}})
    ...     pn.io.safetensors.load(f"{folder}/a.safetensors")
    {'layer': {'weight': array([1., 1.])}}
    """
    target = _library.checked_path(path)
    leaves, empty = _entries.named(_entries.plain(tree))
    notes = {**_checked_notes(metadata), **_entries.note(empty)}
    arrays = {name: _leaves.stored(name, leaf) for name, leaf in leaves.items()}
    replace(target, _library.content_of(arrays, notes))


def _checked_notes(metadata: Any) -> Mapping[str, str]:
    if metadata is None:
        return {}
    texts = isinstance(metadata, Mapping) and all(
        isinstance(x, str) for pair in metadata.items() for x in pair
    )
    if not texts:
        raise ArgumentError("metadata is a dict of str to str: convert its values with str or json")
    if _entries.NOTE in metadata:
        raise ArgumentError(f"metadata: {_entries.NOTE!r} is portanet's own: take another name")
    return metadata


def load(path: Path, like: Any = None, *, device: Any = None) -> Any:
    """Read a tree from a file.

    Parameters
    ----------
    path : str or path
    like : tree, optional
        What is expected: the result has its structure, and each array the shape, library, device
        and dtype of the one in its place. Random keys, numbers, booleans and texts become such
        again, training states go on where they were saved. Without it the result is a nested
        dict, one level for each part of a path, whose arrays keep their dtype.
    device : Device or str, optional
        Where the arrays go, such as ``"torch:cuda:0"``; otherwise where those of `like` are, or
        NumPy, on which bfloat16 and float8 are those of the package `ml_dtypes`.

    Returns
    -------
    tree

    Raises
    ------
    ParameterTreeError
        If the file lacks entries of `like` or has others, by name; or if its names are no tree.
    ShapeError
        If arrays have other shapes than in `like`, by name.
    DTypeError
        If `like` cannot hold the numbers exactly, by name: a dtype that is narrower or of another
        kind. Load without `like` and convert what shall be rounded.
    HyperparameterError
        If the training state in the file was made with another optimizer.
    ArgumentError
        If it is no such file, or not all of it.
    BackendNotAvailableError
        If the library `safetensors` is not installed, or `ml_dtypes` for bfloat16 and float8.
    OSError
        If the system cannot read the file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps, st = pn.setup(0, pn.Dense(2, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pn.io.safetensors.save(f"{folder}/a.safetensors", ps)
    ...     again = pn.io.safetensors.load(f"{folder}/a.safetensors", like=ps)
    >>> bool(np.all(again["weight"] == ps["weight"]))
    True
    """
    place = _place(device)
    source = _library.checked_path(path)
    arrays, notes = _library.read(source)
    if like is not None:
        return matched(source, arrays, like, place, width=True)
    placed = {name: _leaves.placed(name, x, place) for name, x in arrays.items()}
    return _entries.nested(placed, _entries.noted(source, notes))


def metadata(path: Path) -> dict[str, str]:
    """Return the notes that a file was saved with, without reading its arrays.

    Raises
    ------
    ArgumentError, BackendNotAvailableError, OSError
        As by `load`.
    """
    notes = _library.read_metadata(_library.checked_path(path))
    return {name: text for name, text in notes.items() if name != _entries.NOTE}


def save_model(path: Path, ps: Any, st: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write the parameters and the states of a model to one file; see `save` and `load_model`."""
    save(path, {"parameters": ps, "states": st}, metadata)


def load_model(path: Path, model: Layer, *, device: Any = None) -> tuple[Any, Any]:
    """Read the parameters and the states of a model from a file that `save_model` wrote.

    Parameters
    ----------
    path : str or path
    model : Layer
        The model that was saved: it says which entries there are and what they are.
    device : Device or str, optional
        Where the arrays go, by default NumPy.

    Returns
    -------
    ps, st : dict
        With the dtypes of the file.

    Raises
    ------
    ParameterTreeError, ShapeError, DTypeError, ArgumentError, BackendNotAvailableError, OSError
        As by `load`; but a floating dtype may be of any width.

    Examples
    --------
    >>> import tempfile
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(2, 3), pn.Dropout(0.5))
    >>> ps, st = pn.setup(0, model)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pn.io.safetensors.save_model(f"{folder}/a.safetensors", ps, st)
    ...     ps, again = pn.io.safetensors.load_model(f"{folder}/a.safetensors", model)
    >>> again == st
    True
    """
    place = _place(device)
    source = _library.checked_path(path)
    ps, st = setup(0, model)
    like = {"parameters": ps, "states": st}
    tree = matched(source, _library.read(source)[0], like, place, width=False)
    return tree["parameters"], tree["states"]


def _place(device: Any) -> Device | None:
    return device if device is None or isinstance(device, Device) else devices.device(device)
