"""Labels and indices: every integer dtype means the same, and what points at nothing is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import portanet as pn
from portanet import functional as F

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
TABLE = np.arange(10.0).reshape(5, 2)


def _torch_has(backend, dtype):
    return backend.name != "torch" or dtype in ("uint8", "int8", "int16", "int32", "int64")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_no_arithmetic_wraps_around(backend, dtype):
    if not _torch_has(backend, dtype):
        pytest.skip("torch has no arithmetic of it")
    rng, most = np.random.default_rng(0), 127 if dtype == "int8" else 255
    there = backend.asarray
    logits, labels = rng.normal(size=(3, 256)), np.asarray([1, 100, most], dtype)
    value = pn.CrossEntropyLoss(logits=True)(there(logits), there(labels))
    want = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels.astype(int)))
    np.testing.assert_allclose(float(value), want.item())
    assert np.argmax(backend.to_numpy(F.one_hot(there(labels), 300)), axis=1).tolist() == [
        1, 100, most,
    ]  # fmt: skip
    pairs = there(np.asarray([39], dtype)), there(np.asarray([1], dtype))
    weight = there(np.arange(3200.0).reshape(40, 40, 2))
    rows, _ = pn.Embedding((40, 40), 2)(pairs, {"weight": weight}, {})
    assert backend.to_numpy(rows).tolist() == [[3122.0, 3123.0]]
    offsets, last = there(np.asarray([0, 100, most], dtype)), 300 - most
    bags = F.embedding_bag(
        there(np.zeros(300, int)), there(np.ones((1, 1))), offsets, reduction="sum"
    )
    assert backend.to_numpy(bags).ravel().tolist() == [100.0, most - 100.0, last]
    steps, target = there(np.asarray([most], dtype)), there(np.asarray([[1, 2]]))
    scores = there(rng.normal(size=(1, 300, 3)))
    loss = pn.CTCLoss()
    np.testing.assert_allclose(
        float(loss(scores, (target, steps))), float(loss(scores[:, :most, :], target))
    )


def _lookups(backend):
    """Each way to a table of five rows, or to one of five classes or steps."""
    layer, weight = pn.Embedding(5, 2), backend.asarray(TABLE)
    bag, positions = pn.EmbeddingBag(5, 2), pn.LearnedPositionalEmbedding(5, 2)
    x = backend.asarray(np.zeros((1, 2)))
    p, steps = backend.asarray(np.full((1, 5), 0.2)), backend.asarray(np.zeros((1, 5, 3)))
    ignoring = pn.CrossEntropyLoss(logits=True, ignore_index=-100)
    return {
        "layer": lambda i: layer(i, {"weight": weight}, {})[0],
        "function": lambda i: F.embedding(i, weight),
        "bag": lambda i: bag(i, {"weight": weight}, {})[0],
        "positions": lambda i: positions((x, i), {"weight": weight}, {})[0],
        "cross entropy": lambda i: pn.CrossEntropyLoss()(p, i),
        "cross entropy, ignoring": lambda i: ignoring(p, i),
        "focal": lambda i: pn.FocalLoss()(p, i),
        "CTC": lambda i: pn.CTCLoss()(steps, (backend.asarray(np.asarray([[1]])), i + 1)),
    }


LOSSES = ("cross entropy", "cross entropy, ignoring", "focal", "CTC")


@pytest.mark.parametrize("bad", [-1, 5])
@pytest.mark.parametrize("way", ["layer", "function", "bag", "positions", *LOSSES])
def test_an_index_that_is_refused_plainly_is_refused_recorded(backend, way, bad):
    if "cpu" not in str(backend.device).lower():
        pytest.skip("looking at values is not free there")
    call, good = _lookups(backend)[way], backend.asarray(np.asarray([0]))
    wrong = backend.asarray(np.asarray([bad]))
    with pytest.raises(pn.errors.ShapeError, match=rf"has {bad}, .* is 5"):
        call(wrong)
    if backend.adapter.jit == "library":
        pytest.skip("its compiler has no values to look at")
    recorded = pn.jit(call)
    recorded(good)
    with pytest.raises(pn.errors.ShapeError, match=rf"has {bad}, .* is 5"):
        recorded(wrong)
    np.testing.assert_allclose(*(backend.to_numpy(f(good)) for f in (recorded, call)), rtol=1e-6)
    batch = backend.asarray(np.asarray([[0], [bad]]))
    with pytest.raises(pn.errors.ShapeError, match=rf"has {bad}, .* is 5"):
        pn.vmap(call)(batch)


@pytest.mark.parametrize("way", ["layer", "function", "bag", "positions", *LOSSES])
def test_an_index_from_around_a_recorded_function_is_looked_at(backend, way):
    call = _lookups(backend)[way]
    index, factor = backend.asarray(np.asarray([2])), backend.asarray(np.asarray(2.0))
    twice = pn.jit(lambda factor: factor * call(index))(factor)
    np.testing.assert_allclose(backend.to_numpy(twice), 2.0 * backend.to_numpy(call(index)))


def test_a_compiled_program_of_jax_gives_nan_for_what_is_no_row(backend):
    if backend.name != "jax":
        pytest.skip("only its programs cannot raise")
    call = pn.jit(_lookups(backend)["layer"])
    for bad in (-1, 5):
        got = backend.to_numpy(call(backend.asarray(np.asarray([0, bad]))))
        np.testing.assert_array_equal(got, [[0.0, 1.0], [np.nan, np.nan]])
        for way in LOSSES:
            value = pn.jit(_lookups(backend)[way])(backend.asarray(np.asarray([bad])))
            assert np.isnan(float(value))


def test_a_training_step_refuses_it_too():
    layer = pn.Embedding(5, 2)
    ts = pn.training.TrainState(layer, {"weight": TABLE}, {}, pn.optimizers.SGD(1.0))
    data = [(np.asarray([0, i]), np.zeros((2, 2))) for i in (1, -1)]
    pn.training.train_step(pn.MSELoss(), data[0], ts)
    with pytest.raises(pn.errors.ShapeError, match="0 <= x < vocabulary: x has -1"):
        pn.training.train_step(pn.MSELoss(), data[1], ts)
