"""A trained vector for each position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.functional.linear.embedding import rows_at
from portanet.initializers import normal
from portanet.interface import array_namespace, device_of
from portanet.layers.embeddings._positions import check_length, check_positions


@dataclass(frozen=True)
class LearnedPositionalEmbedding(Layer):
    """A trainable vector for each position, added to the features there.

    Parameters
    ----------
    length : int
        How many positions there are.
    features : int
        The size of the last axis.
    init_weight : initializer, optional
        By default the normal distribution with deviation 0.02, as in BERT and GPT-2 [1]_.

    Notes
    -----
    Input: floating array of shape (..., L, features), whose positions are 0, 1, …, L - 1; or a
    tuple of that and an integer array with the positions, of shape (L,) or (..., L). Output: of
    the shape of the features.

    Parameter tree: ``weight`` (length, features). State tree: empty; while decoding with a cache,
    ``offset``, the position that comes next (see `portanet.with_cache`).

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Devlin, Chang, Lee and Toutanova, "BERT: Pre-training of Deep Bidirectional
       Transformers for Language Understanding", NAACL 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Embedding(100, 8), pn.LearnedPositionalEmbedding(16, 8))
    >>> ps, st = pn.setup(0, model)
    >>> model(np.asarray([[1, 2, 3], [4, 5, 6]]), ps, st)[0].shape
    (2, 3, 8)
    """

    length: int
    features: int
    _: KW_ONLY
    init_weight: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.integers(self, "length", "features")
        checks.optional_functions(self, "init_weight")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        init_weight = self.init_weight or normal(std=0.02)
        return {"weight": init_weight(rng, (self.length, self.features))}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, positions = checks.one_or_pair(x, "positions")
        shape = self.length, self.features
        weight = checks.member(ps, "weight", shape, "(length, features)")
        checks.rank_at_least("x", x, 2)
        checks.last_axis("x", x, self.features, "features")
        checks.same_kind("x", x, "weight", weight)
        steps = x.shape[-2]
        if positions is None and "offset" in checks.require_tree(st, "st"):
            positions = st["offset"] + _count(x)
            st = {**st, "offset": st["offset"] + steps}
        if positions is None:
            check_length(steps, self.length)
            return x + weight[:steps, :], st
        positions = check_positions(x, positions, self.length)
        return x + rows_at(positions, weight), st

    def _cached_state(self, st: Any, batch: int, length: int, like: Any) -> dict[str, Any]:
        """Return the state in which positions count on from call to call."""
        return {**st, "offset": _nothing(like)}


def _count(x: Any) -> Any:
    return array_namespace(x).arange(x.shape[-2], device=device_of(x))


def _nothing(like: Any) -> Any:
    xp = array_namespace(like)
    return xp.zeros(1, dtype=xp.int32, device=device_of(like))
