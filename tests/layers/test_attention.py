"""MultiHeadAttention, transformer layers and decoding with a cache."""

from __future__ import annotations

import re

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import ArgumentError, BackendMismatchError, HyperparameterError, ShapeError


def _random(ps, seed=1):
    rng = np.random.default_rng(seed)
    return trees.map_leaves(lambda x: rng.normal(size=x.shape).astype(x.dtype), ps)


def _give(torch, layer, own, ps):
    """Copy the parameters of a `MultiHeadAttention` to one of torch."""
    with torch.no_grad():
        for part in ("weight", "bias"):
            joined = np.concatenate([ps[name][part] for name in ("query", "key", "value")])
            getattr(own, f"in_proj_{part}").copy_(torch.asarray(joined))
            getattr(own.out_proj, part).copy_(torch.asarray(ps["out"][part]))


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_torchs_multihead_attention(backend, place, masked):
    torch = pytest.importorskip("torch")
    layer = pn.MultiHeadAttention(6, 3, use_bias=True, return_weights=True)
    ps, st = pn.setup(0, layer)
    ps = _random(ps)
    own = torch.nn.MultiheadAttention(6, 3, batch_first=True)
    _give(torch, layer, own, ps)
    rng = np.random.default_rng(2)
    q, m = (rng.normal(size=(2, n, 6)).astype(np.float32) for n in (3, 4))
    mask = (rng.uniform(size=(3, 4)) < 0.7) | (np.arange(4) == 1)
    expected, weights = own(
        *map(torch.asarray, (q, m, m)),
        attn_mask=torch.asarray(~mask) if masked else None,
        average_attn_weights=False,
    )
    x = (q, m, m, mask) if masked else (q, m)
    (y, w), _ = layer(place(x), place(ps), st)
    np.testing.assert_allclose(backend.to_numpy(y), expected.detach().numpy(), rtol=3e-5, atol=1e-5)
    np.testing.assert_allclose(backend.to_numpy(w), weights.detach().numpy(), rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
def test_transformer_layers_are_torchs(backend, place, kind, norm_first):
    torch = pytest.importorskip("torch")
    decodes = kind == "Decoder"
    make = getattr(pn, f"Transformer{kind}Layer")
    layer = make(6, 3, 8, pn.relu, norm_first=norm_first)
    ps, st = pn.setup(0, layer)
    ps = _random(ps)
    own = getattr(torch.nn, f"Transformer{kind}Layer")(
        6, 3, 8, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    _give(torch, layer, own.self_attn, ps["attention"])
    if decodes:
        _give(torch, layer, own.multihead_attn, ps["memory"])
    norms = ("attention", "memory", "mlp") if decodes else ("attention", "mlp")
    pairs = [(own.linear1, ps["mlp"]["layer_1"]), (own.linear2, ps["mlp"]["layer_2"])]
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.weight.copy_(torch.asarray(ours["weight"]))
            theirs.bias.copy_(torch.asarray(ours["bias"]))
        for i, name in enumerate(norms, 1):
            norm = getattr(own, f"norm{i}")
            norm.weight.copy_(torch.asarray(ps[f"{name}_norm"]["scale"]))
            norm.bias.copy_(torch.asarray(ps[f"{name}_norm"]["bias"]))
    rng = np.random.default_rng(3)
    x, memory = (rng.normal(size=(2, n, 6)).astype(np.float32) for n in (4, 5))
    given = tuple(map(torch.asarray, (x, memory))) if decodes else (torch.asarray(x),)
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    options = {"tgt_mask": future} if decodes else {}
    expected = own(*given, **options).detach().numpy()
    y, _ = layer(place((x, memory) if decodes else x), place(ps), st)
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-4, atol=2e-4)


def test_grouped_heads_share_keys_and_values(backend, place):
    """Grouped queries are full attention with the maps of keys and values repeated."""
    grouped = pn.MultiHeadAttention(8, 4, kv_heads=2)
    full = pn.MultiHeadAttention(8, 4)
    ps, st = pn.setup(0, grouped)
    wide = {
        name: {"weight": np.repeat(ps[name]["weight"].reshape(2, 2, 8), 2, axis=0).reshape(8, 8)}
        for name in ("key", "value")
    }
    x = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)
    y, _ = grouped(place(x), place(ps), st)
    expected, _ = full(place(x), place({**ps, **wide}), pn.setup(0, full)[1])
    np.testing.assert_allclose(
        backend.to_numpy(y), backend.to_numpy(expected), rtol=1e-5, atol=1e-6
    )


def test_rotations_make_attention_see_distances_alone(backend, place):
    layer = pn.MultiHeadAttention(
        8, 2, positions=pn.RotaryPositionalEmbedding(4, 32), return_weights=True
    )
    ps, st = pn.setup(0, layer)
    x = np.random.default_rng(0).normal(size=(1, 1, 8)).astype(np.float32)
    (_, weights), _ = layer(place(np.repeat(x, 6, axis=1)), place(ps), place(st))
    logits = np.log(backend.to_numpy(weights))[0, 0]
    gaps = logits[1:, 1:] - logits[:-1, :-1]
    np.testing.assert_allclose(gaps - gaps[:, :1], 0, atol=2e-6)
    assert np.ptp(logits) > 1e-3


_MODELS = {
    "learned": pn.Chain(
        pn.Embedding(11, 8),
        pn.LearnedPositionalEmbedding(9, 8),
        pn.TransformerStack(pn.TransformerEncoderLayer(8, 2, causal=True), 2),
    ),
    "rotary, grouped": pn.Chain(
        pn.Embedding(11, 8),
        pn.MultiHeadAttention(
            8, 4, kv_heads=2, causal=True, positions=pn.RotaryPositionalEmbedding(2, 9)
        ),
    ),
}


@pytest.mark.parametrize("name", _MODELS)
@pytest.mark.parametrize("jit", [False, True])
def test_decoding_piece_by_piece_is_decoding_at_once(backend, place, name, jit):
    if backend.name == "jax" and not jit:
        pytest.skip("JAX compiles every operation for itself")
    model = _MODELS[name]
    ps, st = pn.setup(0, model)
    tokens = np.random.default_rng(1).integers(0, 11, size=(2, 7))
    placed = place(ps)
    expected, _ = model(backend.asarray(tokens), placed, place(st))
    cached = pn.with_cache(model, placed, place(st), batch=2, length=9)
    before = trees.flatten(cached)[1]
    call = pn.jit(lambda x, ps, st: model(x, ps, st)) if jit else model
    pieces = []
    steps = ((0, 3), (3, 4), (4, 5), (5, 5), (5, 7))
    if backend.name == "jax":  # which compiles each length
        steps = tuple((i, i + 1) for i in range(7))
    for start, stop in steps:
        y, cached = call(backend.asarray(tokens[:, start:stop]), placed, cached)
        pieces.append(backend.to_numpy(y))
    assert trees.flatten(cached)[1] == before
    np.testing.assert_allclose(
        np.concatenate(pieces, axis=1), backend.to_numpy(expected), rtol=1e-4, atol=1e-5
    )
    if jit and backend.name in ("numpy", "jax"):
        one = backend.asarray(tokens[:, :1])
        again = pn.with_cache(model, placed, place(st), batch=2, length=9)
        misses = call.cache_info().misses
        for _ in range(3):
            _, again = call(one, placed, again)
        assert call.cache_info().misses == misses


def test_a_mask_holds_while_decoding(backend, place):
    if backend.name == "jax":
        pytest.skip("JAX compiles every operation for itself")
    layer = pn.MultiHeadAttention(4, 2, causal=True)
    ps, st = pn.setup(0, layer)
    x = np.random.default_rng(1).normal(size=(2, 4, 4)).astype(np.float32)
    mask = np.asarray([[True, True, True, True], [False, True, True, True]])[:, None, None, :]
    expected, _ = layer(place((x, x, x, mask)), place(ps), st)
    for kind in (mask, np.where(mask, np.float32(0), np.float32(-np.inf))):
        cached = pn.with_cache(layer, place(ps), st, batch=2, length=4)
        pieces = []
        for i in range(0, 4, 2):
            piece = x[:, i : i + 2]
            y, cached = layer(place((piece, piece, piece, kind)), place(ps), cached)
            pieces.append(backend.to_numpy(y))
        np.testing.assert_allclose(
            np.concatenate(pieces, axis=1), backend.to_numpy(expected), rtol=1e-4, atol=1e-6
        )


def test_a_cache_that_is_too_small_is_refused():
    layer = pn.MultiHeadAttention(4, causal=True)
    ps, st = pn.setup(0, layer)
    cached = pn.with_cache(layer, ps, st, batch=2, length=3)
    x = np.ones((2, 2, 4), np.float32)
    _, cached = layer(x, ps, cached)
    with pytest.raises(ShapeError, match=r"^positions <= length of the cache: 2 \+ 2 > 3: make a"):
        layer(x, ps, cached)
    with pytest.raises(ShapeError, match=r"^x\.shape\[0\] == batch of the cache: 1 != 2$"):
        layer(x[:1], ps, cached)
    with pytest.raises(ArgumentError, match=r"^with_cache: length is an integer, at least 1: got"):
        pn.with_cache(layer, ps, st, batch=2, length=0)


def test_what_does_not_fit_a_cache_says_what_does(backend, place):
    model = pn.MultiHeadAttention(4, 2, causal=True)
    ps, st = place(pn.setup(0, model))
    st = pn.with_cache(model, ps, st, 2, 8)
    x = place(np.ones((2, 3, 4), np.float32))
    full = re.escape("(2, 2, 3, 8): S is the length of the cache, 8")
    for mask in (np.ones((3, 3), bool), np.ones((3, 5), np.float32), np.ones((3, 2, 3, 8), bool)):
        with pytest.raises(ShapeError, match=f"^mask broadcasts to .* does not to {full}$"):
            model((x, x, x, place(mask)), ps, st)
    with pytest.raises(BackendMismatchError, match=r"^mask is an array: got int"):
        model((x, x, x, 3), ps, st)
    text = r"^key.shape\[1\] == query.shape\[1\], as they share a cache: 2 != 3"
    with pytest.raises(ShapeError, match=text):
        model((x, x[:, :2, :]), ps, st)
    for name, wrong in (("used", x), ("keys", x), ("values", st["cache"]["values"][:, :4, ...])):
        with pytest.raises(ShapeError, match=rf'^cache\["{name}"\]\.'):
            model(x, ps, {**st, "cache": {**st["cache"], name: wrong}})


def test_layers_inside_can_be_replaced():
    model = pn.TransformerEncoderLayer(4, 2, dropout=0.1)
    still = pn.layer_map(lambda _, x: pn.NoOp() if isinstance(x, pn.Dropout) else x, model)
    assert still["attention"]["attention_dropout"] == pn.NoOp()
    assert still["attention"]["query"] == model["attention"]["query"]
    assert eval(repr(still), {**vars(pn), **vars(pn.layers)}) == still
    ps, st = pn.setup(0, still)
    assert still(np.ones((2, 3, 4), np.float32), ps, st)[0].shape == (2, 3, 4)
    with pytest.raises(HyperparameterError, match="replaced is a mapping with names among"):
        pn.MultiHeadAttention(4, replaced={"nobody": pn.NoOp()})


def test_the_sizes_of_attention():
    layer = pn.MultiHeadAttention(
        6, 4, key_features=5, value_features=3, head_features=2, value_head_features=7, kv_heads=2,
        out_features=9, use_bias=True, use_out_bias=False,
    )  # fmt: skip
    ps, _ = pn.setup(0, layer)
    assert {name: part["weight"].shape for name, part in ps.items()} == {
        "query": (8, 6), "key": (4, 5), "value": (14, 3), "out": (9, 28),
    }  # fmt: skip
    assert [name for name, part in ps.items() if "bias" in part] == ["query", "key", "value"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.MultiHeadAttention(6, 4), "MultiHeadAttention: features % heads == 0 for 4"),
        (lambda: pn.MultiHeadAttention(6, 3, kv_heads=2), "heads % kv_heads == 0 for 3 heads"),
        (lambda: pn.MultiHeadAttention(6, positions=3), "positions is a layer or None: got 3"),
        (lambda: pn.MultiHeadAttention(6, dropout=1.5), "0 <= dropout <= 1: got 1.5"),
        (lambda: pn.TransformerEncoderLayer(6, 4), "features % heads == 0 for 4 heads: got 6"),
        (lambda: pn.TransformerStack(pn.relu, 2), "TransformerStack: layer is a layer: got"),
        (lambda: pn.TransformerStack(pn.Dense(2, 2), 0), "TransformerStack: depth >= 1: got 0"),
    ],
)
def test_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert text in str(caught.value)


def test_bad_input_is_refused(backend, place):
    layer = pn.MultiHeadAttention(4, 2)
    ps, st = pn.setup(0, layer)
    ps = place(ps)
    x = backend.asarray(np.ones((2, 3, 4), np.float32))
    for given, text in [
        (x[0, ...], "query.ndim == 3, (N, L, features): 2 != 3"),
        ((x, x[..., :2]), "model.key: x.shape[-1] == in_features: 2 != 4"),
        ((x, x[:1, ...]), "key.shape[:-3] == query.shape[:-3]: (1,) != (2,)"),
        ((x,), "x is one array, (query, memory), (query, key, value) or (query, key, value, mask)"
               ": got 1 arrays"),
    ]:  # fmt: skip
        with pytest.raises(ShapeError) as caught:
            layer(given, ps, st)
        assert str(caught.value) == text
    weighing = pn.MultiHeadAttention(4, 2, return_weights=True)
    with pytest.raises(
        ShapeError, match=r"^value\.shape\[:-2\] == batch and keys of the weights: "
    ):
        weighing((x, x, x[:, :2, :]), ps, st)
    layer = pn.TransformerDecoderLayer(4, 2)
    ps, st = pn.setup(0, layer, device=backend.place)
    with pytest.raises(ShapeError, match=r"^x is a tuple of up to 4 entries, \(x, memory, mask, m"):
        layer(x, ps, st)
