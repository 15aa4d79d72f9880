"""What NumPy refuses is refused in its words; what is refused here alone names the call."""

from __future__ import annotations

import inspect
import operator

import numpy as np
import pytest

import portanet as pn
from portanet.errors import PortanetError
from portanet.tape.numpy.table import BY_NAME

A = np.arange(6.0).reshape(2, 3) + 0.5
ODD = {
    "axis": (7, "x", 1.5, (0, 9)),
    "axes": (7, (0, 9)),
    "axis1": (7,),
    "source": (7,),
    "mode": ("nonsense",),
    "ord": ("nonsense", -1000),
    "UPLO": ("nonsense",),
    "ddof": ("nonsense",),
    "n": (-1000,),
    "kth": (1000,),
    "repeats": (-1000, "nonsense"),
    "reps": ("nonsense",),
    "shape": ((5, 5), "nonsense"),
    "indexing": ("nonsense",),
}
SECONDS = (np.ones((4, 5)), "x", object(), -99)
LENIENT = {
    # a polynomial is any row of coefficients here, and vectors may have axes
    "linalg.outer", "linalg.tensorinv", "polyadd", "polyder", "polyint", "polymul",
    "polysub",
    # of arguments that are hints, or that no traced array can disagree with
    "gradient", "may_share_memory", "shares_memory", "size", "take",
}  # fmt: skip


def required(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return [], []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    first = [p.name for p in parameters if p.default is p.empty and p.kind in kinds]
    return first, [p.name for p in parameters]


def bad_calls(function):
    """Yield calls with odd arguments in the place of those that a function has."""
    first, names = required(function)
    fill = (1,) * max(len(first) - 1, 0)
    for name in names:
        for value in ODD.get(name, ()):
            others = () if name in first else fill
            yield lambda x, n=name, v=value, o=others: function(x, *o, **{n: v})
    if len(first) > 1:
        for other in SECONDS:
            yield lambda x, y=other: function(x, y, *fill[1:])
    yield lambda x: function(np.reshape(x[:1, :1], ()), *fill)
    yield lambda x: function(x, *fill, nonsense=3)


def refusal(function, x):
    try:
        function(x)
    except Exception as error:
        return error
    return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(BY_NAME) - LENIENT))
def test_what_numpy_refuses(name):
    for call in bad_calls(operator.attrgetter(name)(np)):
        own = refusal(call, A)
        if own is not None:
            found = refusal(lambda x, call=call: pn.vjp(call, x), A)
            assert type(found) is type(own)
            assert str(found) == str(own)


@pytest.mark.parametrize(
    ("call", "start"),
    [
        (lambda x: np.unique(x), "numpy.unique has no derivative rule"),
        (lambda x: np.correlate(x, x, "same", np.ones(1)), "correlate"),
        (lambda x: np.hypot.reduce(x, where=x > 1), "numpy.hypot.reduce with where"),
        (lambda x: np.clip(x, 1, 2, where=x > 1), "numpy.clip with ['where']"),
        (lambda x: np.exp(x, where=x > 1), "numpy.exp with ['where']"),
        (lambda x: np.median(x, out=np.ones(3)), "numpy.median cannot write"),
        (lambda x: np.sum(x, out=np.ones(3)), "numpy.sum cannot write"),
        (lambda x: x.sum(out=np.ones(3)), "numpy.ndarray.sum cannot write"),
    ],
)
def test_what_is_refused_here_names_what_was_called(call, start):
    with pytest.raises((PortanetError, TypeError)) as caught:
        pn.vjp(call, A)
    assert str(caught.value).startswith(start)


def test_a_replay_and_a_batch_refuse_as_numpy_does():
    for verb in (pn.jit, pn.vmap):
        with pytest.raises(np.exceptions.AxisError, match="axis 7 is out of bounds"):
            verb(lambda x: np.cumsum(x, axis=7))(A)
        with pytest.raises(ValueError, match="could not be broadcast"):
            verb(lambda x: np.add(x, np.ones((4, 5))))(A)


def test_a_method_refuses_as_numpy_does():
    for call in (lambda x: x.sum(axis=7), lambda x: x.reshape(5, 5), lambda x: x.take(99)):
        with pytest.raises(Exception) as own:  # noqa: PT011
            call(A)
        with pytest.raises(type(own.value)) as caught:
            pn.grad(call)(A)
        assert str(caught.value) == str(own.value)


def test_nothing_is_written_where_a_call_is_refused():
    out = np.zeros(3)
    with pytest.raises(PortanetError):
        pn.grad(lambda x: np.sum(x, 0, None, out)[0])(A)
    assert not out.any()
