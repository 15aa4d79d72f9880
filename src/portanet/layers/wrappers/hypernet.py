"""A layer whose parameters another network computes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks, trees
from portanet.core import Container, as_layer
from portanet.core.lazy import refuse_unresolved
from portanet.errors import ShapeError
from portanet.interface import array_namespace
from portanet.parameters.ravel import ravel


@dataclass(frozen=True)
class HyperNet(Container):
    r"""A layer whose parameters are the output of another: :math:`y = f(x; g(z))`.

    Parameters
    ----------
    generator : Layer or callable
        The network :math:`g`. Its output has as many entries as `core` has parameters, in the
        order of `portanet.ravel`.
    core : Layer
        The layer :math:`f`; its sizes are known.

    Notes
    -----
    Input: a tuple ``(z, x)``; z describes one task, as an array of shape (features,) or
    (1, features), and x is the input of `core`. Output: that of `core`.

    Parameter tree: ``generator``; ``core`` is there without any array. State tree: ``generator``
    and ``core``.

    Raises
    ------
    HyperparameterError
        If `core` is no layer or waits for an input.
    ShapeError
        In the call, if the input is not a pair, or the generator's output has another size.

    References
    ----------
    .. [1] Ha, Dai and Le, "HyperNetworks", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> core = pn.Dense(2, 3)
    >>> model = pn.HyperNet(pn.Dense(4, pn.parameter_count(core)), core)
    >>> ps, st = pn.setup(0, model)
    >>> z, x = np.ones(4, np.float32), np.ones((5, 2), np.float32)
    >>> model((z, x), ps, st)[0].shape
    (5, 3)
    """

    generator: Any
    core: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "generator", as_layer(self.generator, "HyperNet"))
        object.__setattr__(self, "core", as_layer(self.core, "HyperNet"))
        refuse_unresolved(("core",), self.core.initial_parameters(np.random.default_rng(0)))

    @functools.cached_property
    def _parts(self) -> tuple[int, Callable[[Any], Any]]:
        """The number of parameters of the core, and what makes its tree of a vector."""
        ps = self.core.initial_parameters(np.random.default_rng(0))
        sizes = [math.prod(leaf.shape) for leaf in trees.leaves(ps)]
        return sum(sizes), ravel(ps)[1] if sizes else lambda vector: ps

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        core = self.core.initial_parameters(np.random.default_rng(0))
        return {"generator": self.generator.initial_parameters(rng), "core": _emptied(core)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if not isinstance(x, tuple | list) or len(x) != 2:
            raise ShapeError("len(x) == 2: a tuple (z, x) of the generator's and the core's input")
        z, x = x
        made, generator = self.run("generator", z, ps, st)
        size, unravel = self._parts
        if math.prod(checks.axes("the generator's output", made)) != size:
            raise ShapeError(
                f"size of the generator's output == parameter_count(core): "
                f"{math.prod(made.shape)} of {tuple(made.shape)} != {size}"
            )
        core_ps = unravel(array_namespace(made).reshape(made, (size,)))
        y, core = self.run("core", x, {"core": core_ps}, st)
        return y, {"generator": generator, "core": core}


def _emptied(tree: Any) -> Any:
    """Return the mappings of a tree without their arrays."""
    return {name: _emptied(entry) for name, entry in tree.items() if isinstance(entry, dict)}
