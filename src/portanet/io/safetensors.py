"""Trees of arrays in files of the safetensors format [1]_, which other libraries read too.

References
----------
.. [1] https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portanet import devices, trees
from portanet.backends import backend_of, is_array
from portanet.core import Layer, setup
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, ShapeError
from portanet.io import _format
from portanet.parameters import precision
from portanet.random import Key

__all__ = ["load", "load_model", "metadata", "save", "save_model"]

Path = str | os.PathLike[str]


def save(path: Path, tree: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write the arrays of a tree to a file, named by their dotted paths.

    Parameters
    ----------
    path : str or path
        A file that exists is replaced, once all has been written.
    tree : tree
        Arrays of any library, with any dtype of the format: booleans, integers, float16,
        bfloat16, float32, float64 and complex64. Random keys, numbers and booleans are stored as
        small arrays.
    metadata : mapping of str to str, optional
        Notes, which `metadata` returns.

    Raises
    ------
    DTypeError
        If the format does not have the dtype of an array.
    ParameterTreeError
        If two arrays have one path.
    ArgumentError
        If a leaf is neither an array nor a number, or `metadata` is something else.

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
    stored: dict[str, _format.Stored] = {}
    for name, leaf in trees.flatten_with_paths(tree):
        if name in stored:
            raise ParameterTreeError(f"one array a path: there are two at {name!r}")
        stored[name] = _stored(name, leaf)
    _format.write(path, stored, metadata)


def load(path: Path, like: Any = None, *, device: Any = None) -> Any:
    """Read a tree from a file.

    Parameters
    ----------
    path : str or path
    like : tree, optional
        What is expected: the result has its structure, and each array the shape, library, device
        and dtype of the one in its place. Random keys, numbers and booleans become such again.
        Without it the result is a nested dict, one level for each part of a path, whose arrays
        keep their dtype.
    device : Device or str, optional
        Where the arrays go, such as ``"torch:cuda:0"``; otherwise where those of `like` are, or
        NumPy. On NumPy, which lacks it, bfloat16 becomes float32.

    Returns
    -------
    tree

    Raises
    ------
    ParameterTreeError
        If the file lacks entries of `like` or has others, by name; or if its names are no tree.
    ShapeError
        If arrays have other shapes than in `like`, by name.
    ArgumentError
        If it is no such file, or not all of it.

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
    place = devices.device(device) if isinstance(device, str) else device
    found = _format.read(path)
    if like is None:
        return _nested({name: _placed(stored, place) for name, stored in found.items()})
    return _like(str(path), found, like, lambda stored, leaf: _matched(stored, leaf, place))


def metadata(path: Path) -> dict[str, str]:
    """Return the notes that a file was saved with, without reading its arrays."""
    return _format.read_header(path)[1]


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
    ParameterTreeError, ShapeError, ArgumentError
        As by `load`.

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
    place = devices.device(device) if isinstance(device, str) else device
    ps, st = setup(0, model)
    like = {"parameters": ps, "states": st}
    tree = _like(str(path), _format.read(path), like, lambda stored, _: _placed(stored, place))
    return tree["parameters"], tree["states"]


def _stored(name: str, leaf: Any) -> _format.Stored:
    if is_array(leaf):
        backend = backend_of(leaf)
        return _format.Stored(backend.to_numpy(leaf), backend.dtype_name(leaf.dtype) == "bfloat16")
    if isinstance(leaf, Key):
        return _format.Stored(np.asarray(leaf.words, np.uint64), False)
    if isinstance(leaf, bool | int | float):
        return _format.Stored(np.asarray(leaf), False)
    raise ArgumentError(f"{name!r} is an array, a random key or a number: got {leaf!r}")


def _placed(stored: _format.Stored, place: Any) -> Any:
    if place is None:
        return stored.array
    x = place(stored.array)
    return _as_bfloat16(x) if stored.bfloat16 else x


def _as_bfloat16(x: Any) -> Any:
    try:
        return precision.astype(x, "bfloat16")
    except DTypeError:
        return x


def _matched(stored: _format.Stored, leaf: Any, place: Any) -> Any:
    """Return an array of the dtype of `leaf`, where that is or at `place`."""
    here: Any = place or devices.get_device(leaf)
    x = here(stored.array)
    backend = backend_of(x)
    dtype = backend.dtype(backend_of(leaf).dtype_name(leaf.dtype))
    return x if x.dtype == dtype else backend.xp.astype(x, dtype)


def _like(
    path: str,
    found: Mapping[str, _format.Stored],
    like: Any,
    restored: Callable[[_format.Stored, Any], Any],
) -> Any:
    """Return a tree like `like`, whose arrays are made by `restored`."""
    named = trees.flatten_with_paths(like)
    _check(path, named, found)
    leaves = [
        restored(found[name], leaf) if is_array(leaf) else _value(found[name].array, leaf)
        for name, leaf in named
    ]
    return trees.unflatten(trees.flatten(like)[1], leaves)


def _value(x: np.ndarray, leaf: Any) -> Any:
    if not isinstance(leaf, Key):
        return type(leaf)(x.item())
    high, low = x.tolist()
    return Key((high, low))


def _check(path: str, named: list[tuple[str, Any]], found: Mapping[str, _format.Stored]) -> None:
    names = [name for name, _ in named]
    missing = [name for name in names if name not in found]
    surplus = sorted(set(found) - set(names))
    if missing or surplus:
        raise ParameterTreeError(
            f"{path!r}: the entries differ: missing {missing or 'none'}, "
            f"unexpected {surplus or 'none'}"
        )
    wrong = [
        f"{name!r} {tuple(found[name].array.shape)} != {shape}"
        for name, leaf in named
        if tuple(found[name].array.shape) != (shape := _shape(leaf))
    ]
    if wrong:
        raise ShapeError(f"{path!r}: the shapes differ: {', '.join(wrong)}")


def _shape(leaf: Any) -> tuple[int, ...]:
    return (2,) if isinstance(leaf, Key) else tuple(getattr(leaf, "shape", ()))


def _nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, x in arrays.items():
        *parts, last = name.split(".")
        level = tree
        for part in parts:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise ParameterTreeError(f"{name!r} lies under an array, {part!r}: load with like=")
        if last in level:
            raise ParameterTreeError(f"{name!r} is an array and a dict: load with like=")
        level[last] = x
    return tree
