"""When a function is recorded anew, what cannot be recorded, and what an error leaves behind."""

from __future__ import annotations

import copy
import pickle
import sys
import threading

import numpy as np
import pytest
from tape.test_threads import run_in_threads
from tracing.same import check_jitted, check_same
from tracing.test_results import X

import portanet as pn
from portanet.errors import ArgumentError, TracedValueError

CONDITION = (
    r"a condition on a value inside pn\.jit would be decided once and for all: choose entry by "
    r"entry with xp\.where\(condition, a, b\), or leave this function out of jit"
)
VALUE = r"an array inside pn\.jit has another value in each call: float\(\), int\(\), item\(\)"
WRITTEN = r"a traced array cannot be written in place: build the new array with"

REFUSED = {
    "if": (lambda x: x if x[0] > 0.0 else -x, CONDITION),
    "while": (lambda x: [0 for _ in iter(lambda: bool(x[0] > 0), False)], CONDITION),
    "and": (lambda x: x[0] > 0 and x[1] > 0, CONDITION),
    "float": (lambda x: float(x[0]), VALUE),
    "int": (lambda x: int(x[0]), VALUE),
    "complex": (lambda x: complex(x[0]), VALUE),
    "index": (lambda x: [1, 2, 3][x[0]], VALUE),
    "item": (lambda x: x[0].item(), VALUE),
    "tolist": (lambda x: x.tolist(), VALUE),
    "range": (lambda x: list(range(x[0])), VALUE),
}


def _assigned(x):
    x[0] = 1.0
    return x


@pytest.mark.parametrize(("function", "text"), REFUSED.values(), ids=REFUSED)
def test_values_cannot_be_asked_for(replayer, function, text):
    x = replayer.asarray(np.ones(3))
    jitted = pn.jit(function)
    for _ in range(2):
        with pytest.raises(TracedValueError, match=text):
            jitted(x)
    assert jitted.cache_info() == (0, 0, 0, 0)


def test_writing_in_place_is_refused(replayer):
    with pytest.raises(TracedValueError, match=WRITTEN):
        pn.jit(_assigned)(replayer.asarray(np.ones(3)))


def test_conversion_to_numpy_is_refused():
    with pytest.raises(TracedValueError, match=VALUE):
        pn.jit(lambda x: np.asarray(x))(X)


SIZES = {
    "mask": lambda x: x[x > 0.5],
    "nonzero": lambda x: pn.array_namespace(x).nonzero(x > 0.5),
    "unique_values": lambda x: pn.array_namespace(x).unique_values(x),
    "unique_all": lambda x: pn.array_namespace(x).unique_all(x),
    "repeat": lambda x: np.repeat(x, x > 0.5),
}


@pytest.mark.parametrize("function", SIZES.values(), ids=SIZES)
def test_sizes_cannot_depend_on_values(function):
    with pytest.raises(TracedValueError, match="the shape of its result depends on values"):
        pn.jit(function)(np.asarray([0.3, 0.7, 0.9]))


def test_functions_of_several_results():
    x = X @ X.T

    def function(x):
        xp = pn.array_namespace(x)
        return xp.linalg.eig(x), xp.broadcast_arrays(x, x[0]), xp.meshgrid(x[0], x[1])

    check_jitted(function, x)


def test_shapes_are_static(recorder):
    x = recorder.asarray(X)
    check_jitted(lambda x: (x.shape, x.ndim, x.size, [row * 2.0 for row in _rows(x)]), x)
    check_jitted(lambda x: (len(x), [row * 2.0 for row in x]), X)


def _rows(x):
    return [x[i, :] for i in range(x.shape[0])]


def test_an_index_of_arrays():
    index = np.asarray([1, 0, 1])
    check_jitted(lambda x, i: (x[i], x[:, i], x[i, i]), X, index)
    check_jitted(pn.grad(lambda x, i: np.sum(x[i, i] ** 3) + np.sum(x[:, i])), X, index)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((np.ones(2),), (np.ones(3),)),
        ((np.ones(2),), (np.ones((2, 1)),)),
        ((np.ones(2),), (np.ones(2, np.float32),)),
        ((np.ones(2),), ([np.ones(2)],)),
        ((np.asarray(1.0),), (np.float64(1.0),)),
        ((np.ones(2), 1), (np.ones(2), 2)),
        ((np.ones(2), 1), (np.ones(2), 1.0)),
        ((np.ones(2), 1), (np.ones(2), True)),
        ((np.ones(2), 0.0), (np.ones(2), -0.0)),
        ((np.ones(2), "a"), (np.ones(2), "b")),
        ((np.ones(2), None), (np.ones(2), 0)),
        (({"a": np.ones(2)},), ({"b": np.ones(2)},)),
    ],
)
def test_what_makes_a_new_program(first, second):
    calls = []

    def function(*args):
        calls.append(args)
        return args

    jitted = pn.jit(function)
    for args in (first, second, first, second, second):
        check_same(jitted(*args), args)
    assert len(calls) == 2
    assert jitted.cache_info()[:3] == (3, 2, 2)


def test_a_number_that_is_no_number():
    jitted = pn.jit(lambda x, a: x * a)
    for _ in range(3):
        assert np.all(np.isnan(jitted(X, float("nan"))))
    assert jitted.cache_info()[:3] == (2, 1, 1)


def test_devices_of_array_api_strict():
    pytest.importorskip("array_api_strict")
    strict = pn.backends.get_backend("array_api_strict")
    jitted = pn.jit(lambda x: x + strict.xp.zeros_like(x))
    for name in ("cpu_device", "device1", "cpu_device"):
        device = strict.parse_device(name)
        x = strict.from_numpy(X, device)
        for _ in range(2):
            assert jitted(x).device == device
    assert jitted.cache_info().misses == 2


def test_static_arguments_need_a_hash():
    class Options:
        __hash__ = None  # pyright: ignore

    with pytest.raises(ArgumentError, match="tells programs apart by its hash: Options has none"):
        pn.jit(lambda x, o: x)(X, Options())


class Options(dict):
    """Static by its name, and no tree of numbers."""

    def __hash__(self):
        return hash(tuple(sorted(self.items())))


MARKS = {
    "position": {"static_argnums": 1},
    "positions": {"static_argnums": (1,)},
    "name": {"static_argnames": "options"},
    "names": {"static_argnames": ["options"]},
}


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
def test_marked_arguments_are_static_by_position_and_by_name(marks):
    calls = []

    def function(x, options):
        calls.append(options)
        return x * options["factor"]

    jitted = pn.jit(function, **marks)
    for factor in (2.0, 2.0, 3.0):
        check_same(jitted(X, Options(factor=factor)), X * factor)
        check_same(jitted(X, options=Options(factor=factor)), X * factor)
    assert calls == [{"factor": 2.0}, {"factor": 2.0}, {"factor": 3.0}, {"factor": 3.0}]
    other = pickle.loads(pickle.dumps(pn.jit(_scaled, **marks)))
    check_same(other(X, Options(factor=2.0)), X * 2.0)


def _scaled(x, options):
    return x * options["factor"]


def test_static_numbers_are_told_apart():
    jitted = pn.jit(lambda x, n: (x, n), static_argnums=1)
    for pair in ((0.0, -0.0), ((1, 2), (True, 2)), (1, 1.0)):
        for n in pair * 2:
            assert repr(jitted(X, n)[1]) == repr(n)
    assert jitted.cache_info().misses == 6


def test_static_arguments_that_cannot_be():
    with pytest.raises(ArgumentError, match="the static argument 'options' tells programs apart"):
        pn.jit(_scaled, static_argnames="options")(X, options={"factor": 2.0})
    with pytest.raises(ArgumentError, match="the static argument 1 tells programs apart by its h"):
        pn.jit(_scaled, static_argnames="options")(X, {"factor": 2.0})
    with pytest.raises(ArgumentError, match="static_argnums >= 0: got -1"):
        pn.jit(_scaled, static_argnums=-1)
    with pytest.raises(ArgumentError, match=r"static_argnames are of type str: got \(1,\)"):
        pn.jit(_scaled, static_argnames=(1,))  # pyright: ignore
    with pytest.raises(ArgumentError, match="donate_argnums are of type int: got 'x'"):
        pn.jit(_scaled, donate_argnums="x")  # pyright: ignore


def test_donated_arguments(recorder):
    def function(x, y):
        return {"x": x["a"] + y, "y": 2.0 * y}

    jitted = pn.jit(function, donate_argnums=0)
    for factor in (1.0, 2.0):
        y = recorder.asarray(X * factor)
        expected = function({"a": recorder.asarray(X)}, y)
        for _ in range(3):
            check_same(jitted({"a": recorder.asarray(X)}, y), expected)


def test_programs_in_turns_are_matched():
    jitted = pn.jit(lambda x: x * 2.0)
    for _ in range(5):
        for n in (2, 3, 4, 5, 6, 7):
            check_same(jitted(np.ones(n)), np.full(n, 2.0))
    assert jitted.cache_info()[:3] == (24, 6, 6)


def test_what_changes_by_itself_is_no_argument():
    with pytest.raises(ArgumentError, match="the numbers of a generator would be drawn once"):
        pn.jit(lambda x, rng: x + rng.normal())(X, np.random.default_rng(0))
    model = pn.Dense(3, 2)
    bound = pn.StatefulModel(model, *pn.setup(0, model, dtype="float64"))
    with pytest.raises(ArgumentError, match="a StatefulModel changes when it is called"):
        pn.jit(bound)
    with pytest.raises(ArgumentError, match="a StatefulModel changes when it is called"):
        pn.jit(lambda m, x: m(x))(bound, X)
    with pytest.raises(ArgumentError, match="function is callable: got int"):
        pn.jit(3)  # pyright: ignore[reportArgumentType]


def test_numbers_drawn_from_around_are_refused(monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    rng = np.random.default_rng(0)
    jitted = pn.jit(lambda x: x + rng.normal(size=3))
    with pytest.raises(TracedValueError, match="the numbers of the generator 'rng' would be draw"):
        jitted(X)
    assert jitted.cache_info() == (0, 0, 0, 0)


def test_keys_cannot_be_kept_beyond_the_call():
    kept = []
    pn.jit(lambda key, x: kept.append(key) or x)(KEY, X)
    with pytest.raises(TracedValueError, match="was kept and used after the call"):
        kept[0].split()
    with pytest.raises(TracedValueError, match="was kept and used after the call"):
        pn.random.uniform(kept[0], (2,), like=X)


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32")])
def test_static_dtypes(dtype):
    check_jitted(lambda x, dtype: pn.array_namespace(x).astype(x, dtype), X, dtype)


def test_the_cache_is_bounded():
    jitted = pn.jit(lambda x, n: x + n)
    for n in range(300):
        jitted(X, n)
        jitted(X, n)
    assert jitted.cache_info()[:3] == (300, 300, 256)
    jitted(X, 44)
    assert jitted.cache_info()[:2] == (301, 300)
    jitted(X, 0)
    assert jitted.cache_info()[:2] == (301, 301)


@pytest.mark.filterwarnings("ignore:pn.jit")
def test_what_differs_in_each_call_runs_as_it_is_until_it_comes_again():
    calls = []
    jitted = pn.jit(lambda x, n: calls.append(n) or x + n)
    for n in range(100):
        check_same(jitted(X, n), X + n)
    assert jitted.cache_info()[:3] == (0, 16, 16)
    for _ in range(3):
        jitted(X, 99)
    assert jitted.cache_info()[:3] == (2, 17, 17)
    assert calls == [*range(100), 99]


@pytest.mark.filterwarnings("ignore:pn.jit")
def test_the_program_used_longest_ago_goes_first():
    jitted = pn.jit(lambda x, n: x + n)
    for n in range(257):
        jitted(X, n)
        jitted(X, 0)
    assert jitted.cache_info()[:2] == (257, 257)


def test_side_effects_happen_once(replayer):
    seen = []
    jitted = pn.jit(lambda x: seen.append(x.shape) or x * 2.0)
    for _ in range(3):
        jitted(replayer.asarray(X))
    assert seen == [(2, 3)]


def test_an_error_inside_leaves_nothing_behind(replayer):
    x, failing = replayer.asarray(X), [True]

    def function(x):
        y = x * 2.0
        if failing[0]:
            raise KeyError("mine")
        return y

    jitted = pn.jit(function)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            jitted(x)
    failing[0] = False
    check_same(jitted(x), x * 2.0)
    assert jitted.cache_info()[:3] == (0, 1, 1)


def test_an_error_in_a_replay_leaves_nothing_behind():
    jitted = pn.jit(lambda x: np.linalg.inv(x) + 1.0)
    jitted(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        jitted(np.zeros((2, 2)))
    check_same(jitted(np.eye(2)), np.eye(2) + 1.0)


def test_arrays_cannot_be_kept_beyond_the_call(replayer):
    kept = []
    pn.jit(lambda x: kept.append(x) or x)(replayer.asarray(X))
    with pytest.raises(TracedValueError, match="was kept and used after the call: return it"):
        kept[0] + 1.0


def test_threads():
    jitted = pn.jit(lambda x, y: {"a": np.sin(x) @ y.T, "b": [np.sum(np.exp(x * y), axis=0)]})
    inputs = [(X + i, X * 0.1 - i) for i in range(8)]
    expected = [jitted.function(*pair) for pair in inputs]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:

        def work(i):
            for _ in range(200):
                check_same(jitted(*inputs[i]), expected[i])

        run_in_threads(work)
    finally:
        sys.setswitchinterval(before)


def test_mutation_is_watched_for_outside_only():
    with pn.detect_mutation():
        jitted = check_jitted(pn.grad(lambda x: np.sum(np.sin(x) ** 2)), X)
    check_same(jitted(X), jitted.function(X))


def test_methods_of_boxes():
    check_jitted(
        lambda x: (x.sum(axis=0), x.mean(), x.astype("float32"), x.copy(), x.flatten(), x.max()), X
    )


def test_arrays_that_numpy_treats_in_other_ways_run_as_they_are():
    masked = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])
    jitted = pn.jit(lambda x: np.sum(x * 2.0))
    assert jitted(masked) == jitted.function(masked) == 8.0
    assert jitted(np.asarray([1, 2], object)) == 6
    assert jitted.cache_info() == (0, 0, 0, 0)


def test_it_looks_like_the_function():
    def mine(x):
        """Text."""
        return x

    jitted = pn.jit(mine)
    assert (jitted.__name__, jitted.__doc__, jitted.__wrapped__) == ("mine", "Text.", mine)


KEY = pn.random.key(5)


def test_keys_are_inputs(recorder):
    x = recorder.asarray(X)

    def function(key, x):
        key, mine = key.split()
        return key.fold_in(3), x * pn.random.normal(mine, x.shape, like=x), [
            pn.random.bernoulli(mine, 0.5, (4,), like=x), pn.random.uniform(key, (2,), like=x),
        ]  # fmt: skip

    jitted, key = pn.jit(function), KEY
    for _ in range(4):
        found, expected = jitted(key, x), function(key, x)
        check_same(found, expected)
        key = found[0]
    assert jitted.cache_info()[:3] == (3, 1, 1)
    assert jitted(KEY, x)[0] == function(KEY, x)[0]


def test_keys_from_around_draw_the_same_each_time(recorder):
    x = recorder.asarray(X)
    check_jitted(lambda x: x * pn.random.uniform(KEY, x.shape, like=x), x)


CHANGING = {
    "shape": (lambda n: (np.ones(n),), r"the shape of an array was \(14,\) and then \(15,\)"),
    "number": (lambda n: (X, n / 100), r"an argument that is no array was 0\.14 and then 0\.15:"),
    "structure": (lambda n: ([X] * n,), "the structure of its arguments differs"),
    "type": (lambda n: (n if n % 2 else X, n), "an argument has another type"),
}


@pytest.mark.parametrize(("arguments", "text"), CHANGING.values(), ids=CHANGING)
def test_what_is_recorded_anew_in_each_call_warns_once(arguments, text):
    jitted = pn.jit(lambda *args: args)

    def calls():
        for n in range(40):
            jitted(*arguments(n))

    with pytest.warns(UserWarning, match=f"is recorded anew in nearly every call: {text}") as seen:
        calls()
    assert [warning.filename for warning in seen] == [__file__]


def test_methods_models_and_copies():
    class Scaled:
        @pn.jit
        def twice(self, x):
            return x * 2.0

    check_same(Scaled().twice(X), X * 2.0)
    model = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.Dense(4, 2))
    ps, st = pn.setup(0, model, dtype="float64")
    jitted = check_jitted(model, X, ps, st)
    assert not hasattr(jitted, "layers")
    check_jitted(lambda model, x, ps, st: model(x, ps, st), model, X, ps, st)
    for other in (copy.deepcopy(jitted), pickle.loads(pickle.dumps(jitted))):
        check_same(other(X, ps, st), model(X, ps, st))


def test_arrays_of_another_library_from_around():
    pytest.importorskip("array_api_strict")
    strict = pn.backends.get_backend("array_api_strict")
    around = strict.from_numpy(X)
    jitted = pn.jit(lambda key: pn.random.normal(key, (3,), like=around) * 2.0)
    for _ in range(2):
        check_same(jitted(KEY), jitted.function(KEY))


def test_numbers_in_powers():
    check_jitted(lambda x: (x**2, x**2.0, 2.0**x, abs(x) ** 0.5, abs(x) ** -1, x**3, x**0), X)


def test_nested_jit():
    inner = pn.jit(lambda x: np.sin(x) * 2.0)
    constant = np.ones(3)
    check_jitted(lambda x: inner(x) + inner(constant), X)
    check_jitted(lambda x: pn.jit(lambda y: y * x)(constant), X)
