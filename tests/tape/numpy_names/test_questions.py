"""Questions about traced arrays: the answers of plain ones, with derivatives of zero."""

from __future__ import annotations

import numpy as np
import pytest
from tape.numpy_names.inputs import V
from tape.numpy_names.questions import ANSWERS, OF_NO_SIZE

import portanet as pn
from portanet.errors import PortanetError


@pytest.fixture(params=ANSWERS)
def question(request):
    return request.param, ANSWERS[request.param]


class TestQuestions:
    """The answers to questions about traced arrays are those about plain ones."""

    def test_under_a_derivative(self, question):
        _, ask = question
        want, heard = ask(V), []

        def function(x):
            heard.append(ask(x))
            return np.sum(x * x)

        np.testing.assert_allclose(pn.grad(function)(V), 2 * V)
        pn.jvp(function, (V,), (V,))
        for got in heard:
            np.testing.assert_array_equal(got, want)
            assert np.asarray(got).dtype == np.asarray(want).dtype

    def test_as_a_factor(self, question):
        """Their derivative is an exact zero, and no trace is lost."""
        _, ask = question
        want = np.sum(ask(V))
        np.testing.assert_allclose(pn.grad(lambda x: np.sum(x) * np.sum(ask(x)))(V), want * V**0)

    def test_recorded_and_batched(self, question):
        name, ask = question
        if name in OF_NO_SIZE:
            for verb in (lambda: pn.jit(ask)(V), lambda: pn.vmap(ask)(V[None])):
                with pytest.raises(PortanetError, match="shape"):
                    verb()
            return

        def answer(x):
            y = ask(x)
            return 0 * x[0] + y if isinstance(y, bool | int | np.generic) else y * 1

        want = np.asarray(answer(V))
        recorded = pn.jit(answer)
        for _ in range(3):
            np.testing.assert_array_equal(recorded(V), want)
        for row in pn.vmap(answer)(np.stack([V, V])):
            np.testing.assert_array_equal(row, want)
