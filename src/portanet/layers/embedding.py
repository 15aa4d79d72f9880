"""Layers that turn indices into features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.backends import array_namespace, backend_of
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional import embedding
from portanet.initializers import normal


@dataclass(frozen=True)
class Embedding(Layer):
    """A table of features, one row for each entry of a vocabulary.

    Parameters
    ----------
    vocabulary : int
        How many rows the table has.
    features : int
        How long a row is.
    init_weight : initializer, optional
        By default the standard normal distribution, as in PyTorch and Flux. (Lux draws from
        [0, 1), which makes all features positive.)

    Notes
    -----
    Input: integer array of any shape, with entries from 0 to ``vocabulary - 1``; negative ones do
    not count from the end. Output: ``(*x.shape, features)``.

    Parameter tree: ``weight`` (vocabulary, features). State tree: empty.

    An index outside the vocabulary is refused where looking at it is free: on the host. On an
    accelerator the check would wait for the device, and the library's own behaviour applies.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer, or `init_weight` cannot be called.
    DTypeError
        In the call, if the indices are not integers.
    ShapeError
        In the call, if an index lies outside the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Embedding(100, 8)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([[1, 2, 3], [4, 5, 6]]), ps, st)[0].shape
    (2, 3, 8)
    """

    vocabulary: int
    features: int
    _: KW_ONLY
    init_weight: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.integers(self, "vocabulary", "features")
        checks.optional_functions(self, "init_weight")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"weight": (self.init_weight or normal())(rng, (self.vocabulary, self.features))}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        shape = self.vocabulary, self.features
        weight = checks.member(ps, "weight", shape, "(vocabulary, features)")
        checks.integral("x", x)
        array_namespace(x, weight)
        checks.same_device("x", x, "weight", weight)
        self._check_range(x)
        return embedding(x, weight), st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        return (*input_shape, self.features)

    def _check_range(self, x: Any) -> None:
        backend = backend_of(x)
        on_host = "cpu" in str(backend.device_of(x)).lower()
        if not on_host or 0 in x.shape:
            return
        xp = backend.xp
        try:
            lowest, highest = int(xp.min(x)), int(xp.max(x))
        except TypeError:  # a compiler traces the call: there are no values yet
            return
        if lowest < 0 or highest >= self.vocabulary:
            wrong = lowest if lowest < 0 else highest
            raise ShapeError(f"0 <= x < vocabulary: x has {wrong}, vocabulary is {self.vocabulary}")
