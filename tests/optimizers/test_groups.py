"""Rules by parameter, rules around rules, clipping at the ends of the range, complex parameters."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import errors, trees
from portanet import optimizers as opt


def tree(seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return {
        "body": {
            "weight": rng.normal(size=(3, 2)).astype(dtype),
            "bias": rng.normal(size=3).astype(dtype),
        },
        "head": rng.normal(size=2).astype(dtype),
    }


def trained(rule, steps=5, ps=None):
    ps = tree() if ps is None else ps
    state = opt.setup(rule, ps)
    for step in range(steps):
        state, ps = opt.update(state, ps, tree(step + 1))
    return state, ps


def is_matrix(path, x):
    return x.ndim == 2


# Groups and masks


def test_each_group_is_trained_by_its_own_rule():
    rules = {"head": opt.SGD(0.5), is_matrix: opt.Momentum(0.1)}
    _, ps = trained(opt.Groups(rules, opt.Adam(0.01)))
    _, sgd = trained(opt.SGD(0.5))
    _, momentum = trained(opt.Momentum(0.1))
    _, adam = trained(opt.Adam(0.01))
    np.testing.assert_array_equal(ps["head"], sgd["head"])
    np.testing.assert_array_equal(ps["body"]["weight"], momentum["body"]["weight"])
    np.testing.assert_array_equal(ps["body"]["bias"], adam["body"]["bias"])


def test_the_first_group_that_chooses_wins():
    rule = opt.Groups({"body.weight": opt.SGD(1.0), "body": opt.SGD(2.0)}, opt.SGD(3.0))
    state = opt.setup(rule, tree())
    assert [leaf.lr for leaf in state.rules] == [2.0, 1.0, 3.0]


def test_what_stands_before_groups_sees_all_parameters():
    groups = opt.Groups({"head": opt.SGD(2.0)}, opt.chain(opt.WeightDecay(0.0), opt.SGD(1.0)))
    zeros = trees.map_leaves(np.zeros_like, tree())
    state = opt.setup(opt.chain(opt.ClipGlobalNorm(1.0), groups), zeros)
    grads = trees.map_leaves(lambda x: 3.0 * np.ones_like(x), zeros)
    _, ps = opt.update(state, zeros, grads)
    share = 1.0 / np.sqrt(11)  # of eleven equal entries
    np.testing.assert_allclose(ps["body"]["bias"], -share * np.ones(3), rtol=1e-12)
    np.testing.assert_allclose(ps["head"], -2.0 * share * np.ones(2), rtol=1e-12)


def test_groups_can_be_adjusted_frozen_and_kept_in_a_file(tmp_path):
    rule = opt.Groups({"head": opt.SGD(0.5)}, opt.Adam(0.01))
    state, ps = trained(rule)
    other = opt.setup(rule, tree())
    path = tmp_path / "state.safetensors"
    pn.io.safetensors.save(path, opt.adjust(state, 0.25, path="head"))
    state = pn.io.safetensors.load(path, other)
    assert state["head"].rule == opt.SGD(0.25)
    frozen = opt.freeze(state, "body")
    _, moved = opt.update(frozen, ps, tree(9))
    np.testing.assert_array_equal(moved["head"], ps["head"] - 0.25 * tree(9)["head"])
    assert moved["body"]["weight"] is ps["body"]["weight"]


def test_a_mask_leaves_the_others_alone_and_keeps_places():
    decay = opt.Masked(opt.WeightDecay(0.1), is_matrix)
    _, ps = trained(opt.chain(decay, opt.ClipGlobalNorm(0.5), opt.SGD(0.1)), steps=1)
    start, grads = tree(), tree(1)
    grads["body"]["weight"] = grads["body"]["weight"] + 0.1 * start["body"]["weight"]
    norm = np.sqrt(sum(np.sum(g**2) for g in trees.leaves(grads)))
    expected = trees.map_leaves(lambda x, g: x - 0.1 * g * min(1.0, 0.5 / norm), start, grads)
    for x, e in zip(trees.leaves(ps), trees.leaves(expected), strict=True):
        np.testing.assert_allclose(x, e, rtol=1e-12)


def test_decay_behind_adam_is_decoupled():
    decoupled = opt.chain(opt.Adam(0.01), opt.WeightDecay(0.01 * 0.2))
    for x, e in zip(
        trees.leaves(trained(decoupled)[1]),
        trees.leaves(trained(opt.AdamW(0.01, weight_decay=0.2))[1]),
        strict=True,
    ):
        np.testing.assert_allclose(x, e, rtol=1e-12)


def test_choices_that_choose_nothing_or_leave_nothing_are_refused():
    with pytest.raises(errors.ParameterTreeError, match=r"no parameter at 'tail': the paths are"):
        opt.setup(opt.Groups({"tail": opt.SGD()}, opt.SGD()), tree())
    with pytest.raises(errors.HyperparameterError, match=r"parameter 'head' has a rule: there is"):
        opt.setup(opt.Accumulate(opt.Masked(opt.ClipNorm(1.0), "body"), every=2), tree())
    with pytest.raises(errors.ShapeError) as caught:
        opt.setup(opt.chain(opt.ClipNorm(1.0), opt.Muon()), tree())
    assert str(caught.value) == (
        "parameter 'body.bias': Muon: x.ndim == 2: 1 != 2: give other parameters a rule by "
        "pn.optimizers.Groups"
    )
    for rule in (opt.Muon(), opt.Adafactor()):
        with pytest.raises(errors.DTypeError, match=r"^the parameter: \w+: x.dtype is real: comp"):
            opt.setup(rule, np.ones((2, 2), complex))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: opt.Groups([opt.SGD()], opt.SGD()), "Groups: groups is a dict"),
        (lambda: opt.Groups({3: opt.SGD()}, opt.SGD()), "Groups: a choice is a path or"),
        (lambda: opt.Groups({"a": 0.1}, opt.SGD()), "Groups: the rule of 'a' is a rule such as"),
        (lambda: opt.Groups({}, None), "Groups: default is a rule such as"),
        (lambda: opt.Masked(opt.WeightDecay(), None), "Masked: a choice is a path or"),
        (lambda: opt.Masked(opt.SGD(), "a"), "Masked: rule has no learning rate: one that"),
        (
            lambda: opt.Masked(opt.chain(opt.ClipNorm(1.0), opt.Accumulate(opt.SGD(), 2)), "a"),
            "Masked: rule has no learning rate",
        ),
        (lambda: opt.Accumulate(opt.SGD(), 0), "Accumulate: every >= 1: got 0"),
        (lambda: opt.Accumulate(0.1, 2), "Accumulate: rule is a rule such as"),
        (lambda: opt.MasterWeights(opt.SGD), "MasterWeights: rule is a rule such as"),
        (lambda: opt.SGD(dampening=0.5), "SGD: dampening needs momentum > 0: got 0.0"),
        (
            lambda: opt.SGD(momentum=0.9, nesterov=True, dampening=0.5),
            "SGD: nesterov needs dampening == 0: got 0.5",
        ),
        (lambda: opt.Rprop(factors=(0.5, 0.9)), r"Rprop: 0 < factors\[0\] < 1 < factors"),
        (lambda: opt.Rprop(limits=(1.0, 0.5)), r"Rprop: 0 < limits\[0\] <= limits"),
        (lambda: opt.Rprop(limits=1.0), "Rprop: limits is a pair of finite numbers: got 1.0"),
        (lambda: opt.Adafactor(epsilons=(0.0, 1.0)), "Adafactor: epsilons > 0"),
        (lambda: opt.MovingAverage(1.0), "MovingAverage: 0 <= decay < 1: got 1.0"),
        (lambda: opt.Muon(iterations=0), "Muon: iterations >= 1: got 0"),
        (lambda: opt.NAdam(momentum_decay=-1.0), "NAdam: momentum_decay >= 0: got -1.0"),
        (lambda: opt.Lion(betas=(0.9, 1.0)), r"Lion: 0 <= betas\[1\] < 1: got 1.0"),
    ],
)
def test_bad_hyperparameters(build, text):
    with pytest.raises(errors.HyperparameterError, match=text):
        build()


# Around a rule


def quadratic(model, ps, st, data):
    xp = pn.array_namespace(data)
    flat = xp.concat([xp.reshape(x, (-1,)) for x in trees.leaves(ps)])
    return xp.sum(data * flat * flat), st, {}


@pytest.mark.parametrize("jit", [False, True])
def test_accumulated_gradients_are_one_step_of_their_mean(backend, jit):
    inner = opt.chain(opt.ClipGlobalNorm(0.5), opt.Adam(0.1))
    ps = trees.map_leaves(backend.asarray, tree())
    weights = [np.linspace(0.0, 1.0, 11) * k for k in range(1, 7)]

    def run(rule, batches):
        ts = pn.training.TrainState(lambda x, ps, st: x, ps, {}, rule)
        for batch in batches:
            args = quadratic, backend.asarray(batch), ts
            _, _, ts = pn.training.train_step(*args, jit=jit)
            yield ts

    expected = list(run(inner, [sum(weights[:3]) / 3, sum(weights[3:]) / 3]))
    actual = list(run(opt.Accumulate(inner, every=3), weights))
    for place, ts in enumerate(actual):
        done = (place + 1) // 3
        wanted = ps if done == 0 else expected[done - 1].parameters
        for x, e in zip(trees.leaves(ts.parameters), trees.leaves(wanted), strict=True):
            np.testing.assert_allclose(backend.to_numpy(x), backend.to_numpy(e), rtol=1e-12)
    assert int(actual[-1].optimizer_state["head"].state[2][1][2]) == 2  # Adam's own count


def test_a_gradient_that_is_infinite_in_between_does_not_touch_the_parameters():
    rule = opt.Accumulate(opt.SGD(0.1), every=2)
    ps = {"w": np.ones(2)}
    _, moved = opt.update(opt.setup(rule, ps), ps, {"w": np.full(2, np.inf)})
    np.testing.assert_array_equal(moved["w"], ps["w"])


def test_averages_are_those_of_torch():
    torch = pytest.importorskip("torch")
    swa = torch.optim.swa_utils
    module = torch.nn.Linear(2, 3, dtype=torch.float64)
    averaged = swa.AveragedModel(module, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))
    twin = torch.optim.SGD(module.parameters(), 0.1)
    averaged.update_parameters(module)  # the first call copies
    ps = {name: x.detach().numpy().copy() for name, x in module.named_parameters()}
    state = opt.setup(opt.chain(opt.SGD(0.1), opt.MovingAverage(0.9)), ps)
    for step in range(10):
        grads = {name: np.random.default_rng(step).normal(size=x.shape) for name, x in ps.items()}
        for name, x in module.named_parameters():
            x.grad = torch.tensor(grads[name])
        twin.step()
        averaged.update_parameters(module)
        state, ps = opt.update(state, ps, grads)
    for name, x in averaged.module.named_parameters():
        own = opt.averaged_parameters(state, ps)[name]
        np.testing.assert_allclose(own, x.detach().numpy(), rtol=1e-12)


def test_averages_are_found_inside_other_rules_and_nowhere_else():
    inner = opt.chain(opt.Adam(), opt.MovingAverage(0.5))
    for rule in (opt.Accumulate(inner, every=1), opt.MasterWeights(inner)):
        state, ps = trained(rule)
        averages = opt.averaged_parameters(state, ps)
        trees.check_same_structure(ps, averages)
        assert not np.array_equal(averages["head"], ps["head"])
    with pytest.raises(errors.HyperparameterError, match="a rule with a MovingAverage"):
        opt.averaged_parameters(*trained(opt.Adam()))
    with pytest.raises(errors.ParameterTreeError, match="mirror the parameters"):
        opt.averaged_parameters(state, {"head": ps["head"]})


def test_averages_do_not_share_memory_with_parameters():
    ps = {"w": np.ones(2)}
    state = opt.setup(opt.chain(opt.SGD(), opt.MovingAverage()), ps)
    assert not np.shares_memory(state["w"].state[1][0], ps["w"])


def test_master_weights_gather_what_sixteen_bits_lose(backend):
    if backend.name == "array_api_strict":
        pytest.skip("array_api_strict has no dtype of 16 bits")
    start = backend.asarray(np.ones(3, np.float16))
    g = backend.asarray(np.full(3, 1.0, np.float16))
    ends = {}
    for rule in (opt.SGD(1e-4), opt.MasterWeights(opt.SGD(1e-4))):
        ps = {"w": start}
        state = opt.setup(rule, ps)
        for _ in range(100):
            state, ps = opt.update(state, ps, {"w": g})
        assert ps["w"].dtype == start.dtype
        ends[type(rule).__name__] = backend.to_numpy(ps["w"])[0]
    assert ends["SGD"] == 1.0
    assert ends["MasterWeights"] == np.float16(0.99)


# Clipping


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0.0, 1e-30, 1.0, 1e20, 1e37])
def test_norms_are_right_at_the_ends_of_the_range(backend, size, dtype):
    g = backend.asarray((np.asarray([3.0, 0.0, -4.0]) * size).astype(dtype))
    expected = np.asarray([0.6, 0.0, -0.8]) * min(5.0 * size, 1.0)
    for rule in (opt.ClipNorm(1.0), opt.ClipGlobalNorm(1.0)):
        step = backend.to_numpy(rule.apply((), g, g)[1])
        np.testing.assert_allclose(step, expected, rtol=4e-7 if dtype == "float32" else 1e-12)
    limited = np.clip(np.asarray([3.0, 0.0, -4.0]) * size, -1.0, 1.0)
    np.testing.assert_allclose(
        backend.to_numpy(opt.ClipGradient(1.0).apply((), g, g)[1]), limited, rtol=1e-6
    )


def test_a_norm_below_the_limit_changes_no_bit():
    g = np.random.default_rng(0).normal(size=100).astype(np.float32)
    np.testing.assert_array_equal(opt.ClipNorm(100.0).apply((), g, g)[1], g)


def test_lamb_and_muon_take_large_and_zero_gradients():
    for scale in (0.0, 1e20):
        ps = {"w": np.ones((2, 2), np.float32)}
        grads = {"w": np.full((2, 2), scale, np.float32) * np.eye(2, dtype=np.float32)}
        _, moved = opt.update(opt.setup(opt.Muon(0.1), ps), ps, grads)
        assert np.all(np.isfinite(moved["w"]))
    for x in (np.zeros(2, np.float32), np.full(2, 1e20, np.float32)):
        _, moved = opt.update(opt.setup(opt.LAMB(0.1), x), x, np.ones(2, np.float32))
        assert np.all(np.isfinite(moved))
        assert np.all(moved < x)


# Complex parameters


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        (opt.SGD(0.1, momentum=0.9), lambda o, p: o.SGD(p, 0.1, momentum=0.9)),
        (opt.Adam(0.03), lambda o, p: o.Adam(p, 0.03)),
        (opt.AdamW(0.03), lambda o, p: o.AdamW(p, 0.03)),
        (opt.RMSProp(0.03), lambda o, p: o.RMSprop(p, 0.03)),
        (opt.AdaGrad(0.1), lambda o, p: o.Adagrad(p, 0.1)),
        (opt.AdaDelta(), lambda o, p: o.Adadelta(p)),
        (opt.AdaMax(0.03), lambda o, p: o.Adamax(p, 0.03)),
        (opt.NAdam(0.03), lambda o, p: o.NAdam(p, 0.03)),
        (opt.Rprop(), lambda o, p: o.Rprop(p)),
    ],
    ids=lambda x: repr(x) if isinstance(x, opt.Rule) else "",
)
def test_complex_parameters_are_stepped_by_their_parts(rule, make):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))
    tensor, ps = torch.tensor(start, requires_grad=True), {"w": start, "b": np.ones(2)}
    twin = make(torch.optim, [tensor])
    state = opt.setup(rule, ps)
    for step in range(20):
        rng = np.random.default_rng(step)
        g = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))
        tensor.grad = torch.tensor(g)
        twin.step()
        state, ps = opt.update(state, ps, {"w": g, "b": np.ones(2)})
    np.testing.assert_allclose(ps["w"], tensor.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_complex_parameters_are_trained_everywhere(backend, jit):
    """Least squares with a complex matrix, whose solution is known."""
    rng = np.random.default_rng(1)
    a = rng.normal(size=(6, 3)) + 1j * rng.normal(size=(6, 3))
    solution = rng.normal(size=3) + 1j * rng.normal(size=3)
    data = backend.asarray(a), backend.asarray(a @ solution)

    def loss(model, ps, st, data):
        a, b = data
        xp = pn.array_namespace(a)
        r = a @ ps["w"] - b
        return xp.sum(xp.real(r) ** 2 + xp.imag(r) ** 2), st, {}

    ps = {"w": backend.asarray(np.zeros(3, complex))}
    for inner in (opt.SGD(0.04), opt.SGD(0.02, momentum=0.8)):
        rule = opt.chain(opt.ClipGlobalNorm(10.0), inner)
        ts = pn.training.TrainState(lambda x, ps, st: x, ps, {}, rule)
        for _ in range(150):
            _, _, ts = pn.training.train_step(loss, data, ts, jit=jit)
        np.testing.assert_allclose(backend.to_numpy(ts.parameters["w"]), solution, rtol=1e-5)


def test_a_warm_up_of_no_steps_is_none():
    schedules = opt.schedules
    warmup = schedules.Polynomial(0.0, 0.3, steps=0)
    assert [warmup(0), warmup(7)] == [0.3, 0.3]
    both = schedules.Sequence((warmup, schedules.ExponentialDecay(1.0, 0.5)), (0,))
    assert [both(0), both(1)] == [1.0, 0.5]


SEPARABLE = {  # what is done with some entries does not depend on the others
    "groups": opt.Groups({is_matrix: opt.Adam(0.02), "layer_3": opt.SGD(0.1)}, opt.RMSProp(0.01)),
    "masked": opt.chain(opt.Adam(0.01), opt.Masked(opt.WeightDecay(0.01), is_matrix)),
    "momentum": opt.Groups({"layer_1": opt.SGD(0.1, momentum=0.9)}, opt.SGD(0.1)),
    "scheduled": opt.Groups(
        {is_matrix: opt.Scheduler(opt.Adam(), lr=opt.schedules.ExponentialDecay(0.1, decay=0.9))},
        opt.Lion(0.01),
    ),
    "clipped alone": opt.Groups(
        {is_matrix: opt.chain(opt.ClipGradient(0.01), opt.Adam(0.02))}, opt.AdaGrad(0.1)
    ),
}
TOGETHER = {
    "clipped together": opt.chain(
        opt.ClipGlobalNorm(0.1), opt.Groups({is_matrix: opt.Adam(0.02)}, opt.SGD(0.1))
    ),
    "whole matrices": opt.Groups({is_matrix: opt.Muon(0.02)}, opt.Adam(0.01)),
    "whole arrays": opt.Groups({is_matrix: opt.chain(opt.ClipNorm(0.1), opt.SGD(0.1))}, opt.Adam()),
}


@pytest.mark.parametrize("name", [*SEPARABLE, *TOGETHER])
def test_recorded_steps_of_groups_are_those_of_each_array_bit_for_bit(name):
    rng = np.random.default_rng(0)
    shapes = {"weight": (3, 4), "bias": (4,)}

    def draw():
        return {
            f"layer_{i}": {
                part: rng.normal(size=shape).astype(np.float32) for part, shape in shapes.items()
            }
            for i in (1, 2, 3)
        }

    def loss(model, ps, st, gradients):
        pairs = zip(trees.leaves(ps), trees.leaves(gradients), strict=True)
        return sum(np.sum(x * g) for x, g in pairs), st, {}

    start = pn.training.TrainState(lambda x, ps, st: x, draw(), {}, (SEPARABLE | TOGETHER)[name])
    states = {jit: start for jit in (True, False)}
    for step in range(30):
        if step == 10:
            states = {
                jit: opt.adjust(ts, lr=0.005, path="layer_2.bias") for jit, ts in states.items()
            }
        if step == 15:
            states = {jit: opt.freeze(ts, "layer_2.bias") for jit, ts in states.items()}
        if step == 20:
            states = {jit: opt.thaw(ts) for jit, ts in states.items()}
        gradients = draw()
        for jit, ts in states.items():
            states[jit] = pn.training.train_step(loss, gradients, ts, jit=jit)[2]
    one, other = (trees.leaves(ts.to_state_dict()) for ts in states.values())
    rtol = 0.0 if name in SEPARABLE else 1e-5  # of sums, which a program may take in another order
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
    assert states[True].optimizer_state.rules == states[False].optimizer_state.rules


def test_parameters_of_two_dtypes_are_kept_in_two_vectors():
    ps = {"a": np.ones(3, np.float32), "b": np.ones(2), "c": np.full(2, 2.0, np.float32)}

    def loss(model, ps, st, data):
        return np.sum(ps["a"] ** 2) + np.sum(ps["c"]) * 1.0 + np.sum(ps["b"]).astype("f4"), st, {}

    found = []
    for jit in (True, False):
        ts = pn.training.TrainState(lambda x, ps, st: x, ps, {}, opt.Adam(0.1))
        for _ in range(5):
            _, _, ts = pn.training.train_step(loss, (), ts, jit=jit)
        assert ("flat" in vars(ts)) is jit
        found.append(ts.parameters)
    for name, x in ps.items():
        np.testing.assert_array_equal(found[0][name], found[1][name])
        assert found[0][name].dtype == x.dtype


@pytest.mark.parametrize("name", SEPARABLE)
def test_separable_groups_are_kept_flat_between_steps(name):
    model = pn.Chain(pn.Dense(2, 5, pn.tanh), pn.Dense(5, 5, pn.tanh), pn.Dense(5, 1))
    x = np.ones((4, 2), np.float32)
    ts = pn.training.TrainState(model, *pn.setup(0, model), SEPARABLE[name])
    for _ in range(2):
        _, _, ts = pn.training.train_step(pn.MSELoss(), (x, x[:, :1]), ts)
    assert isinstance(vars(ts)["vector"], tuple)
    _, ts = pn.training.train_steps(pn.MSELoss(), [(x, x[:, :1])] * 3, ts, donate=True)
    assert ts.step == 5
