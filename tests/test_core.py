"""The contract: layers, containers, setup, counts, modes and shapes."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ChildNameError, HyperparameterError, ParameterTreeError, ShapeError


@dataclass(frozen=True)
class Affine(pn.Layer):
    """y = weight * x + bias, and a count of the calls."""

    size: int
    shift: float = 0.0
    options: dict[str, int] = field(default_factory=dict)

    def initial_parameters(self, rng):
        return {
            "weight": rng.uniform(size=self.size).astype(np.float32),
            "bias": np.full(self.size, self.shift, np.float32),
        }

    def initial_states(self, rng):
        return {"mean": np.zeros(self.size, np.float32), "calls": 0, "training": True}

    def __call__(self, x, ps, st):
        if x.shape[-1] != self.size:
            raise ShapeError(f"x.shape[-1] == size: {x.shape[-1]} != {self.size}")
        return ps["weight"] * x + ps["bias"], {**st, "calls": st["calls"] + 1}


@dataclass(frozen=True)
class Sum(pn.Container):
    """head(sum of members) through fields of every kind."""

    head: pn.Layer
    members: tuple[pn.Layer, ...]
    sides: Mapping[str, pn.Layer]
    note: str = ""

    def __call__(self, x, ps, st):
        total, states = 0.0, {}
        for name in self.children():
            if name != "head":
                y, states[name] = self.run(name, x, ps, st)
                total = total + y
        y, states["head"] = self.run("head", total, ps, st)
        return y, states


MODEL = Sum(Affine(2), (Affine(2), Affine(2, 1.0)), {"left": Affine(2, 2.0)})
X = np.asarray([[1.0, 2.0]], np.float32)


def test_setup_draws_parameters_first_then_states():
    @dataclass(frozen=True)
    class Drawing(pn.Layer):
        def initial_parameters(self, rng):
            return {"p": rng.random(2).astype(np.float32)}

        def initial_states(self, rng):
            return {"s": rng.random(1).astype(np.float32)}

        def __call__(self, x, ps, st):
            return x, st

    rng, twin = np.random.default_rng(3), np.random.default_rng(3)
    ps, st = pn.setup(rng, Drawing())
    assert np.array_equal(ps["p"], twin.random(2).astype(np.float32))
    assert np.array_equal(st["s"], twin.random(1).astype(np.float32))
    assert rng.random() == twin.random()


def test_a_seed_is_a_generator():
    by_seed, by_generator = pn.setup(7, MODEL)[0], pn.setup(np.random.default_rng(7), MODEL)[0]
    assert np.array_equal(by_seed["head"]["weight"], by_generator["head"]["weight"])


@pytest.mark.parametrize("dtype", ["float16", "float64", "longdouble"])
def test_setup_converts(dtype):
    ps, st = pn.setup(0, Affine(3), dtype=dtype)
    assert ps["weight"].dtype == st["mean"].dtype == np.dtype(dtype)
    assert (st["calls"], st["training"]) == (0, True)
    assert np.array_equal(ps["weight"], pn.setup(0, Affine(3))[0]["weight"].astype(dtype))


def test_setup_moves(backend):
    ps, st = pn.setup(0, Affine(3), device=backend.place)
    expected = pn.setup(0, Affine(3))[0]["weight"]
    assert type(ps["weight"]) is type(backend.asarray(expected))
    assert np.array_equal(backend.to_numpy(ps["weight"]), expected)
    assert st["training"] is True


@pytest.mark.parametrize("rng", [None, -1, True, 0.5, np.random.RandomState(0)])
def test_setup_refuses_what_is_no_generator(rng):
    with pytest.raises(
        HyperparameterError, match=r"^rng is a numpy.random.Generator or a seed >= 0"
    ):
        pn.setup(rng, MODEL)


def test_setup_refuses_what_is_no_layer():
    with pytest.raises(HyperparameterError, match=r"pn\.WrappedFunction\(function\)"):
        pn.setup(0, np.tanh)


def test_container_nests_and_runs():
    ps, st = pn.setup(0, MODEL)
    names = ["head", "members_1", "members_2", "sides_left"]
    assert list(MODEL.children()) == list(ps) == list(st) == names
    y, new = pn.apply(MODEL, X, ps, st)
    total = sum(ps[name]["weight"] * X + ps[name]["bias"] for name in names[1:])
    np.testing.assert_allclose(y, ps["head"]["weight"] * total, rtol=1e-6)
    assert {name: new[name]["calls"] for name in names} == dict.fromkeys(names, 1)
    assert st["head"]["calls"] == 0
    assert MODEL["members_2"] == Affine(2, 1.0)


def test_two_children_of_one_name_are_refused():
    @dataclass(frozen=True)
    class Double(pn.Container):
        part: tuple[pn.Layer, ...]
        part_1: pn.Layer

        def __call__(self, x, ps, st):
            return x, st

    with pytest.raises(HyperparameterError, match=r"^Double: two children have the name 'part_1'$"):
        pn.setup(0, Double((Affine(1),), Affine(1)))


def test_errors_carry_the_path_once():
    @dataclass(frozen=True)
    class Wrapper(pn.Container):
        inner: pn.Layer

        def __call__(self, x, ps, st):
            y, inner = self.run("inner", x, ps, st)
            return y, {"inner": inner}

    outer = pn.Chain(body=pn.Chain(pn.NoOp(), Wrapper(Affine(3))))
    with pytest.raises(ShapeError) as caught:
        outer(X, *pn.setup(0, outer))
    assert str(caught.value) == "model.body.layer_2.inner: x.shape[-1] == size: 2 != 3"


def test_foreign_errors_get_notes():
    def broken(x):
        raise ZeroDivisionError("by zero")

    outer = pn.Chain(body=pn.Chain(broken))
    with pytest.raises(ZeroDivisionError) as caught:
        outer(X, *pn.setup(0, outer))
    assert caught.value.__notes__ == ["in layer 'layer_1'", "in layer 'body'"]


@pytest.mark.parametrize(("tree", "index"), [("ps", 0), ("st", 1)])
def test_missing_entries_name_child_and_path(tree, index):
    outer = pn.Chain(body=MODEL)
    trees = list(pn.setup(0, outer))
    del trees[index]["body"]["members_2"]
    with pytest.raises(ParameterTreeError) as caught:
        outer(X, *trees)
    assert str(caught.value).startswith(
        f"model.body: 'members_2' in {tree}: found 'head', 'members_1', 'sides_left'"
    )


@pytest.mark.parametrize("ps", [None, 3.0, np.ones(2)])
def test_no_tree_at_all(ps):
    with pytest.raises(ParameterTreeError, match=r"^'layer_1' in ps"):
        pn.Chain(Affine(2))(X, ps, {"layer_1": {}})


def test_run_refuses_an_unknown_child():
    @dataclass(frozen=True)
    class Wrong(pn.Container):
        inner: pn.Layer

        def __call__(self, x, ps, st):
            return self.run("iner", x, ps, st)

    model = Wrong(Affine(2))
    with pytest.raises(ChildNameError) as caught:
        model(X, *pn.setup(0, model))
    assert str(caught.value) == "Wrong has no child 'iner': did you mean 'inner'? it has 'inner'"


def test_counts():
    assert pn.parameter_count(MODEL) == 16
    assert pn.parameter_count(pn.setup(0, MODEL)[0]) == 16
    assert pn.state_count(MODEL) == 4 * (2 + 2)
    assert pn.state_count({"mean": np.zeros((3, 4)), "key": object(), "none": None}) == 13
    assert (pn.parameter_count(pn.NoOp()), pn.state_count(pn.NoOp())) == (0, 0)
    assert pn.state_count(pn.BatchNorm(7)) == 15


def test_modes_are_pure_and_reach_every_depth():
    _, st = pn.setup(0, pn.Chain(MODEL, Affine(1)))
    before = copy.deepcopy(st)
    tested = pn.test_mode(st)
    assert tested["layer_1"]["sides_left"]["training"] is False
    assert tested["layer_2"]["training"] is False
    assert tested["layer_2"]["mean"] is st["layer_2"]["mean"]
    assert st["layer_1"]["head"]["training"] is before["layer_1"]["head"]["training"] is True
    assert pn.train_mode(tested)["layer_1"]["sides_left"]["training"] is True


def test_update_state():
    st = {"a": {"carry": 1, "keep": 2}, "rows": [{"carry": 3}, ({"carry": 4},)]}
    expected = {"a": {"carry": 0, "keep": 2}, "rows": [{"carry": 0}, ({"carry": 0},)]}
    assert pn.update_state(st, "carry", 0) == expected
    frozen = pn.update_state(st, "carry", 0, exclude=lambda part: part == st["a"])
    assert frozen == {**expected, "a": {"carry": 1, "keep": 2}}
    assert st["a"]["carry"] == 1


@pytest.mark.parametrize("st", [MODEL, None, 3])
def test_modes_are_in_the_states_not_in_the_model(st):
    with pytest.raises(ParameterTreeError, match=rf"got an object of type {type(st).__name__}$"):
        pn.test_mode(st)


def test_output_shape():
    assert pn.output_shape(Affine(4), (4,)) == (4,)
    assert pn.output_shape(pn.Chain(pn.Dense(3, 8), pn.Dense(8, 2)), (5, 3)) == (5, 2)
    joined = pn.Parallel(operator.add, pn.Dense(4, 2), pn.Dense(3, 2))
    assert pn.output_shape(joined, ((4,), (3,))) == (2,)
    assert pn.output_shape(pn.BranchLayer(pn.Dense(3, 1), pn.Dense(3, 2)), (3,)) == ((1,), (2,))
    assert pn.output_shape(pn.NoOp(), (2, 3)) == (2, 3)
    assert pn.output_shape(pn.Chain(), ()) == ()


@pytest.mark.parametrize("shape", [3, (-1,), (2.0,), (True,), "34"])
def test_output_shape_refuses_what_is_no_shape(shape):
    with pytest.raises(HyperparameterError, match=r"^input_shape is a tuple"):
        pn.output_shape(Affine(4), shape)


def test_layers_are_values():
    model = pn.Chain(MODEL, head=Affine(3, options={"a": 1}))
    twin = pn.Chain(copy.deepcopy(MODEL), head=Affine(3, options={"a": 1}))
    assert model == twin
    assert hash(model) == hash(twin)
    assert model != pn.Chain(MODEL, Affine(3, options={"a": 1}))
    assert Affine(1) != Affine(2)
    assert pickle.loads(pickle.dumps(model)) == model
    with pytest.raises(AttributeError):
        model["head"].size = 4


def test_a_plain_class_is_a_layer_too():
    class Twice(pn.Layer):
        def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
            return 2 * x, st

    layer = Twice()
    assert repr(layer) == "Twice()"
    assert {layer: 1}[layer] == 1
    assert layer(3, *pn.setup(0, layer)) == (6, {})


def test_a_layer_without_a_call_cannot_be_made():
    class Empty(pn.Layer):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Empty()
