"""Calls and trees taken apart into arrays and everything else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.autodiff.implicit import Param
from portanet.errors import BackendMismatchError, DTypeError, ShapeError
from portanet.interface import Backend, backend_of, is_array, is_floating, same_dtype


class Layout:
    """Where the arrays are in a tree. It holds everything but them."""

    __slots__ = ("places", "rest", "structure")

    def __init__(self, tree: Any, chosen: Callable[[Any], bool]) -> None:
        self.structure = trees.flatten(tree)[1]
        leaves = _leaves(tree)
        self.places = [i for i, x in enumerate(leaves) if chosen(x)]
        self.rest = leaves
        for i in self.places:
            leaves[i] = None

    @classmethod
    def of_arrays(cls, backend: Backend | None, tree: Any) -> Layout:
        """Return where the arrays of `backend` are in a tree."""
        return cls(tree, lambda x: is_array(x) and backend_of(x) is backend)

    def arrays(self, tree: Any) -> list[Any]:
        """Return the arrays of a tree of this layout."""
        leaves = _leaves(tree)
        return [leaves[i] for i in self.places]

    def join(self, arrays: Sequence[Any]) -> Any:
        """Put arrays into the tree."""
        return self._filled(list(self.rest), arrays)

    def join_smooth(self, backend: Backend, arrays: Sequence[Any]) -> Any:
        """Put tangents or cotangents into the tree, None where there is none."""
        smooth = [x if backend.is_floating(x.dtype) else None for x in arrays]
        return self._filled([None] * len(self.rest), smooth)

    def _filled(self, leaves: list[Any], arrays: Sequence[Any]) -> Any:
        for i, x in zip(self.places, arrays, strict=True):
            leaves[i] = x
        return trees.unflatten(self.structure, leaves)

    def fit(self, backend: Backend, like: Any, given: Any, name: str) -> list[Any]:
        """Return the derivatives for the arrays of `like`, a tree of this layout; None is zero.

        Raises
        ------
        ParameterTreeError, ShapeError, DTypeError, BackendMismatchError
            With the path of the first that does not fit.
        """
        if given is None:
            return [None] * len(self.places)
        parts = fitted(like, given, name)
        xs = trees.leaves(like)
        found = [_checked(backend, xs[i], parts[i]) for i in self.places]
        for i, part in zip(self.places, found, strict=True):
            if isinstance(part, Exception):
                path = trees.flatten_with_paths(like)[i][0]
                raise type(part)(f"{name}.{path}: {part}" if path else f"{name}: {part}")
        return found


def _leaves(tree: Any) -> list[Any]:
    return [x.value if isinstance(x, Param) else x for x in trees.leaves(tree)]


def fitted(like: Any, given: Any, name: str) -> list[Any]:
    """Return what stands in `given` in the place of each leaf of `like`."""
    try:
        return trees.flatten(like)[1].flatten_up_to(given)
    except ValueError:
        trees.check_same_structure(like, given, name)
        raise


def _checked(backend: Backend, x: Any, part: Any) -> Any:
    """Return a derivative of `x`, None for zero, or the error that it deserves."""
    if part is None or not backend.is_floating(x.dtype):
        return None
    if type(part) in (int, float) and x.ndim == 0:
        return backend.xp.full_like(x, part)
    if not is_array(part) or backend_of(part) is not backend:
        return BackendMismatchError(f"an array of {backend.name} != {type(part).__name__}")
    if part.shape != x.shape:
        return ShapeError(f"shape {tuple(part.shape)} != {tuple(x.shape)}")
    if not same_dtype(part, x):
        return DTypeError(f"dtype {part.dtype} != {x.dtype}")
    return part


class Call:
    """One call: the floating-point arrays among the positional arguments, and everything else.

    Attributes
    ----------
    arrays : list of arrays
    backend : Backend or None
        Their library; None without arrays.
    layout : Layout
        Of the tuple of all positional arguments, also those given by name or by default.
    options : dict
        The keyword-only arguments.
    """

    __slots__ = ("arrays", "backend", "count", "layout", "options")

    def __init__(
        self, signature: inspect.Signature | None, args: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        if signature is not None:
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            args, options = bound.args, bound.kwargs
        self.count = len(args)
        self.options = options
        self.layout = Layout(args, is_floating)
        self.arrays = self.layout.arrays(args)
        self.backend = backend_of(*self.arrays) if self.arrays else None

    def join(self, arrays: Sequence[Any]) -> Any:
        """Return the positional arguments with `arrays` in their places."""
        return self.layout.join(arrays)


def signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a function, None where Python does not know it."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None
