"""No state: exceptions, re-entrancy, depth, memory, and other users of autograd."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import tracemalloc
import weakref

import numpy as np
import pytest

import portanet as pn

X = np.asarray([0.4, -1.1, 0.7])
THOROUGH = bool(os.environ.get("PORTANET_SWEEPS"))


def close(backend, actual, expected):
    np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=1e-10)


class TestExceptions:
    def test_the_error_of_the_function_comes_through(self, backend):
        x = backend.asarray(X)

        class OwnError(Exception):
            pass

        def failing(x):
            raise OwnError("mine")

        def later(x):
            pn.grad(lambda y: backend.xp.sum(y * x))(x)
            return failing(x)

        for function in (failing, later):
            for verb in (
                lambda f: pn.grad(f)(x),
                lambda f: pn.vjp(f, x),
                lambda f: pn.jvp(f, (x,), (x,)),
                lambda f: pn.hvp(f, x, x),
                lambda f: pn.jacobian(f)(x),
            ):
                with pytest.raises(OwnError) as caught:
                    verb(function)
                assert str(caught.value) == "mine"
        close(backend, pn.grad(lambda x: backend.xp.sum(x**2))(x), 2 * X)
        close(backend, pn.hvp(lambda x: backend.xp.sum(x**3), x, x), 6 * X**2)

    def test_caught_inside_a_derivative(self, backend):
        """The outer derivative goes on as if the failed inner one had not been."""
        xp, x = backend.xp, backend.asarray(X)

        def function(x):
            with contextlib.suppress(IndexError):
                pn.grad(lambda y: xp.sum(y * x) / [].pop())(x)
            with contextlib.suppress(IndexError):
                pn.jvp(lambda y: [].pop(), (x,), (x,))
            return xp.sum(x**3)

        close(backend, pn.grad(function)(x), 3 * X**2)
        close(backend, pn.hvp(function, x, x), 6 * X**2)

    def test_in_a_pullback(self, backend):
        x = backend.asarray(X)
        _, pullback = pn.vjp(lambda x: x**2, x)
        with pytest.raises(pn.errors.ShapeError):
            pullback(backend.asarray(np.ones(5)))
        close(backend, pullback(x)[0], 2 * X**2)


class TestReentrancy:
    def test_a_function_that_differentiates_itself(self, backend):
        """f(x, n) = sum(x * grad f(., n - 1)): n derivatives of one wrapped function."""
        xp = backend.xp

        def function(x, n):
            return xp.sum(x**3) if n == 0 else xp.sum(x * pn.grad(function)(x, n - 1))

        x = backend.asarray(X)
        close(backend, pn.grad(function)(x, 3), 3**3 * 3 * X**2)

    def test_a_wrapped_function_used_at_two_levels(self, backend):
        xp, x = backend.xp, backend.asarray(X)
        gradient = pn.grad(lambda x: xp.sum(xp.sin(x)))
        outer = pn.grad(lambda x: xp.sum(gradient(gradient(x)) * gradient(x)))
        c, s = np.cos(X), np.sin(X)
        close(backend, outer(x), np.sin(c) * s * c - np.cos(c) * s)

    def test_a_generator_in_between(self, backend):
        """Two pullbacks, each made while the other's function was still running."""
        xp, x = backend.xp, backend.asarray(X)
        pulls = []

        def first(y):
            z = y * y
            pulls.append(pn.vjp(lambda t: xp.exp(t), x)[1])
            return z * y

        _, pull = pn.vjp(first, x)
        one = backend.asarray(np.ones(3))
        close(backend, pulls[0](one)[0], np.exp(X))
        close(backend, pull(one)[0], 3 * X**2)


class TestDepth:
    """A chain of 10,000 operations: no recursion, in either mode."""

    N = 10_000

    def chain(self, x):
        for _ in range(self.N):
            x = x * 1.0001
        return x

    def test_gradient(self, backend):
        if backend.name == "jax":
            pytest.skip("JAX itself takes seconds for a chain of this length")
        x = backend.asarray(X)
        expected = np.full(3, 1.0001**self.N)
        close(backend, pn.grad(lambda x: backend.xp.sum(self.chain(x)))(x), expected)

    def test_tangent(self, backend):
        if backend.name in ("jax", "torch"):
            pytest.skip("the library itself takes seconds for a chain of this length")
        x = backend.asarray(X)
        _, tangent = pn.jvp(self.chain, (x,), (x,))
        close(backend, tangent, X * 1.0001**self.N)

    def test_garbage_of_a_deep_chain(self):
        """Freeing it must not recurse either."""
        held = []

        def function(x):
            y = self.chain(x)
            held.append(y)
            return np.sum(y)

        pn.grad(function)(X)
        held.clear()
        gc.collect()


class TestMemory:
    """What a derivative has used is freed with it, by reference counting or the next collection."""

    @staticmethod
    def alive(run):
        """The number of arrays made inside a run that outlive it."""
        seen = []

        def note(x):
            seen.append(weakref.ref(x))
            return x

        run(note)
        gc.collect()
        return sum(ref() is not None for ref in seen), len(seen)

    @pytest.mark.parametrize("order", [1, 2, 3])
    def test_nothing_outlives_a_gradient(self, order):
        def run(note):
            constant = note(np.ones(1000))

            def function(x):
                return np.sum(np.tanh(x * constant) * note(np.full(1000, 2.0)))

            g = function
            for _ in range(order):
                g = (lambda f: lambda x: np.sum(pn.grad(f)(x)))(g)
            g(np.linspace(0, 1, 1000))

        alive, seen = self.alive(run)
        assert seen >= 2
        assert alive == 0

    def test_nothing_outlives_a_failed_one(self):
        def run(note):
            def function(x):
                y = np.exp(x) * note(np.ones(1000))
                raise ZeroDivisionError(y.shape)

            with pytest.raises(ZeroDivisionError):
                pn.grad(function)(np.ones(1000))

        assert self.alive(run) == (0, 1)

    def test_a_pullback_frees_what_it_holds(self):
        constants = [np.ones(1000)]
        held = weakref.ref(constants[0])
        _, pullback = pn.vjp(lambda x: np.exp(x) * constants[0], np.ones(1000))
        pullback(np.ones(1000))
        constants.clear()
        assert held() is not None
        del pullback
        gc.collect()
        assert held() is None

    def test_many_gradients_take_no_more_memory_than_one(self, backend):
        """Objects known to the collector, which every leaked node would be."""
        xp, x = backend.xp, backend.asarray(X)

        def work(n):
            for _ in range(n):
                pn.grad(lambda x: xp.sum(pn.grad(lambda y: xp.sum(xp.sin(y) * x))(x)))(x)
                pn.hvp(lambda x: xp.sum(x**3), x, x)
            gc.collect()
            return len(gc.get_objects())

        n = 10 if backend.name in ("jax", "torch") else 100
        work(n)
        before = work(n)
        assert work(2 * n) - before < n

    @pytest.mark.skipif(not THOROUGH, reason="in the session `sweeps`")
    def test_a_hundred_thousand_gradients_leave_nothing(self, backend):
        xp, x = backend.xp, backend.asarray(X)

        def first(x):
            return xp.sum(xp.sin(x) * x[0])

        def failing(x):
            return first(x) / [].pop()

        def work(n):
            for _ in range(n):
                pn.grad(first)(x)
                pn.jvp(first, (x,), (x,))
                pn.grad(lambda x: xp.sum(pn.grad(first)(x)))(x)
                with contextlib.suppress(IndexError):
                    pn.grad(failing)(x)
            gc.collect()
            return len(gc.get_objects())

        n = 500 if backend.name == "jax" else 20_000
        work(100)
        objects = work(100)
        tracemalloc.start()
        try:
            work(10)
            before = tracemalloc.get_traced_memory()[0]
            assert work(n) - objects < 100
            assert tracemalloc.get_traced_memory()[0] - before < 100_000
        finally:
            tracemalloc.stop()


def _run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_portanet_changes_nothing_for_users_of_autograd():
    _run(
        """
        import autograd, autograd.numpy as anp, numpy as np
        from autograd import core, tracer
        from autograd.extend import Box, VSpace

        def program(x):
            return anp.sum(anp.tanh(anp.dot(x, x.T)) ** 2) + anp.linalg.norm(x) + x[0, 1] ** 3

        x = np.linspace(-1, 1, 12).reshape(3, 4)
        def everything():
            g = autograd.grad(program)
            return (g(x), autograd.grad(lambda x: anp.sum(g(x) ** 2))(x),
                    autograd.make_jvp(program)(x)(x)[1], autograd.hessian(program)(x))

        def tables():
            return (dict(Box.type_mappings), dict(VSpace.mappings), dict(core.primitive_vjps),
                    dict(core.primitive_jvps), dict.fromkeys(Box.types), dict(vars(tracer)))

        def unchanged():
            # what was there is as it was, and all that is new belongs to portanet
            for now, then in zip(tables(), tables_before):
                assert then == {key: now[key] for key in then}, "a table of autograd has changed"
                new = [key.__module__ for key in now if key not in then]
                assert all(name.startswith("portanet.") for name in new), new

        before, tables_before = everything(), tables()
        import portanet as pn
        assert tables() == tables_before, "a table of autograd has changed"
        assert all(map(np.array_equal, everything(), before))
        inside = pn.grad(lambda x: np.sum(x ** 2))(x)
        assert all(map(np.array_equal, everything(), before))
        unchanged()
        """
    )


def test_importing_portanet_changes_nothing_for_numpy():
    _run(
        """
        import sys, warnings, numpy as np
        state = np.geterr(), np.get_printoptions(), list(warnings.filters)
        names = {name: id(value) for name, value in vars(np).items() if callable(value)}
        interval = sys.getswitchinterval(), sys.getrecursionlimit()
        import portanet as pn
        pn.hessian(lambda x: np.sum(np.exp(x) * x))(np.ones(3))
        assert state == (np.geterr(), np.get_printoptions(), list(warnings.filters))
        assert interval == (sys.getswitchinterval(), sys.getrecursionlimit())
        assert names == {name: id(vars(np)[name]) for name in names}
        """
    )
