"""Random programs of standard functions: values and derivatives jitted and not."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tape.test_programs import BINARY, UNARY, arrays, steps
from tracing.same import check_same

import portanet as pn

THOROUGH = bool(os.environ.get("PORTANET_SWEEPS"))
PROFILE = settings(
    max_examples=500 if THOROUGH else 60,
    derandomize=not THOROUGH,
    deadline=None,
    database=None,
    # To shrink a program with a derivative can take minutes: only where there is time for it.
    phases=list(Phase) if THOROUGH else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def values_of(xp, program, *inputs):
    values = list(inputs)
    for name, *places in program:
        chosen = [values[place % len(values)] for place in places]
        values.append((UNARY if name in UNARY else BINARY)[name](xp, *chosen))
    return values


@pytest.mark.parametrize("name", ["numpy", "array_api_strict"])
def test_programs(name):
    if reason := pn.backends.available()[name]:
        pytest.skip(reason)
    adapter = pn.backends.get_backend(name)

    @given(program=steps, x=arrays, y=arrays, keep=st.lists(st.integers(0, 99), max_size=3))
    @PROFILE
    def check(program, x, y, keep):
        def function(x, y):
            values = values_of(adapter.xp, program, x, y)
            return values[-1], [values[place % len(values)] for place in keep]

        def total(x, y):
            values = values_of(adapter.xp, program, x, y)
            return adapter.xp.sum(adapter.xp.square(values[-1]))

        def everything(x, y):
            return function(x, y), pn.grad(total, (0, 1))(x, y), pn.jvp(total, (x, y), (y, x))

        place = adapter.parse_device("device1" if name == "array_api_strict" else None)
        first, second = ([adapter.from_numpy(a, place) for a in pair] for pair in ((x, y), (y, x)))
        jitted = pn.jit(everything)
        results = [jitted(*first), jitted(*second), jitted(*first)]
        for result, inputs in zip(results, (first, second, first), strict=True):
            expected = everything(*inputs)
            scale = max(1.0, *(float(np.max(np.abs(np.asarray(a)))) for a in _host(expected)))
            check_same(result, expected, rtol=1e-10, atol=1e-12 * scale)

    check()


def _host(tree):
    return [pn.backends.backend_of(x).to_numpy(x) for x in pn.trees.leaves(tree)]
