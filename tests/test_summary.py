"""The table of a model: what it counts, and how it looks."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import pytest
from contract.cases import LAYERS

import portanet as pn
from portanet.errors import HyperparameterError

F = pn.functional


def only(model, example):
    return pn.summary(model, example).total


def test_a_table_as_text():
    model = pn.Chain(
        pn.Dense(None, 4, pn.relu), pn.SkipConnection(pn.Dense(4, 4), operator.add), pn.Dropout(0.1)
    )
    assert str(pn.summary(model, np.zeros((8, 3), np.float32))) == (
        "layer                          output  parameters  states  bytes  multiply-adds\n"
        "───────────────────────────────────────────────────────────────────────────────\n"
        "Chain                          (8, 4)\n"
        "  layer_1 = Dense(3, 4, relu)  (8, 4)          16             64             96\n"
        "  layer_2 = SkipConnection     (8, 4)\n"
        "    layers = Dense(4, 4)       (8, 4)          20             80            128\n"
        "  layer_3 = Dropout(0.1)       (8, 4)                   2\n"
        "───────────────────────────────────────────────────────────────────────────────\n"
        "total                          (8, 4)          36       2    144            224"
    )


def test_deeper_levels_can_be_added_up():
    model = pn.Chain(pn.Dense(3, 4), pn.Chain(pn.Dense(4, 4), pn.Chain(pn.Dense(4, 2))))
    x = np.zeros((5, 3), np.float32)
    whole = pn.summary(model, x)
    for depth in (0, 1, 2, 3):
        folded = pn.summary(model, x, depth=depth)
        assert folded.total == whole.total
        assert sum(row.multiply_adds for row in folded.rows) == 5 * (12 + 16 + 8)
        assert max(len(row.path) for row in folded.rows) == depth
    assert folded == whole
    assert [row.parameters for row in pn.summary(model, x, depth=1).rows] == [0, 16, 30]


def test_in_a_notebook_it_is_a_table_of_html():
    page = pn.summary(pn.Chain(pn.Dense(3, 4), lambda x: x), np.zeros((1, 3)))._repr_html_()
    assert page.count("<tr>") == 5
    assert "layer_2 = WrappedFunction(&lt;lambda&gt;)" in page
    assert "(1, 4)" in page


CASES = {
    "matmul": (lambda x: x @ np.ones((3, 7), np.float32), (2, 5, 3), 2 * 5 * 3 * 7),
    "einsum": (lambda x: F.einsum("nij,nkj->nik", x, x), (2, 5, 3), 2 * 5 * 5 * 3),
    "tensordot": (lambda x: pn.array_namespace(x).tensordot(x, x, axes=((0,), (0,))), (4, 3), 36),
    "conv": (lambda x: F.conv(x, np.ones((3, 3, 2, 5), np.float32)), (2, 6, 6, 2), 2 * 16 * 18 * 5),
    "attention": (
        lambda x: F.scaled_dot_product_attention(x, x, x),
        (2, 5, 3, 4),
        2 * 3 * (5 * 5 * 4) * 2,
    ),
    "elementwise": (lambda x: np.tanh(x) * x, (2, 3), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_products_are_counted_in_functions_of_the_user(name):
    function, shape, count = CASES[name]
    assert only(pn.WrappedFunction(function), np.zeros(shape, np.float32)).multiply_adds == count


def test_every_call_and_every_step_counts():
    x = np.zeros((2, 3), np.float32)
    assert only(pn.RepeatedLayer(pn.Dense(3, 3), repeats=4), x).multiply_adds == 4 * 2 * 9
    model = pn.Recurrence(pn.LSTMCell(3, 5))
    assert only(model, np.zeros((2, 7, 3), np.float32)).multiply_adds == 2 * 7 * 20 * (3 + 5)


def test_shared_parameters_count_once_and_their_products_as_often_as_they_are_used():
    x = np.zeros((2, 3), np.float32)
    tied = pn.Tied(pn.Chain(pn.Dense(3, 3), pn.Dense(3, 3)), ("layer_1", "layer_2"))
    total = only(tied, x)
    assert (total.parameters, total.multiply_adds) == (12, 36)


def test_own_entries_of_a_container_and_layers_that_are_not_called():
    @pn.compact(used=pn.Dense(3, 2), spare=pn.Dense(9, 9), gain=np.ones(2))
    def model(self, x):
        return self.used(x) * self.gain

    whole, used, spare = pn.summary(model, np.zeros((4, 3), np.float32)).rows
    assert (whole.parameters, used.parameters, spare.parameters) == (2, 8, 90)
    assert (used.output, spare.output) == (((4, 2),), None)
    assert spare.cells()[1] == "–"


def test_several_outputs_and_indices():
    model = pn.BranchLayer(pn.Embedding(9, 4), pn.Chain(pn.Embedding(9, 2), pn.Flatten()))
    table = pn.summary(model, np.zeros((2, 3), np.int64))
    assert table.rows[0].output == ((2, 3, 4), (2, 6))
    assert table.rows[0].cells()[1] == "(2, 3, 4), (2, 6)"


def test_layers_that_look_at_values_work():
    @dataclass(frozen=True)
    class Positive(pn.Layer):
        def __call__(self, x, ps, st):
            return (x if float(x.sum()) > 0 else -x) @ x.T, st

    assert only(Positive(), np.ones((2, 3), np.float32)).multiply_adds == 12


def test_what_is_no_model_is_refused():
    with pytest.raises(HyperparameterError, match=r"^summary: model is a portanet\.Layer: got"):
        pn.summary(np.tanh, np.zeros(3))
    with pytest.raises(HyperparameterError, match=r"^summary: depth is an integer >= 0: got -1$"):
        pn.summary(pn.NoOp(), np.zeros(3), depth=-1)


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_layers_of_every_kind_can_be_summed_up_and_taken_apart(case):
    layer = case.make()
    total = only(layer, case.inputs(np.random.default_rng(0), 4))
    assert (total.parameters, total.states) == (pn.parameter_count(layer), pn.state_count(layer))
    assert total.output is not None
    assert pn.layer_map(lambda path, inner: inner, layer) == layer
