"""Attention and rotations against torch, plain loops and their own definitions."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.functional.sequences.attention import average

F = pn.functional
hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies


def _loop(q, k, v, bias, scale):
    """Attend by a loop over samples, heads and queries, in float64."""
    y = np.zeros((*q.shape[:3], v.shape[-1]))
    share = q.shape[2] // k.shape[2]
    for n, i, h in np.ndindex(q.shape[:3]):
        logits = k[n, :, h // share] @ q[n, i, h] * scale + bias[n, h, i]
        top = np.max(logits, initial=-np.inf)
        if top > -np.inf:
            e = np.exp(logits - top)
            y[n, i, h] = e @ v[n, :, h // share] / e.sum()
    return y


@hypothesis.settings(
    deadline=None,
    max_examples=15,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    sizes=st.tuples(*(st.integers(1, 3) for _ in range(6))),
    masked=st.sampled_from(["", "bool", "float"]),
    causal=st.booleans(),
    scale=st.sampled_from([None, 0.7]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_it_is_a_loop_over_the_queries(sizes, masked, causal, scale, dtype, backend):
    n, length, keys, groups, share, d = sizes
    rng = np.random.default_rng(sum(sizes))
    shapes = (n, length, groups * share, d), (n, keys, groups, d), (n, keys, groups, d + 1)
    q, k, v = (rng.normal(size=s).astype(dtype) for s in shapes)
    bias = np.zeros((n, groups * share, length, keys))
    arrays = [q, k, v]
    if masked:
        mask = rng.uniform(size=(n, 1, length, keys)) < 0.6
        if masked == "float":
            mask = np.where(mask, rng.normal(size=mask.shape), -np.inf).astype(dtype)
        arrays.append(mask)
        bias += mask if masked == "float" else np.where(mask, 0, -np.inf)
    if causal:
        seen = np.arange(keys) <= np.arange(length)[:, None] + keys - length
        bias += np.where(seen, 0, -np.inf)
    placed = [backend.asarray(x) for x in arrays]
    y = F.scaled_dot_product_attention(*placed, causal=causal, scale=scale)
    expected = _loop(q, k, v, bias, scale or 1 / np.sqrt(d))
    close = {"float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=close, atol=close)
    weights = backend.to_numpy(F.attention_weights(*placed[:2], *placed[3:], causal=causal))
    alive = np.any(bias > -np.inf, axis=-1)
    np.testing.assert_allclose(weights.sum(-1), alive, atol=close)


def test_a_query_without_keys_has_no_gradient_and_no_nan(backend):
    rng = np.random.default_rng(0)
    x = backend.asarray(rng.normal(size=(1, 2, 1, 3)))
    mask = backend.asarray(np.asarray([[True, True], [False, False]]))
    y, pullback = pn.vjp(lambda x: F.scaled_dot_product_attention(x, x, x, mask), x)
    assert np.all(backend.to_numpy(y)[0, 1] == 0)
    g = np.zeros((1, 2, 1, 3))
    g[0, 1] = 1
    assert np.all(backend.to_numpy(pullback(backend.asarray(g))[0]) == 0)


def test_no_queries_and_no_keys(backend):
    x, none = backend.asarray(np.ones((2, 3, 4, 5))), backend.asarray(np.ones((2, 0, 4, 5)))
    assert F.scaled_dot_product_attention(none, x, x).shape == (2, 0, 4, 5)
    y = F.scaled_dot_product_attention(x, none, none)
    np.testing.assert_array_equal(backend.to_numpy(y), np.zeros((2, 3, 4, 5)))


@pytest.mark.parametrize("mode", ["reverse", "forward", "second", "batched cotangents", "vmap"])
def test_every_mode_is_that_of_the_plain_operations(backend, mode):
    rng = np.random.default_rng(3)
    q, k, v = (backend.asarray(rng.normal(size=(2, 3, 2, 4))) for _ in range(3))

    def fused(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, causal=True)

    def plain(q, k, v):
        return average(F.attention_weights(q, k, causal=True), v)

    def run(f):
        if mode == "reverse":
            return pn.vjp(f, q, k, v)[1](q)
        if mode == "forward":
            return pn.jvp(f, (q, k, v), (k, v, q))
        if mode == "second":
            return pn.vjp(lambda *xs: pn.vjp(f, *xs)[1](q), q, k, v)[1]((q, k, v))
        if mode == "vmap":
            return (pn.vmap(f)(q[None, ...], k[None, ...], v[None, ...]),)
        return (pn.jacobian(lambda q: f(q, k, v)[:, :, 0, 0])(q),)

    for actual, expected in zip(run(fused), run(plain), strict=True):
        np.testing.assert_allclose(
            backend.to_numpy(actual), backend.to_numpy(expected), rtol=1e-11, atol=1e-12
        )


def test_weights_drop_out(backend):
    x = backend.asarray(np.random.default_rng(0).normal(size=(2, 50, 1, 4)))
    key = pn.random.key(0)
    y = F.scaled_dot_product_attention(x, x, x, dropout=0.5, dropout_key=key)
    again = F.scaled_dot_product_attention(x, x, x, dropout=0.5, dropout_key=key)
    np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(again))
    dropped = F.dropout(F.attention_weights(x, x), 0.5, key)
    expected = np.einsum("nhls,nshd->nlhd", *map(backend.to_numpy, (dropped, x)))
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-11, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"^dropout > 0 needs dropout_key: make one with"):
        F.scaled_dot_product_attention(x, x, x, dropout=0.5)


def test_arrays_that_do_not_fit_are_refused(backend):
    def ones(*shape, dtype=np.float32):
        return backend.asarray(np.ones(shape, dtype))

    x = ones(2, 3, 4, 5)
    for arrays, text in [
        ((x, ones(1, 3, 4, 5), x), r"key.shape[:-3] == query.shape[:-3]: (1,) != (2,)"),
        ((x, x, ones(2, 2, 4, 5)), "value.shape[:-1] == key.shape[:-1]: (2, 2, 4) != (2, 3, 4)"),
        ((x, ones(2, 3, 4, 6), x), "key.shape[-1] == query.shape[-1]: 6 != 5"),
        ((x, ones(2, 3, 3, 5), ones(2, 3, 3, 5)),
         "query.shape[-2] % key.shape[-2] == 0: 4 % 3 != 0"),
        ((x, x, x, ones(2, 3)),
         "mask broadcasts to (..., heads, L, S): (2, 3) does not to (2, 4, 3, 3)"),
        ((x, x, ones(5)), "value.ndim >= 3: 1 < 3"),
    ]:  # fmt: skip
        with pytest.raises(ShapeError) as caught:
            F.scaled_dot_product_attention(*arrays)
        assert str(caught.value) == text
    with pytest.raises(DTypeError, match=r"^key\.dtype == query\.dtype: float64 != float32"):
        F.scaled_dot_product_attention(x, ones(2, 3, 4, 5, dtype=np.float64), x)
    with pytest.raises(DTypeError, match=r"^mask\.dtype is floating: int64"):
        F.scaled_dot_product_attention(x, x, x, ones(3, 3, dtype=np.int64))


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotations_turn_pairs_and_see_distances_alone(backend, interleaved):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 5, 3, 6))
    cos, sin = F.rotary_tables(backend.asarray(np.arange(5.0)), 6, base=100.0)
    y = backend.to_numpy(F.rotary_embedding(backend.asarray(x), cos, sin, interleaved=interleaved))
    turn = np.exp(1j * np.arange(5.0)[:, None, None] * 100.0 ** (-np.arange(3) / 3))
    first, second = (slice(0, 6, 2), slice(1, 6, 2)) if interleaved else (slice(0, 3), slice(3, 6))
    expected = (x[..., first] + 1j * x[..., second]) * turn
    np.testing.assert_allclose(y[..., first], expected.real, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(y[..., second], expected.imag, rtol=1e-12, atol=1e-12)


def test_bags_are_torchs(backend):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    table, rows = rng.normal(size=(7, 3)), rng.integers(0, 7, size=(4, 5))
    flat, offsets = rng.integers(0, 7, size=9), np.asarray([0, 2, 2, 7])
    for mode in ("sum", "mean", "max"):
        for padding in (None, 3):
            for x, starts in ((rows, None), (flat, offsets)):
                expected = torch.nn.functional.embedding_bag(
                    torch.asarray(x),
                    torch.asarray(table),
                    None if starts is None else torch.asarray(starts),
                    mode=mode,
                    padding_idx=padding,
                )
                placed = [a if a is None else backend.asarray(a) for a in (x, table, starts)]
                y = F.embedding_bag(*placed, reduction=mode, padding_index=padding)
                np.testing.assert_allclose(backend.to_numpy(y), expected.numpy(), rtol=1e-12)
    with pytest.raises(ArgumentError, match=r"^reduction is one of 'max', 'mean', 'sum': got 'm'"):
        F.embedding_bag(*placed, reduction="m")


@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_what_is_no_number_stays_in_its_bag(backend, reduction):
    table = backend.asarray([[1.0, 2.0], [np.nan, np.inf], [3.0, -4.0]])
    indices, offsets = backend.asarray([1, 0, 2, 1]), backend.asarray([1, 3])
    bags = F.embedding_bag(indices, table, offsets, reduction=reduction, padding_index=None)
    wanted = {"sum": [4.0, -2.0], "mean": [2.0, -1.0], "max": [3.0, 2.0]}[reduction]
    np.testing.assert_array_equal(backend.to_numpy(bags), [wanted, [np.nan, np.inf]])
    bags = F.embedding_bag(indices, table, offsets, reduction=reduction, padding_index=1)
    np.testing.assert_array_equal(backend.to_numpy(bags), [wanted, [0.0, 0.0]])
