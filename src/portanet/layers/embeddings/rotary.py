"""Positions as rotations."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.functional import rotary_embedding, rotary_tables
from portanet.functional.linear.embedding import rows_at
from portanet.layers.embeddings._positions import check_even, check_length, check_positions


@dataclass(frozen=True)
class RotaryPositionalEmbedding(Layer):
    """Rotations of pairs of features, so that attention sees the distance of positions [1]_.

    Parameters
    ----------
    features : int
        The features of one head, an even number.
    length : int
        How many positions there are.
    base : float
        The larger it is, the longer the longest wave.
    interleaved : bool
        Whether neighbouring features form the pairs, as in the paper; by default feature ``i``
        and ``i + features // 2`` do, as in Lux, Llama and Qwen.

    Notes
    -----
    Input: floating array of shape (..., L, heads, features), whose positions are 0, 1, …, L - 1;
    or a tuple of that and an integer array with the positions, of shape (L,) or (..., L). Output:
    of the shape of the features. `MultiHeadAttention` applies it to queries and keys.

    Parameter tree: empty. State tree: ``cos`` and ``sin``, both (length, features // 2).

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the states.

    References
    ----------
    .. [1] Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding",
       arXiv:2104.09864, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.RotaryPositionalEmbedding(8, 100)
    >>> ps, st = pn.setup(0, model)
    >>> model(np.ones((2, 5, 4, 8), np.float32), ps, st)[0].shape
    (2, 5, 4, 8)
    """

    features: int
    length: int = 4096
    _: KW_ONLY
    base: float = 10000.0
    interleaved: bool = False

    def __post_init__(self) -> None:
        checks.integers(self, "length")
        check_even(self)
        checks.positive(self, "base")
        checks.flags(self, "interleaved")

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        cos, sin = rotary_tables(np.arange(float(self.length)), self.features, base=self.base)
        return {"cos": cos.astype(np.float32), "sin": sin.astype(np.float32)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, positions = checks.one_or_pair(x, "positions")
        shape = self.length, self.features // 2
        tables = [
            checks.member(st, name, shape, "(length, features // 2)", "st")
            for name in ("cos", "sin")
        ]
        checks.rank_at_least("x", x, 3)
        checks.last_axis("x", x, self.features, "features")
        for name, table in zip(("cos", "sin"), tables, strict=True):
            checks.same_kind("x", x, name, table)
        if positions is None:
            steps = x.shape[-3]
            check_length(steps, self.length)
            tables = [table[:steps, :] for table in tables]
        else:
            positions = check_positions(x[..., 0], positions, self.length)
            tables = [rows_at(positions, table) for table in tables]
        return rotary_embedding(x, *tables, interleaved=self.interleaved), st
