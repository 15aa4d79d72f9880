"""Trees of arrays in files of the safetensors format [1]_, which other libraries read too.

The format's own library reads and writes them: ``pip install "portanet[safetensors]"``. What is
here is what it has not: trees, a structure to load into, random keys, whole training states.

References
----------
.. [1] https://github.com/huggingface/safetensors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portanet.core import Layer, setup
from portanet.io import _files
from portanet.io._files import Path
from portanet.io._formats import SAFETENSORS
from portanet.io.matching import Only
from portanet.listing import listing

__all__ = ["load", "load_model", "metadata", "save", "save_model"]
__dir__ = listing(__all__)


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
    _files.save(SAFETENSORS, path, tree, metadata)


def load(path: Path, like: Any = None, *, device: Any = None, only: Only | None = None) -> Any:
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
    only : str, list of str or callable, optional
        Which entries of `like` are read; the others stay as they are in it, and those of the file
        are not looked at. Dotted paths of entries or of parts, such as ``"parameters.encoder"``; or
        a function ``only(path, x)`` that returns True or False.

    Returns
    -------
    tree

    Raises
    ------
    ParameterTreeError
        If the file lacks entries of `like` or has others, by name; or if its names are no tree; or
        if `only` chooses nothing.
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
    return _files.load(SAFETENSORS, path, like, device, only=only)


def metadata(path: Path) -> dict[str, str]:
    """Return the notes that a file was saved with, without reading its arrays.

    Raises
    ------
    ArgumentError, BackendNotAvailableError, OSError
        As by `load`.
    """
    return _files.metadata(SAFETENSORS, path)


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
    ps, st = setup(0, model)
    like = {"parameters": ps, "states": st}
    tree = _files.load(SAFETENSORS, path, like, device, width=False)
    return tree["parameters"], tree["states"]
