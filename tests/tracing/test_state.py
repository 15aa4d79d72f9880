"""What recorded functions and steps keep: bounded, cleared, whole under threads and forks."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
import threading
import warnings
import weakref

import numpy as np
import pytest

import portanet as pn
from portanet.tracing.call.lock import LongLock
from portanet.tracing.call.recent import Recent
from portanet.training.known.known_steps import STEPS
from portanet.training.steps.layout import LAYOUTS
from portanet.training.steps.rules import DIVIDED


def start(features=3):
    model = pn.Dense(features, 1)
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
    data = np.ones((4, features), np.float32), np.ones((4, 1), np.float32)
    return ts, data


class TestRecent:
    def test_the_oldest_entry_goes_first(self):
        recent = Recent(3)
        for i in range(5):
            assert recent.put(i, i * i) == i * i
        assert [i for i in range(5) if i in recent] == [2, 3, 4]
        assert (recent.get(4), recent.get(0)) == (16, None)
        recent.clear()
        assert len(recent) == 0

    def test_the_first_of_several_threads_wins(self):
        recent, gate, found = Recent(8), threading.Barrier(4), []

        def put():
            gate.wait()
            found.append(recent.put("key", object()))

        threads = [threading.Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, found))) == 1


class TestSteps:
    def test_they_are_bounded(self):
        for i in range(70):
            ts, data = start(features=1 + i)
            pn.training.train_step(pn.MSELoss(), data, ts, jit=True)
        assert len(STEPS._steps) <= 64
        assert len(STEPS._places) <= 64
        assert len(LAYOUTS) <= 64

    def test_clearing_lets_go_of_losses_and_what_they_captured(self):
        ts, data = start()

        def made():
            captured = np.ones(3, np.float32)

            def loss(model, ps, st, data):
                y, st = model(data[0] * captured, ps, st)
                return np.mean((y - data[1]) ** 2), st, {}

            return loss

        loss = made()
        value, _, after = pn.training.train_step(loss, data, ts)
        assert len(STEPS._steps) == 1
        gone = weakref.ref(loss)
        del loss
        pn.training.clear_steps()
        gc.collect()
        assert gone() is None
        assert (STEPS._steps, len(STEPS._places), len(LAYOUTS), len(DIVIDED)) == ([], 0, 0, 0)
        again, _, _ = pn.training.train_step(made(), data, ts)
        assert again == value
        assert pn.training.train_step(pn.MSELoss(), data, after)[0] < value

    def test_clearing_while_others_train(self):
        """A step that was cleared under way ends as it began."""
        ts, data = start()
        expected = [float(pn.training.train_step(pn.MSELoss(), data, ts, jit=False)[0])] * 50
        found, stop = {}, threading.Event()

        def train(i):
            found[i] = [float(pn.training.train_step(pn.MSELoss(), data, ts)[0]) for _ in range(50)]

        def clear():
            while not stop.is_set():
                pn.training.clear_steps()

        threads = [threading.Thread(target=train, args=(i,)) for i in range(3)]
        clearing = threading.Thread(target=clear)
        for thread in (clearing, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        clearing.join()
        for i in range(3):
            np.testing.assert_allclose(found[i], expected, rtol=1e-6)


BIG = 2**19  # float32: above what a step keeps of a loss that is gone


def loss_of(captured):
    def loss(model, ps, st, data):
        y, st = model(data[0] * np.float32(np.mean(captured)), ps, st)
        return np.mean((y - data[1]) ** 2), st, {}

    return loss


class Trainer:
    def __init__(self, captured):
        self.captured = captured

    def loss(self, model, ps, st, data):
        return loss_of(self.captured)(model, ps, st, data)

    __call__ = loss


class Slotted:
    __slots__ = ("captured",)

    def __init__(self, captured):
        self.captured = captured

    def __call__(self, model, ps, st, data):
        return loss_of(self.captured)(model, ps, st, data)


def big():
    captured = np.ones(BIG, np.float32)
    captured.flags.writeable = False  # large ones that may be written into are not recorded
    return captured


def train(loss, ts, data):
    for _ in range(2):
        _, _, ts = pn.training.train_step(loss, data, ts)
    return ts


def fit(loss, ts, data):
    return pn.training.fit(ts, loss, [data], epochs=2, validation=data)


def evaluate(loss, ts, data):
    return pn.training.evaluate(ts, loss, data)


def minimize(loss, ts, data):
    return pn.training.minimize(ts, loss, data, max_steps=2)


def scaled(captured, model, ps, st, data):
    return loss_of(captured)(model, ps, st, data)


class TestLosses:
    """A recorded step keeps no large loss alive, and is found again by one that is alike."""

    @pytest.mark.parametrize(
        "made",
        [
            loss_of,
            lambda captured: Trainer(captured).loss,
            Trainer,
            lambda captured: functools.partial(scaled, captured),
        ],
        ids=["closure", "method", "object", "partial"],
    )
    @pytest.mark.parametrize("use", [train, fit, evaluate, minimize])
    def test_what_a_loss_captured_goes_with_it(self, made, use):
        ts, data = start()
        captured = big()
        loss = made(captured)
        kept = use(loss, ts, data)
        assert STEPS._steps
        gone = weakref.ref(captured)
        del loss, captured
        gc.collect()
        assert gone() is None
        assert not STEPS._steps
        assert kept is not None  # what training returns holds nothing of it

    def test_a_step_that_is_not_recorded_keeps_none_either(self):
        ts, data = start()
        captured = np.ones(2**21, np.float32)
        loss = loss_of(captured)
        with pytest.warns(UserWarning, match="too large to see"):
            pn.training.train_step(loss, data, ts)
        gone = weakref.ref(captured)
        del loss, captured
        gc.collect()
        assert gone() is None

    def test_a_loss_that_knows_no_weak_references_is_held(self):
        ts, data = start()
        values = [pn.training.train_step(Slotted(big()), data, ts)[0] for _ in range(3)]
        assert len(set(values)) == 1
        loss = Slotted(big())
        train(loss, ts, data)
        before = [known.run.recordings for known in STEPS._steps]
        train(loss, ts, data)
        assert [known.run.recordings for known in STEPS._steps] == before

    @pytest.mark.parametrize("size", [3, BIG])
    def test_functions_made_in_a_loop_share_a_step(self, size):
        ts, data = start()
        captured = np.ones(size, np.float32)
        captured.flags.writeable = False
        gc.disable()  # until it comes, the step of the last function is there
        try:
            for _ in range(20):
                _, _, ts = pn.training.train_step(loss_of(captured), data, ts)
            assert [known.run.recordings for known in STEPS._steps + STEPS._waiting()] == [1]
        finally:
            gc.enable()

    @pytest.mark.parametrize("made", [pn.MSELoss, lambda: loss_of(2.0)], ids=["object", "closure"])
    def test_small_losses_made_in_a_loop_share_a_step(self, made):
        ts, data = start()
        for _ in range(3):
            _, _, ts = pn.training.train_step(made(), data, ts)
            gc.collect()
        assert [known.run.recordings for known in STEPS._steps] == [1]
        assert len(STEPS._steps[0].losses) == 1

    def test_a_method_is_found_again_as_often_as_it_is_asked_for(self, monkeypatch):
        ts, data = start()
        trainer = Trainer(np.ones(3, np.float32))
        _, _, ts = pn.training.train_step(trainer.loss, data, ts)
        _, _, ts = pn.training.train_step(trainer.loss, data, ts)
        assert [known.run.recordings for known in STEPS._steps] == [1]
        assert len(STEPS._places) == 1
        trainer.captured = np.full(3, 2.0, np.float32)
        expected = pn.training.train_step(trainer.loss, data, ts, jit=False)[0]
        assert pn.training.train_step(trainer.loss, data, ts)[0] == pytest.approx(expected)

    def test_losses_that_captured_other_arrays_have_steps_of_their_own(self):
        ts, data = start()
        for scale in (1.0, 2.0, 1.0):
            loss = loss_of(np.full(3, scale, np.float32))
            expected = pn.training.train_step(loss, data, ts, jit=False)[0]
            assert pn.training.train_step(loss, data, ts)[0] == pytest.approx(expected)

    @pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1, True), (1, 1.0), ((1,), (1.0,))])
    def test_numbers_that_are_equal_and_not_the_same(self, one, other):
        def kinds(number):
            def loss(model, ps, st, data):
                y, st = model(data[0], ps, st)
                return np.mean(y**2), st, {"kind": str(number)}

            return loss

        ts, data = start()
        for number in (one, other):
            stats = pn.training.train_step(kinds(number), data, ts)[1]
            assert stats == {"kind": str(number)}

    def test_other_large_captures_each_time_are_not_recorded_for_ever(self):
        ts, data = start()

        def run():
            for _ in range(30):
                pn.training.train_step(loss_of(big()), data, ts)

        with pytest.warns(UserWarning, match="recorded anew in nearly every call"):
            run()
        gc.collect()
        assert not STEPS._steps
        assert not STEPS._waiting()

    def test_losses_go_while_others_train(self):
        ts, data = start()
        expected = float(pn.training.train_step(loss_of(1.0), data, ts, jit=False)[0])
        found = {}

        def work(i):
            found[i] = [
                float(pn.training.train_step(loss_of(big() if i % 2 else 1.0), data, ts)[0])
                for _ in range(20)
            ]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that they are others each time
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(found) == 4
        for values in found.values():
            np.testing.assert_allclose(values, [expected] * 20, rtol=1e-6)


def test_a_jitted_function_can_be_cleared():
    double = pn.jit(lambda x: 2.0 * x)
    for size in (2, 3):
        double(np.ones(size))
    assert double.cache_info().programs == 2
    double.cache_clear()
    info = double.cache_info()
    assert (info.programs, info.kept_bytes, info.misses) == (0, 0, 2)
    assert double(np.ones(2)).tolist() == [2.0, 2.0]
    assert double.cache_info().misses == 3


HELD = """
import os, threading, time
{setup}
held, done = threading.Event(), threading.Event()

def hold():
    with lock:
        held.set()
        {wait}

thread = threading.Thread(target=hold, daemon=True)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    with lock:
        {use}
        os._exit(0)
done.set()
for _ in range(1000):
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        break
    time.sleep(0.01)
else:
    os.kill(child, 9)
    raise SystemExit("the child hangs")
assert status == 0, status
"""
STEP = """
import numpy as np
import portanet as pn
from portanet.tracing.call.lock import LOCK as lock
model = pn.Dense(2, 1)
ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
data = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
def step(): pn.training.train_step(pn.MSELoss(), data, ts)
step()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(
    ("setup", "wait", "use"),
    [
        pytest.param(STEP, "time.sleep(0.2)", "step()", id="of the caches, held for a moment"),
        pytest.param(
            "from portanet.tracing.call.lock import LongLock\nlock = LongLock()",
            "done.wait()",
            "pass",
            id="of a compiler, held throughout",
        ),
    ],
)
def test_a_lock_that_another_thread_holds_at_a_fork(setup, wait, use):
    program = HELD.format(setup=setup, wait=wait, use=use)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-1000:]


def test_a_long_lock_is_taken_again_by_its_own_thread():
    lock = LongLock()
    with lock, lock:
        pass
