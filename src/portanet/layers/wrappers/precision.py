"""A layer in another precision than its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet import checks, trees
from portanet.core import Container, Layer, as_layer
from portanet.errors import DTypeError
from portanet.functional.bfloat16 import emulates_bfloat16, rounded_to_bfloat16
from portanet.interface import array_namespace, is_array
from portanet.parameters.precision import astype


@dataclass(frozen=True)
class AlternatePrecision(Container):
    """A layer that computes in another floating type than its surroundings.

    Input, parameters and states are converted on the way in; the output and the new states are
    converted back. The parameters stay what they were, as mixed precision wants them, and so do
    their gradients. Beside 16 bits, the parameters of normalisations are handed on in their own
    type, and so are running statistics, the entries of a state whose names begin with
    ``running_``: they gather what is too small for 16 bits. A state that the layer returns as it
    got it stays what it was.

    Parameters
    ----------
    layer : Layer or callable
        The layer.
    dtype : str
        The type in which it runs: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.

    Notes
    -----
    NumPy has no arrays of bfloat16. Where the package ml_dtypes is installed, input, parameters and
    output are rounded to its numbers, and the layer computes with them in float32.

    Input: that of `layer`, of one floating dtype. Output: that of `layer`, in the dtype of the
    input. Parameter tree and state tree: ``layer``.

    Raises
    ------
    HyperparameterError
        If `dtype` is none of these.
    DTypeError
        In the call, if the library lacks the dtype, or the input has no floating array.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.AlternatePrecision(lambda x: (print(x.dtype), x)[1], "float16")
    >>> y, _ = model(np.ones(3, np.float32), *pn.setup(0, model))
    float16
    >>> y.dtype
    dtype('float32')
    """

    layer: Any
    dtype: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", as_layer(self.layer, "AlternatePrecision"))
        checks.one_of(self, "dtype", ("float16", "bfloat16", "float32", "float64"))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        floats = [leaf for leaf in trees.leaves(x) if is_floating(leaf)]
        if not floats:
            raise DTypeError("x has a floating array: there is none to take the dtype from")
        ps, state = checks.entry(ps, "layer"), checks.entry(st, "layer", "st")

        def call(x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
            return self.run("layer", x, {"layer": ps}, {"layer": st})

        run = Precision(self.dtype, floats[0].dtype, wide_paths(self.layer))
        y, state = run(call, x, ps, state)
        return y, {"layer": state}


@dataclass(frozen=True)
class Precision:
    """How a layer is called in another precision.

    Parameters
    ----------
    dtype : str
        That in which it runs.
    outside : dtype
        That of its output, and of states that are new.
    wide : tuple of str
        How the paths of parameters begin that stay as they are where it runs in 16 bits.
    """

    dtype: str
    outside: Any
    wide: tuple[str, ...]

    def __call__(
        self, call: Callable[..., tuple[Any, Any]], x: Any, ps: Any, st: Any
    ) -> tuple[Any, Any]:
        """Return what ``call(x, ps, st)`` gives, each state in the dtype that it had."""
        given = _mapped(self._state, st)
        x = trees.map_leaves(self._narrowed, x)
        y, new = call(x, _mapped(self._parameter, ps), given)
        if self.dtype == "bfloat16":
            y = trees.map_leaves(lambda leaf: self._narrowed(leaf) if _rounds(leaf) else leaf, y)
        before, handed = (dict(trees.flatten_with_paths(tree)) for tree in (st, given))

        def restored(path: str, leaf: Any) -> Any:
            """Return a state in its own dtype: the one before, if the layer left it alone."""
            if path in before and leaf is handed[path]:
                return before[path]
            if not is_floating(leaf):
                return leaf
            known = is_floating(before.get(path))
            return astype(leaf, before[path].dtype if known else self.outside)

        return astype(y, self.outside), _mapped(restored, new)

    @property
    def _short(self) -> bool:
        return self.dtype in ("float16", "bfloat16")

    def _parameter(self, path: str, leaf: Any) -> Any:
        kept = self._short and path.startswith(self.wide)
        return astype(leaf, "float32") if kept else self._narrowed(leaf)

    def _state(self, path: str, leaf: Any) -> Any:
        gathered = path.rpartition(".")[2].startswith("running_")
        return astype(leaf, "float32") if self._short and gathered else self._narrowed(leaf)

    def _narrowed(self, leaf: Any) -> Any:
        """Return a leaf in the dtype of the layer, or in float32 with the digits of bfloat16."""
        if self.dtype == "bfloat16" and _rounds(leaf):
            return rounded_to_bfloat16(astype(leaf, "float32"))
        return astype(leaf, self.dtype)


def _rounds(leaf: Any) -> bool:
    """Whether a leaf is of a library that has the numbers of bfloat16, and no arrays of them."""
    return is_floating(leaf) and emulates_bfloat16(leaf)


def wide_paths(layer: Any, path: str = "") -> tuple[str, ...]:
    """Return how the paths of parameters begin that stay in float32, such as those of norms."""
    if not isinstance(layer, Layer):
        return ()
    if layer.wide_parameters:
        return (path,)
    children = layer.children().items()
    return tuple(found for name, x in children for found in wide_paths(x, f"{path}{name}."))


def _mapped(function: Callable[[str, Any], Any], tree: Any) -> Any:
    """Apply `function` to the path and the value of each leaf."""
    leaves = [function(path, leaf) for path, leaf in trees.flatten_with_paths(tree)]
    return trees.unflatten(trees.flatten(tree)[1], leaves)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is an array of real floating point numbers."""
    return is_array(leaf) and array_namespace(leaf).isdtype(leaf.dtype, "real floating")
