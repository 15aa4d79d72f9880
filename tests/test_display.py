"""How layers print."""

from __future__ import annotations

import operator
from dataclasses import KW_ONLY, dataclass

import numpy as np
import pytest

import portanet as pn


@dataclass(frozen=True)
class Weights(pn.Layer):
    """A layer with options of every kind."""

    sizes: tuple[int, ...]
    activation: object = np.tanh
    _: KW_ONLY
    rate: float = 0.5
    names: tuple[str, ...] = ()
    states: int = 0

    def initial_parameters(self, rng):
        return {"w": np.zeros(self.sizes, np.float32)}

    def initial_states(self, rng):
        return {"s": np.zeros(self.states, np.float32)}

    def __call__(self, x, ps, st):
        return x, st


@dataclass(frozen=True)
class Pair(pn.Container):
    first: pn.Layer
    second: pn.Layer
    gain: float = 1.0

    def __call__(self, x, ps, st):
        return x, st


SPACE = {name: getattr(pn, name) for name in pn.__all__}
SPACE |= {"Weights": Weights, "Pair": Pair, "add": operator.add, "tanh": np.tanh}
SPACE |= {"exp": np.exp}

CALLS = [
    (Weights((2,)), "Weights((2,))"),
    (Weights((2, 3), np.exp), "Weights((2, 3), exp)"),
    (Weights((), rate=0.25), "Weights((), rate=0.25)"),
    (Weights((1,), rate=np.float64(0.25)), "Weights((1,), rate=0.25)"),
    (Weights((1,), names=("a", "b")), "Weights((1,), names=('a', 'b'))"),
    (Pair(Weights((1,)), pn.NoOp(), 2.0), "Pair(Weights((1,)), NoOp(), 2.0)"),
    (pn.Chain(), "Chain()"),
    (pn.Chain(pn.Dense(1, 16, pn.relu), np.exp), "Chain(Dense(1, 16, relu), WrappedFunction(exp))"),
    (pn.Chain(encoder=pn.Dense(2, 1)), "Chain(encoder=Dense(2, 1))"),
    (pn.Chain(pn.NoOp(), out=pn.NoOp()), "Chain(NoOp(), out=NoOp())"),
    (pn.Chain(pn.NoOp(), pn.Dense(2, 1))[1:], "Chain(layer_2=Dense(2, 1))"),
    (
        pn.Parallel(operator.add, pn.NoOp(), b=np.exp),
        "Parallel(add, NoOp(), b=WrappedFunction(exp))",
    ),
    (pn.Parallel(None, pn.NoOp()), "Parallel(None, NoOp())"),
    (pn.BranchLayer(pn.NoOp(), fusion=operator.add), "BranchLayer(NoOp(), fusion=add)"),
    (pn.PairwiseFusion(pn.Chain(), pn.NoOp()), "PairwiseFusion(Chain(), NoOp())"),
    (pn.SkipConnection(pn.NoOp(), operator.add), "SkipConnection(NoOp(), add)"),
    (pn.RepeatedLayer(pn.NoOp()), "RepeatedLayer(NoOp())"),
    (
        pn.RepeatedLayer(pn.NoOp(), input_injection=True),
        "RepeatedLayer(NoOp(), input_injection=True)",
    ),
    (pn.Maxout(pn.NoOp(), pn.NoOp()), "Maxout(NoOp(), NoOp())"),
]


@pytest.mark.parametrize(("layer", "text"), CALLS, ids=[text for _, text in CALLS])
def test_repr_is_the_constructor_call(layer, text):
    assert repr(layer) == text
    assert eval(text, dict(SPACE)) == layer


def test_a_layer_may_have_its_own_repr():
    @dataclass(frozen=True)
    class Named(pn.Layer):
        size: int

        def __repr__(self):
            return "me"

        def __call__(self, x, ps, st):
            return x, st

    @dataclass(frozen=True)
    class Heir(Named):
        other: int

    assert repr(Named(1)) == repr(Heir(1, 2)) == "me"


def test_the_tutorials_tree():
    model = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))
    assert (
        str(model)
        == """\
Chain(
    layer_1 = Dense(1, 16, relu),   # 32 parameters
    layer_2 = Dense(16, 1),         # 17 parameters
)         # Total: 49 parameters,
          #        plus 0 states."""
    )


def test_nested_tree_with_options_states_and_ranges():
    block = pn.Chain(Weights((10, 100)), np.exp)
    model = pn.Chain(
        Weights((1,)),
        Weights((2, 2), states=3),
        Weights((2, 2), states=3),
        body=Pair(Weights((0,), states=1), pn.Parallel(operator.add, pn.NoOp()), 3.0),
        block_1=block,
        block_2=block,
    )
    assert (
        str(model)
        == """\
Chain(
    layer_1 = Weights((1,)),                 # 1 parameter
    layer_2-3 = Weights((2, 2), states=3),   # 8 parameters (4 x 2), plus 6 states (3 x 2)
    body = Pair(
        gain = 3.0,
        first = Weights((0,), states=1),     # 1 state
        second = Parallel(
            connection = add,
            layer_1 = NoOp(),
        ),
    ),
    block_1-2 = Chain(                       # 2_000 parameters (1_000 x 2)
        layer_1 = Weights((10, 100)),        # 1_000 parameters
        layer_2 = WrappedFunction(exp),
    ),
)         # Total: 2_009 parameters,
          #        plus 7 states."""
    )


def test_only_numbers_in_a_row_make_a_range():
    text = str(pn.Chain(block_1=pn.NoOp(), block_3=pn.NoOp(), other=pn.NoOp(), other_1=pn.NoOp()))
    assert [line.split(" = ")[0].strip() for line in text.splitlines()[1:5]] == [
        "block_1",
        "block_3",
        "other",
        "other_1",
    ]


def test_a_single_layer_prints_on_one_line():
    assert str(pn.Dense(3, 4)) == "Dense(3, 4)   # 16 parameters"
    assert str(pn.NoOp()) == "NoOp()"
    assert str(pn.Chain()) == "Chain()"


def test_printing_draws_each_array_once():
    drawn = []

    @dataclass(frozen=True)
    class Counted(pn.Layer):
        def initial_parameters(self, rng):
            drawn.append(1)
            return {}

        def __call__(self, x, ps, st):
            return x, st

    str(pn.Chain(pn.Chain(Counted())))
    assert len(drawn) == 1
