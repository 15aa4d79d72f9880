"""jit on torch: its own compiler, what happens without one, and traced tensors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import portanet as pn
from portanet.errors import TracedValueError

COMPILED = """
    import warnings
    import numpy as np, torch
    import portanet as pn

    model = pn.Chain(pn.Dense(3, 8, pn.tanh), pn.Dropout(0.5), pn.Dense(8, 2))
    device = pn.device("torch")
    ps, st = pn.setup(0, model, device=device)
    x = device(np.sin(np.arange(12.0, dtype=np.float32)).reshape(4, 3))

    def step(ps, st, x):
        def loss(ps):
            y, new = model(x, ps, st)
            return torch.sum(y**2), new

        return pn.value_and_grad(loss, has_aux=True)(ps)

    jitted = pn.jit(step)
    warnings.simplefilter("error", RuntimeWarning)
    for _ in range(3):
        (value, new), gradients = step(ps, st, x)
        found = jitted(ps, st, x)
        assert found[0][1] == new
        pairs = zip(pn.trees.leaves(found), pn.trees.leaves(((value, new), gradients)), strict=True)
        for a, e in pairs:
            if isinstance(e, torch.Tensor):
                torch.testing.assert_close(a, e)
        st = new
    assert jitted.cache_info()[:2] == (2, 1)
"""


@pytest.mark.parametrize("compiler", ["torch.compile", "missing"])
def test_torch_compiles_a_step_with_dropout(compiler):
    """In a process of its own: elsewhere in the suite the compiler is switched off."""
    pytest.importorskip("torch")
    if compiler == "torch.compile" and shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    code, environment = textwrap.dedent(COMPILED), {**os.environ, "TORCH_COMPILE_DISABLE": "0"}
    if compiler == "missing":
        environment["CXX"] = "no-such-compiler"
        code = code.replace('("error", RuntimeWarning)', '("default")')
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = "there is no C++ compiler: ['no-such-compiler']. Functions run as they are"
    assert done.stderr.count(said) == (compiler == "missing")


def test_torch_runs_a_function_of_traced_tensors_as_it_is():
    torch = pytest.importorskip("torch")
    jitted = pn.jit(lambda x, n: torch.sin(x) * n)
    x, w = torch.ones(2), torch.ones(2, requires_grad=True)
    jitted(x, 2)
    slope = 2 * torch.cos(x)
    torch.testing.assert_close(pn.grad(lambda x: torch.sum(jitted(x, 2)))(x), slope)
    torch.testing.assert_close(pn.jvp(lambda x: jitted(x, 2), (x,), (x,))[1], slope)
    torch.testing.assert_close(pn.vmap(lambda x: jitted(x, 2))(x), 2 * torch.sin(x))
    jitted(w, 2).sum().backward()
    torch.testing.assert_close(w.grad, slope)
    assert jitted.cache_info()[:2] == (0, 1)
    capturing = pn.jit(lambda x: x * w)
    assert capturing(x).requires_grad
    assert capturing.cache_info()[:2] == (0, 0)


def test_a_branch_on_a_value_is_refused_on_torch():
    torch = pytest.importorskip("torch")
    jitted = pn.jit(lambda x: x if torch.sum(x) > 0 else -x)
    for _ in range(2):
        with pytest.raises(TracedValueError, match=r"inside pn.jit has another value in each call"):
            jitted(torch.ones(2))


@pytest.mark.parametrize(
    ("cuda", "mode", "given", "copies"),
    [
        (False, None, "default", False),
        (False, "max-autotune", "max-autotune", False),
        (True, None, "reduce-overhead", True),
        (True, "default", "default", False),
        (True, "max-autotune", "max-autotune", True),
        (True, "max-autotune-no-cudagraphs", "max-autotune-no-cudagraphs", False),
    ],
)
def test_the_mode_of_the_compiler(monkeypatch, cuda, mode, given, copies):
    """What CUDA graphs give is copied: they write into the same memory again."""
    torch = pytest.importorskip("torch")
    from portanet.backends.torch import compile

    asked = []

    def compiled(function, *, dynamic, mode):
        asked.append(mode)
        return lambda *inputs: kept

    kept = [torch.ones(3)]
    monkeypatch.setattr(compile, "_on_cuda", lambda inputs: cuda)
    monkeypatch.setattr(compile, "_missing", lambda inputs: None)
    monkeypatch.setattr(torch, "compile", compiled)
    y = pn.jit(lambda x: x + 0.0, mode=mode)(torch.ones(3))
    assert asked == [given]
    assert (y.data_ptr() != kept[0].data_ptr()) is copies


def test_modes_are_refused_by_name():
    torch = pytest.importorskip("torch")
    for x, mode, known in ((np.ones(3), "default", "no modes"), (torch.ones(3), "fast", "default")):
        with pytest.raises(pn.errors.ArgumentError, match=f"pn.jit: mode is one of .*{known}"):
            pn.jit(lambda x: x, mode=mode)(x)
