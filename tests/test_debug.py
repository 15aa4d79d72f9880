"""A model that stops at the first NaN."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import pytest
from contract.cases import LAYERS
from contract.probes import in_all_modes, of_floats, place, to_numpy

import portanet as pn
from portanet import trees
from portanet.errors import HyperparameterError, NonFiniteError, TracedValueError

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


@dataclass(frozen=True)
class Apply(pn.Layer):
    """The function of the standard called `name`."""

    name: str

    def __call__(self, x, ps, st):
        return getattr(pn.array_namespace(x), self.name)(x), st


def model(name):
    return pn.Chain(
        pn.Dense(3, 3),
        pn.SkipConnection(pn.Chain(a=pn.Dense(3, 3), b=Apply(name)), operator.add),
        pn.BatchNorm(3),
        pn.Dropout(0.5),
        head=pn.Dense(3, 1),
    )


def placed(backend, model, x=X):
    ps, st = pn.setup(0, model)
    return pn.device(backend.place)((x, ps, st))


def objective(model, x, st):
    return lambda ps: pn.array_namespace(x).sum(model(x, ps, st)[0])


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def test_it_computes_what_the_model_does(backend):
    whole = model("tanh")
    x, ps, st = placed(backend, whole)
    for run in (
        lambda m: m(x, ps, st),
        lambda m: pn.grad(objective(m, x, st))(ps),
        lambda m: pn.jvp(lambda x: m(x, ps, st)[0], (x,), (x,)),
    ):
        pairs = zip(trees.leaves(run(whole)), trees.leaves(run(pn.debug(whole))), strict=True)
        for a, b in pairs:
            if hasattr(a, "shape"):
                got, wanted = backend.to_numpy(b), backend.to_numpy(a)
                np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    assert pn.setup(3, pn.debug(whole))[1].keys() == st.keys()


def test_a_nan_on_the_way_forward_is_named(backend):
    debugged = pn.debug(model("log"))
    x, ps, st = placed(backend, debugged)
    with pytest.raises(NonFiniteError, match=r"^model\.layer_2\.layers\.b: log gives nan in "):
        debugged(x, ps, st)
    with pytest.raises(FloatingPointError, match="log"):
        pn.grad(objective(debugged, x, st))(ps)


def test_a_nan_on_the_way_back_is_named(backend):
    debugged = pn.debug(model("sqrt"))
    x, ps, st = placed(backend, debugged)
    ps = pn.map_parameters(lambda path, p: 0 * p if ".a." in path else p, ps)
    assert debugged(x, ps, st)
    text = r"^model\.layer_2\.layers\.b: the derivative of sqrt gives (nan|infinity) in \d+ "
    with pytest.raises(NonFiniteError, match=text):
        pn.grad(lambda ps: pn.array_namespace(x).sum(debugged(x, ps, st)[0] ** 2))(ps)


def test_what_comes_in_with_a_nan_is_named(backend):
    debugged = pn.debug(model("tanh"))
    x, ps, st = placed(backend, debugged)
    with pytest.raises(NonFiniteError, match=r"^x holds nan in 12 of 12 entries before the call$"):
        debugged(x * float("nan"), ps, st)
    bad = pn.map_parameters(lambda p, a: a * float("nan") if p == "head.bias" else a, ps)
    with pytest.raises(NonFiniteError, match=r"^ps\.head\.bias holds nan in 1 of 1 entries"):
        debugged(x, bad, st)


def test_infinities_pass_unless_they_are_asked_for(backend):
    def mask(x):
        xp = pn.array_namespace(x)
        return xp.where(x > 0, xp.zeros_like(x), xp.full_like(x, -float("inf")))

    chain = pn.Chain(mask, pn.softmax)
    x, ps, st = placed(backend, chain, np.abs(X) - 0.1)
    assert pn.debug(pn.Chain(mask))(x, ps, st)
    with pytest.raises(NonFiniteError, match=r"^model\.layer_1: \w+ gives infinity in "):
        pn.debug(chain, infinities=True)(x, ps, st)


def test_an_operation_of_a_container_is_named(backend):
    def quotient(y, x):
        return pn.array_namespace(x).divide(y, 0.0 * x)

    debugged = pn.debug(pn.Chain(pn.SkipConnection(lambda x: 0.0 * x, quotient)))
    x, ps, st = placed(backend, debugged)
    name = "SkipConnection" if backend.name == "jax" else "divide"
    with pytest.raises(NonFiniteError, match=rf"^model\.layer_1: {name} gives nan in 12 of 12"):
        debugged(x, ps, st)


def test_it_prints_as_the_model_and_waits_for_sizes_as_it_does():
    debugged = pn.debug(pn.Chain(pn.Dense(None, 2)))
    assert repr(debugged) == "debug(Chain(Dense(None, 2)))"
    assert pn.resolve(debugged, X) == pn.debug(pn.Chain(pn.Dense(3, 2)))
    ps, st = pn.setup(0, debugged, X)
    assert debugged(X, ps, st)[0].shape == (4, 2)


def test_there_are_no_values_inside_jit():
    debugged = pn.debug(model("tanh"))
    ps, st = pn.setup(0, debugged)
    with pytest.raises(TracedValueError, match=r"^pn\.debug looks at values"):
        pn.jit(lambda x: debugged(x, ps, st)[0])(X)
    with pytest.raises(HyperparameterError, match=r"^debug: model is a portanet\.Layer: got"):
        pn.debug(np.tanh)


@pytest.mark.parametrize("backend", ["numpy", "torch"], indirect=True)
def test_layers_of_every_kind_compute_what_they_did(backend):
    for name, case in LAYERS.items():
        layer = case.make()
        inputs = case.inputs(np.random.default_rng(0), 4)
        x, ps, st = place(backend, (inputs, *pn.setup(0, layer)), "float64")
        results = []
        for whole in (layer, pn.debug(layer)):
            function, floats = of_floats(lambda x, ps, m=whole, st=st: m(x, ps, st), x, ps)
            results.append(to_numpy(in_all_modes(function, floats)))
        for wanted, found in zip(*map(trees.leaves, results), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11, err_msg=name)
