"""What recorded functions and steps keep: bounded, cleared, whole under threads and forks."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import portanet as pn
from portanet.tracing.call.lock import LongLock
from portanet.tracing.call.recent import Recent
from portanet.training.known import STEPS
from portanet.training.layout import LAYOUTS
from portanet.training.rules import DIVIDED


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
