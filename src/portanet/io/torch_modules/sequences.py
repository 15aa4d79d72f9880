"""Recurrent layers, attention and transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet import functional, layers
from portanet.io.torch_modules.converted import Converted, Place, array, arrays
from portanet.io.torch_modules.plain import Converter, layer_norm

_CELLS: Mapping[str, Any] = {"GRU": layers.GRUCell, "LSTM": layers.LSTMCell, "RNN": layers.RNNCell}
_NUMBERS = "weight_ih", "weight_hh", "bias_ih", "bias_hh"


def recurrence(module: Any, place: Place) -> Converted:
    """Return the stack that gives all outputs; the last states, which torch adds, are left out."""
    place.rows(module)
    place.require(module, proj_size=0)
    name, width = type(module).__name__, module.hidden_size
    options = {}
    if name == "RNN":
        options["activation"] = {"tanh": functional.tanh, "relu": functional.relu}[
            module.nonlinearity
        ]
    above = width * (2 if module.bidirectional else 1)
    sizes = [module.input_size, *[above] * (module.num_layers - 1)]
    cells = [_CELLS[name](n, width, use_bias=module.bias, **options) for n in sizes]
    layer = layers.StackedRecurrence(
        cells, dropout=module.dropout if module.num_layers > 1 else 0.0,
        bidirectional=module.bidirectional, return_sequence=True,
        time_first=not module.batch_first,
    )  # fmt: skip
    st = layer.initial_states(np.random.default_rng(0))
    ps: dict[str, Any] = {name: {} for name in st}
    for i in range(module.num_layers):
        forward, backward = _cell(module, f"_l{i}"), _cell(module, f"_l{i}_reverse")
        both = {"forward_rnn": forward, "backward_rnn": backward}
        ps[f"layer_{i + 1}"] = both if module.bidirectional else forward
    return Converted(layer, ps, st)


def _cell(module: Any, ending: str) -> dict[str, Any]:
    found = {name: getattr(module, name + ending, None) for name in _NUMBERS}
    return {"cell": arrays(**found)}


def attention(module: Any, place: Place) -> Converted:
    place.rows(module)
    place.require(module, batch_first=True, bias_k=None, bias_v=None, add_zero_attn=False)
    biased = module.in_proj_bias is not None
    layer = layers.MultiHeadAttention(
        module.embed_dim, module.num_heads, key_features=module.kdim, value_features=module.vdim,
        use_bias=biased, dropout=module.dropout,
    )  # fmt: skip
    if module.in_proj_weight is None:
        projections = module.q_proj_weight, module.k_proj_weight, module.v_proj_weight
        weights = list(map(array, projections))
    else:
        weights = np.split(array(module.in_proj_weight), 3)
    st = layer.initial_states(np.random.default_rng(0))
    ps: dict[str, Any] = {name: {} for name in st}
    ps["out"] = arrays(weight=module.out_proj.weight, bias=module.out_proj.bias)
    biases = np.split(array(module.in_proj_bias), 3) if biased else [None] * 3
    for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        ps[name] = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return Converted(layer, ps, st)


def encoder_layer(module: Any, place: Place) -> Converted:
    activations = {"gelu": functional.gelu_erf, "relu": functional.relu}
    name = getattr(module.activation, "__name__", type(module.activation).__name__.lower())
    if name not in activations:
        place.refuse(module, f"its activation is relu or gelu: got {module.activation!r}")
    inner = attention(module.self_attn, place)
    place.require(module.norm2, eps=module.norm1.eps)
    layer = layers.TransformerEncoderLayer(
        module.self_attn.embed_dim, module.self_attn.num_heads, module.linear1.out_features,
        activations[name], norm_first=module.norm_first, dropout=module.dropout.p,
        use_bias=module.linear1.bias is not None, epsilon=module.norm1.eps,
    )  # fmt: skip
    st = layer.initial_states(np.random.default_rng(0))
    ps = {
        **{name: {} for name in st},
        "attention": inner.ps,
        "attention_norm": layer_norm(module.norm1, place).ps,
        "mlp": _network(module, list(st["mlp"])),
        "mlp_norm": layer_norm(module.norm2, place).ps,
    }
    return Converted(layer, ps, st)


def _network(module: Any, names: list[str]) -> dict[str, Any]:
    """Return the parameters of two dense layers, the first and last of some."""
    first, last = (arrays(weight=x.weight, bias=x.bias) for x in (module.linear1, module.linear2))
    return {**{name: {} for name in names}, names[0]: first, names[-1]: last}


def encoder(module: Any, place: Place) -> Converted:
    parts = [encoder_layer(each, place) for each in module.layers]
    norm = None if module.norm is None else layer_norm(module.norm, place)
    layer = layers.TransformerStack(
        parts[0].layer, len(parts), norm=None if norm is None else norm.layer
    )
    ps = {f"layer_{i}": part.ps for i, part in enumerate(parts, start=1)}
    if norm is not None:
        ps["norm"] = norm.ps
    return Converted(layer, ps, layer.initial_states(np.random.default_rng(0)))


CONVERTERS: Mapping[str, Converter] = {
    **dict.fromkeys(_CELLS, recurrence),
    "MultiheadAttention": attention,
    "TransformerEncoder": encoder,
    "TransformerEncoderLayer": encoder_layer,
}
