"""Steps on torch that keep small parameters as one vector: nobody can tell them from others."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import portanet as pn
from portanet import optimizers as opt
from portanet import trees
from portanet.backends import get_backend
from portanet.errors import TracedValueError
from portanet.training import TrainState, train_step

torch = pytest.importorskip("torch")

MODEL = pn.Chain(pn.Dense(3, 5, pn.tanh), pn.BatchNorm(5), pn.Dropout(0.3), pn.Dense(5, 2))
LOSS: Any = pn.MSELoss()
RULES = {
    "SGD": opt.SGD(0.1),
    "Nesterov": opt.SGD(0.1, momentum=0.8, nesterov=True),
    "Adam": opt.Adam(0.05),
    "AdamW": opt.AdamW(0.05, weight_decay=0.1),
    "Lion": opt.Lion(0.01, weight_decay=0.1),
    "Groups": opt.Groups({"layer_1": opt.Adam(0.05)}, opt.SGD(0.1)),
    "Scheduler": opt.Scheduler(opt.Adam(), lr=opt.schedules.ExponentialDecay(0.05, decay=0.9)),
    "ClipGradient": opt.chain(opt.ClipGradient(0.01), opt.RMSProp(0.01)),
}


def start(rule, dtype="float32", model: Any = MODEL):
    rng = np.random.default_rng(2)
    data = rng.normal(size=(7, 3)).astype(dtype), rng.normal(size=(7, 2)).astype(dtype)
    ps, st = pn.setup(0, model, dtype=dtype)
    ps, st, data = pn.device("torch")((ps, st, data))
    return TrainState(model, ps, st, rule), data


def run(ts, data, count=4, loss=LOSS, **options):
    values = []
    for _ in range(count):
        value, _, ts = train_step(loss, data, ts, **options)
        values.append(value)
    return torch.stack(values), ts


def is_joined(ts):
    return "vector" in ts.__dict__ and "parameters" not in ts.__dict__


def apart(monkeypatch):
    monkeypatch.setattr(type(get_backend("torch")), "joins", lambda *_: False)


def check_same(one, other):
    first, second = (trees.flatten(ts.to_state_dict()) for ts in (one, other))
    assert first[1] == second[1]
    for x, y in zip(first[0], second[0], strict=True):
        if isinstance(x, torch.Tensor):
            torch.testing.assert_close(x, y, rtol=0, atol=0)
            assert not x.requires_grad
        else:
            assert x == y


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_numbers_of_steps_on_trees_to_the_last_bit(monkeypatch, name, dtype):
    ts, data = start(RULES[name], dtype)
    values, joined = run(ts, data)
    assert is_joined(joined)
    apart(monkeypatch)
    expected, separate = run(ts, data)
    assert not is_joined(separate)
    assert torch.equal(values, expected)
    check_same(joined, separate)


@pytest.mark.parametrize("rule", [opt.LAMB(0.01), opt.Muon(0.01), opt.Adafactor(0.01)], ids=str)
def test_rules_that_look_at_whole_arrays_step_them_apart(rule):
    model = pn.Dense(3, 2, use_bias=False)
    ts, data = start(rule, model=model)
    assert not is_joined(run(ts, data)[1])


def test_what_clips_by_the_norm_of_all_sees_the_same_norm(monkeypatch):
    ts, data = start(opt.chain(opt.ClipGlobalNorm(0.01), opt.SGD(1.0)), "float64")
    _, joined = run(ts, data)
    assert is_joined(joined)
    apart(monkeypatch)
    torch.testing.assert_close(joined.parameters, run(ts, data)[1].parameters, rtol=1e-13, atol=0)


def test_the_given_state_stays_as_it_was():
    ts, data = start(opt.Adam(0.05))
    before = trees.map_leaves(lambda x: x.clone() if hasattr(x, "clone") else x, ts.parameters)
    _, first = run(ts, data, 1)
    kept = first.parameters["layer_1"]["weight"].clone()
    run(first, data, donate=True)
    torch.testing.assert_close(ts.parameters, before, rtol=0, atol=0)
    assert torch.equal(first.parameters["layer_1"]["weight"], kept)


def test_what_is_written_or_put_between_steps_counts(monkeypatch):
    def trained(ts):
        _, ts = run(ts, data, 2)
        ts.parameters["layer_1"]["weight"].mul_(0.5)
        _, ts = run(ts, data, 2)
        ts.parameters["layer_4"]["bias"] = torch.ones(2)
        return run(ts, data, 2)[1]

    ts, data = start(opt.Adam(0.05))
    joined = trained(ts)
    apart(monkeypatch)
    check_same(joined, trained(start(opt.Adam(0.05))[0]))


def test_learning_rates_and_frozen_parameters_may_change(monkeypatch):
    def trained(ts):
        _, ts = run(ts, data, 2)
        _, ts = run(opt.adjust(ts, lr=0.01), data, 2)
        kinds.append(is_joined(ts))
        _, ts = run(opt.freeze(ts, "layer_1"), data, 2)
        kinds.append(is_joined(ts))
        return run(opt.thaw(ts), data, 2)[1]

    kinds: list[bool] = []
    ts, data = start(opt.SGD(0.05, momentum=0.5))
    joined = trained(ts)
    kinds.append(is_joined(joined))
    assert kinds == [True, False, True]
    apart(monkeypatch)
    check_same(joined, trained(ts))


def test_recorded_and_other_steps_take_turns():
    ts, data = start(opt.Adam(0.05))
    expected, _ = run(ts, data, 6)
    found, options = [], [{}, {"jit": True}, {"jit": True}, {}, {"jit": False}, {}]
    for option in options:
        value, ts = run(ts, data, 1, **option)
        found.append(value)
    torch.testing.assert_close(torch.cat(found), expected)


def test_large_parameters_and_those_in_other_order_stay_apart():
    large = pn.Dense(400, 400)
    ps, st = pn.device("torch")(pn.setup(0, large))
    ts = TrainState(large, ps, st, opt.SGD(0.1))
    x = torch.ones(2, 400)
    assert not is_joined(train_step(LOSS, (x, x), ts)[2])
    ts, data = start(opt.SGD(0.1))
    ts.parameters["layer_1"]["weight"] = ts.parameters["layer_1"]["weight"].T.contiguous().T
    assert not is_joined(run(ts, data)[1])


class TestDerivativesOfSteps:
    """A step on the way of somebody else's derivative."""

    def through(self, of, steps, reading=torch.enable_grad):
        """Return the derivative of what is left after some steps with respect to a scale."""
        scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        ts, (x, y) = start(opt.Adam(0.05), "float64", pn.Dense(3, 2))
        ps = ts.parameters
        if of == "parameters":
            ps = trees.map_leaves(lambda p: p * scale, ps)
        if of == "data":
            x = x * scale
        loss = LOSS
        if of == "loss":

            def loss(model, ps, st, data):
                value, st, stats = LOSS(model, ps, st, data)
                return value * scale, st, stats

        _, ts = run(TrainState(ts.model, ps, {}, opt.Adam(0.05)), (x, y), steps, loss)
        with reading():
            trees.leaves(ts.parameters)
        total = sum(p.square().sum() for p in trees.leaves(ts.parameters))
        return torch.autograd.grad(total, scale)[0]

    @pytest.mark.parametrize("of", ["parameters", "data", "loss"])
    @pytest.mark.parametrize("steps", [1, 3])
    @pytest.mark.parametrize("reading", [torch.enable_grad, torch.no_grad])
    def test_on_the_graph(self, monkeypatch, of, steps, reading):
        found = self.through(of, steps, reading)
        apart(monkeypatch)
        expected = self.through(of, steps)
        assert expected != 0
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)

    def test_in_transforms(self, monkeypatch):
        ts, (x, y) = start(opt.SGD(0.05), "float64", pn.Dense(3, 2))

        def after(scale):
            _, new = run(ts, (x * scale, y), 2)
            return sum(p.square().sum() for p in trees.leaves(new.parameters))

        scales = torch.linspace(0.5, 1.5, 3, dtype=torch.float64)
        slopes = torch.func.vmap(torch.func.grad(after))
        forward = pn.jvp(after, (scales[0],), (torch.ones_like(scales[0]),))[1]
        found = slopes(scales), pn.vmap(pn.grad(after))(scales), forward
        apart(monkeypatch)
        expected = slopes(scales)
        for one, other in zip(found, (expected, expected, expected[0]), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=0)

    def test_a_leaf_that_is_asked_to_require_a_gradient_does(self):
        ts, data = start(opt.SGD(0.05))
        _, ts = run(ts, data)
        weight = ts.parameters["layer_1"]["weight"].requires_grad_()
        value, _, _ = train_step(LOSS, data, ts)
        assert torch.autograd.grad(value, weight)[0].abs().sum() > 0


def test_parameters_are_leaves_in_the_loss_and_not_to_be_written():
    def loss(model, ps, st, data):
        assert all(p.is_leaf and p.requires_grad for p in trees.leaves(ps))
        if writes:
            ps["layer_1"]["weight"].add_(1.0)
        return LOSS(model, ps, st, data)

    ts, data = start(opt.SGD(0.05))
    writes = False
    _, ts = run(ts, data, loss=loss)
    writes = True
    with pytest.raises(TracedValueError, match="in place"):
        run(ts, data, loss=loss)


def test_old_vectors_are_let_go():
    ts, data = start(opt.Adam(0.05))
    _, ts = run(ts, data, 1)
    gone = weakref.ref(ts.__dict__["vector"])
    _, ts = run(ts, data, 1)
    gc.collect()
    assert gone() is None
