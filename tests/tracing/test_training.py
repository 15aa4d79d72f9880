"""train_step with jit and without takes the same steps."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
import warnings

import numpy as np
import pytest
from contract.cases import RULES
from contract.probes import place
from tape.test_threads import run_in_threads
from tracing.same import check_same

import portanet as pn
from portanet import errors, trees
from portanet.training import TrainState, train_step

opt = pn.optimizers

MODELS = {
    "Dense": lambda: pn.Chain(pn.Dense(3, 8, pn.tanh), pn.Dense(8, 2)),
    "BatchNorm": lambda: pn.Chain(
        pn.Dense(3, 8, use_bias=False), pn.BatchNorm(8, pn.relu), pn.Dense(8, 2)
    ),
    "Dropout": lambda: pn.Chain(pn.Dense(3, 8), pn.Dropout(0.5), pn.Dense(8, 2)),
    "LayerNorm": lambda: pn.Chain(pn.Dense(3, 4), pn.LayerNorm(4), pn.gelu, pn.Dense(4, 2)),
}
LARGE = {"large": lambda: pn.Chain(pn.Dense(3, 400, pn.gelu), pn.Dense(400, 90), pn.Dense(90, 2))}


LIBRARY = type("L", (), {"place": "numpy"})


def with_stats(model, ps, st, data):
    x, y = data
    prediction, st = model(x, ps, st)
    xp = pn.array_namespace(prediction)
    error = prediction - y
    return xp.mean(error * error), st, {"largest": xp.max(xp.abs(error)), "name": "mine"}


class Runs(logging.Handler):
    """Counts how often functions are run: a logger is nothing that a function reads."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.logger = logging.Logger("runs")
        self.logger.addHandler(self)

    def emit(self, record):
        self.count += 1

    def __len__(self):
        return self.count


def counted(runs, loss=with_stats):
    """Return a loss that notes each time it is run."""
    note = runs.logger.error

    def noting(*args):
        note("run")
        return loss(*args)

    return noting


def start(backend, model="Dense", rule=None, dtype="float64"):
    layer = {**MODELS, **LARGE}[model]()
    ps, st = pn.setup(0, layer)
    rng = np.random.default_rng(1)
    batches = [(rng.normal(size=(6, 3)), rng.normal(size=(6, 2))) for _ in range(3)]
    ps, st, batches = place(backend, (ps, st, batches), dtype)
    return TrainState(layer, ps, st, rule or opt.Adam(0.05)), batches


def check_steps(ts, batches, loss=with_stats, steps=10, rtol=1e-9, atol=1e-11):
    """Train with jit and without; the same loss, statistics and state after each step."""
    plain = ts
    for i in range(steps):
        batch = batches[i % len(batches)]
        value, stats, plain = train_step(loss, batch, plain, jit=False)
        other, also, ts = train_step(loss, batch, ts)
        check_same((other, also), (value, stats), rtol, atol)
    assert ts.step == plain.step
    check_same(ts, plain, rtol, atol)
    assert str(ts) == str(plain)
    return ts


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_optimizers(replayer, make):
    check_steps(*start(replayer, rule=make()))


def test_parameters_that_fill_the_cache(recorder):
    check_steps(*start(recorder, "large", opt.Adam(0.001)))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rule", [opt.Adam(0.01), opt.SGD(0.1, momentum=0.9)], ids=type)
def test_models(recorder, model, rule):
    check_steps(*start(recorder, model, rule))


@pytest.mark.parametrize("dtype", ["float16", "float32", "longdouble"])
def test_dtypes(dtype):
    rtol = {"float16": 2e-2, "float32": 2e-4}.get(dtype, 1e-9)
    check_steps(*start(LIBRARY, dtype=dtype), steps=4, rtol=rtol, atol=rtol / 10)


def test_loss_objects(recorder):
    check_steps(*start(recorder), loss=pn.MSELoss())


def test_torch_takes_the_step_as_it_is():
    pytest.importorskip("torch")
    check_steps(*start(type("L", (), {"place": "torch"})), steps=3)


def test_frozen_parameters(replayer):
    ts, batches = start(replayer)
    ts = opt.freeze(ts, "layer_1")
    after = check_steps(ts, batches)
    check_same(after.parameters["layer_1"], ts.parameters["layer_1"])
    check_steps(opt.thaw(after), batches)


def test_adjusted_hyperparameters(replayer):
    ts, batches = start(replayer)
    ts = check_steps(ts, batches, steps=3)
    ts = check_steps(opt.adjust(ts, lr=0.2), batches, steps=3)
    check_steps(opt.adjust(ts, lr=0.01), batches, steps=3)


def test_parameters_of_two_dtypes():
    ps = {"wide": np.ones(3), "narrow": np.ones(2, np.float32)}

    def loss(model, ps, st, x):
        squares = np.sum((x * ps["wide"] - 1.0) ** 2)
        return squares + np.sum(ps["narrow"] ** 2).astype("float64"), st, {}

    ts = TrainState(pn.NoOp(), ps, {}, opt.Adam(0.1))
    check_steps(ts, [np.asarray([1.0, 2.0, 3.0])], loss, rtol=1e-6, atol=1e-7)


def test_a_model_without_parameters():
    model = pn.Chain(pn.tanh)
    x = np.ones((2, 3))
    check_steps(TrainState(model, *pn.setup(0, model), opt.Adam(0.1)), [(x, 2.0 * x)])


def test_component_vectors():
    ts, batches = start(LIBRARY)
    ps = pn.ComponentVector(ts.parameters)
    check_steps(TrainState(ts.model, ps, ts.states, ts.optimizer), batches)


HANDLED = {
    "pickle": lambda ts: pickle.loads(pickle.dumps(ts)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "replace": lambda ts: dataclasses.replace(ts, step=ts.step),
    "map_leaves": lambda ts: trees.map_leaves(lambda x: x, ts),
    "flatten": lambda ts: trees.unflatten(*trees.flatten(ts)[::-1]),
    "device": lambda ts: pn.cpu_device()(ts),
    "nothing": lambda ts: ts,
}


@pytest.mark.parametrize("handle", HANDLED.values(), ids=HANDLED)
@pytest.mark.parametrize("rule", [opt.Adam(0.05), RULES["OptimizerChain"]()], ids=type)
def test_a_state_is_an_ordinary_one(handle, rule):
    ts, batches = start(LIBRARY, "BatchNorm", rule)
    plain = ts
    for i in range(6):
        _, _, plain = train_step(with_stats, batches[i % 3], plain, jit=False)
        _, _, ts = train_step(with_stats, batches[i % 3], ts, jit=i % 3 != 2)
        ts = handle(ts)
        assert type(ts) is TrainState
        check_same(ts, plain, 1e-9, 1e-11)


def test_handling_a_state_does_not_record_anew():
    ts, batches = start(LIBRARY)
    runs = Runs()
    loss = counted(runs)
    for i in range(9):
        _, _, ts = train_step(loss, batches[0], ts)
        ts = pn.cpu_device()(dataclasses.replace(ts, step=i))
    assert len(runs) == 1


def test_old_states_keep_their_numbers():
    ts, batches = start(LIBRARY)
    states, kept = [], []
    for i in range(5):
        _, _, ts = train_step(with_stats, batches[i % 3], ts)
        states.append(ts)
        kept.append([x.copy() for x in trees.leaves(ts) if isinstance(x, np.ndarray)])
    for ts, copies in zip(states, kept, strict=True):
        arrays = [x for x in trees.leaves(ts) if isinstance(x, np.ndarray)]
        assert all(map(np.array_equal, arrays, copies))


def test_a_learning_rate_that_changes_replays(recorder):
    if recorder.adapter.compiles_slowly:
        pytest.skip(f"steps on {recorder.name} are taken as they are")
    for rule in (opt.SGD(0.1), opt.AdamW(0.1), opt.chain(opt.ClipGlobalNorm(1.0), opt.Adam(0.1))):
        runs = Runs()
        loss = counted(runs)
        ts, batches = start(recorder, rule=rule, dtype="float32")
        plain = ts
        for i in range(6):
            rate = 0.1 / (i + 1)
            _, _, plain = train_step(with_stats, batches[0], opt.adjust(plain, rate), jit=False)
            _, _, ts = train_step(loss, batches[0], opt.adjust(ts, rate))
        check_same(ts, plain, 2e-5, 1e-6)
        if not recorder.adapter.compiles_slowly:
            assert len(runs) == (1 if recorder.adapter.jit != "library" else 2)
        assert ts.optimizer_state.rules == plain.optimizer_state.rules


def test_learning_rates_by_layer_replay():
    runs = Runs()
    loss = counted(runs)
    ts, batches = start(LIBRARY)
    ts = plain = opt.adjust(ts, 0.3, path="layer_1")
    for i in range(5):
        rate = 0.1 / (i + 1)
        ts, plain = (opt.adjust(x, rate, path="layer_2") for x in (ts, plain))
        _, _, plain = train_step(with_stats, batches[0], plain, jit=False)
        _, _, ts = train_step(loss, batches[0], ts)
    check_same(ts, plain, 1e-9, 1e-11)
    assert len(runs) == 1


@dataclasses.dataclass(frozen=True)
class Signs(opt.Rule):
    """A rule of the user's; its rate is a constant of the program."""

    lr: float = 0.01

    def init(self, x):
        return ()

    def apply(self, state, x, g):
        return state, self.lr * pn.array_namespace(g).sign(g)


class VaryingSigns(Signs):
    varying = ("lr",)


def _adjusted_steps(rule, steps=12):
    runs = Runs()
    loss = counted(runs)
    ts, batches = start(LIBRARY, rule=rule)
    plain = ts
    for i in range(steps):
        rate = 0.1 / (i + 1)
        _, _, plain = train_step(with_stats, batches[0], opt.adjust(plain, rate), jit=False)
        _, _, ts = train_step(loss, batches[0], opt.adjust(ts, rate))
    check_same(ts, plain, 1e-9, 1e-11)
    return len(runs)


def test_rules_say_what_varies():
    assert _adjusted_steps(VaryingSigns()) == 1
    text = "recorded anew in nearly every call: the model or the optimizer is another one each time"
    with pytest.warns(UserWarning, match=text):
        assert _adjusted_steps(Signs()) == 12


def test_schedulers_replay(recorder):
    schedule = opt.schedules.OneCycle(0.2, steps=8)
    for inner in (opt.Adam(), opt.chain(opt.ClipNorm(1.0), opt.SGD())):
        rule = opt.Scheduler(inner if inner == opt.Adam() else inner.rules[1], lr=schedule)
        rule = rule if inner == opt.Adam() else opt.chain(inner.rules[0], rule)
        check_steps(*start(recorder, rule=rule), steps=12)


def test_threads():
    runs = [start(LIBRARY, name) for name in ("Dense", "Dropout", "LayerNorm", "BatchNorm")]

    def train(ts, batches, jit):
        for i in range(30):
            _, _, ts = train_step(with_stats, batches[i % 3], ts, jit=jit)
        return ts

    expected = [train(*run, jit=False) for run in runs]

    def work(i):
        check_same(train(*runs[i % 4], jit=None), expected[i % 4], 1e-9, 1e-11)

    run_in_threads(work)


def test_models_in_turns_do_not_warn():
    runs = [start(LIBRARY, name) for name in ("Dense", "LayerNorm")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ts, batches in runs * 5:
            check_steps(ts, batches, loss=pn.MSELoss(), steps=2)


@pytest.mark.parametrize("rule", [opt.Adam(0.05), RULES["OptimizerChain"]()], ids=type)
def test_donated_states(recorder, rule):
    ts, batches = start(recorder, rule=rule)
    plain = ts
    _, _, ts = train_step(with_stats, batches[0], ts)  # the arrays of this one are its own
    _, _, plain = train_step(with_stats, batches[0], plain, jit=False)
    for batch in batches:
        before = ts
        value, _, plain = train_step(with_stats, batch, plain, jit=False)
        other, _, ts = train_step(with_stats, batch, ts, donate=True)
        check_same((other, ts), (value, plain), 1e-9, 1e-11)
        if not recorder.adapter.compiles_slowly:
            with pytest.raises(
                errors.ArgumentError, match=r"given to train_step\(\.\.\., donate=T"
            ):
                train_step(with_stats, batch, before)
            with pytest.raises(errors.ArgumentError, match=r"ts\.parameters was given to"):
                _ = before.parameters


def test_an_engine_takes_the_step_as_it_is():
    ts, batches = start(LIBRARY)
    runs = Runs()
    for _ in range(3):
        _, _, ts = train_step(counted(runs), batches[0], ts, ad=pn.AutoTape())
    assert len(runs) == 3


@pytest.mark.parametrize("jit", [False, True])
def test_bad_losses_are_refused_alike(jit):
    ts, batches = start(LIBRARY)
    with pytest.raises(errors.DTypeError, match="returns a tuple of 3"):
        train_step(lambda *args: 1.0, batches[0], ts, jit=jit)
    with pytest.raises(errors.ShapeError, match=r"value\.shape == \(\)"):
        train_step(lambda m, ps, st, d: (d[0], st, {}), batches[0], ts, jit=jit)
