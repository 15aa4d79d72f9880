"""Functions, trees and models that are given what nobody should give: one error everywhere."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from contract.refusals import ones

import portanet as pn
from portanet.errors import (
    ArgumentError,
    BackendMismatchError,
    HyperparameterError,
    ParameterTreeError,
    PortanetError,
    ShapeError,
)
from portanet.functional.kernel import kernel
from portanet.tape.rule import Elementwise

F = pn.functional


@pytest.mark.parametrize("wrong", [None, 3.0, "x", [1.0, 2.0], np.ma.masked_array([1.0])])
def test_functions_name_what_is_no_array(backend, wrong):
    x = ones(backend, 2, 3)
    with pytest.raises(BackendMismatchError, match=r"^softmax: x is an array: got "):
        F.softmax(wrong)
    if isinstance(wrong, np.ndarray):
        return
    with pytest.raises(BackendMismatchError, match=r"^cosine_similarity: x is an array: got "):
        F.cosine_similarity(wrong, x)
    if wrong is not None:
        with pytest.raises(BackendMismatchError):
            F.linear(x, wrong)


def test_functions_name_what_is_of_the_wrong_kind(backend):
    x = ones(backend, 2, 3)
    with pytest.raises(ArgumentError, match=r"^softmax: axis is an integer: got 'last'$"):
        F.softmax(x, axis="last")
    with pytest.raises(ArgumentError, match=r"key is a portanet\.random\.Key"):
        F.dropout(x, 0.5, 7)
    with pytest.raises(ArgumentError, match=r"^softmax\(x=float32\[2, 3\], axis=7\): ") as caught:
        F.softmax(x, axis=7)
    assert caught.value.__cause__ is not None
    with pytest.raises(ArgumentError, match=r"^linear\(x=float32\[2, 3\], weight=float32\[4, 5\]"):
        F.linear(x, ones(backend, 4, 5))
    with pytest.raises(ArgumentError, match=r"^softmax: .*: its arguments are \(x, axis\)$"):
        F.softmax(x, 0, 1)


def test_errors_inside_a_function_of_the_user_stay_as_they_are(backend):
    def loss(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine") as caught:
        pn.grad(loss)(ones(backend, 2))
    assert not isinstance(caught.value, PortanetError)


def test_a_kernel_named_like_one_of_ours_is_another_function(backend):
    @kernel(rule=Elementwise(lambda xp, d, y, x: d * 2.0 * x))
    def sigmoid(x):
        return x * x

    x = 3.0 * ones(backend, 2)
    assert backend.to_numpy(sigmoid(x)).tolist() == [9.0, 9.0]
    slope = pn.grad(lambda x: pn.array_namespace(x).sum(sigmoid(x)))(x)
    assert backend.to_numpy(slope).tolist() == [6.0, 6.0]
    assert backend.to_numpy(pn.sigmoid(0.0 * x)).tolist() == [0.5, 0.5]


def _cyclic():
    tree = {}
    tree["self"] = tree
    return tree


def _deep():
    tree = 1.0
    for _ in range(3000):
        tree = {"a": tree}
    return tree


@pytest.mark.parametrize("make", [_cyclic, _deep])
def test_trees_that_do_not_end(backend, make):
    tree, x = make(), ones(backend, 2)
    text = "^a tree ends: this one contains itself, or nests deeper"
    for walk in (
        lambda: pn.trees.leaves(tree),
        lambda: pn.trees.flatten_with_paths(tree),
        lambda: pn.trees.map_leaves(lambda leaf: leaf, tree),
        lambda: pn.optimizers.setup(pn.optimizers.SGD(), tree),
        lambda: pn.update_state(tree, "training", True),
        lambda: pn.grad(lambda tree: x)(tree),
        lambda: pn.jit(lambda tree: tree)(tree),
        lambda: pn.astype(tree, "float32"),
    ):
        with pytest.raises(ParameterTreeError, match=text):
            walk()


DEPTH = 1000


def _nested():
    model = pn.Dense(2, 2)
    for _ in range(DEPTH):
        model = pn.Chain(model)
    return model


def test_a_model_that_nests_too_deeply(backend):
    model, (ps, st) = _nested(), pn.setup(0, pn.Dense(2, 2), device=backend.place)
    for _ in range(DEPTH):
        ps, st = {"layer_1": ps}, {"layer_1": st}
    text = "the model nests deeper than Python's recursion limit"
    x = ones(backend, 1, 2)
    for use in (
        lambda: pn.setup(0, model),
        lambda: pn.parameter_count(model),
        lambda: model(x, ps, st),
        lambda: pn.output_shape(model, (2,)),
        lambda: pn.resolve(model, x),
        lambda: pn.summary(model, x),
        lambda: repr(model),
        lambda: str(model),
        lambda: hash(model),
        lambda: model == _nested(),
    ):
        with pytest.raises(HyperparameterError, match=f"^{text}"):
            use()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_that_nests_too_deeply_is_copied_all_the_same(again):
    shared = pn.Dense(2, 2)
    for _ in range(DEPTH):
        shared = pn.Parallel(None, shared, shared)
    twin, depth = again(_nested()), 0
    while isinstance(twin, pn.Chain):
        (twin,), depth = twin.layers, depth + 1
    assert (twin, depth) == (pn.Dense(2, 2), DEPTH)
    twin = again(shared)
    assert twin.layers[0] is twin.layers[1]


def test_flags_and_states_that_are_none(backend):
    x, layer = ones(backend, 4, 3), pn.Dropout(0.5)
    ps, st = pn.setup(0, layer)
    with pytest.raises(
        ParameterTreeError, match=r'^st\["training"\] is True or False: got \'False'
    ):
        layer(x, ps, {**st, "training": "False"})
    attention = pn.MultiHeadAttention(4, 2)
    ps, _ = pn.setup(0, attention, device=backend.place)
    with pytest.raises(ParameterTreeError, match=r"^st is a dict of entries: got a NoneType"):
        attention(ones(backend, 1, 2, 4), ps, None)


def test_tuples_of_the_wrong_length(backend):
    for layer, x in (
        (pn.RNNCell(3, 2), ones(backend, 1, 3)),
        (pn.LearnedPositionalEmbedding(5, 3), ones(backend, 4, 3)),
    ):
        ps, st = pn.setup(0, layer, device=backend.place)
        for wrong in ((), (x, None, None)):
            with pytest.raises(ShapeError, match=r"^the input is x or \(x, \w+\): got "):
                layer(wrong, ps, st)


@pytest.mark.parametrize("wrong", [2**70, 10**400, np.asarray(2.0), b"3", {3}, 1j])
def test_numbers_that_are_no_sizes(wrong):
    for make in (lambda: pn.Dense(wrong, 2), lambda: pn.Dropout(wrong), lambda: pn.Scale(wrong)):
        with pytest.raises(HyperparameterError) as caught:
            make()
        assert len(str(caught.value)) < 500


def test_keys_and_shapes_of_draws(backend):
    x, key = ones(backend, 1), pn.random.key(0)
    with pytest.raises(ArgumentError, match=r"^uniform: key is a portanet\.random\.Key: got 7"):
        pn.random.uniform(7, (2,), like=x)
    with pytest.raises(
        ArgumentError, match=r"^normal: shape is a tuple of sizes >= 0: got \(-1,\)"
    ):
        pn.random.normal(key, (-1,), like=x)
    with pytest.raises(BackendMismatchError, match=r"^uniform: like is an array: got None"):
        pn.random.uniform(key, (2,), like=None)


class _Lazy(np.ndarray):
    """An array that does not tell the size of its batch, as those of lazy libraries."""

    @property
    def shape(self):
        return (None, *super().shape[1:])


def test_sizes_that_are_not_known():
    assert pn.checks.product((2, 3)) == 6
    assert pn.checks.product((None, 3)) is None
    assert pn.checks.to_reshape("y", (None, 6)) == (-1, 6)
    with pytest.raises(ShapeError, match=r"^all sizes of y but one are known: 2 are not"):
        pn.checks.to_reshape("y", (None, None, 6))
    norm = pn.BatchNorm(3, affine=False)
    ps, st = pn.setup(0, norm)
    with pytest.raises(ShapeError, match=r"^values a channel, which correct the running variance"):
        norm(np.ones((4, 3), np.float32).view(_Lazy), ps, st)
    x = np.ones((4, 2, 3), np.float32).view(_Lazy)
    assert np.asarray(pn.Flatten()(x, {}, {})[0]).shape == (4, 6)
    assert np.asarray(pn.Reshape((3, 2))(x, {}, {})[0]).shape == (4, 3, 2)
