"""What lies around a function and changes: the recorded function follows, or runs as it is."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import enum
import functools
import itertools
import logging
import pathlib
import sys
import threading
import time
import types

import numpy as np
import pytest
from tracing.same import check_same
from tracing.test_training import LIBRARY, Runs, counted, start, with_stats

import portanet as pn
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training import train_step

X = np.asarray([1.0, 2.0])
BETA = 1.0
TABLE = {"beta": 1.0, "inner": {"betas": [1.0, 2.0]}}


@dataclasses.dataclass
class Settings:
    beta: float = 1.0
    inner: object = None


class Slotted:
    __slots__ = ("beta",)

    def __init__(self):
        self.beta = 1.0


class WithProperty:
    hidden = 1.0

    @property
    def beta(self):
        return self.hidden


class WithItems:
    def __init__(self):
        self.values = {"beta": 1.0}

    def __getitem__(self, name):
        return self.values[name]


class OfClass:
    beta = 1.0

    @classmethod
    def taken(cls):
        return cls.beta

    @staticmethod
    def given():
        return OfClass.beta


class OwnDict(dict):
    pass


@dataclasses.dataclass(frozen=True)
class Frozen:
    table: dict


def beta_of_module():
    return BETA


def in_place(array):
    return lambda: np.sum(array), lambda beta: array.__setitem__(..., beta / array.size)


def of(holder, read, name="beta"):
    return read, lambda beta: setattr(holder, name, beta)


def in_module(beta):
    global BETA
    BETA = beta


def in_cell():
    beta = 1.0

    def change(to):
        nonlocal beta
        beta = to

    return lambda: beta, change


def in_module_of_user():
    module = types.ModuleType("settings_of_user")
    exec("beta = 1.0\ndef read():\n    return beta", module.__dict__)
    return module


def in_imported_module(beta=1.0):
    sys.modules["settings_of_user"] = module = in_module_of_user()

    def read():
        import settings_of_user

        return settings_of_user.beta

    return of(module, read)


def in_function():
    def read():
        return read.beta

    read.beta = 1.0
    return of(read, read)


def in_default(table=None):
    table = {"beta": 1.0}
    return lambda table=table: table["beta"], lambda beta: table.update(beta=beta)


def in_partial(table=None):
    table = {"beta": 1.0}
    return (
        functools.partial(lambda table: table["beta"], table=table),
        lambda beta: table.update(beta=beta),
    )


def in_pair():
    inner = [1.0]
    pair = (inner, "x")
    return lambda: pair[0][0], lambda beta: inner.__setitem__(0, beta)


def by_computed_name():
    settings = types.SimpleNamespace(beta=1.0)
    name = "be"
    return of(settings, lambda: getattr(settings, name + "ta"))


def by_computed_name_of_a_module():
    module, name = in_module_of_user(), "be"
    return of(module, lambda: getattr(module, name + "ta"))


def by_vars():
    settings = Settings()
    return of(settings, lambda: vars(settings)["be" + "ta"])


def named(*, kind):
    holder = kind()
    return of(holder, lambda: holder.beta)


def of_item(container, key):
    return lambda: container[key], lambda beta: container.__setitem__(key, beta)


def in_set():
    chosen = {1.0}
    return lambda: max(chosen), lambda beta: (chosen.clear(), chosen.add(beta))


def nested():
    settings = Settings(inner=types.SimpleNamespace(deep=Settings()))
    return of(settings.inner.deep, lambda: settings.inner.deep.beta)


def replaced():
    settings = Settings(inner=Settings())
    read = lambda: settings.inner.beta  # noqa: E731
    return read, lambda beta: setattr(settings, "inner", Settings(beta))


def in_frozen():
    frozen = Frozen({"beta": 1.0})
    return lambda: frozen.table["beta"], lambda beta: frozen.table.update(beta=beta)


def through_verbs():
    settings = Settings()
    slope = pn.grad(lambda x: settings.beta * x)
    return of(settings, lambda: slope(np.asarray(1.0)))


def through_cache():
    settings = Settings()

    @functools.cache
    def read():
        return settings

    return of(settings, lambda: read().beta)


def through_decorator():
    settings = Settings()

    def decorated(function):
        @functools.wraps(function)
        def wrapped():
            return function()

        return wrapped

    return of(settings, decorated(lambda: settings.beta))


def of_a_method():
    class Owner:
        beta = 1.0

        def helper(self):
            return self.beta

        def read(self):
            return self.helper()

    owner = Owner()
    return of(owner, owner.read)


def of_a_class():
    class Owner:
        beta = 1.0

    return of(Owner, lambda: Owner().beta)


AROUND = {
    "global": lambda: (beta_of_module, in_module),
    "entry": lambda: (lambda: TABLE["beta"], lambda beta: TABLE.update(beta=beta)),
    "item of an entry": lambda: of_item(TABLE["inner"]["betas"], 0),
    "closure": in_cell,
    "attribute": lambda: named(kind=Settings),
    "namespace": lambda: named(kind=lambda: types.SimpleNamespace(beta=1.0)),
    "arguments": lambda: named(kind=lambda: argparse.Namespace(beta=1.0)),
    "nested": nested,
    "replaced": replaced,
    "frozen": in_frozen,
    "slot": lambda: named(kind=Slotted),
    "property": lambda: (lambda o: of(o, lambda: o.beta, "hidden"))(WithProperty()),
    "getitem": lambda: (lambda o: (lambda: o["beta"], lambda b: o.values.update(beta=b)))(
        WithItems()
    ),
    "class": lambda: of(OfClass, lambda: OfClass.beta),
    "class method": lambda: of(OfClass, lambda: OfClass.taken()),
    "static method": lambda: of(OfClass, lambda: OfClass().given()),
    "class of an instance": of_a_class,
    "method of a method": of_a_method,
    "module": lambda: (lambda m: of(m, lambda: m.beta))(in_module_of_user()),
    "function of a module": lambda: (lambda m: of(m, lambda: m.read()))(in_module_of_user()),
    "import within": in_imported_module,
    "function": in_function,
    "default": in_default,
    "partial": in_partial,
    "tuple": in_pair,
    "list": lambda: of_item([1.0, 2.0], 0),
    "deque": lambda: of_item(collections.deque([1.0]), 0),
    "counter": lambda: of_item(collections.Counter(a=1.0), "a"),
    "dict of its own": lambda: of_item(OwnDict(beta=1.0), "beta"),
    "set": in_set,
    "array": lambda: in_place(np.asarray([0.5, 0.5])),
    "array without axes": lambda: in_place(np.asarray(1.0)),
    "view": lambda: in_place(np.asarray([[0.5, 9.0], [0.5, 9.0]])[:, 0]),
    "array turned over": lambda: in_place(np.asarray([[0.25, 0.5], [0.25, 0.0]]).T),
    "long list": lambda: of_item([1.0] * 100, 99),
    "dict of many": lambda: of_item({f"beta{i}": 1.0 for i in range(100)}, "beta99"),
    "dict by numbers": lambda: of_item({0: 1.0, 1: 2.0}, 0),
    "array in a list": lambda: (lambda a: (lambda: a[0][0], lambda b: a[0].__setitem__(0, b)))(
        [np.asarray([1.0])]
    ),
    "computed name": by_computed_name,
    "computed name of a module": by_computed_name_of_a_module,
    "vars": by_vars,
    "verb": through_verbs,
    "cached function": through_cache,
    "decorator": through_decorator,
}


def weighted(read, runs):
    return counted(runs, lambda *args: times(read(), *args))


def steps(loss, batch, ts):
    """Take the same step four times; return the values of the loss."""
    return [train_step(loss, batch, ts)[0] for _ in range(4)]


def times(weight, *args):
    value, st, stats = with_stats(*args)
    return weight * value, st, stats


@pytest.mark.parametrize("make", AROUND.values(), ids=AROUND)
def test_a_step_follows_what_changes_around_its_loss(make):
    (read, change), runs = make(), Runs()
    change(1.0)
    loss = weighted(read, runs)
    ts, (batch, *_) = start(LIBRARY)
    for beta in (1.0, 3.0, 3.0, 1.0, 0.5):
        change(beta)
        expected = beta * train_step(with_stats, batch, ts, jit=False)[0]
        for _ in range(3):
            check_same(train_step(loss, batch, ts)[0], expected, 1e-10)
    change(1.0)
    assert len(runs) <= 5, "the step is not replayed"


@pytest.mark.parametrize("make", AROUND.values(), ids=AROUND)
def test_a_jitted_function_follows_what_changes_around_it(make):
    (read, change), runs = make(), Runs()
    change(1.0)
    note = runs.logger.error
    jitted = pn.jit(lambda x: (note("run"), x * read())[1])
    for beta in (1.0, 3.0, 3.0, 1.0, 0.5):
        change(beta)
        for _ in range(3):
            np.testing.assert_allclose(jitted(X), beta * X)
    change(1.0)
    assert len(runs) <= 5, "the function is not replayed"


@pytest.mark.parametrize("beta", [1, True, np.float64(1.0), -0.0, 0.0, "1.0", None])
def test_numbers_of_other_types_and_signs_are_others(beta):
    read, change = in_cell()
    jitted = pn.jit(lambda x: (x, repr(read())))
    jitted(X)
    change(beta)
    assert jitted(X)[1] == repr(beta)


def test_an_array_that_is_too_large_to_be_watched_hides_no_other():
    large, small = np.ones(1 << 20), np.ones(2)
    jitted = pn.jit(lambda x: x * large[0] * (small + 1.0))
    for beta in (1.0, 3.0):
        small[...] = beta
        np.testing.assert_array_equal(jitted(X), X * (beta + 1.0))


def test_the_order_of_the_keys_of_a_dict_counts():
    table = {"first": 2.0, "second": 3.0}
    jitted = pn.jit(lambda x: next(iter(table.values())) * x)
    np.testing.assert_array_equal(jitted(X), 2 * X)
    table["first"] = table.pop("first")
    np.testing.assert_array_equal(jitted(X), 3 * X)


def resized(x):
    x.resize((4, 1), refcheck=False)


def retyped(x):
    x.dtype = np.int64


def turned(x):
    x.strides = x.strides[::-1]


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("change", [resized, retyped, turned])
def test_an_array_of_another_shape_or_dtype_by_assignment_is_another(change):
    weights = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    jitted = pn.jit(lambda x: weights @ np.ones(weights.shape[-1], weights.dtype) * x[0])
    for _ in range(2):
        np.testing.assert_array_equal(jitted(X), weights @ np.ones(2))
    change(weights)
    expected = weights @ np.ones(weights.shape[-1], weights.dtype)
    np.testing.assert_array_equal(jitted(X), expected)


@pytest.mark.parametrize("pair", [(1, True), (0.0, -0.0), (1, 1.0), ("1", 1), ((0.0,), (-0.0,))])
def test_functions_of_the_same_code_around_other_numbers_are_others(pair):
    ts, (batch, *_) = start(LIBRARY)

    def of(x):
        def loss(*args):
            value, st, _ = with_stats(*args)
            return value, st, repr(x)

        return loss

    for x in pair:
        assert train_step(of(x), batch, ts)[1] == repr(x)


def test_functions_of_the_same_code_around_equal_models_share_a_program():
    (ts, (batch, *_)), runs = start(LIBRARY), Runs()
    note = runs.logger.error

    def of(model):
        def loss(*args):
            note("run")
            return times(float(len(model)), *args)

        return loss

    for _ in range(3):
        train_step(of(pn.Chain(pn.Dense(2, 3), pn.Dense(3, 1))), batch, ts)
    assert len(runs) == 1


def test_functions_of_the_same_code_do_not_share_the_memory_of_their_arrays():
    ts, (batch, *_) = start(LIBRARY)
    alone = train_step(with_stats, batch, ts)[0]

    def of(weight):
        return lambda *args: times(np.sum(weight), *args)

    first, second = np.ones(1), np.ones(1)
    for weight in (first, second):
        check_same(train_step(of(weight), batch, ts)[0], alone, 1e-10)
    loss = of(second)
    check_same(train_step(loss, batch, ts)[0], alone, 1e-10)
    first[...] = 5.0
    check_same(train_step(loss, batch, ts)[0], alone, 1e-10)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1,), (0,)])
def test_functions_of_the_same_code_around_other_arrays_are_others(shape):
    ts, (batch, *_) = start(LIBRARY)

    def of_weights(weights):
        return lambda *args: times(np.sum(weights) + weights.shape[0], *args)

    alone = train_step(with_stats, batch, ts)[0]
    for weights in (np.ones((2, 3)), np.zeros((2, 3)), np.ones(shape)):
        expected = (np.sum(weights) + weights.shape[0]) * alone
        check_same(train_step(of_weights(weights), batch, ts)[0], expected, 1e-10)


def test_what_is_put_in_anew_and_equal_is_no_change():
    settings, runs = Settings(), Runs()
    loss = weighted(lambda: settings.beta + len(TABLE["inner"]["betas"]), runs)
    ts, (batch, *_) = start(LIBRARY)
    for _ in range(5):
        settings.beta = float("1.0")
        TABLE["inner"]["betas"][0] = float("1.0")
        train_step(loss, batch, ts)
    assert len(runs) == 1


def in_activation(settings):
    return pn.Chain(pn.Dense(3, 2, lambda x: settings.beta * x))


@dataclasses.dataclass(frozen=True)
class Scaled(pn.Layer):
    settings: dict

    def __hash__(self):
        return 0

    def initial_parameters(self, rng):
        return {"weight": np.ones((2, 3))}

    def initial_states(self, rng):
        return {}

    def __call__(self, x, ps, st):
        return self.settings["beta"] * (x @ ps["weight"].mT), st


def test_a_step_follows_what_changes_around_its_model():
    settings, table = Settings(), {"beta": 1.0}
    for model in (in_activation(settings), Scaled(table)):
        ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
        dtype = pn.trees.leaves(ts.parameters)[0].dtype
        batch = np.ones((4, 3), dtype), np.zeros((4, 2), dtype)
        for beta in (1.0, 3.0, 1.0):
            settings.beta = table["beta"] = beta
            expected = train_step(pn.MSELoss(), batch, ts, jit=False)[0]
            for _ in range(2):
                check_same(train_step(pn.MSELoss(), batch, ts)[0], expected, 1e-5)


class Colour(enum.Enum):
    RED = 1


READ_ONLY = np.ones(2**20)
READ_ONLY.flags.writeable = False
CONSTANTS = {
    "logger": logging.getLogger(__name__),
    "lock": threading.Lock(),
    "path": pathlib.PurePath("x"),
    "member": Colour.RED,
    "function of NumPy": np.sum,
    "ufunc": np.exp,
    "dtype": np.dtype("float32"),
    "type": np.float32,
    "module": np,
    "built-in": len,
    "layer": pn.Chain(pn.Dense(3, 2, pn.tanh), pn.BatchNorm(2)),
    "rule": pn.optimizers.Adam(0.1),
    "key": pn.random.key(0),
    "read-only": READ_ONLY,
    "frozenset": frozenset({1, "a"}),
    "range": range(3),
}


@pytest.mark.parametrize("value", CONSTANTS.values(), ids=CONSTANTS)
def test_what_cannot_change_costs_nothing(value):
    surroundings = Surroundings(functools.partial(lambda x: x, value))
    assert surroundings.unseen is None
    assert surroundings.unchanged is None


def squares():
    for i in itertools.count():
        yield i * i


def length_of(name):
    def read():
        with open(name) as file:
            return len(file.read())

    return read


UNSEEN = {
    "iterator": (lambda it: lambda: next(it), itertools.count(1), "'it', a count, may change"),
    "generator": (lambda it: lambda: next(it) + 1, squares(), "'it', a generator, may change"),
    "clock": (lambda _: lambda: 1.0 + 0.0 * time.time(), None, r"it reads time\.time"),
    "file": (length_of, __file__, r"it calls open\(\)"),
    "evaluated": (lambda _: lambda: eval("BETA"), None, r"it calls eval\(\)"),
    "queue": (lambda q: lambda: float(q.maxsize), __import__("queue").Queue(3), "'q', a Queue"),
    "large": (lambda a: lambda: a[0], np.ones(2**20), "'a' is too large to see whether"),
}


@pytest.mark.parametrize(("make", "value", "reason"), UNSEEN.values(), ids=UNSEEN)
def test_what_cannot_be_watched_is_said_once_and_the_step_runs_as_it_is(make, value, reason):
    runs = Runs()
    read = make(value)
    loss = weighted(read, runs)
    ts, (batch, *_) = start(LIBRARY)
    with pytest.warns(UserWarning, match=rf"train_step runs .* as it is, .*{reason}") as seen:
        steps(loss, batch, ts)
    assert [warning.filename for warning in seen] == [__file__]
    assert len(runs) == 4
    train_step(loss, batch, ts, jit=True)
    train_step(loss, batch, ts, jit=True)
    assert len(runs) == 5, "nobody has asked for recording"


def test_a_loss_that_changes_its_surroundings_runs_as_it_is():
    ts, (batch, *_) = start(LIBRARY)
    values, state = [], types.SimpleNamespace(count=0)

    def appending(*args):
        values.append(1)
        return with_stats(*args)

    def counting(*args):
        state.count += 1
        return times(state.count, *args)

    expected = train_step(with_stats, batch, ts, jit=False)[0]
    with pytest.warns(UserWarning, match="appending as it is, .*: it changes 'values' around it"):
        found = steps(appending, batch, ts)
    check_same(found, [expected] * 4, 1e-10)
    assert len(values) == 4
    with pytest.warns(UserWarning, match=r"counting as it is, .*: it changes 'state\.count'"):
        found = steps(counting, batch, ts)
    check_same(found, [(i + 1) * expected for i in range(4)], 1e-10)


def test_a_jitted_function_that_notes_its_recordings():
    shapes = []
    jitted = pn.jit(lambda x: (shapes.append(x.shape), 2.0 * x)[1])
    for size in (2, 3, 2, 3, 3):
        jitted(np.ones(size))
    assert shapes == [(2,), (3,)]


def test_a_function_whose_surroundings_change_in_nearly_every_call():
    settings = Settings()
    jitted = pn.jit(lambda x: settings.beta * x)
    with pytest.warns(UserWarning, match=r"it finds another 'settings\.beta' around it each time"):
        found = [(setattr(settings, "beta", float(i)), jitted(X))[1] for i in range(40)]
    np.testing.assert_allclose(found, np.arange(40.0)[:, None] * X)
    assert jitted.cache_info().misses < 20


def test_surroundings_that_contain_themselves():
    table = {"beta": 2.0}
    table["self"] = table
    jitted = pn.jit(lambda x: table["self"]["beta"] * x)
    for beta in (2.0, 3.0):
        table["beta"] = beta
        np.testing.assert_allclose(jitted(X), beta * X)


def test_arrays_of_every_library_are_watched(recorder):
    weights, x = recorder.asarray(np.ones(2)), recorder.asarray(X)
    jitted = pn.jit(lambda x: x * pn.array_namespace(x).sum(weights))
    for beta in (1.0, 3.0, 0.5):
        if recorder.name == "jax":  # nobody writes into an array of JAX
            weights = recorder.asarray(np.full(2, beta))
        else:
            weights[...] = beta
        for _ in range(2):
            np.testing.assert_allclose(recorder.to_numpy(jitted(x)), 2.0 * beta * X)
    assert jitted.cache_info()[:2] == (3, 3)


def test_functions_that_find_equal_layers_are_alike_and_other_numbers_are_not():
    def holding(value):
        return Surroundings(lambda x: (value, x))

    def model():
        return pn.Chain(pn.Dense(2, 3, pn.tanh), pn.Dense(3, 1))

    assert holding(model()).alike(holding(model()))
    assert holding((model(), 2.0)).alike(holding((model(), 2.0)))
    assert not holding(model()).alike(holding(pn.Chain(pn.Dense(2, 3), pn.Dense(3, 1))))
    for one, other in ((0.0, -0.0), (1, True), (1, 1.0), ((1,), (True,)), ([0.0], [-0.0])):
        assert not holding(one).alike(holding(other))
