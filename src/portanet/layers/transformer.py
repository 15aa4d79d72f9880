"""Layers of transformers, made of attention, normalisation and a small network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional import gelu
from portanet.layers._described import Described
from portanet.layers.attention import MultiHeadAttention
from portanet.layers.containers import Chain
from portanet.layers.dropout import Dropout
from portanet.layers.linear import Dense
from portanet.layers.normalization import LayerNorm


@dataclass(frozen=True)
class _TransformerLayer(Described):
    """What the layers of encoders and decoders share: residual parts with a norm each."""

    features: int
    heads: int = 1
    mlp_features: int | None = None
    activation: Callable[[Any], Any] = gelu
    _: KW_ONLY
    norm_first: bool = True
    dropout: float = 0.0
    kv_heads: int | None = None
    causal: bool = False
    use_bias: bool = True
    positions: Layer | None = None
    epsilon: float = 1e-5
    replaced: Mapping[str, Layer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.integers(self, "features", "heads")
        if self.mlp_features is not None:
            checks.integers(self, "mlp_features")
        checks.functions(self, "activation")
        checks.flags(self, "norm_first", "causal", "use_bias")
        checks.probabilities(self, "dropout")
        checks.non_negative(self, "epsilon")
        self._check_replaced()

    def _attention(self, causal: bool, positions: Layer | None) -> MultiHeadAttention:
        return MultiHeadAttention(
            self.features,
            self.heads,
            kv_heads=self.kv_heads,
            causal=causal,
            use_bias=self.use_bias,
            dropout=self.dropout,
            positions=positions,
        )

    def _with_parts(self, parts: dict[str, Layer]) -> dict[str, Layer]:
        """Return `parts` and the small network, each followed by its norm and its dropout."""
        width = self.mlp_features or 4 * self.features
        between = [Dropout(self.dropout)] if self.dropout > 0 else []
        parts["mlp"] = Chain(
            Dense(self.features, width, self.activation, use_bias=self.use_bias),
            *between,
            Dense(width, self.features, use_bias=self.use_bias),
        )
        layers: dict[str, Layer] = {}
        for name, part in parts.items():
            layers[name] = part
            layers[f"{name}_norm"] = LayerNorm(self.features, epsilon=self.epsilon)
            if self.dropout > 0:
                layers[f"{name}_dropout"] = Dropout(self.dropout)
        return layers

    def _residual(
        self, name: str, x: Any, others: tuple[Any, ...], ps: Any, states: dict[str, Any]
    ) -> Any:
        """Return `x` and what the child `name` makes of it, before or after the norm."""
        y = x
        if self.norm_first:
            y, states[f"{name}_norm"] = self.run(f"{name}_norm", y, ps, states)
        y, states[name] = self.run(name, _given(y, others), ps, states)
        if self.dropout > 0:
            y, states[f"{name}_dropout"] = self.run(f"{name}_dropout", y, ps, states)
        y = x + y
        if not self.norm_first:
            y, states[f"{name}_norm"] = self.run(f"{name}_norm", y, ps, states)
        return y


@dataclass(frozen=True)
class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention and a small network, each with a norm and a way around it [1]_.

    With the norm first [2]_ ``y = x + attention(norm(x))`` and ``z = y + mlp(norm(y))``; otherwise,
    as in the first paper, ``y = norm(x + attention(x))`` and ``z = norm(y + mlp(y))``. With
    `causal` it is the layer of a language model.

    Parameters
    ----------
    features : int
        The size of the last axis of input and output.
    heads : int
        How many heads the attention has.
    mlp_features : int, optional
        The width of the small network, by default four times `features`.
    activation : callable
        Its activation.
    norm_first : bool
        Whether the norms come before the parts or after the sums. (PyTorch's default is after.)
    dropout : float
        The probability of dropping attention weights, hidden features and the parts' outputs
        while training.
    kv_heads, causal, positions
        As for `MultiHeadAttention`.
    use_bias : bool
        Whether the linear maps have a bias.
    epsilon : float
        Added to the variances of the norms.
    replaced : mapping of str to Layer
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: floating array of shape (N, L, features), or a tuple of that and a mask, which
    broadcasts against (N, heads, L, L) as for `MultiHeadAttention`. Output: (N, L, features).

    Parameters and states: ``attention``, ``attention_norm``, ``mlp``, ``mlp_norm``, and
    ``attention_dropout`` and ``mlp_dropout`` if there is dropout.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    .. [2] Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.TransformerEncoderLayer(8, 2)
    >>> ps, st = pn.setup(0, model)
    >>> model(np.ones((3, 5, 8), np.float32), ps, st)[0].shape
    (3, 5, 8)
    """

    def described(self) -> dict[str, Layer]:
        return self._with_parts({"attention": self._attention(self.causal, self.positions)})

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, mask = _parts(x, ("x", "mask"))
        states = dict(st)
        y = self._residual("attention", x, (mask,), ps, states)
        return self._residual("mlp", y, (), ps, states), states


@dataclass(frozen=True)
class TransformerDecoderLayer(_TransformerLayer):
    """Causal self-attention, attention to a memory, and a small network [1]_.

    Each of the three has a norm and a way around it, as in `TransformerEncoderLayer`.

    Parameters
    ----------
    features, heads, mlp_features, activation, norm_first, dropout, kv_heads, use_bias, positions
        As for `TransformerEncoderLayer`; `positions` serves the self-attention.
    causal : bool
        Whether a position sees none after it.
    epsilon : float
        Added to the variances of the norms.
    replaced : mapping of str to Layer
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: ``(x, memory)``, ``(x, memory, mask)`` or ``(x, memory, mask, memory_mask)``: floating
    arrays of shape (N, L, features) and (N, S, features), and masks, or None, that broadcast
    against (N, heads, L, L) and (N, heads, L, S). Output: (N, L, features).

    Parameters and states: ``attention``, ``memory`` and ``mlp``, for each of them a norm such as
    ``attention_norm`` and, if there is dropout, one such as ``attention_dropout``.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.TransformerDecoderLayer(8, 2)
    >>> ps, st = pn.setup(0, model)
    >>> x, memory = np.ones((3, 5, 8), np.float32), np.ones((3, 7, 8), np.float32)
    >>> model((x, memory), ps, st)[0].shape
    (3, 5, 8)
    """

    causal: bool = True

    def described(self) -> dict[str, Layer]:
        return self._with_parts(
            {
                "attention": self._attention(self.causal, self.positions),
                "memory": self._attention(False, None),
            }
        )

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, memory, mask, memory_mask = _parts(x, ("x", "memory", "mask", "memory_mask"), 2)
        states = dict(st)
        y = self._residual("attention", x, (mask,), ps, states)
        y = self._residual("memory", y, (memory, memory_mask), ps, states)
        return self._residual("mlp", y, (), ps, states), states


@dataclass(frozen=True)
class TransformerStack(Described):
    """Equal layers in a row, each with its own parameters, all given the same masks and memory.

    Parameters
    ----------
    layer : Layer
        A `TransformerEncoderLayer`, `TransformerDecoderLayer`, or another layer whose input is an
        array or a tuple that begins with one, and whose output is an array.
    depth : int
        How many there are.
    norm : Layer, optional
        Applied to the last output; layers with their norm first need one.
    replaced : mapping of str to Layer
        Layers in the place of some of them, by their names.

    Notes
    -----
    Input: as for the layer; what follows the first array of a tuple goes to each of them.

    Parameters and states: ``layer_1``, ``layer_2``, …, and ``norm`` if there is one.

    Raises
    ------
    HyperparameterError
        If `layer` or `norm` is no layer, or `depth` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.TransformerStack(pn.TransformerEncoderLayer(8, 2), 3, norm=pn.LayerNorm(8))
    >>> ps, st = pn.setup(0, model)
    >>> model(np.ones((3, 5, 8), np.float32), ps, st)[0].shape
    (3, 5, 8)
    """

    layer: Layer
    depth: int
    _: KW_ONLY
    norm: Layer | None = None
    replaced: Mapping[str, Layer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.integers(self, "depth")
        for name in ("layer", "norm"):
            value = getattr(self, name)
            if not (isinstance(value, Layer) or (name == "norm" and value is None)):
                checks.refuse(self, f"{name} is a layer", value)
        self._check_replaced()

    def described(self) -> dict[str, Layer]:
        layers: dict[str, Layer] = {f"layer_{i}": self.layer for i in range(1, self.depth + 1)}
        return layers if self.norm is None else {**layers, "norm": self.norm}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, *others = x if isinstance(x, tuple | list) else (x,)
        states = {}
        for name in self._children:
            given = (x, *others) if others and name != "norm" else x
            x, states[name] = self.run(name, given, ps, st)
        return x, states


def _given(x: Any, others: tuple[Any, ...]) -> Any:
    """Return the input of a part: an array, or what attention takes."""
    *memory, mask = others or (None,)
    source = memory[0] if memory else x
    if mask is not None:
        return x, source, source, mask
    return (x, source) if memory else x


def _parts(x: Any, names: tuple[str, ...], least: int = 1) -> list[Any]:
    given = list(x) if isinstance(x, tuple | list) else [x]
    if not least <= len(given) <= len(names):
        raise ShapeError(
            f"x is a tuple of up to {len(names)} entries, ({', '.join(names)}), the first "
            f"{least} of them arrays: got {len(given)}"
        )
    return given + [None] * (len(names) - len(given))
