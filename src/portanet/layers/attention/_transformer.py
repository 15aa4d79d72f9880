"""What the layers of encoders and decoders share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks
from portanet.core import Chain, Layer
from portanet.errors import ShapeError
from portanet.functional import gelu
from portanet.layers.attention.multi_head import MultiHeadAttention
from portanet.layers.containers.described import Described
from portanet.layers.linear.dense import Dense
from portanet.layers.normalization.layer import LayerNorm
from portanet.layers.regularization.dropout import Dropout


@dataclass(frozen=True)
class TransformerLayer(Described):
    """Residual parts, each with a norm and maybe a dropout."""

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
    replaced: Mapping[str, Layer] | None = None

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


def _given(x: Any, others: tuple[Any, ...]) -> Any:
    """Return the input of a part: an array, or what attention takes."""
    *memory, mask = others or (None,)
    source = memory[0] if memory else x
    if mask is not None:
        return x, source, source, mask
    return (x, source) if memory else x


def parts_of(x: Any, names: tuple[str, ...], least: int = 1) -> list[Any]:
    """Return the parts of an input, None for those that are not given."""
    given = list(x) if isinstance(x, tuple | list) else [x]
    if not least <= len(given) <= len(names):
        raise ShapeError(
            f"x is a tuple of up to {len(names)} entries, ({', '.join(names)}), the first "
            f"{least} of them arrays: got {len(given)}"
        )
    return given + [None] * (len(names) - len(given))
