"""First use by several threads, forks and interrupts, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]


FIRST_USE = """
import sys, threading
import numpy as np
import portanet as pn

found, gate = [], threading.Barrier(8)

def use(x):
    gate.wait()
    try:
        found.append(float({call}))
    except Exception as error:
        found.append(repr(error))

sys.setswitchinterval(1e-6)
arrays = [np.asarray(2.0) if i % 2 else np.float64(2.0) for i in range(8)]
threads = [threading.Thread(target=use, args=(x,)) for x in arrays]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert set(found) == {{4.0}}, found
assert pn.grad(lambda x: x * x)(np.float64(2.0)) == 4.0
kinds = {{type(b) for b in map(pn.backends.backend_of, arrays)}}
assert len(kinds) == 1 and len(set(map(id, map(pn.array_namespace, arrays)))) == 1
"""
CALLS = {
    "grad": "pn.grad(lambda x: x * x)(x)",
    "jit": "jitted(x)",
    "vmap": "pn.vmap(lambda x: x * x)(np.reshape(x, (1,)))[0]",
    "layer": "pn.relu(x) * x",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_first_use_by_several_threads(call):
    head = "import numpy as np, portanet as pn\njitted = pn.jit(lambda x: x * x)\n"
    for _ in range(2):
        run(head + FIRST_USE.format(call=call))


FORK = """
import os, threading, time
import numpy as np
import portanet as pn

jitted, stop = pn.jit(lambda x: x * 2.0), threading.Event()
model = pn.Dense(2, 1)
ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
data = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)

def step():
    pn.training.train_step(pn.MSELoss(), data, ts)

def busy():
    n = 1
    while not stop.is_set():
        n = n % 300 + 1
        jitted(np.ones(n))
        step()

step()
threads = [threading.Thread(target=busy, daemon=True) for _ in range(3)]
[thread.start() for thread in threads]
hanging = 0
for _ in range(60):
    child = os.fork()
    if child == 0:
        jitted(np.ones(3)), jitted(np.ones(301)), step()
        os._exit(0)
    for _ in range(1000):
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        hanging += 1
stop.set()
[thread.join() for thread in threads]
assert not hanging, f"{hanging} children hang"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_in_the_middle_of_other_threads():
    run(FORK)


INTERRUPT = """
import signal
import numpy as np
import portanet as pn

jitted = pn.jit({function})
x = np.ones({size})
expected = jitted(x)

def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
interrupted = 0
for i in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-4 * (1 + i % 37))
        for n in range(50):
            jitted(x + n), jitted(np.ones(n + 2))
    except KeyboardInterrupt:
        interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    np.testing.assert_array_equal(jitted(x), expected)
assert interrupted > 20, interrupted
"""
FUNCTIONS = {
    "chain": ("lambda x: np.cos(np.sin(x) * 2.0) + np.sum(x)", 40000),
    "gradient": ("pn.grad(lambda x: np.sum(np.tanh(x) * x))", 30),
}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals here")
@pytest.mark.parametrize(("function", "size"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_an_interrupted_call_leaves_nothing_behind(function, size):
    run(INTERRUPT.format(function=function, size=size))
