"""Comparing trees of arrays of any libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import shown
from portanet.interface import backend_of, get_backend, is_array
from portanet.testing import arguments


def require(holds: Any, message: str) -> None:
    """Raise `AssertionError` with `message` unless `holds`."""
    if not holds:
        raise AssertionError(message)


def to_numpy(x: Any) -> np.ndarray:
    """Return an array of any library as one of NumPy."""
    return np.asarray(backend_of(x).to_numpy(x))


def kind_of(x: Any) -> str:
    """Return the library, dtype and shape of an array as a text; of other objects the type."""
    if not is_array(x):
        return type(x).__name__
    backend = backend_of(x)
    return f"{backend.name} {backend.dtype_name(x.dtype)}{list(x.shape)}"


def move(tree: Any, backend: str, device: Any = None) -> Any:
    """Return a copy of a tree with every array on `device` of the library `backend`."""
    target = get_backend(backend)
    place = target.parse_device(None) if device is None else device
    return trees.map_leaves(
        lambda x: target.from_numpy(to_numpy(x).copy(), place) if is_array(x) else x, tree
    )


def assert_same_kind(actual: Any, expected: Any, what: str = "result") -> None:
    """Check that two trees have one structure, and their arrays one library, dtype and shape.

    Parameters
    ----------
    actual, expected : tree
    what : str
        How the message calls the tree.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.testing import assert_same_kind
    >>> assert_same_kind({"w": np.ones(2)}, {"w": np.zeros(2)})
    >>> assert_same_kind({"w": np.ones(2)}, {"w": np.ones(2, np.float32)}, "gradient")
    Traceback (most recent call last):
    AssertionError: gradient.w: numpy float64[2] != numpy float32[2]
    """
    for path, x, y in _pairs(actual, expected, what):
        require(kind_of(x) == kind_of(y), f"{path}: {kind_of(x)} != {kind_of(y)}")


def assert_close(
    actual: Any, expected: Any, rtol: float = 1e-7, atol: float = 0.0, what: str = "result"
) -> None:
    """Check that two trees have one structure, and nearly the same numbers in arrays of one shape.

    Their arrays may be of different libraries and dtypes. What is not an array must be equal.

    Parameters
    ----------
    actual, expected : tree
    rtol, atol : float
        The largest relative and absolute error of a number. Equal infinities and NaN agree.
    what : str
        How the message calls the tree.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.testing import assert_close
    >>> assert_close({"w": np.ones(2)}, {"w": np.ones(2) + 1e-9})
    >>> assert_close({"w": np.ones(2)}, {"w": np.asarray([1.0, 1.5])})
    Traceback (most recent call last):
    AssertionError: result.w: 1 of 2 numbers differ, most at [1]: 1.0 != 1.5
    """
    arguments.check_numbers(rtol=rtol, atol=atol)
    for path, x, y in _pairs(actual, expected, what):
        if not (is_array(x) and is_array(y)):
            require(_is_equal(x, y), f"{path}: {shown(x)} != {shown(y)}")
            continue
        x, y = to_numpy(x), to_numpy(y)
        require(x.shape == y.shape, f"{path}: shape {x.shape} != {y.shape}")
        wrong = ~np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True)
        if np.any(wrong):
            with np.errstate(invalid="ignore"):
                error = np.where(wrong, np.nan_to_num(np.abs(x - y), nan=np.inf), -1.0)
            place = np.unravel_index(np.argmax(error), x.shape)
            where = f"most at [{', '.join(map(str, place))}]: " if place else ""
            raise AssertionError(
                f"{path}: {np.sum(wrong)} of {x.size} numbers differ, "
                f"{where}{x[place]} != {y[place]}"
            )


def _is_equal(x: Any, y: Any) -> bool:
    """Whether two leaves are equal that are not both arrays."""
    if x is y:
        return True
    try:
        return bool(x == y)
    except Exception:  # an array beside something else has no one answer
        return False


def _pairs(actual: Any, expected: Any, what: str) -> list[tuple[str, Any, Any]]:
    arguments.check_text("what", what)
    found, wanted = trees.flatten(actual), trees.flatten(expected)
    require(found[1] == wanted[1], f"{what}: structure {found[1]} != {wanted[1]}")
    paths = (path for path, _ in trees.flatten_with_paths(expected))
    return [
        (f"{what}.{path}" if path else what, x, y)
        for path, x, y in zip(paths, found[0], wanted[0], strict=True)
    ]


class Snapshot:
    """A copy of trees, with which a later look at them is compared bit by bit.

    Parameters
    ----------
    *others, **named : tree
        Named trees are called by their names in a message, others by their positions.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.testing import Snapshot
    >>> x = np.ones(2)
    >>> before = Snapshot(x=x)
    >>> before.check()
    >>> x[0] = 5.0
    >>> before.check()
    Traceback (most recent call last):
    AssertionError: x was changed
    """

    def __init__(self, *others: Any, **named: Any) -> None:
        watched = {**{f"tree {i}": tree for i, tree in enumerate(others)}, **named}
        self._watched = watched
        self._leaves = {name: trees.flatten(tree) for name, tree in watched.items()}
        self._copies = {name: _bits(tree) for name, tree in watched.items()}

    def check(self) -> None:
        """Raise `AssertionError` if a tree or an array in it is no longer what it was."""
        for name, tree in self._watched.items():
            leaves, structure = self._leaves[name]
            now, same = trees.flatten(tree)
            kept = same == structure and all(x is y for x, y in zip(now, leaves, strict=True))
            require(kept and _bits(tree) == self._copies[name], f"{name} was changed")


def _bits(tree: Any) -> list[Any]:
    return [to_numpy(x).tobytes() if is_array(x) else x for x in trees.leaves(tree)]
