"""A layer in another precision than its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet import checks, trees
from portanet.core import Container, as_layer
from portanet.errors import DTypeError
from portanet.interface import array_namespace, is_array
from portanet.parameters.precision import astype


@dataclass(frozen=True)
class AlternatePrecision(Container):
    """A layer that computes in another floating type than its surroundings.

    Input, parameters and states are converted on the way in; the output and the new states are
    converted back. The parameters stay what they were, as mixed precision wants them, and so do
    their gradients. Running statistics, the entries of a state whose names begin with
    ``running_``, gather what is too small for 16 bits: they are handed on in their own type. A
    state that the layer returns as it got it stays what it was.

    Parameters
    ----------
    layer : Layer or callable
        The layer.
    dtype : str
        The type in which it runs: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.

    Notes
    -----
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
        floats = [leaf for leaf in trees.leaves(x) if _is_floating(leaf)]
        if not floats:
            raise DTypeError("x has a floating array: there is none to take the dtype from")
        state = checks.entry(st, "layer", "st")
        ps = {"layer": astype(checks.entry(ps, "layer"), self.dtype)}
        given = _mapped(self._converted, state)
        y, new = self.run("layer", astype(x, self.dtype), ps, {"layer": given})
        dtype = floats[0].dtype
        before, handed = (dict(trees.flatten_with_paths(tree)) for tree in (state, given))

        def restored(path: str, leaf: Any) -> Any:
            """Return a state in its own dtype: the one before, if the layer left it alone."""
            if path in before and leaf is handed[path]:
                return before[path]
            if not _is_floating(leaf):
                return leaf
            known = _is_floating(before.get(path))
            return astype(leaf, before[path].dtype if known else dtype)

        return astype(y, dtype), {"layer": _mapped(restored, new)}

    def _converted(self, path: str, leaf: Any) -> Any:
        short = self.dtype in ("float16", "bfloat16")
        gathered = path.rpartition(".")[2].startswith("running_")
        return leaf if short and gathered else astype(leaf, self.dtype)


def _mapped(function: Callable[[str, Any], Any], tree: Any) -> Any:
    """Apply `function` to the path and the value of each leaf."""
    leaves = [function(path, leaf) for path, leaf in trees.flatten_with_paths(tree)]
    return trees.unflatten(trees.flatten(tree)[1], leaves)


def _is_floating(leaf: Any) -> bool:
    return is_array(leaf) and array_namespace(leaf).isdtype(leaf.dtype, "real floating")
