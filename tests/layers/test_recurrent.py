"""The recurrent cells and layers against torch's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as draws

import portanet as pn
from portanet import initializers as init
from portanet.errors import (
    ArgumentError,
    DTypeError,
    HyperparameterError,
    ShapeError,
)

CELLS = {"RNN": pn.RNNCell, "LSTM": pn.LSTMCell, "GRU": pn.GRUCell}
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def twin(kind, ps_of_layers, in_features, features, **options):
    """Return torch's layer with the parameters of our cells: ``{torch's suffix: ps}``."""
    torch = pytest.importorskip("torch")
    layer = getattr(torch.nn, kind)(in_features, features, batch_first=True, **options).double()
    for suffix, ps in ps_of_layers.items():
        for name in WEIGHTS:
            parameter = getattr(layer, f"{name}_{suffix}", None)
            if parameter is not None:
                with torch.no_grad():
                    parameter.copy_(torch.asarray(ps[name]))
    return torch, layer


def as_tuple(carry):
    return carry if isinstance(carry, tuple) else (carry,)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kind", CELLS)
def test_recurrence_is_torchs_layer(backend, place, kind, use_bias):
    model = pn.Recurrence(
        CELLS[kind](3, 4, use_bias=use_bias), return_sequence=True, return_carry=True
    )
    ps, st = pn.setup(0, model, dtype="float64")
    x, weight = draw(2, 5, 3), draw(2, 5, 4, seed=1)
    torch, layer = twin(kind, {"l0": ps["cell"]}, 3, 4, bias=use_bias)
    x_of_torch = torch.asarray(x).requires_grad_()
    expected, carry_of_torch = layer(x_of_torch)
    torch.sum(expected * torch.asarray(weight)).backward()

    x, weight, ps = map(place, (x, weight, ps))
    (y, carry), _ = model(x, ps, st)
    np.testing.assert_allclose(backend.to_numpy(y), expected.detach().numpy(), rtol=1e-10)
    for part, other in zip(carry, as_tuple(carry_of_torch), strict=True):
        np.testing.assert_allclose(
            backend.to_numpy(part), other[0].detach().numpy(), rtol=1e-10, atol=1e-14
        )

    def loss(ps, x):
        (y, _), _ = model(x, ps, st)
        return backend.xp.sum(y * weight)

    of_ps, of_x = pn.grad(loss, argnums=(0, 1))(ps, x)
    np.testing.assert_allclose(backend.to_numpy(of_x), x_of_torch.grad.numpy(), rtol=1e-9)
    for name, g in of_ps["cell"].items():
        other = getattr(layer, f"{name}_l0").grad.numpy()
        np.testing.assert_allclose(backend.to_numpy(g), other, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", CELLS)
def test_a_given_carry_and_the_last_output(backend, place, kind):
    cell = CELLS[kind](3, 4)
    ps, st = pn.setup(0, pn.Recurrence(cell), dtype="float64")
    x = draw(2, 5, 3)
    carry = tuple(draw(2, 4, seed=i) for i in range(len(cell.carried)))
    torch, layer = twin(kind, {"l0": ps["cell"]}, 3, 4)
    start = tuple(torch.asarray(part)[None] for part in carry)
    expected, _ = layer(torch.asarray(x), start if len(start) > 1 else start[0])
    y, _ = pn.Recurrence(cell)((place(x), place(carry)), place(ps), st)
    np.testing.assert_allclose(backend.to_numpy(y), expected[:, -1].detach().numpy(), rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    kind=draws.sampled_from(list(CELLS)),
    sizes=draws.tuples(*[draws.integers(1, 4)] * 2),
    batch=draws.lists(draws.integers(0, 3), max_size=2),
    length=draws.integers(1, 5),
    reverse=draws.booleans(),
    time_first=draws.booleans(),
    dtype=draws.sampled_from(["float32", "float64"]),
)
def test_the_layouts_agree_with_a_plain_loop(
    kind, sizes, batch, length, reverse, time_first, dtype
):
    cell = CELLS[kind](*sizes)
    options = {"reverse": reverse, "time_first": time_first, "return_sequence": True}
    model = pn.Recurrence(cell, **options)
    ps, st = pn.setup(0, model, dtype=dtype)
    steps = draw(length, *batch, sizes[0]).astype(dtype)
    outputs, carry = [None] * length, None
    for t in reversed(range(length)) if reverse else range(length):
        x = steps[t]
        (outputs[t], carry), _ = cell(x if carry is None else (x, carry), ps["cell"], {})
    x, expected = steps, np.stack(outputs)
    if not time_first:
        x, expected = np.moveaxis(x, 0, -2), np.moveaxis(expected, 0, -2)
    y, _ = model(x, ps, st)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-7)


@pytest.mark.parametrize("kind", CELLS)
def test_bidirectional_is_torchs(backend, place, kind):
    model = pn.BidirectionalRNN(CELLS[kind](3, 4))
    ps, st = pn.setup(0, model, dtype="float64")
    sides = {"l0": ps["forward_rnn"]["cell"], "l0_reverse": ps["backward_rnn"]["cell"]}
    torch, layer = twin(kind, sides, 3, 4, bidirectional=True)
    x = draw(2, 5, 3)
    y, _ = model(place(x), place(ps), st)
    expected = layer(torch.asarray(x))[0].detach().numpy()
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_of_masked_sequences_is_torchs_packed_one(backend, place, bidirectional):
    width = 8 if bidirectional else 4
    model = pn.StackedRecurrence(
        [pn.LSTMCell(3, 4), pn.LSTMCell(width, 4)],
        bidirectional=bidirectional,
        return_sequence=True,
        return_carry=True,
    )
    ps, st = pn.setup(0, model, dtype="float64")
    layers = {}
    for i in (0, 1):
        part = ps[f"layer_{i + 1}"]
        if bidirectional:
            layers[f"l{i}"] = part["forward_rnn"]["cell"]
            layers[f"l{i}_reverse"] = part["backward_rnn"]["cell"]
        else:
            layers[f"l{i}"] = part["cell"]
    torch, layer = twin("LSTM", layers, 3, 4, num_layers=2, bidirectional=bidirectional)
    x, lengths = draw(3, 5, 3), np.asarray([5, 2, 1])
    utils = torch.nn.utils.rnn
    packed = utils.pack_padded_sequence(torch.asarray(x), lengths, batch_first=True)
    expected, (hidden, _) = layer(packed)
    expected = utils.pad_packed_sequence(expected, batch_first=True)[0].detach().numpy()
    mask = place(np.arange(5) < lengths[:, None])
    (y, carries), _ = model((place(x), None, mask), place(ps), st)
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-10, atol=1e-14)
    flat = [c for layer in carries for c in (layer if bidirectional else (layer,))]
    for (found, _), other in zip(flat, hidden.detach().numpy(), strict=True):
        np.testing.assert_allclose(backend.to_numpy(found), other, rtol=1e-10)


@dataclass(frozen=True)
class Counting(pn.Layer):
    """A cell of a user's own, with a state that changes in each step."""

    cell: pn.Layer

    def initial_parameters(self, rng):
        return self.cell.initial_parameters(rng)

    def initial_states(self, rng):
        return {"calls": np.zeros((), np.float32)}

    def __call__(self, x, ps, st):
        found, _ = self.cell(x, ps, {})
        return found, {"calls": st["calls"] + 1.0}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("return_sequence", [False, True])
def test_a_cell_of_ones_own(backend, place, reverse, return_sequence):
    options = {"reverse": reverse, "return_sequence": return_sequence}
    cell = pn.GRUCell(3, 4)
    own, known = (pn.Recurrence(c, **options) for c in (Counting(cell), cell))
    ps, st = place(pn.setup(0, own))
    x = place(draw(2, 5, 3).astype(np.float32))
    y, after = own(x, ps, st)
    expected, _ = known(x, ps, {"cell": {}})
    np.testing.assert_allclose(
        backend.to_numpy(y), backend.to_numpy(expected), rtol=1e-5, atol=1e-6
    )
    assert float(after["cell"]["calls"]) == 5


def test_dropout_between_layers_only():
    cells = [pn.RNNCell(3, 4), pn.RNNCell(4, 4), pn.RNNCell(4, 4)]
    model = pn.StackedRecurrence(cells, dropout=0.5)
    ps, st = pn.setup(0, model)
    assert list(st) == ["layer_1", "dropout_1", "layer_2", "dropout_2", "layer_3"]
    x = draw(2, 5, 3).astype(np.float32)
    plain, _ = pn.StackedRecurrence(cells)(x, ps, pn.test_mode(st))
    assert np.array_equal(model(x, ps, pn.test_mode(st))[0], plain)
    y, after = model(x, ps, st)
    assert not np.array_equal(y, plain)
    assert not np.array_equal(model(x, ps, after)[0], y)


def test_a_stateful_cell_goes_on_where_it_was(backend, place):
    cell = pn.LSTMCell(3, 4)
    model = pn.StatefulRecurrentCell(cell)
    ps, st = pn.setup(0, model, dtype="float64")
    x = draw(2, 5, 3)
    expected, _ = pn.Recurrence(cell)(place(x), place(ps), {"cell": {}})
    x, ps = place(x), place(ps)
    for t in range(5):
        y, st = model(x[:, t, :], ps, st)
    np.testing.assert_allclose(backend.to_numpy(y), backend.to_numpy(expected), rtol=1e-12)
    st = pn.update_state(st, "carry", None)
    first, _ = model(x[:, 0, :], ps, st)
    (again, _), _ = cell(x[:, 0, :], ps["cell"], {})
    assert np.array_equal(backend.to_numpy(first), backend.to_numpy(again))


def test_where_the_carry_begins():
    cell = pn.LSTMCell(
        2, 3, train_state=True, init_state=init.ones(), init_memory=init.constant(2.0)
    )
    ps, st = pn.setup(0, cell)
    assert np.array_equal(ps["hidden_state"], np.ones(3))
    assert np.array_equal(st["memory"], np.full(3, 2.0))
    assert "memory" not in ps
    x = np.zeros((4, 2), np.float32)
    (_, (hidden, memory)), _ = cell(x, ps, st)
    start = np.ones((4, 3), np.float32), np.full((4, 3), 2.0, np.float32)
    (_, (other_hidden, other)), _ = cell((x, start), ps, st)
    assert np.array_equal(memory, other)
    assert np.array_equal(hidden, other_hidden)
    grads = pn.grad(lambda ps: np.sum(cell(x, ps, st)[0][0]))(ps)
    assert np.all(grads["hidden_state"] != 0)


@pytest.mark.parametrize("cell", CELLS.values())
def test_default_bounds(cell):
    ps, st = pn.setup(0, cell(20, 400))
    assert st == {}
    for name in WEIGHTS:
        assert 0.99 / 20 < np.max(np.abs(ps[name])) <= 1 / 20 + 1e-8
        assert abs(np.mean(ps[name])) < 0.005


def test_an_initializer_a_gate():
    gates = (init.zeros(), init.ones(), init.zeros(), init.zeros())
    ps, _ = pn.setup(0, pn.LSTMCell(2, 3, init_bias=gates))
    assert np.array_equal(ps["bias_ih"], np.repeat([0, 1, 0, 0], 3))
    with pytest.raises(HyperparameterError, match="init_bias is an initializer or a tuple of 3"):
        pn.GRUCell(2, 3, init_bias=gates)


def test_merging():
    x = draw(2, 5, 3).astype(np.float32)
    cell = pn.RNNCell(3, 4)
    ps, st = pn.setup(0, pn.BidirectionalRNN(cell))
    pair, _ = pn.BidirectionalRNN(cell, merge=None)(x, ps, st)
    both, _ = pn.BidirectionalRNN(cell)(x, ps, st)
    total, _ = pn.BidirectionalRNN(cell, merge=np.add)(x, ps, st)
    assert np.array_equal(np.concatenate(pair, -1), both)
    assert np.array_equal(pair[0] + pair[1], total)
    ends, _ = pn.BidirectionalRNN(cell, return_sequence=False)(x, ps, st)
    assert np.array_equal(ends, np.concatenate([pair[0][:, -1], pair[1][:, 0]], -1))
    for merge in (int, len, pn.Dense(2, 2), "sum", 3):
        with pytest.raises(pn.errors.HyperparameterError, match="a function of two arrays or None"):
            pn.BidirectionalRNN(cell, merge=merge)


def test_what_does_not_fit_is_named():
    model = pn.Chain(pn.Recurrence(pn.LSTMCell(3, 4)))
    ps, st = pn.setup(0, model)
    x = np.ones((2, 5, 3), np.float32)
    with pytest.raises(ShapeError, match=r"layer_1\.cell: x.shape\[-1\] == in_features: 2"):
        model(x[..., :2], ps, st)
    with pytest.raises(ShapeError, match=r"x.shape\[1\] >= 1: 0 < 1: a sequence has at least one"):
        model(x[:, :0], ps, st)
    with pytest.raises(ShapeError, match=r"x.ndim >= 2: 1 < 2"):
        model(x[0, 0], ps, st)
    with pytest.raises(DTypeError, match=r"x.dtype == weight_ih.dtype: float64 != float32"):
        model(x.astype(np.float64), ps, st)
    with pytest.raises(ShapeError, match=r"a tuple of 2 .hidden_state, memory.: got tuple"):
        model((x, (x[:, 0],)), ps, st)
    with pytest.raises(ShapeError, match=r"hidden_state.shape == \(\*batch, out_features\)"):
        model((x, (x[:, 0], x[:, 0])), ps, st)
    with pytest.raises(ShapeError, match=r"mask.shape == x.shape\[:-1\]"):
        model((x, None, np.ones((2, 4), bool)), ps, st)
    with pytest.raises(DTypeError, match=r"mask.dtype is bool"):
        model((x, None, np.ones((2, 5))), ps, st)
    with pytest.raises(ShapeError, match="got a tuple of 4"):
        model((x, None, None, None), ps, st)
    own = pn.Recurrence(Counting(pn.RNNCell(3, 4)))
    with pytest.raises(ArgumentError, match="the cell is Counting"):
        own((x, None, np.ones((2, 5), bool)), *pn.setup(0, own))
    stack = pn.StackedRecurrence([pn.RNNCell(3, 3)] * 2)
    with pytest.raises(ShapeError, match="carry is a tuple of 2, one a cell: got tuple of 1"):
        stack((x, (None,)), *pn.setup(0, stack))
