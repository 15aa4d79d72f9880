"""Nested derivatives in many threads at once: thousands of calls, no wrong number.

``PORTANET_SWEEPS=1`` makes tens of thousands of them.
"""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest

import portanet as pn

X = np.asarray([0.4, -1.1, 0.7])
V = np.asarray([1.0, 0.5, -2.0])
THREADS = 8
THOROUGH = bool(os.environ.get("PORTANET_SWEEPS"))


@pytest.fixture
def hurried():
    """Let threads change places every microsecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_in_threads(work):
    """Run ``work(i)`` in each thread at once; return what they returned, raise what they raised."""
    start, found, failed = threading.Barrier(THREADS), [None] * THREADS, []

    def body(i):
        try:
            start.wait(60)
            found[i] = work(i)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found


def test_nested_derivatives(backend, hurried):
    """Each thread has a function of its own, so that a box from another one changes the number."""
    xp, x, v = backend.xp, backend.asarray(X), backend.asarray(V)
    repeats = {"numpy": 150, "array_api_strict": 40}.get(backend.name, 12)
    if THOROUGH:  # of 8 threads with 5 derivatives each
        repeats = {"numpy": 2000, "array_api_strict": 500, "torch": 500}.get(backend.name, 250)

    def work(i):
        scale = 1.0 + i

        def cube(x):
            return scale * xp.sum(x**3)

        def nested(x):
            return xp.sum(x * pn.grad(lambda y: xp.sum(x * y**2) * scale)(x))

        wrong = 0
        expected = {
            "first": 3 * scale * X**2, "hvp": 6 * scale * X * V, "twice": 6 * scale * X * V,
            "nested": 6 * scale * X**2, "mixed": 6 * scale * X * V,
        }  # fmt: skip
        for _ in range(repeats):
            found = {
                "first": pn.grad(cube)(x),
                "hvp": pn.hvp(cube, x, v),
                "twice": pn.grad(lambda x: xp.sum(pn.grad(cube)(x) * v))(x),
                "nested": pn.grad(nested)(x),
                "mixed": pn.grad(lambda x: pn.jvp(cube, (x,), (v,))[1])(x),
            }
            for name, value in found.items():
                wrong += not np.allclose(backend.to_numpy(value), expected[name], rtol=1e-12)
        return wrong

    assert run_in_threads(work) == [0] * THREADS


def test_one_function_shared_by_all(hurried):
    """The same wrapped function, compiled rules and namespace, entered by every thread at once."""
    gradient = pn.grad(lambda x: np.sum(pn.grad(lambda y: np.sum(y**3 * x))(x) ** 2))
    expected = gradient(X)

    def work(i):
        return sum(not np.array_equal(gradient(X), expected) for _ in range(200))

    assert run_in_threads(work) == [0] * THREADS


def test_functions_made_for_the_first_time(hurried):
    """A fresh namespace makes each function on its first use, here by all threads at once."""
    from portanet.backends.numpy import NumPyBackend

    for _ in range(5):
        xp = NumPyBackend().xp
        names = ("sin", "tanh", "exp", "sum", "reshape", "concat")

        def work(i, xp=xp, names=names):
            for name in names[i % len(names) :] + names[: i % len(names)]:
                getattr(xp, name)
            return float(xp.sum(xp.tanh(X)))

        assert set(run_in_threads(work)) == {float(np.sum(np.tanh(X)))}


def test_one_pullback_called_by_all(backend, hurried):
    xp, x = backend.xp, backend.asarray(X)
    _, pullback = pn.vjp(lambda x: xp.exp(x) * x, x)
    slope = np.exp(X) * (1 + X)
    repeats = 100 if backend.name == "numpy" else 10

    def work(i):
        seed = backend.asarray(V * (i + 1))
        wanted = slope * V * (i + 1)
        return sum(
            not np.allclose(backend.to_numpy(pullback(seed)[0]), wanted, rtol=1e-12)
            for _ in range(repeats)
        )

    assert run_in_threads(work) == [0] * THREADS
