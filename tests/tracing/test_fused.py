"""Kernels for chains of elementwise operations: their C++, compiled for the host, against NumPy."""

from __future__ import annotations

from types import SimpleNamespace

import array_api_compat.numpy as raw
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tape.test_programs import arrays, steps
from tracing.kernels_on_host import KernelsOnHost
from tracing.recorded_calls import functions_with_cards
from tracing.same import check_same
from tracing.test_programs import values_of

import portanet as pn
from portanet import trees
from portanet.backends.cupy import CuPyBackend
from portanet.backends.numpy import activations
from portanet.tape.ops.card import Card
from portanet.tape.ops.table import CARDS
from portanet.tape.ops.words import Words
from portanet.tracing.plan import fused, fused_words
from portanet.tracing.plan.fused_groups import Group, grouped
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.program import Opaque, Operation, Program, Variable
from portanet.tracing.record.record import record
from portanet.tracing.write.source import Writer

FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMBERS = [0.0, -0.0, 0.25, -0.5, 1.0, -1.0, 1.7, -2.5, 3.5, 30.0, -40.0]
SPECIAL = [*NUMBERS, np.inf, -np.inf, np.nan]
COMPUTE = {
    "bounded_sigmoid": pn.sigmoid,
    "clip_between": raw.clip,
    "convert": lambda x, dtype: x.astype(dtype),
    "gelu_erf": pn.gelu_erf.__wrapped__,
    "logaddexp_share": activations.logaddexp_share,
    "logistic": pn.sigmoid,
    "sigmoid": pn.sigmoid,
}


@pytest.fixture
def cupy():
    return KernelsOnHost()


@pytest.fixture
def warned(monkeypatch):
    monkeypatch.setattr(fused, "_warned", [])


def values(dtype):
    if dtype == "bool":
        return np.asarray([True, False])
    if dtype in FLOATS:
        return np.asarray(SPECIAL, dtype)
    ends = np.iinfo(dtype)
    return np.asarray([ends.min, ends.max, 0, 1, 2, 7, ends.max - 1], dtype)


def calculated(name, *args):
    compute = COMPUTE.get(name) or (OWN[name].__wrapped__ if name in OWN else None)
    compute = compute or getattr(raw, name)
    with np.errstate(all="ignore"):
        return compute(*args)


OWN = {
    name: kernel for name, kernel in functions_with_cards().items() if kernel.card.words is not None
}
"""The functions of portanet's own that have words."""


def card_of(name):
    return OWN[name].card if name in OWN else CARDS.get(name) or Card(name)


def spoken():
    """Yield each card with words for operands of one dtype."""
    for card in (*CARDS.values(), *(kernel.card for kernel in OWN.values())):
        if type(card.spoken) is Words:
            yield card


def expressions(dtype):
    """Yield the names of all operations of arrays of a dtype, each with its expression."""
    for card in spoken():
        for result in dict.fromkeys((dtype, "bool")):
            said = card.spoken.of(("x", "y"), (dtype, dtype), result) or card.spoken.of(
                ("x",), (dtype,), result
            )
            if said is not None:
                yield card.name, said.text


def operation(name, *args):
    """Return an operation on arrays and numbers, and the arrays."""
    given = {id(x): Variable(x.shape, x.dtype) for x in args if isinstance(x, np.ndarray)}
    result = calculated(name, *args)
    operands = [given.get(id(x), x) for x in args]
    card, compute = card_of(name), lambda *args: calculated(name, *args)
    primitive = SimpleNamespace(name=name, card=card, compute=compute)
    return Operation(primitive, operands, {}, Variable(result.shape, result.dtype)), result


def kernel(cupy, call):
    (group,) = grouped(Program([], [call], [call.result]))
    assert isinstance(group, Group), call
    return fused.Fused(group, cupy)


def check_calls(cupy, cases):
    """Compile calls together, and hold each against NumPy."""
    built = []
    for name, *args in cases:
        call, expected = operation(name, *args)
        given = {id(v): x for v, x in zip(call.args, args, strict=True)}
        built.append((name, args, kernel(cupy, call), given, expected))
    for name, args, made, given, expected in built:
        with np.errstate(all="ignore"):
            actual = made.compute(*(given[id(v)] for v in made.operands))
        case = f"{name} of {[getattr(x, 'dtype', x) for x in args]}"
        assert made._kernel is not None, case
        assert actual.dtype == expected.dtype, case
        if expected.dtype.kind != "f":
            np.testing.assert_array_equal(actual, expected, case)
            continue
        eps = float(np.finfo(expected.dtype).eps)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(actual, expected, 8 * eps, 1e-300, err_msg=case)
        zero = (expected == 0) & (name not in ("maximum", "minimum", "sign"))
        np.testing.assert_array_equal(np.signbit(actual[zero]), np.signbit(expected[zero]), case)


def operands(text, dtype):
    """Return arrays for an expression, one along each axis."""
    x = values(dtype)
    return (x[:, None], x[None, :]) if "{1}" in text else (x,)


def test_every_operation(cupy):
    dtypes = [*FLOATS, *INTEGERS, "bool"]
    cases = [
        (name, *operands(text, dtype)) for dtype in dtypes for name, text in expressions(dtype)
    ]
    assert {name for name, *_ in cases} == {card.name for card in spoken()}
    check_calls(cupy, cases)


def test_cupy_takes_the_text():
    """CuPy reads the arguments of a kernel when it is made, for which it needs no device."""
    library = pytest.importorskip("cupy")
    for name, text in expressions("float16"):
        made = kernel(CuPyBackend(), operation(name, *operands(text, "float16"))[0])._kernel
        assert isinstance(made, library.ElementwiseKernel)
        assert {p.ctype for p in (*made.in_params, *made.out_params)} <= {"float16", "bool"}


def test_choices_and_conversions(cupy):
    cases = []
    for dtype in [*FLOATS, *INTEGERS, "bool"]:
        x = values(dtype)
        small = np.asarray([0, 1, 3, 100], dtype)
        cases.append(("where", x[:, None] == x, x[:, None], x))
        cases += [("convert", small, other) for other in fused_words.C_TYPES]
        cases += [("ones_like", x), ("zeros_like", x)]
        if dtype != "bool":
            cases += [("clip_between", x, 1, 5), ("clip", x, None, 3), ("clip", x, 2)]
    check_calls(cupy, cases)


def test_numbers(cupy):
    cases = []
    for dtype in FLOATS:
        x = values(dtype)
        for number in (0.1, -3, 2, True, np.inf, -np.inf, np.nan, 1e5, np.dtype(dtype).type(0.3)):
            cases += [("multiply", x, number), ("subtract", number, x), ("less", x, number)]
            cases += [("where", x > 0, x, number), ("maximum", x, number)]
        cases += [("pow", np.abs(x), 1.5), ("pow", x, 2), ("pow", x, 3), ("pow", 2.0, x)]
    for dtype in INTEGERS:
        x = values(dtype)
        cases += [("add", x, 5), ("multiply", 3, x), ("greater", x, np.iinfo(dtype).max)]
    check_calls(cupy, cases)


def test_numbers_of_the_host(cupy):
    """A learning rate or a counter has another value in each call."""
    x, rate = np.ones(3, np.float32), Opaque()
    call, _ = operation("multiply", x, 2.0)
    call = Operation(call.primitive, [call.args[0], rate], {}, call.result)
    made = kernel(cupy, call)
    for number in (0.5, 3):
        done = made.compute(*(number if v is rate else x for v in made.operands))
        np.testing.assert_array_equal(done, np.full(3, number, np.float32))


X = np.ones(3, np.float32)
N = np.ones(3, np.int32)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("add", (N, 0.5)),
        ("add", (N, X.astype("float64"))),
        ("add", (X, X.astype("float64"))),
        ("add", (X, np.float64(0.5))),
        ("add", (X, 1j)),
        ("divide", (N, N)),
        ("floor_divide", (X, X)),
        ("matmul", (X, X)),
        ("multiply", (X > 0, X > 0)),
        ("remainder", (X, X)),
        ("sin", (X.astype("complex64"),)),
        ("sum", (X,)),
        ("where", (X > 0, N, X)),
    ],
)
def test_what_stays_a_call(name, args):
    call, _ = operation(name, *args)
    assert fused_words.words(call) is None


PROFILE = settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def replay_of(program, results, inputs):
    structure = trees.flatten([0] * len(results))[1]
    return Writer(program, results, inputs, False).source(structure).workspace()


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 1e-5)])
def test_random_programs(cupy, dtype, rtol):
    """Programs are made one by one; their kernels are compiled together at the first replay."""
    xp = pn.backends.get_backend("numpy").xp
    made = []

    @given(program=steps, x=arrays, y=arrays)
    @PROFILE
    def make(program, x, y):
        def function(x, y):
            value, pull = pn.vjp(lambda x: values_of(xp, program, x, y)[-1], x)
            return [value, *pull(value)]

        inputs = [x.astype(dtype), y.astype(dtype)]
        recorded, results = record(function, inputs, xp)
        recorded = fused.with_kernels(
            without_dead_code(without_common_subexpressions(recorded, None)), cupy
        )
        made.append((replay_of(recorded, results, inputs), inputs, results))

    make()
    for replay, inputs, results in made:
        scale = max(1.0, *(float(np.max(np.abs(y))) for y in results))
        check_same(replay(*inputs), results, rtol, rtol * scale)
    assert cupy.launches > len(made)


def chain(*names, between=()):
    """Return a program that applies functions one after another."""
    variables = [Variable((3,), np.dtype("float32"))]
    calls = []
    for name in names:
        calls.append(operation(name, X)[0])
        calls[-1] = Operation(calls[-1].primitive, [variables[-1]], {}, calls[-1].result)
        variables.append(calls[-1].result)
    return Program(variables[:1], calls, [variables[-1], *(variables[i] for i in between)])


def names_of(program):
    return [operation.name for operation in program.operations]


def test_a_chain_is_one_kernel(cupy):
    program = fused.with_kernels(chain("sin", "exp", "tanh"), cupy)
    assert names_of(program) == ["portanet_sin_exp_tanh"]


def test_results_on_the_way_are_kept(cupy):
    program = fused.with_kernels(chain("sin", "exp", "tanh", between=[1]), cupy)
    assert names_of(program) == ["portanet_sin_exp_tanh", "take result", "take result"]
    run = replay_of(program, [X, X], [X])
    check_same(run(X), [np.tanh(np.exp(np.sin(X))), np.sin(X)], 1e-6)


def test_other_calls_end_a_chain(cupy):
    program = fused.with_kernels(chain("sin", "exp", "flip", "cos", "tanh"), cupy)
    assert names_of(program) == ["portanet_sin_exp", "flip", "portanet_cos_tanh"]


def test_what_is_not_of_the_chain_does_not_end_it(cupy):
    first, second = chain("sin", "exp"), chain("flip", "flip")
    calls = [first.operations[0], *second.operations, first.operations[1]]
    program = Program([*first.inputs, *second.inputs], calls, [*first.outputs, *second.outputs])
    assert names_of(fused.with_kernels(program, cupy)) == ["portanet_sin_exp", "flip", "flip"]


def test_one_operation_is_the_librarys(cupy):
    assert names_of(fused.with_kernels(chain("sin"), cupy)) == ["sin"]
    assert names_of(fused.with_kernels(chain("sigmoid"), cupy)) == ["portanet_sigmoid"]


def test_a_kernel_has_few_arguments(cupy):
    inputs = [Variable((3,), np.dtype("float32")) for _ in range(100)]
    total, calls = inputs[0], []
    for x in inputs[1:]:
        call, _ = operation("add", X, X.copy())
        calls.append(Operation(call.primitive, [total, x], {}, call.result))
        total = call.result
    program = fused.with_kernels(Program(inputs, calls, [total]), cupy)
    assert len(program.operations) == 3
    assert all(len(call.args) <= 40 for call in program.operations)
    given = [np.full(3, i, np.float32) for i in range(100)]
    (done,) = replay_of(program, [X], given)(*given)
    assert done.tolist() == [4950.0] * 3


def test_the_same_text_is_the_same_kernel(cupy):
    for _ in range(2):
        fused.with_kernels(chain("sin", "floor"), cupy)
        assert len(cupy.texts) == 1


class Failing:
    """An adapter whose kernels cannot be built, or fail when they are launched."""

    def __init__(self, error, late):
        self.error = error
        self.late = late

    def elementwise_kernel(self, text):
        if not self.late:
            raise self.error

        def launch(*args):
            raise self.error

        return launch


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.usefixtures("warned")
def test_a_failure_is_said_once(late):
    backend = Failing(RuntimeError("no compiler\nat all"), late)
    reason = (
        "pn.jit: a fused kernel cannot be used, RuntimeError: no compiler. Its operations are "
        "called one by one, and so are those of others that fail"
    )

    def replay():
        program = fused.with_kernels(chain("sin", "exp", "tanh", between=[2]), backend)
        run = replay_of(program, [X, X], [X])
        return [run(X), run(X)]

    with pytest.warns(RuntimeWarning) as caught:
        results = replay()
    results += replay()
    for result in results:
        check_same(result, [np.tanh(np.exp(np.sin(X))), np.exp(np.sin(X))], 1e-6)
    assert [str(w.message) for w in caught] == [reason]


@pytest.mark.usefixtures("warned")
def test_want_of_memory_is_no_failure_of_the_kernel():
    backend = Failing(MemoryError("4 GB"), late=True)
    program = fused.with_kernels(chain("sin", "exp"), backend)
    with pytest.raises(MemoryError, match="4 GB"):
        program.operations[0].primitive.compute(X)


def test_what_two_operations_call_is_defined_once(cupy):
    """The helpers of ``clip`` are those of ``maximum`` and ``minimum``."""
    x = values("float32")
    first, second = operation("clip", x, -1.0, 2.0)[0], operation("maximum", x, 0.5)[0]
    second = Operation(second.primitive, [first.result, 0.5], {}, second.result)
    program = fused.with_kernels(Program(first.operands, [first, second], [second.result]), cupy)
    (call,) = program.operations
    np.testing.assert_array_equal(call.primitive.compute(x), np.maximum(np.clip(x, -1, 2), 0.5))
    assert call.primitive._kernel is not None
