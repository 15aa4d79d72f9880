"""Passes on programs written by hand, and the checks that stand between them."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends import get_backend
from portanet.tracing import passes
from portanet.tracing.plan import blocks, check, storage
from portanet.tracing.plan.copied_inputs import with_copied_inputs
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.plan.transposes import with_folded_transposes
from portanet.tracing.program import Operation, Program, Variable
from portanet.tracing.record.record import record

XP = get_backend("numpy").xp


def recorded(function, *inputs):
    """Return the program of a function, as it was recorded."""
    return record(lambda *xs: [function(*xs)], inputs, XP)[0]


def names(program):
    return [operation.name for operation in program.operations]


def variable(*shape):
    return Variable(shape, np.dtype(np.float64))


def operation(name, args, result, seen=()):
    """Return an operation of the primitive that a recorded call of `name` has."""
    source = recorded({"sin": np.sin, "add": np.add, "reshape": np.ravel}[name], *_inputs(name))
    return Operation(source.operations[-1].primitive, args, {}, result, seen)


def _inputs(name):
    return [np.ones((2, 2))] * (2 if name == "add" else 1)


def test_the_passes_are_a_named_list():
    assert [each.name for each in passes.PASSES] == [
        "dead code in loops",
        "common subexpressions in loops",
        "loop-invariant motion",
        "constants and common subexpressions",
        "short axes first",
        "negated doubles",
        "transposes into products",
        "products with the same matrix",
        "rows times transposes",
        "operands turned over",
        "sums into dot products",
        "operands spread",
        "dead code",
        "stacks in kept memory",
        "copies of inputs that are viewed often",
        "fusion into kernels",
    ]


def test_counts_after_each_pass():
    program = recorded(lambda x: (np.sin(x), np.sin(x) + np.zeros_like(x) * 2.0)[1], np.ones(3))
    done = passes.optimized(program, get_backend("numpy"))
    assert done.counts[0] == ("recorded", len(program.operations))
    assert [count for _, count in done.counts[1:]] == [2] * 11
    assert names(done.program) == ["sin", "add"]


def test_common_subexpressions_are_computed_once():
    x, a, b, c = (variable(3) for _ in range(4))
    sin, add = operation("sin", [x], a), operation("add", [a, b], c)
    again = Operation(sin.primitive, [x], {}, b)
    program = without_common_subexpressions(Program([x], [sin, again, add], [c]), XP)
    assert names(program) == ["sin", "add"]
    assert program.operations[1].args == [a, a]


def test_constants_are_computed_now():
    x, a, c = (variable(3) for _ in range(3))
    one = np.ones(3)
    sin, add = operation("sin", [one], a), operation("add", [x, a], c)
    program = without_common_subexpressions(Program([x], [sin, add], [c]), XP)
    assert names(program) == ["add"]
    np.testing.assert_array_equal(program.operations[0].args[1], np.sin(one))


def test_dead_code_goes():
    x, a, b = (variable(3) for _ in range(3))
    program = Program([x], [operation("sin", [x], a), operation("sin", [a], b)], [a])
    assert names(without_dead_code(program)) == ["sin"]


def test_transposes_of_products_are_folded():
    program = recorded(lambda x, y: (x @ y).T, np.ones((2, 3)), np.ones((3, 4)))
    assert names(program) == ["matmul", "permute_dims"]
    folded = without_dead_code(with_folded_transposes(program))
    assert names(folded)[-1] == "matmul"
    assert tuple(folded.operations[-1].result.shape) == (4, 2)


def test_inputs_that_are_viewed_often_are_copied():
    program = recorded(lambda x: x[0] * x[1] * x[2] + x[3], np.ones((4, 3)))
    assert names(with_copied_inputs(program))[0] == "copy"


@pytest.fixture
def x():
    return variable(3)


def broken(program):
    return pytest.raises(check.InvalidProgramError, match=program)


def test_an_operand_is_made_before(x):
    a, b = variable(3), variable(3)
    operations = [operation("sin", [a], b), operation("sin", [x], a)]
    with broken("sin reads what is not made before it"):
        check.program(Program([x], operations, [b]), "a pass")


def test_a_result_is_made_once(x):
    a = variable(3)
    operations = [operation("sin", [x], a), operation("sin", [x], a)]
    with broken("sin makes something again"):
        check.program(Program([x], operations, [a]), "a pass")


def test_an_alias_is_one_of_an_operand(x):
    a, b = variable(3), variable(3)
    operations = [operation("sin", [x], a), operation("reshape", [a], b, seen=(x,))]
    with broken("looks at what is no operand"):
        check.program(Program([x], operations, [b]), "a pass")


def test_an_output_is_made(x):
    with broken("an output is not made"):
        check.program(Program([x], [], [variable(3)]), "a pass")


def test_a_constant_output_is_fine(x):
    check.program(Program([x], [], [1.0, np.ones(3), x]), "a pass")


def lend_the_first(slots, size):
    """Lend one piece of memory to all."""
    slots.sizes[:] = [1 << 12]
    return 0


X = np.linspace(0.1, 0.9, 49).reshape(7, 7)
PROGRAMS = {
    "chain": lambda x: np.sin(x) * np.cos(x) + np.sin(np.sum(x, axis=0)) + x[0],
    "views": lambda x: (y := np.exp(x) * 2.0)[1:, :] * y[:-1, :] + np.sum(y.T @ x),
    "joins": lambda x: np.concatenate([np.sin(x), x * 2.0]) @ (np.cos(x) * 2.0),
}


@pytest.mark.parametrize("function", PROGRAMS.values(), ids=PROGRAMS)
def test_memory_that_is_given_back_too_early_is_found(function, monkeypatch):
    monkeypatch.setattr(storage.Slots, "lend", lend_the_first)
    with pytest.warns(UserWarning, match="memory that something else was written into"):
        pn.jit(function)(X)


def test_blocks_that_overwrite_what_comes_next_are_found(monkeypatch):
    monkeypatch.setattr(blocks, "_LARGE", 1)
    monkeypatch.setattr(blocks, "_BLOCK", 64)
    monkeypatch.setattr(storage.Slots, "lend", lend_the_first)
    with pytest.warns(UserWarning, match="memory that something else was written into"):
        pn.jit(lambda x: np.sin(x) * 2.0 + np.cos(np.tanh(x) * x))(X)
