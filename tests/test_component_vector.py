"""ravel, ComponentVector and map_parameters."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from portanet import autodiff, errors, optimizers, trees
from portanet.backends import array_namespace
from portanet.parameters.component_vector import ComponentVector
from portanet.parameters.ravel import map_parameters, ravel


def host_tree(dtype="float32"):
    return {
        "layer_1": {
            "weight": np.arange(6, dtype=dtype).reshape(3, 2),
            "bias": np.asarray([10.0, 20.0, 30.0], dtype=dtype),
        },
        "layer_2": {},
        "scale": np.asarray(7.0, dtype=dtype),
    }


FLAT = [10.0, 20.0, 30.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0]


def on(backend, tree):
    return trees.map_leaves(backend.asarray, tree)


def assert_same(backend, actual, expected) -> None:
    assert actual.dtype == backend.dtype(str(expected.dtype))
    assert tuple(actual.shape) == expected.shape
    np.testing.assert_array_equal(backend.to_numpy(actual), expected)


def model(x, ps, st):
    """A layer in all but name: it reads its parameters as the mapping they are."""
    xp = array_namespace(x, ps["layer_1"]["weight"])
    product = xp.matmul(x, xp.matrix_transpose(ps["layer_1"]["weight"]))
    return xp.tanh(product + ps["layer_1"]["bias"]), st


def loss(ps, x, y):
    prediction, _ = model(x, ps, {})
    xp = array_namespace(prediction)
    return xp.mean((prediction * ps["scale"] - y) ** 2)


def test_ravel_and_back(backend) -> None:
    tree = on(backend, host_tree())
    flat, unravel = ravel(tree)
    assert_same(backend, flat, np.asarray(FLAT, np.float32))
    again = unravel(flat)
    assert list(again) == list(tree)
    for actual, expected in zip(trees.leaves(again), trees.leaves(host_tree()), strict=True):
        assert_same(backend, actual, expected)


def test_ravel_of_tuples_and_one_array() -> None:
    flat, unravel = ravel((np.ones(2), [np.zeros((1, 1))]))
    np.testing.assert_array_equal(flat, [1.0, 1.0, 0.0])
    assert isinstance(unravel(flat)[1], list)
    np.testing.assert_array_equal(ravel(np.ones((2, 2)))[0], np.ones(4))


def test_unravel_can_be_differentiated(backend) -> None:
    flat, unravel = ravel(on(backend, host_tree("float64")))

    def squares(vector):
        tree = unravel(vector)
        xp = array_namespace(vector)
        return xp.sum(tree["layer_1"]["weight"] ** 2) + tree["scale"]

    expected = [0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 1.0]
    np.testing.assert_allclose(backend.to_numpy(autodiff.grad(squares)(flat)), expected)


def test_unravel_wants_its_own_size() -> None:
    _, unravel = ravel(host_tree())
    with pytest.raises(errors.ShapeError) as caught:
        unravel(np.ones(3))
    assert str(caught.value) == "vector.shape == (10,): (3,) != (10,)"


@pytest.mark.parametrize("build", [lambda tree: ravel(tree), ComponentVector])
@pytest.mark.parametrize(
    ("tree", "kind", "text"),
    [
        (
            {"a": np.ones(1), "b": {"c": np.ones(1, np.float32)}},
            errors.DTypeError,
            "one dtype in the whole tree: 'b.c' is float32 and 'a' is float64: "
            'convert it with pn.astype(tree, "float64")',
        ),
        ({}, errors.ParameterTreeError, "a tree with at least one array is needed: got none"),
        (
            {"a": {}},
            errors.ParameterTreeError,
            "a tree with at least one array is needed: got none",
        ),
        (
            {"a": np.ones(1), "b": "text"},
            errors.BackendMismatchError,
            "'b' is an array: got 'text' of str",
        ),
        (
            {"a": np.ones(1), "b": 1.0},
            errors.BackendMismatchError,
            "'b' is an array: got 1.0 of float",
        ),
    ],
)
def test_trees_that_are_no_vector(build, tree, kind, text) -> None:
    with pytest.raises(kind) as caught:
        build(tree)
    assert str(caught.value) == text


def test_arrays_of_two_libraries_are_no_vector() -> None:
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(errors.BackendMismatchError, match="numpy and array_api_strict"):
        ravel({"a": np.ones(1), "b": strict.ones(1)})


def test_parts_by_name(backend) -> None:
    cv = ComponentVector(on(backend, host_tree()))
    assert_same(backend, cv.flat, np.asarray(FLAT, np.float32))
    assert_same(backend, cv.layer_1.weight, host_tree()["layer_1"]["weight"])
    assert_same(backend, cv["layer_1"]["bias"], host_tree()["layer_1"]["bias"])
    assert_same(backend, cv.scale, host_tree()["scale"])
    assert isinstance(cv.layer_1, ComponentVector)
    assert list(cv) == ["layer_1", "layer_2", "scale"]
    assert list(cv.layer_1) == ["weight", "bias"]
    assert (len(cv), cv.size, tuple(cv.shape)) == (3, 10, (10,))
    assert cv.dtype == backend.dtype("float32")
    assert "scale" in cv
    assert "bias" not in cv
    assert dict(cv.layer_2) == {}
    tree = cv.tree()
    trees.check_same_structure(host_tree(), tree)
    assert type(tree["layer_1"]) is dict


def test_parts_are_views_of_numpy_memory() -> None:
    cv = ComponentVector(host_tree())
    assert np.shares_memory(cv.layer_1.weight, cv.flat)


def test_made_from_a_component_vector() -> None:
    cv = ComponentVector(host_tree())
    np.testing.assert_array_equal(
        ComponentVector({"all": cv}).all.layer_1.weight, cv.layer_1.weight
    )
    np.testing.assert_array_equal(ComponentVector(cv).flat, cv.flat)


def test_unknown_names() -> None:
    cv = ComponentVector(host_tree())
    with pytest.raises(errors.ParameterTreeError) as caught:
        cv["wieght"]
    names = "['layer_1', 'layer_2', 'scale']"
    assert str(caught.value) == f"no entry 'wieght': the names are {names}"
    with pytest.raises(errors.ChildNameError) as caught:
        _ = cv.wieght
    assert str(caught.value) == f"ComponentVector has no entry 'wieght': the names are {names}"
    assert cv.get("wieght") is None
    assert not hasattr(cv, "_private")


def test_immutable() -> None:
    cv = ComponentVector(host_tree())
    with pytest.raises(AttributeError, match="a ComponentVector is immutable: 'scale'"):
        cv.scale = 1.0
    with pytest.raises(TypeError):
        cv["scale"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize("tree", [[np.ones(1)], {1: np.ones(1)}, {"a": (np.ones(1),)}, np.ones(2)])
def test_only_dicts_with_names(tree) -> None:
    with pytest.raises(errors.ParameterTreeError, match="the tree is a dict with string keys"):
        ComponentVector(tree)


def test_arithmetic(backend) -> None:
    cv = ComponentVector(on(backend, host_tree()))
    flat = np.asarray(FLAT, np.float32)
    other = cv.with_flat(backend.asarray(flat + 1))
    cases = [
        (cv + 1.0, flat + 1),
        (1.0 + cv, flat + 1),
        (cv - 2.0, flat - 2),
        (2.0 - cv, 2 - flat),
        (cv * 0.5, flat * 0.5),
        (0.5 * cv, flat * 0.5),
        (cv / 2.0, flat / 2),
        (1.0 / other, 1 / (flat + 1)),
        (cv**2.0, flat**2),
        (-cv, -flat),
        (+cv, flat),
        (cv + other, flat + flat + 1),
        (cv - other, flat - (flat + 1)),
        (cv * other, flat * (flat + 1)),
        (cv / other, flat / (flat + 1)),
        (cv + cv.flat, flat + flat),
        (cv * cv.scale, flat * 7),
    ]
    for actual, expected in cases:
        assert isinstance(actual, ComponentVector)
        assert list(actual.layer_1) == ["weight", "bias"]
        assert_same(backend, actual.flat, expected)


def test_numpy_hands_its_operators_over() -> None:
    cv = ComponentVector(host_tree())
    for result in (np.float32(2.0) * cv, np.ones(10, np.float32) + cv):
        assert isinstance(result, ComponentVector)


def test_arithmetic_refuses_other_names_and_sizes() -> None:
    cv = ComponentVector({"a": np.ones(2), "b": np.ones(1)})
    with pytest.raises(errors.ShapeError) as caught:
        cv + ComponentVector({"a": np.ones(1), "b": np.ones(2)})
    assert str(caught.value) == (
        "component vectors with the same names and shapes: {a: (2,), b: (1,)} != {a: (1,), b: (2,)}"
    )
    with pytest.raises(errors.ShapeError, match=r"vector.shape == \(3,\): \(2,\) != \(3,\)"):
        cv + np.ones(2)
    with pytest.raises(errors.ShapeError):
        cv.with_flat(np.ones(4))


def test_order_of_writing_does_not_matter() -> None:
    first = ComponentVector({"a": np.ones(2), "b": np.zeros(1)})
    second = ComponentVector({"b": np.zeros(1), "a": np.ones(2)})
    np.testing.assert_array_equal((first + second).flat, [2.0, 2.0, 0.0])
    trees.check_same_structure(first, second)


def test_printed(backend) -> None:
    cv = ComponentVector(
        on(
            backend,
            {"weight": np.asarray([[1.5, 2.5]], np.float32), "bias": np.zeros(1, "float32")},
        )
    )
    assert repr(cv) == "ComponentVector{float32}(weight = [[1.5 2.5]], bias = [0.])"
    nested = ComponentVector({"layer_1": {"w": np.ones(1)}, "layer_2": {}})
    assert repr(nested) == "ComponentVector{float64}(layer_1 = (w = [1.]), layer_2 = ())"


def test_printed_while_traced(backend) -> None:
    shown = []

    def function(cv):
        shown.append(repr(cv))
        return cv.scale * cv.scale

    autodiff.grad(function)(ComponentVector(on(backend, host_tree())))
    assert shown[0].startswith("ComponentVector{float32}(layer_1 = (weight = ")


def test_is_a_tree_with_one_leaf(backend) -> None:
    cv = ComponentVector(on(backend, host_tree()))
    ((path, leaf),) = trees.flatten_with_paths(cv)
    assert path == "flat"
    assert leaf is cv.flat
    doubled = trees.map_leaves(lambda x: 2.0 * x, cv)
    assert_same(backend, doubled.layer_1.weight, 2 * host_tree()["layer_1"]["weight"])
    assert trees.flatten(cv)[1] == trees.flatten(doubled)[1]


def test_copies_and_pickles() -> None:
    cv = ComponentVector(host_tree())
    for twin in (copy.copy(cv), copy.deepcopy(cv), pickle.loads(pickle.dumps(cv))):
        np.testing.assert_array_equal(twin.layer_1.weight, cv.layer_1.weight)


@pytest.mark.parametrize("rule", [optimizers.SGD(0.1, 0.9), optimizers.Adam(0.05)], ids=repr)
def test_training_equals_training_the_tree(backend, rule) -> None:
    rng = np.random.default_rng(0)
    x = backend.asarray(rng.normal(size=(5, 2)).astype(np.float32))
    y = backend.asarray(rng.normal(size=(5, 3)).astype(np.float32))
    tree = on(backend, host_tree())
    vector = ComponentVector(tree)
    tree_state, vector_state = optimizers.setup(rule, tree), optimizers.setup(rule, vector)
    step = autodiff.value_and_grad(loss)
    for _ in range(5):
        value, grads = step(tree, x, y)
        vector_value, vector_grads = step(vector, x, y)
        assert isinstance(vector_grads, ComponentVector)
        assert float(value) == float(vector_value)
        tree_state, tree = optimizers.update(tree_state, tree, grads)
        vector_state, vector = optimizers.update(vector_state, vector, vector_grads)
    for actual, expected in zip(trees.leaves(vector.tree()), trees.leaves(tree), strict=True):
        assert_same(backend, actual, np.asarray(backend.to_numpy(expected)))


def test_gradient_against_finite_differences() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
    cv = 0.1 * ComponentVector(host_tree("float64"))
    actual = autodiff.grad(loss)(cv, x, y)
    h = 1e-6
    expected = [
        (loss(cv + h * row, x, y) - loss(cv - h * row, x, y)) / (2 * h) for row in np.eye(cv.size)
    ]
    np.testing.assert_allclose(actual.flat, expected, rtol=1e-6, atol=1e-8)


def test_map_parameters(backend) -> None:
    seen = []

    def halve_weights(path, x):
        seen.append(path)
        return 0.5 * x if path.endswith("weight") else x

    halved = map_parameters(halve_weights, on(backend, host_tree()))
    assert seen == ["layer_1.bias", "layer_1.weight", "scale"]
    assert_same(backend, halved["layer_1"]["weight"], 0.5 * host_tree()["layer_1"]["weight"])
    assert_same(backend, halved["scale"], host_tree()["scale"])
