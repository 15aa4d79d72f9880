"""The kit passes what is right and names what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

import portanet as pn
from portanet import testing
from portanet.errors import DTypeError

X = np.random.default_rng(0).normal(size=(4, 3))
V = np.asarray([0.5, 1.5, -2.0])


@pytest.fixture
def refused():
    def check(message, function, *args, **options):
        with pytest.raises(AssertionError, match=re.escape(message)):
            function(*args, **options)

    return check


class TestRules:
    def test_right_rules_on_every_library(self, backend):
        xp = backend.xp
        pn.testing.check_rule(pn.softplus, V, backends=[backend.name])
        pn.testing.check_rule(
            lambda tree, n: {"a": tree["x"] ** n * tree["y"], "n": n},
            {"x": backend.asarray(V), "y": backend.asarray(V)},
            3,
        )
        pn.testing.check_rule(lambda z: z * xp.conj(z) * z, backend.asarray(V + 1j))

    @staticmethod
    def square(forward, backward):
        @pn.custom_vjp
        def square(x):
            return x * x

        square.defvjp(forward, backward)
        return square

    def test_a_wrong_factor(self, refused):
        rule = self.square(lambda x: (x * x, x), lambda x, g: (g * x,))
        message = "square on numpy: forward derivative.0: 3 of 3 numbers differ, most at [2]: "
        refused(message, testing.check_rule, rule, V)

    def test_reverse_mode_alone_is_wrong(self, refused):
        @pn.custom_jvp
        def double(x):
            return 2.0 * x

        @double.defjvp
        def rule(primals, tangents):
            return 2.0 * primals[0], 2.0 * pn.stop_gradient(tangents[0])

        message = "double on numpy: reverse derivative[0] along a direction: "
        refused(message, testing.check_rule, double, V)

    def test_a_wrong_second_derivative(self, refused):
        rule = self.square(
            lambda x: (x * x, pn.stop_gradient(x)), lambda x, g: (2.0 * g * pn.stop_gradient(x),)
        )
        message = "square on numpy: second derivative, forward over reverse.0: 3 of 3 numbers"
        refused(message, testing.check_rule, rule, V)
        testing.check_rule(rule, V, order=1)

    def test_another_value_when_traced(self, refused):
        rule = self.square(lambda x: (x * x + 1.0, x), lambda x, g: (2.0 * g * x,))
        message = "square on numpy: value in forward mode.0: 3 of 3 numbers differ"
        refused(message, testing.check_rule, rule, V, order=1)

    def test_a_lost_dtype(self, refused):
        refused("wide on numpy: float32 goes in, float64 comes out", testing.check_rule, wide, V)

    def test_nothing_to_differentiate(self, refused):
        refused("no array among the arguments", testing.check_rule, pn.tanh, 1.0)
        message = "no floating-point array goes in and comes out"
        refused(message, testing.check_rule, lambda x: x > 0, V)


def wide(x):
    return pn.astype(x, "float64") * 2.0


@dataclass(frozen=True)
class Shift(pn.Layer):
    features: int

    def initial_parameters(self, rng):
        return {"shift": np.ones(self.features, np.float32)}

    def __call__(self, x, ps, st):
        return x + ps["shift"], st


@dataclass(frozen=True)
class Mutates(Shift):
    def __call__(self, x, ps, st):
        ps["seen"] = True
        return x, st


@dataclass(frozen=True)
class WritesIntoItsInput(Shift):
    def __call__(self, x, ps, st):
        x[0, 0] = 5.0
        return x + ps["shift"], st


@dataclass(frozen=True)
class Counts(Shift):
    def initial_states(self, rng):
        return {"calls": 0}

    def __call__(self, x, ps, st):
        return x + ps["shift"], {"calls": st["calls"], "more": 1}


@dataclass(frozen=True)
class Forgets(Shift):
    def __call__(self, x, ps, st):
        return x + np.random.default_rng().normal(), st


@dataclass(frozen=True)
class Widens(Shift):
    def __call__(self, x, ps, st):
        return pn.astype(x + ps["shift"], "float64"), st


@dataclass(frozen=True)
class MovesToTheHost(Shift):
    def __call__(self, x, ps, st):
        return pn.cpu_device()(x), st


@dataclass(frozen=True, repr=False)
class Unprintable(Shift):
    def __repr__(self):
        return "<a layer>"


@dataclass(frozen=True)
class Unhashable(Shift):
    __hash__ = None


@dataclass(frozen=True)
class NeedsSamples(Shift):
    def __call__(self, x, ps, st):
        x[0, 0]
        return x + ps["shift"], st


@dataclass(frozen=True)
class Detached(Shift):
    def __call__(self, x, ps, st):
        return x + pn.stop_gradient(x) + ps["shift"], st


class TestLayers:
    def test_right_layers_on_every_library(self, backend):
        places = [backend.name]
        testing.check_layer(Shift(3), X, backends=places)
        model = pn.Chain(pn.Dense(3, 2, pn.tanh), pn.BatchNorm(2), pn.Dropout(0.5))
        testing.check_layer(model, X, backends=places, order=1)
        testing.check_layer(
            pn.Embedding(5, 2), np.asarray([[0, 4], [2, 2]]), backends=places, order=1
        )
        testing.check_layer(pn.Bilinear((3, 3), 2), X, X, backends=places, order=1)

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (Mutates(3), "Mutates(3) on numpy, train mode, float32: ps was changed by the call"),
            (WritesIntoItsInput(3), "float32: x was changed by the call"),
            (Counts(3), "Counts(3) on numpy, train mode, float32: new state: structure "),
            (Forgets(3), "Forgets(3) on numpy, train mode, float32: a second call.0: 12 of 12"),
            (Widens(3), "Widens(3) on numpy, train mode, float32: {dtype('float32')} goes in, "),
            (Unprintable(3), "<a layer> constructs no layer (invalid syntax (<string>, line 1))"),
            (Unhashable(3), "a layer is hashable: unhashable type"),
            (NeedsSamples(3), "train mode, a batch without samples: IndexError: index 0 is out"),
            (Detached(3), "Detached(3) on numpy, train mode: forward derivative.0: 12 of 12"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, pn.Layer) else "",
    )
    def test_a_broken_layer(self, refused, layer, message):
        refused(message, testing.check_layer, layer, X, backends=["numpy"])

    def test_a_layer_that_leaves_its_library(self, refused):
        pytest.importorskip("array_api_strict")
        message = "array_api_strict:cpu_device goes in, numpy:cpu comes out"
        refused(message, testing.check_layer, MovesToTheHost(3), X, backends=["array_api_strict"])


def shelf_of_the_docs():
    """Return the adapter that ``docs/extending.md`` shows, run from its text."""
    page = Path(__file__).parents[2] / "docs" / "extending.md"
    namespace = {"__name__": "shelf_of_the_docs"}
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    for block in blocks[:2]:
        exec(block.replace("@pn.backends.register", ""), namespace)
    return namespace["ShelfBackend"]


Shelf = shelf_of_the_docs()


class LosesTheDtype(Shelf):
    def from_numpy(self, x, device=None):
        return super().from_numpy(x.astype("float64"), device)


class LosesNumbers(Shelf):
    def to_numpy(self, x):
        return np.zeros_like(x.data)


class DrawsTheSame(Shelf):
    def uniform(self, words, shape, like):
        return super().uniform((0, 0), shape, like)


class ForgetsItsDevices(Shelf):
    def parse_device(self, text):
        return "cpu"


class HasNoForwardMode(Shelf):
    def jvp(self, function, primals, tangents):
        return super().jvp(function, primals, [t * 0.0 for t in tangents])


class RaisesForTracedArrays(Shelf):
    """Its operators raise for what they do not know, as MLX's do."""

    @cached_property
    def xp(self):
        array = type(self.from_numpy(np.ones(1)))

        class Strict(array):
            pass

        def operator_of(name):
            own = getattr(array, name)

            def method(self, other):
                if isinstance(other, pn.tape.Box):
                    raise ValueError(f"cannot take a {type(other).__name__}")
                return own(self, other)

            return method

        for name in ("__add__", "__matmul__"):
            setattr(Strict, name, operator_of(name))
        self.strict = Strict
        return pn.tape.Namespace("shelf", super().xp.raw)

    def from_numpy(self, x, device=None):
        return getattr(self, "strict", type(Shelf().from_numpy(x)))(x.copy())


class HasSinglePrecisionAlone(Shelf):
    def from_numpy(self, x, device=None):
        if x.dtype.itemsize > 4 and x.dtype.kind in "fc":
            raise DTypeError(f"shelf has no {x.dtype}")
        return super().from_numpy(x, device)


def shelf_of_odd_arrays():
    """Return a shelf whose arrays have no `device`, and whose dtypes have names of their own."""
    kind = shelf_of_the_docs()
    array = type(kind().from_numpy(np.ones(1)))
    del array.device

    class Odd(kind):
        def device_of(self, x):
            return "cpu"

        def devices(self):
            return ["cpu"]

        def device_name(self, device):
            return f"the {device} one"

        def dtype_name(self, dtype):
            return np.dtype(dtype).name

        def transfer(self, x, device):
            return x

    return Odd


class TestBackends:
    def test_the_one_of_the_docs(self):
        pn.backends.register(Shelf)
        testing.check_backend(Shelf)

    def test_every_library_here(self, backend):
        testing.check_backend(backend.name)

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            (LosesTheDtype, "backend 'shelf': from_numpy on cpu turns float32 into float64"),
            (LosesNumbers, "there and back on cpu: "),
            (DrawsTheSame, "uniform numbers do not depend on the key"),
            (HasNoForwardMode, "arithmetic on shelf: forward derivative.0: 6 of 6 numbers differ"),
            (ForgetsItsDevices, "the device 'no such device' is not refused"),
        ],
    )
    def test_a_broken_adapter(self, refused, kind, message):
        pn.backends.register(kind)
        refused(message, testing.check_backend, kind)

    def test_unusable(self, refused):
        message = "backend 'shelf' is not registered: call pn.backends.register"
        refused(message, testing.check_backend, Shelf)
        refused("backend 'lux' is not registered", testing.check_backend, "lux")

    def test_operators_that_raise_are_named(self):
        pn.backends.register(RaisesForTracedArrays)
        pn.backends.get_backend("shelf").xp  # noqa: B018
        with pytest.raises(AssertionError) as caught:
            testing.check_backend("shelf")
        lines = str(caught.value).splitlines()
        for symbol in ("+", "@"):
            start = f"backend 'shelf': x {symbol} y of an array and a traced one raises ValueError"
            assert sum(line.startswith(start) for line in lines) == 1
        assert not any("x * y" in line for line in lines)
        assert "its box can be a subclass of the array" in str(caught.value)

    def test_an_adapter_that_can_do_nothing_is_reported(self):
        class Broken(Shelf):
            def from_numpy(self, x, device=None):
                raise RuntimeError("no device")

            def devices(self):
                raise RuntimeError("no device")

        pn.backends.register(Broken)
        with pytest.raises(AssertionError) as caught:
            testing.check_backend(Broken)
        lines = str(caught.value).splitlines()
        assert "backend 'shelf': names: RuntimeError: no device" in lines
        assert any(line.startswith("backend 'shelf': matmul: ") for line in lines)

    def test_a_missing_attribute_is_named(self, refused):
        kind = shelf_of_the_docs()
        del type(kind().from_numpy(np.ones(1))).mT
        pn.backends.register(kind)
        refused("lacks attributes of the standard: mT", testing.check_backend, kind)

    def test_a_library_of_single_precision_passes(self):
        pn.backends.register(HasSinglePrecisionAlone)
        testing.check_backend(HasSinglePrecisionAlone)

    def test_what_an_adapter_overrides_is_what_is_asked(self):
        kind = shelf_of_odd_arrays()
        pn.backends.register(kind)
        testing.check_backend(kind)
        model = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.BatchNorm(4), pn.Dropout(0.5), pn.Dense(4, 1))
        ps, st = pn.setup(0, model, device="shelf")
        x = pn.device("shelf")(X.astype(np.float32))
        ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam(0.01))
        loss, _, ts = pn.training.train_step(pn.MSELoss(), (x, x[:, :1]), ts)
        assert str(pn.get_device((loss, ts))) == "shelf:the cpu one"
        assert testing.compare.kind_of(pn.astype(x, "float16")) == "shelf float16[4, 3]"

    def test_an_array_that_is_traced_imports_no_other_library(self):
        program = (
            "import sys, runpy; sys.modules['torch'] = sys.modules['jax'] = None;"
            f"sys.path.insert(0, {str(Path(__file__).parents[1])!r});"
            "from testing.test_kit import Shelf; import portanet as pn; import numpy as np;"
            "pn.backends.register(Shelf); x = pn.device('shelf')(np.ones(2, np.float32));"
            "xp = pn.array_namespace(x); print(pn.grad(lambda x: xp.sum(pn.softmax(x)))(x).data)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_slope_is_exact_for_polynomials_of_degree_four():
    (found,) = testing.slope(lambda t: [np.asarray(3.0 * t - t**2 + t**3 - 2.0 * t**4)])
    assert found == pytest.approx(3.0, rel=1e-12)


def test_assert_close_knows_infinities_and_shapes(refused):
    odd = np.asarray([np.inf, np.nan, 1.0])
    other = np.asarray([np.inf, 2.0, 1.0])
    testing.assert_close(odd, odd.copy())
    refused(
        "result: 1 of 3 numbers differ, most at [1]",
        testing.assert_close,
        odd,
        other,
    )
    refused("result: shape (3,) != (1, 3)", testing.assert_close, odd, odd[None])
    refused("tree: structure ", testing.assert_close, {"a": odd}, {"b": odd}, what="tree")
    refused("tree.a: 1 != 2", testing.assert_close, {"a": 1}, {"a": 2}, what="tree")


def test_check_backend_reports_every_fault_at_once():
    @pn.backends.register
    class Faulty(type(pn.backends.get_backend("numpy"))):
        name = distribution = "faulty"
        modules = ("nowhere",)

        def unavailable_reason(self):
            return None

        def device_name(self, device):
            return "another"

        def parse_device(self, text):
            return text or "cpu"

    with pytest.raises(AssertionError) as caught:
        testing.check_backend(Faulty)
    lines = str(caught.value).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("backend 'faulty': ") for line in lines)
    assert any("is not recognised as one of its arrays" in line for line in lines)
    assert any("parse_device" in line for line in lines)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (lambda: testing.check_layer(3, V), "layer is a portanet.Layer: got 3"),
        (lambda: testing.check_layer(pn.NoOp(), V, names=3), "names is a dict of objects"),
        (lambda: testing.check_rule(3, V), "function is a function: got 3"),
        (lambda: testing.check_rule(pn.tanh, V, order=3), "order is 1 or 2: got 3"),
        (lambda: testing.check_rule(pn.tanh, V, backends="numpy"), "backends is an iterable of"),
        (lambda: testing.check_rule(pn.tanh, V, backends=[3]), "backends is an iterable of names"),
        (lambda: testing.check_backend(3), "backend is the name of one, or its class: got 3"),
        (lambda: testing.assert_close(V, V, rtol="x"), "rtol is a number from"),
        (lambda: testing.assert_close(V, V, atol=10**5000), "atol is a number from"),
        (lambda: testing.assert_same_kind(V, V, what=3), "what is a text: got 3"),
        (lambda: testing.slope(pn.tanh, 0.0), "step != 0: got 0.0"),
    ],
)
def test_bad_arguments_are_named(check, text):
    with pytest.raises(pn.errors.ArgumentError, match=f"^{re.escape(text)}"):
        check()


def test_an_array_is_not_equal_to_something_else():
    for other in (1.0, "x", None, object()):
        with pytest.raises(AssertionError, match=r"^result"):
            testing.assert_close({"a": V}, {"a": other})
