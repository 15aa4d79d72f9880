"""Attention with projections for several heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.errors import ShapeError
from portanet.functional import attention_weights, scaled_dot_product_attention
from portanet.functional.sequences.attention import average
from portanet.initializers import glorot_uniform
from portanet.interface import array_namespace
from portanet.layers.attention.cache import Cache
from portanet.layers.containers.described import Described
from portanet.layers.linear.dense import Dense
from portanet.layers.regularization.dropout import Dropout


@sized_by_input(features=lambda x: last_size(_parts(x)[0][0]))
@dataclass(frozen=True)
class MultiHeadAttention(Described):
    """Attention by several heads, each with its own linear maps of queries, keys and values [1]_.

    Parameters
    ----------
    features : int
        The size of the last axis of the queries, and of the output. With None it is that of the
        input, see `portanet.resolve`.
    heads : int
        How many heads there are.
    key_features, value_features : int, optional
        The sizes of the last axes of the inputs for keys and values. By default that of the keys is
        `features`, and that of the values the one of the keys.
    head_features : int, optional
        The size of each head's queries and keys, by default ``features // heads``.
    value_head_features : int, optional
        The size of each head's values, by default `head_features`.
    kv_heads : int, optional
        The heads of keys and values, a divisor of `heads`: as many neighbouring heads share one
        of them [2]_. By default each has its own.
    out_features : int, optional
        The size of the last axis of the output, by default `features`.
    causal : bool
        Whether a position sees none after it; the last query is aligned with the last key.
        (Lux aligns the first ones, which is wrong for decoding.)
    use_bias : bool
        Whether the maps of queries, keys and values have a bias.
    use_out_bias : bool, optional
        Whether the map of the output has one; by default as `use_bias`.
    dropout : float
        The probability with which a weight is dropped while training.
    positions : Layer, optional
        Applied to queries and keys, of shape (N, L, heads, head_features), before they meet:
        a `RotaryPositionalEmbedding`.
    return_weights : bool
        Whether the output is a tuple of the output and the weights, (N, heads, L, S).
    init_weight, init_bias : initializer, optional
        Of all maps; by default Glorot's uniform distribution, and that of `Dense`.
    replaced : mapping of str to Layer, optional
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: ``x`` of shape (N, L, features), which attends to itself; ``(query, memory)``;
    ``(query, key, value)``; or ``(query, key, value, mask)``. The keys and values are of shape
    (N, S, key_features) and (N, S, value_features); the mask broadcasts against (N, heads, L, S),
    where a boolean one is true where a query may attend to a key, and a floating one is added to
    the logits. Output: (N, L, out_features); zero plus the bias where a query has no key.

    Parameters and states: ``query``, ``key``, ``value`` and ``out``, each a `Dense`;
    ``attention_dropout`` and ``positions`` if there are such. While decoding with a cache (see
    `portanet.with_cache`) the states also hold ``cache``.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    .. [2] Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from
       Multi-Head Checkpoints", EMNLP 2023.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.MultiHeadAttention(8, 2, causal=True)
    >>> ps, st = pn.setup(0, model)
    >>> model(np.ones((3, 5, 8), np.float32), ps, st)[0].shape
    (3, 5, 8)
    """

    features: checks.Size
    heads: int = 1
    _: KW_ONLY
    key_features: int | None = None
    value_features: int | None = None
    head_features: int | None = None
    value_head_features: int | None = None
    kv_heads: int | None = None
    out_features: int | None = None
    causal: bool = False
    use_bias: bool = False
    use_out_bias: bool | None = None
    dropout: float = 0.0
    positions: Layer | None = None
    return_weights: bool = False
    init_weight: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None
    replaced: Mapping[str, Layer] | None = None

    def __post_init__(self) -> None:
        checks.optional_integers(self, "features")
        checks.integers(self, "heads")
        sizes = ("key_features", "value_features", "head_features", "value_head_features")
        given = (*sizes, "kv_heads", "out_features")
        checks.integers(self, *(name for name in given if getattr(self, name) is not None))
        waits = self.features is None
        if self.head_features is None and not waits and self.features % self.heads:
            checks.refuse(self, f"features % heads == 0 for {self.heads} heads", self.features)
        if self.heads % (self.kv_heads or self.heads):
            checks.refuse(self, f"heads % kv_heads == 0 for {self.heads} heads", self.kv_heads)
        checks.flags(self, "causal", "use_bias", "return_weights")
        if self.use_out_bias is not None:
            checks.flags(self, "use_out_bias")
        checks.probabilities(self, "dropout")
        if not (self.positions is None or isinstance(self.positions, Layer)):
            checks.refuse(self, "positions is a layer or None", self.positions)
        checks.optional_functions(self, "init_weight", "init_bias")
        self._check_replaced()

    def described(self) -> dict[str, Layer]:
        if self.features is None:
            return {}
        key_features = self.key_features or self.features
        value_features = self.value_features or key_features
        size, value_size = self._head_sizes
        groups = self.kv_heads or self.heads
        out = self.out_features or self.features
        out_bias = self.use_bias if self.use_out_bias is None else self.use_out_bias
        layers: dict[str, Layer] = {
            "query": self._map(self.features, self.heads * size, self.use_bias),
            "key": self._map(key_features, groups * size, self.use_bias),
            "value": self._map(value_features, groups * value_size, self.use_bias),
            "out": self._map(self.heads * value_size, out, out_bias),
        }
        if self.dropout > 0:
            layers["attention_dropout"] = Dropout(self.dropout)
        if self.positions is not None:
            layers["positions"] = self.positions
        return layers

    @property
    def _head_sizes(self) -> tuple[int, int]:
        size = self.head_features or self.features // self.heads
        return size, self.value_head_features or size

    def _map(self, in_features: int, out_features: int, use_bias: bool) -> Dense:
        return Dense(
            in_features,
            out_features,
            use_bias=use_bias,
            init_weight=self.init_weight or glorot_uniform(),
            init_bias=self.init_bias,
        )

    @property
    def takes_mask(self) -> bool:
        return True

    def masked_input(self, x: Any, mask: Any) -> Any:
        return x, x, x, of_keys(mask)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.features is None:
            return call_resolved(self, x, ps, st)
        inputs, mask = _parts(x)
        states = dict(checks.require_tree(st, "st"))
        heads = []
        for name, part in zip(("query", "key", "value"), inputs, strict=True):
            if len(checks.axes(name, part)) != 3:
                raise ShapeError(f"{name}.ndim == 3, (N, L, features): {part.ndim} != 3")
            y, states[name] = self.run(name, part, ps, st)
            groups = self.heads if name == "query" else self.kv_heads or self.heads
            size = self._head_sizes[name == "value"]
            sizes = checks.to_reshape(name, (*y.shape[:-1], groups, size))
            heads.append(array_namespace(y).reshape(y, sizes))
        y, weights = self._attend(heads, mask, ps, st, states)
        sizes = checks.to_reshape("the heads", (*y.shape[:-2], checks.product(y.shape[-2:])))
        y = array_namespace(y).reshape(y, sizes)
        y, states["out"] = self.run("out", y, ps, st)
        return (y, weights) if self.return_weights else y, states

    def _attend(
        self, heads: list[Any], mask: Any, ps: Any, st: Any, states: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Return the means of the values, and the weights if they are needed."""
        cache = Cache(st["cache"], heads[0]) if "cache" in st else None
        if self.positions is not None:
            for i in range(2):
                x = heads[i] if cache is None else (heads[i], cache.positions)
                heads[i], states["positions"] = self.run("positions", x, ps, st)
        causal = self.causal
        if cache is not None:
            *heads[1:], mask, states["cache"] = cache.extended(heads[1], heads[2], mask)
            causal = False
        query, key, value = heads
        if not (self.return_weights or self._drops(st)):
            return scaled_dot_product_attention(query, key, value, mask, causal=causal), None
        weights = attention_weights(query, key, mask, causal=causal)
        if self.dropout > 0:
            weights, states["attention_dropout"] = self.run("attention_dropout", weights, ps, st)
        return average(weights, value), weights

    def _drops(self, st: Any) -> bool:
        """Whether the weights go through a layer that may change them."""
        layer = self._children.get("attention_dropout")
        if type(layer) is not Dropout:
            return layer is not None
        return checks.flag(checks.entry(st, "attention_dropout", "st"), "training")

    def _cached_state(self, st: Any, batch: int, length: int, like: Any) -> Any:
        """Return the state with room for the keys and values of `length` positions, if causal."""
        if not self.causal:
            return st
        groups = self.kv_heads or self.heads
        keys, values = ((batch, length, groups, size) for size in self._head_sizes)
        return {**st, "cache": Cache.empty(keys, values, like)}


def of_keys(mask: Any) -> Any:
    """Return which entries of sequences count, (N, L), as a mask of keys for all queries."""
    xp = array_namespace(mask)
    return xp.expand_dims(mask, axis=(1, 2))


def _parts(x: Any) -> tuple[tuple[Any, Any, Any], Any]:
    if not isinstance(x, tuple | list):
        return (x, x, x), None
    if len(x) == 2:
        return (x[0], x[1], x[1]), None
    if len(x) in (3, 4):
        return (x[0], x[1], x[2]), (x[3] if len(x) == 4 else None)
    raise ShapeError(
        f"x is one array, (query, memory), (query, key, value) or (query, key, value, mask): got "
        f"{len(x)} arrays"
    )
