"""Converting the floating-point arrays of a tree to another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import DTypeError, shown
from portanet.interface import Backend, backend_of, is_array

_FLOATING = ("float16", "bfloat16", "float32", "float64", "longdouble")
_COMPLEX = {
    "float16": "complex64",
    "bfloat16": "complex64",
    "float32": "complex64",
    "float64": "complex128",
    "longdouble": "clongdouble",
}


def astype(tree: Any, dtype: Any) -> Any:
    """Convert the floating-point arrays of a tree to another precision.

    Parameters
    ----------
    tree : tree
        Integer and boolean arrays and everything that is not an array pass unchanged.
    dtype : str or dtype
        A real floating-point dtype: ``"float32"``, ``"float64"``, and where the library has them
        ``"float16"``, ``"bfloat16"`` and ``"longdouble"``; or the dtype object of any library.
        Complex arrays become complex arrays of that precision, at least ``complex64``.

    Returns
    -------
    tree
        Of the structure of `tree`, each array in its library and on its device. Differentiable.

    Raises
    ------
    DTypeError
        If `dtype` is no real floating-point dtype, or a library of the tree lacks it.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.astype({"weight": np.ones(2), "steps": np.asarray(3)}, "float32")
    {'weight': array([1., 1.], dtype=float32), 'steps': array(3)}
    """
    name = _floating_name(dtype)
    return trees.map_leaves(lambda x: _converted(x, name) if is_array(x) else x, tree)


def _floating_name(dtype: Any) -> str:
    name = dtype
    if not (isinstance(dtype, str) or dtype is None):
        try:
            name = np.dtype(dtype).name
        except (TypeError, ValueError):
            name = shown(dtype).rpartition(".")[2]
    if name not in _FLOATING and name == np.dtype(np.longdouble).name:
        name = "longdouble"
    if name not in _FLOATING:
        raise DTypeError(f"dtype is one of {', '.join(_FLOATING)}: got {shown(dtype)}")
    return name


def _converted(x: Any, name: str) -> Any:
    backend = backend_of(x)
    xp = backend.xp
    if xp.isdtype(x.dtype, "real floating"):
        return _cast(backend, x, name)
    if xp.isdtype(x.dtype, "complex floating"):
        return _cast(backend, x, _COMPLEX[name])
    return x


def _cast(backend: Backend, x: Any, name: str) -> Any:
    try:
        dtype = backend.dtype(name)
    except TypeError as error:
        existing = ", ".join(n for n in _FLOATING if _has_dtype(backend, n))
        raise DTypeError(f"{error}; it has {existing}") from None
    return x if x.dtype == dtype else backend.xp.astype(x, dtype)


def _has_dtype(backend: Backend, name: str) -> bool:
    try:
        backend.dtype(name)
    except TypeError:
        return False
    return True
