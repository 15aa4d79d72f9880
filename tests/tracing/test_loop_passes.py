"""Passes over loops: on loops of which a test says what they hold."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends import get_backend
from portanet.tracing import passes
from portanet.tracing.compound import Compound
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.passes import with_kept_rows, with_motion, with_short_bodies
from portanet.tracing.plan.simplify import without_dead_code
from portanet.tracing.record.record import record

BACKEND = get_backend("numpy")
W = np.random.default_rng(0).normal(size=(3, 3))
H = np.ones((2, 3))
XS = np.random.default_rng(1).normal(size=(5, 2, 3))


def recorded(function, *inputs):
    return record(lambda *xs: list(function(*xs)), inputs, BACKEND.xp)[0]


def loops(program):
    return [op.primitive for op in program.operations if isinstance(op.primitive, Loop)]


def names(loop):
    return [op.name for op in loop.operations]


def gradient(w, h, xs):
    def loss(w):
        return np.sum(pn.scan(lambda c, x: (np.tanh(c @ w + x), c * x), h, xs)[0])

    return [pn.grad(loss)(w)]


def test_a_loop_computes_what_is_read_alone():
    def function(h, xs):
        def step(carry, x):
            a, b = carry
            return (a + x, np.sin(b)), (a * x, b)

        (a, _), (y, _) = pn.scan(step, (h, h), xs)
        return a, y

    (loop,) = loops(without_dead_code(recorded(function, H, XS)))
    assert sorted(names(loop)) == ["add", "multiply"]
    assert (len(loop.carry), len(loop.stacked), len(loop.rows)) == (1, 1, 1)


def test_a_carry_stays_that_another_needs():
    def function(h, xs):
        def step(carry, x):
            a, b = carry
            return (a + b, np.sin(b)), None

        return [pn.scan(step, (h, h), xs)[0][0]]

    (loop,) = loops(without_dead_code(recorded(function, H, XS)))
    assert len(loop.carry) == 2
    assert not loop.rows


def test_the_loop_forward_stacks_what_the_one_backwards_reads():
    whole = recorded(gradient, W, H, XS)
    forward, backward = loops(without_dead_code(whole))
    assert len(loops(whole)[0].stacked) > len(forward.stacked)
    assert [y.shape for y in forward.stacked] == [(2, 3), (2, 3)]
    assert forward.backwards is not backward.backwards
    assert [y.shape for y in backward.summed] == [(3, 3)]


def test_bodies_compute_nothing_twice():
    def function(h, xs):
        return [pn.scan(lambda c, x: (np.sin(c) + np.sin(c) * x, None), h, xs)[0]]

    program = recorded(function, H, XS)
    (before,), (after,) = loops(program), loops(with_short_bodies(program, BACKEND.xp))
    assert names(before).count("sin") == 2
    assert names(after).count("sin") == 1


def test_what_is_the_same_in_each_step_and_products_of_rows_come_before():
    def function(w, h, xs):
        return [pn.scan(lambda c, x: (c * (x @ w) + np.sin(w)[:2, :], None), h, xs)[0]]

    program = with_motion(without_dead_code(recorded(function, W, H, XS)), BACKEND.xp)
    (loop,) = loops(program)
    assert "matmul" not in names(loop)
    assert "sin" not in names(loop)
    assert [op.name for op in program.operations].count("matmul") == 1


def test_gradients_of_matrices_come_after():
    program = without_dead_code(
        with_motion(without_dead_code(recorded(gradient, W, H, XS)), BACKEND.xp)
    )
    forward, backward = loops(program)
    assert not backward.summed
    assert names(forward).count("matmul") == 1
    assert names(backward).count("matmul") == 1  # of the carried cotangent
    assert [op.name for op in program.operations].count("matmul") == 1


def test_sums_of_several_products_come_after():
    def function(w, h, xs):
        def loss(w):
            def step(c, x):
                return np.tanh(np.tanh(c @ w) @ w + x), None

            return np.sum(pn.scan(step, h, xs)[0])

        return [pn.grad(loss)(w)]

    program = without_dead_code(
        with_motion(without_dead_code(recorded(function, W, H, XS)), BACKEND.xp)
    )
    _, backward = loops(program)
    assert not backward.summed
    assert [op.name for op in program.operations].count("matmul") == 2


@pytest.mark.parametrize("shown", [False, True])
def test_what_a_result_looks_at_is_in_memory_of_its_own(shown):
    def function(h, xs):
        ys = pn.scan(lambda c, x: (c + x, np.sin(c)), h, xs)[1]
        return [np.reshape(ys, (-1,)) if shown else np.sum(ys * ys)]

    (loop,) = loops(with_kept_rows(without_dead_code(recorded(function, H, XS))))
    assert loop.kept == (frozenset() if shown else {0})


def test_both_sides_of_a_branch_are_shortened():
    def function(x):
        return [pn.cond(
            np.sum(x) > 0.0, lambda x: (np.sin(x) + np.sin(x), np.cos(x)),
            lambda x: (x * 2.0, np.exp(x)), x,
        )[0]]  # fmt: skip

    program = with_short_bodies(without_dead_code(recorded(function, H)), BACKEND.xp)
    (branch,) = (op.primitive for op in program.operations if isinstance(op.primitive, Compound))
    assert [[op.name for op in p.operations] for p in branch.programs] == [
        ["sin", "add"],
        ["multiply"],
    ]


def test_a_program_that_is_kept_holds_no_arrays_of_the_recorded_run():
    def loss(w, h, xs):
        def step(c, x):
            c = pn.cond(np.sum(c) > 0.0, lambda c: np.tanh(c @ w), lambda c: c + x, c)
            return pn.scan(lambda d, _: (np.sin(d), None), c, length=2)[0], c

        c, ys = pn.scan(step, h, xs)
        c = pn.while_loop(lambda c: np.sum(c) < 1.0, lambda c: c + 1.0, c, max_steps=3)
        return np.sum(c) + np.sum(ys)

    whole = recorded(lambda *a: [pn.grad(loss)(*a)], W, H, XS)
    assert any(op.samples for op in operations(whole))
    done = passes.optimized(whole, BACKEND).program
    assert not any(op.samples for op in operations(done))
    for op in operations(done):
        assert getattr(op.primitive, "trace", None) is None
        assert not any(getattr(op.primitive, "traces", ()))


def operations(program):
    for op in program.operations:
        yield op
        if isinstance(op.primitive, Compound):
            for body in op.primitive.programs:
                yield from operations(body)
