"""Optimizers: values against torch.optim, and what a step must not do."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from portanet import autodiff, errors, optimizers, trees
from portanet.backends.numpy import kernels as numpy_kernels
from portanet.interface import array_namespace, get_backend
from portanet.optimizers.adam import adam_update

RULES = [
    optimizers.SGD(0.1),
    optimizers.SGD(0.1, momentum=0.9),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    optimizers.Adam(0.03),
    optimizers.AdamW(0.03, weight_decay=0.1),
    optimizers.RMSProp(0.02),
    optimizers.RMSProp(0.02, centered=True),
    optimizers.chain(optimizers.WeightDecay(0.1), optimizers.Adam(0.03)),
    optimizers.chain(optimizers.ClipGradient(0.5), optimizers.SGD(0.1)),
    optimizers.chain(optimizers.ClipNorm(0.5), optimizers.SGD(0.1)),
    optimizers.chain(optimizers.ClipGlobalNorm(0.5), optimizers.SGD(0.1, momentum=0.5)),
]


def host_tree(dtype: str = "float64", seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "layer_1": {
            "weight": rng.normal(size=(3, 2)).astype(dtype),
            "bias": rng.normal(size=3).astype(dtype),
        },
        "layer_2": {"scale": rng.normal(size=()).astype(dtype).reshape(())},
    }


def on(backend, tree):
    return trees.map_leaves(backend.asarray, tree)


def on_host(backend, tree):
    return trees.map_leaves(lambda x: np.asarray(backend.to_numpy(x)), tree)


def assert_trees_equal(actual, expected) -> None:
    trees.check_same_structure(expected, actual)
    for a, e in zip(trees.leaves(actual), trees.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, e)


def torch_twin(torch, rule, tensors):
    """The torch.optim optimizer of the same settings, and what it does before each step."""
    if isinstance(rule, optimizers.OptimizerChain):
        transform, rule = rule.rules
        build, before = torch_twin(torch, rule, tensors)
        if isinstance(transform, optimizers.WeightDecay):
            build.param_groups[0]["weight_decay"] = transform.rate
            return build, before
        utils = torch.nn.utils
        if isinstance(transform, optimizers.ClipGradient):
            return build, lambda: utils.clip_grad_value_(tensors, transform.limit)
        if isinstance(transform, optimizers.ClipGlobalNorm):
            return build, lambda: utils.clip_grad_norm_(tensors, transform.limit)
        return build, lambda: [utils.clip_grad_norm_(t, transform.limit) for t in tensors]
    optim = torch.optim
    if isinstance(rule, optimizers.SGD):
        twin = optim.SGD(tensors, rule.lr, momentum=rule.momentum, nesterov=rule.nesterov)
    elif isinstance(rule, optimizers.AdamW):
        twin = optim.AdamW(tensors, rule.lr, rule.betas, rule.epsilon, rule.weight_decay)
    elif isinstance(rule, optimizers.Adam):
        twin = optim.Adam(tensors, rule.lr, rule.betas, rule.epsilon)
    else:
        twin = optim.RMSprop(tensors, rule.lr, rule.rho, rule.epsilon, centered=rule.centered)
    return twin, lambda: None


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_twenty_steps_follow_torch_optim(rule) -> None:
    torch = pytest.importorskip("torch")
    ps = host_tree()
    tensors = [torch.tensor(x, requires_grad=True) for x in trees.leaves(ps)]
    twin, before = torch_twin(torch, rule, tensors)
    state = optimizers.setup(rule, ps)
    for step in range(20):
        grads = host_tree(seed=step + 1)
        for tensor, g in zip(tensors, trees.leaves(grads), strict=True):
            tensor.grad = torch.tensor(g)
        before()
        twin.step()
        state, ps = optimizers.update(state, ps, grads)
    for x, tensor in zip(trees.leaves(ps), tensors, strict=True):
        # torch adds 1e-6 to the norm it clips by, hence the looser bound.
        np.testing.assert_allclose(x, tensor.detach().numpy(), rtol=1e-5, atol=1e-6)
        if not isinstance(rule, optimizers.OptimizerChain):
            np.testing.assert_allclose(x, tensor.detach().numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_every_backend_takes_the_same_steps(backend, rule, dtype) -> None:
    host, ps = host_tree(dtype), on(backend, host_tree(dtype))
    host_state, state = optimizers.setup(rule, host), optimizers.setup(rule, ps)
    for step in range(3):
        grads = host_tree(dtype, seed=step + 1)
        host_state, host = optimizers.update(host_state, host, grads)
        state, ps = optimizers.update(state, ps, on(backend, grads))
    for x, expected in zip(trees.leaves(ps), trees.leaves(host), strict=True):
        assert x.dtype == backend.dtype(dtype)
        assert x.shape == expected.shape
        assert type(expected) is np.ndarray
        tolerance = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(backend.to_numpy(x), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_arguments_are_not_changed(backend, rule) -> None:
    ps, grads = on(backend, host_tree()), on(backend, host_tree(seed=1))
    state = optimizers.setup(rule, ps)
    state, ps = optimizers.update(state, ps, grads)
    before = copy.deepcopy(on_host(backend, (ps, grads)))
    arrays = [x for x in trees.leaves(state) if hasattr(x, "shape")]
    states_before = copy.deepcopy(on_host(backend, arrays))
    optimizers.update(state, ps, grads)
    assert_trees_equal(on_host(backend, (ps, grads)), before)
    assert_trees_equal(on_host(backend, arrays), states_before)


def test_adam_first_step_is_lr_against_the_sign(backend) -> None:
    ps = {"w": backend.asarray(np.asarray([1.0, 2.0, 3.0]))}
    grads = {"w": backend.asarray(np.asarray([1e-3, -7.0, 400.0]))}
    _, ps = optimizers.update(optimizers.setup(optimizers.Adam(0.1), ps), ps, grads)
    np.testing.assert_allclose(backend.to_numpy(ps["w"]), [0.9, 2.1, 2.9], rtol=1e-5)


@pytest.mark.parametrize("rule", [optimizers.Adam(0.01), optimizers.RMSProp(0.001)], ids=repr)
def test_float16_gradients_whose_squares_underflow(rule) -> None:
    """The square of 1e-4 is zero in float16; a mean in that dtype would divide by epsilon."""
    ps = {"w": np.ones(4, np.float16)}
    grads = {"w": np.full(4, 1e-4, np.float16)}
    wide = trees.map_leaves(lambda x: x.astype(np.float64), ps)
    wide_grads = trees.map_leaves(lambda x: x.astype(np.float64), grads)
    _, stepped = optimizers.update(optimizers.setup(rule, ps), ps, grads)
    _, expected = optimizers.update(optimizers.setup(rule, wide), wide, wide_grads)
    assert stepped["w"].dtype == np.float16
    np.testing.assert_allclose(stepped["w"], expected["w"], rtol=2e-3)


def test_norm_of_float16_gradients_does_not_overflow() -> None:
    g = np.full(100, 300.0, np.float16)
    _, clipped = optimizers.ClipNorm(1.0).apply((), g, g)
    assert clipped.dtype == np.float16
    np.testing.assert_allclose(clipped, np.full(100, 0.1), rtol=2e-3)


def test_zero_gradients_are_not_scaled_to_nan() -> None:
    zeros = np.zeros(3)
    for rule in (optimizers.ClipNorm(1.0), optimizers.ClipGradient(1.0)):
        np.testing.assert_array_equal(rule.apply((), zeros, zeros)[1], zeros)


def test_global_norm_counts_arrays_of_different_widths() -> None:
    ps = {"a": np.zeros(1, np.float32), "b": np.zeros(1, np.float64)}
    grads = {"a": np.asarray([3.0], np.float32), "b": np.asarray([4.0])}
    rule = optimizers.chain(optimizers.ClipGlobalNorm(1.0), optimizers.SGD(1.0))
    _, ps = optimizers.update(optimizers.setup(rule, ps), ps, grads)
    assert (ps["a"].dtype, ps["b"].dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(ps["a"], [-0.6], rtol=1e-6)
    np.testing.assert_allclose(ps["b"], [-0.8], rtol=1e-6)


def test_global_norm_leaves_out_what_is_not_updated() -> None:
    ps = {"a": np.zeros(1), "b": np.zeros(1), "c": np.zeros(1)}
    rule = optimizers.chain(optimizers.ClipGlobalNorm(1.0), optimizers.SGD(1.0))
    state = optimizers.freeze(optimizers.setup(rule, ps), "b")
    grads = {"a": np.asarray([2.0]), "b": np.asarray([1e9]), "c": None}
    _, ps = optimizers.update(state, ps, grads)
    assert {name: float(x[0]) for name, x in ps.items()} == {"a": -1.0, "b": 0.0, "c": 0.0}


def test_learning_rates_by_part_share_one_global_norm() -> None:
    ps = {"a": np.zeros(1), "b": np.zeros(1)}
    rule = optimizers.chain(optimizers.ClipGlobalNorm(1.0), optimizers.SGD(1.0))
    state = optimizers.adjust(optimizers.setup(rule, ps), 10.0, path="b")
    _, ps = optimizers.update(state, ps, {"a": np.asarray([3.0]), "b": np.asarray([4.0])})
    np.testing.assert_allclose([ps["a"][0], ps["b"][0]], [-0.6, -8.0], rtol=1e-12)


def test_none_skips_and_zero_does_not() -> None:
    ps = {"w": np.ones(2)}
    state = optimizers.setup(optimizers.SGD(0.1, momentum=0.9), ps)
    state, ps = optimizers.update(state, ps, {"w": np.ones(2)})
    skipped, same = optimizers.update(state, ps, {"w": None})
    assert skipped is state
    assert same is ps
    _, moved = optimizers.update(state, ps, {"w": np.zeros(2)})
    np.testing.assert_allclose(moved["w"], [0.81, 0.81], rtol=1e-12)


def test_none_counts_no_step() -> None:
    ps = {"a": np.ones(2), "b": np.ones(2)}
    state = optimizers.setup(optimizers.Adam(), ps)
    state, _ = optimizers.update(state, ps, {"a": np.ones(2), "b": None})
    assert (state["a"].state[2], state["b"].state[2]) == (1, 0)


def test_freeze_keeps_parameter_and_state_and_thaw_ends_it() -> None:
    ps, grads = host_tree(), host_tree(seed=1)
    state = optimizers.freeze(optimizers.setup(optimizers.Adam(), ps), "layer_1")
    state, moved = optimizers.update(state, ps, grads)
    assert moved["layer_1"]["weight"] is ps["layer_1"]["weight"]
    assert state["layer_1"]["weight"].state[2] == 0
    assert state["layer_2"]["scale"].state[2] == 1
    assert moved["layer_2"]["scale"] != ps["layer_2"]["scale"]
    state, moved = optimizers.update(optimizers.thaw(state), moved, grads)
    assert state["layer_1"]["weight"].state[2] == 1
    assert not np.array_equal(moved["layer_1"]["weight"], ps["layer_1"]["weight"])


def test_freeze_by_name_is_no_prefix_of_letters() -> None:
    ps = {"layer_1": {"w": np.ones(1)}, "layer_10": {"w": np.ones(1)}}
    state = optimizers.freeze(optimizers.setup(optimizers.SGD(), ps), "layer_1")
    assert [state[name]["w"].frozen for name in ps] == [True, False]


def test_freeze_of_everything_moves_nothing() -> None:
    ps = host_tree()
    state = optimizers.freeze(optimizers.setup(optimizers.SGD(), ps))
    assert optimizers.update(state, ps, host_tree(seed=1)) == (state, ps)


def test_unknown_path_names_the_known_ones() -> None:
    state = optimizers.setup(optimizers.SGD(), {"w": np.ones(1), "b": np.ones(1)})
    for verb in (optimizers.freeze, optimizers.thaw):
        with pytest.raises(errors.ParameterTreeError) as caught:
            verb(state, "weight")
        assert str(caught.value) == "no parameter at 'weight': the paths are ['b', 'w']"


def test_adjust_reaches_into_chains_and_keeps_the_state() -> None:
    ps, grads = host_tree(), host_tree(seed=1)
    rule = optimizers.chain(optimizers.ClipNorm(1.0), optimizers.Adam(0.1))
    state, ps = optimizers.update(optimizers.setup(rule, ps), ps, grads)
    adjusted = optimizers.adjust(state, 0.01, betas=(0.8, 0.9))
    leaf = adjusted["layer_1"]["bias"]
    assert leaf.rule.rules == (optimizers.ClipNorm(1.0), optimizers.Adam(0.01, (0.8, 0.9)))
    assert leaf.state is state["layer_1"]["bias"].state
    assert state["layer_1"]["bias"].rule == rule


def test_adjust_can_switch_momentum_on() -> None:
    ps = {"w": np.zeros(1)}
    state = optimizers.setup(optimizers.SGD(1.0), ps)
    state, ps = optimizers.update(state, ps, {"w": np.ones(1)})
    state = optimizers.adjust(state, momentum=0.5)
    for _ in range(2):
        state, ps = optimizers.update(state, ps, {"w": np.ones(1)})
    np.testing.assert_allclose(ps["w"], [-1.0 - 1.0 - 1.5])


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((), {"rate": 1.0}, "adjust: no rule has ['rate']: the fields are "
         "['dampening', 'lr', 'momentum', 'nesterov']"),
        ((-1.0,), {}, "SGD: lr >= 0: got -1.0"),
        ((0.1,), {"lr": 0.2}, "adjust: one learning rate: got 0.1 and 0.2"),
    ],
)  # fmt: skip
def test_adjust_refuses(arguments, options, text) -> None:
    state = optimizers.setup(optimizers.SGD(), {"w": np.ones(1)})
    with pytest.raises(errors.HyperparameterError) as caught:
        optimizers.adjust(state, *arguments, **options)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: optimizers.SGD(float("nan")), "SGD: lr is a finite number: got nan"),
        (lambda: optimizers.SGD(-0.1), "SGD: lr >= 0: got -0.1"),
        (lambda: optimizers.SGD("fast"), "SGD: lr is a finite number: got 'fast'"),
        (lambda: optimizers.SGD(momentum=1.0), "SGD: 0 <= momentum < 1: got 1.0"),
        (lambda: optimizers.SGD(nesterov=True), "SGD: nesterov needs momentum > 0: got 0.0"),
        (lambda: optimizers.Adam(betas=(0.9, 1.0)), "Adam: 0 <= betas[1] < 1: got 1.0"),
        (lambda: optimizers.Adam(betas=(float("nan"), 0.9)), "Adam: 0 <= betas[0] < 1: got nan"),
        (lambda: optimizers.Adam(betas=0.9), "Adam: betas is a pair of numbers: got 0.9"),
        (lambda: optimizers.Adam(epsilon=0.0), "Adam: epsilon > 0: got 0.0"),
        (lambda: optimizers.AdamW(weight_decay=-1.0), "AdamW: weight_decay >= 0: got -1.0"),
        (lambda: optimizers.RMSProp(rho=-0.1), "RMSProp: 0 <= rho < 1: got -0.1"),
        (lambda: optimizers.WeightDecay(-1.0), "WeightDecay: rate >= 0: got -1.0"),
        (lambda: optimizers.ClipGradient(0.0), "ClipGradient: limit > 0: got 0.0"),
        (lambda: optimizers.ClipNorm(-1.0), "ClipNorm: limit > 0: got -1.0"),
        (
            lambda: optimizers.ClipGlobalNorm(float("inf")),
            "ClipGlobalNorm: limit is a finite number: got inf",
        ),
        (lambda: optimizers.chain(), "OptimizerChain: at least one rule: got none"),
        (
            lambda: optimizers.chain(0.1),
            "OptimizerChain: each member is a rule: got 0.1: pass rules such as "
            "pn.optimizers.Adam(0.001)",
        ),
    ],
)
def test_bad_hyperparameters(build, text) -> None:
    with pytest.raises(errors.HyperparameterError) as caught:
        build()
    assert str(caught.value) == text


def test_setup_wants_the_rule_first() -> None:
    with pytest.raises(errors.HyperparameterError, match=r"pass a rule such as pn\.optimizers"):
        optimizers.setup({"w": np.ones(1)}, optimizers.SGD())  # type: ignore[arg-type]


def grads_without(ps, *path):
    grads = copy.deepcopy(ps)
    inner = grads
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return grads


def test_wrong_structure_names_the_entries() -> None:
    ps = host_tree()
    state = optimizers.setup(optimizers.SGD(), ps)
    lacking = grads_without(ps, "layer_1", "bias")
    for arguments, what in (((ps, lacking), "gradients"), ((lacking, ps), "parameters")):
        with pytest.raises(errors.ParameterTreeError) as caught:
            optimizers.update(state, *arguments)
        assert str(caught.value) == (
            f"{what} mirror the parameters that optimizers.setup was given: "
            f"missing ['layer_1.bias'], unexpected none"
        )


def test_wrong_shape_dtype_and_library_name_the_parameter(backend) -> None:
    ps = {"layer_1": {"w": backend.asarray(np.ones((2, 3), np.float32))}}
    state = optimizers.setup(optimizers.SGD(), ps)
    turned = {"layer_1": {"w": backend.asarray(np.ones((3, 2), np.float32))}}
    with pytest.raises(errors.ShapeError) as caught:
        optimizers.update(state, ps, turned)
    assert str(caught.value) == (
        "parameter 'layer_1.w': gradient.shape == parameter.shape: (3, 2) != (2, 3)"
    )
    wide = {"layer_1": {"w": backend.asarray(np.ones((2, 3)))}}
    with pytest.raises(errors.DTypeError) as caught:
        optimizers.update(state, ps, wide)
    assert str(caught.value) == (
        "parameter 'layer_1.w': gradient.dtype == parameter.dtype: float64 != float32: "
        'convert it with pn.astype(grads, "float32")'
    )
    with pytest.raises(errors.ParameterTreeError, match="parameter and gradient are arrays"):
        optimizers.update(state, ps, {"layer_1": {"w": 1.0}})


def test_gradients_of_another_library_are_refused() -> None:
    strict = pytest.importorskip("array_api_strict")
    ps = {"w": np.ones(2)}
    state = optimizers.setup(optimizers.SGD(), ps)
    with pytest.raises(errors.BackendMismatchError, match="numpy and array_api_strict"):
        optimizers.update(state, ps, {"w": strict.ones(2)})


@pytest.mark.parametrize("rule", [optimizers.SGD(momentum=0.9), optimizers.Adam()], ids=repr)
def test_a_state_left_on_another_library_is_refused(rule) -> None:
    strict = pytest.importorskip("array_api_strict")
    state = optimizers.setup(rule, {"w": np.ones(2)})
    moved = {"w": strict.ones(2)}
    with pytest.raises(errors.BackendMismatchError, match="array_api_strict"):
        optimizers.update(state, moved, moved)


def test_a_bad_entry_leaves_the_others_alone() -> None:
    ps = {"a": np.ones(2), "b": np.ones(2)}
    state = optimizers.setup(optimizers.SGD(), ps)
    with pytest.raises(errors.ShapeError):
        optimizers.update(state, ps, {"a": np.ones(2), "b": np.ones(3)})
    np.testing.assert_array_equal(ps["a"], np.ones(2))


def test_what_is_not_trained_is_carried_along() -> None:
    ps = {"w": np.ones(2), "index": np.arange(3), "name": "x", "none": None}
    state = optimizers.setup(optimizers.SGD(1.0), ps)
    assert state["index"] is None
    grads = {"w": np.ones(2), "index": np.zeros(3, int), "name": None, "none": None}
    _, moved = optimizers.update(state, ps, grads)
    assert moved["index"] is ps["index"]
    assert (moved["name"], moved["none"]) == ("x", None)
    np.testing.assert_array_equal(moved["w"], [0.0, 0.0])


def test_a_tree_of_one_array_and_an_empty_one() -> None:
    state = optimizers.setup(optimizers.SGD(1.0), np.ones(2))
    _, x = optimizers.update(state, np.ones(2), np.ones(2))
    np.testing.assert_array_equal(x, [0.0, 0.0])
    with pytest.raises(errors.ShapeError, match=r"^the parameter: gradient\.shape"):
        optimizers.update(state, np.ones(2), np.ones(3))
    empty = optimizers.setup(optimizers.Adam(), {})
    assert optimizers.update(empty, {}, {}) == (empty, {})


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_repr_is_a_constructor_call(rule) -> None:
    assert eval(repr(rule), vars(optimizers)) == rule
    assert hash(rule) == hash(eval(repr(rule), vars(optimizers)))


def test_numpy_numbers_become_python_numbers() -> None:
    rule = optimizers.Adam(np.float32(0.5), (np.float64(0.5), 0.9))
    assert type(rule.lr) is float
    assert [type(beta) for beta in rule.betas] == [float, float]


def test_chains_flatten() -> None:
    sgd, clip = optimizers.SGD(), optimizers.ClipNorm(1.0)
    assert optimizers.chain(optimizers.chain(clip), sgd) == optimizers.chain(clip, sgd)


def test_the_state_is_an_immutable_tree(backend) -> None:
    ps = on(backend, host_tree())
    state = optimizers.setup(optimizers.Adam(), ps)
    paths = [path for path, _ in trees.flatten_with_paths(state)]
    assert paths[:3] == ["layer_1.bias.0", "layer_1.bias.1", "layer_1.bias.2"]
    moved = trees.map_leaves(
        lambda x: np.asarray(backend.to_numpy(x)) if hasattr(x, "shape") else x, state
    )
    assert moved["layer_1"]["weight"].state[0].shape == (3, 2)
    assert moved["layer_1"]["weight"].rule == optimizers.Adam()
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.states = ()


def test_steps_can_be_differentiated(backend) -> None:
    """The derivative of two Adam steps with respect to the start, by central differences."""

    def after_two_steps(w):
        xp = array_namespace(w)
        ps = {"w": w, "sum": xp.sum(w)}
        state = optimizers.setup(optimizers.Adam(0.1), ps)
        for _ in range(2):
            state, ps = optimizers.update(state, ps, ps)
        return xp.sum(ps["w"] * ps["w"]) + ps["sum"]

    w, h = np.asarray([1.0, 2.0]), 1e-6
    rows = np.eye(2) * h
    expected = [(after_two_steps(w + d) - after_two_steps(w - d)) / (2 * h) for d in rows]
    actual = backend.to_numpy(autodiff.grad(after_two_steps)(backend.asarray(w)))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_the_state_can_be_stored() -> None:
    ps, grads = host_tree(), host_tree(seed=1)
    state, ps = optimizers.update(optimizers.setup(optimizers.Adam(), ps), ps, grads)
    restored = pickle.loads(pickle.dumps(state))
    expected = optimizers.update(state, ps, grads)[1]
    assert_trees_equal(optimizers.update(restored, ps, grads)[1], expected)


@pytest.mark.parametrize("shape", [(), (0,), (5, 3), (70_000,), (300, 200)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_native_adam_is_the_generic_one(shape, dtype) -> None:
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.random(shape), dtype) for _ in range(3)]
    copies = copy.deepcopy(arrays)
    scalars = (0.9, 0.999, 0.01, 1e-8)
    generic = adam_update.__wrapped__(*arrays, *scalars)
    native = numpy_kernels.adam_update(*arrays, *scalars)
    for actual, expected in zip(native, generic, strict=True):
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    assert_trees_equal(arrays, copies)


def test_native_adam_takes_arrays_in_any_order_of_memory() -> None:
    arrays = [np.asfortranarray(np.random.default_rng(i).random((300, 200))) for i in range(3)]
    scalars = (0.9, 0.999, 0.01, 1e-8)
    generic = adam_update.__wrapped__(*arrays, *scalars)
    for actual, expected in zip(numpy_kernels.adam_update(*arrays, *scalars), generic, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_numpy_uses_the_native_adam() -> None:
    assert get_backend("numpy").kernels["adam_update"] is numpy_kernels.adam_update
