"""Layers that tell a network where in a sequence it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from array_api_compat import device

from portanet import checks
from portanet.backends import array_namespace
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional import embedding, rotary_embedding, rotary_tables
from portanet.initializers import normal
from portanet.layers._indices import check_range


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
        x, positions = x if isinstance(x, tuple | list) else (x, None)
        shape = self.length, self.features
        weight = checks.member(ps, "weight", shape, "(length, features)")
        checks.rank_at_least("x", x, 2)
        checks.last_axis("x", x, self.features, "features")
        checks.same_kind("x", x, "weight", weight)
        steps = x.shape[-2]
        if positions is None and "offset" in st:
            positions = st["offset"] + _count(x)
            st = {**st, "offset": st["offset"] + steps}
        if positions is None:
            _check_length(steps, self.length)
            return x + weight[:steps, :], st
        _check_positions(x, positions, self.length)
        return x + embedding(positions, weight), st

    def cached_state(self, st: Any, batch: int, length: int, like: Any) -> dict[str, Any]:
        """Return the state in which positions count on from call to call."""
        return {**st, "offset": _nothing(like)}


@dataclass(frozen=True)
class SinusoidalPositionalEmbedding(Layer):
    """Sines and cosines of numbers, such as positions or times, in waves of many lengths [1]_.

    ``scale * [sin(x * σ_1), …, sin(x * σ_k), cos(x * σ_1), …, cos(x * σ_k)]``, where ``k`` is half
    of `features` and the frequencies σ run from `max_freq` down to `min_freq` in equal ratios.

    Parameters
    ----------
    features : int
        The size of the last axis of the output, an even number.
    min_freq, max_freq : float
        The lowest and the highest frequency.
    scale : float, optional
        By default ``√(2 / features)``, which makes every output a vector of length 1.
    full_turns : bool
        Whether frequencies count turns: they are multiplied by 2π.

    Notes
    -----
    Input: real floating array of any shape. Output: ``(*x.shape, features)``.

    Parameter tree: empty. State tree: ``frequencies`` (features // 2,).

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the states.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.SinusoidalPositionalEmbedding(4, scale=1.0)
    >>> y, _ = model(np.asarray([0.0, 1.0], np.float32), *pn.setup(0, model))
    >>> print(np.round(y, 2))
    [[0.   0.   1.   1.  ]
     [0.84 0.   0.54 1.  ]]
    """

    features: int
    _: KW_ONLY
    min_freq: float = 1e-4
    max_freq: float = 1.0
    scale: float | None = None
    full_turns: bool = False

    def __post_init__(self) -> None:
        _check_even(self)
        checks.positive(self, "min_freq", "max_freq")
        if self.scale is not None:
            checks.positive(self, "scale")
        checks.flags(self, "full_turns")

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        turn = 2 * math.pi if self.full_turns else 1.0
        waves = turn * np.geomspace(self.max_freq, self.min_freq, self.features // 2)
        return {"frequencies": waves.astype(np.float32)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        shape = (self.features // 2,)
        waves = checks.member(st, "frequencies", shape, "(features // 2,)", "st")
        checks.same_kind("x", x, "frequencies", waves)
        xp = array_namespace(x, waves)
        angles = xp.expand_dims(x, axis=-1) * waves
        scale = math.sqrt(2 / self.features) if self.scale is None else self.scale
        return xp.concat((xp.sin(angles), xp.cos(angles)), axis=-1) * scale, st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        return (*input_shape, self.features)


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
        _check_even(self)
        checks.positive(self, "base")
        checks.flags(self, "interleaved")

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        cos, sin = rotary_tables(np.arange(float(self.length)), self.features, base=self.base)
        return {"cos": cos.astype(np.float32), "sin": sin.astype(np.float32)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, positions = x if isinstance(x, tuple | list) else (x, None)
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
            _check_length(steps, self.length)
            tables = [table[:steps, :] for table in tables]
        else:
            _check_positions(x[..., 0], positions, self.length)
            tables = [embedding(positions, table) for table in tables]
        return rotary_embedding(x, *tables, interleaved=self.interleaved), st


def _check_even(layer: Any) -> None:
    checks.integers(layer, "features", minimum=2)
    if layer.features % 2:
        checks.refuse(layer, "features is even", layer.features)


def _check_length(steps: int, length: int) -> None:
    if steps > length:
        raise ShapeError(f"positions in x <= length: {steps} > {length}")


def _check_positions(x: Any, positions: Any, length: int) -> None:
    checks.integral("positions", positions)
    checks.same_device("positions", positions, "x", x)
    shape, wanted = tuple(positions.shape), tuple(x.shape[:-1])
    if shape not in (wanted, wanted[-1:]):
        raise ShapeError(f"positions.shape == x.shape[:-1]: {shape} != {wanted}")
    check_range("positions", positions, length, "length")


def _count(x: Any) -> Any:
    return array_namespace(x).arange(x.shape[-2], device=device(x))


def _nothing(like: Any) -> Any:
    xp = array_namespace(like)
    return xp.zeros(1, dtype=xp.int64, device=device(like))
