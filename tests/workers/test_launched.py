"""Programs of several processes: messages, training together, failures, going on with fewer."""

from __future__ import annotations

import numpy as np
import pytest
from workers.launch import alone, needs_mpi, started_by_mpi, started_by_torch, sweep

TRAINING = ("joined", "bits", "normalized", "measured", "by_hand", "overflowing")
FOR_ALL = tuple(name for name in TRAINING if name != "bits")


@needs_mpi
def test_messages_by_mpi():
    done = started_by_mpi("messages.py", 3, "mpi", "3", "numpy", "array_api_strict")
    done.check("numpy", "array_api_strict", "refusals and states")


@needs_mpi
def test_training_by_mpi():
    started_by_mpi("training.py", 4, "mpi", "numpy", *TRAINING).check(*TRAINING)


def test_torch_between_two():
    pytest.importorskip("torch")
    done = started_by_torch("training.py", 2, "torch", "torch", "joined", "normalized")
    done.check("joined", "normalized")


@needs_mpi
def test_a_run_of_four_goes_on_as_a_run_of_two(tmp_path):
    whole, cut, file = (str(tmp_path / name) for name in ("whole.npz", "cut.npz", "run"))
    alone("resume.py", "0", str(tmp_path / "other"), whole).check()
    started_by_mpi("resume.py", 4, "8", file, cut).check()
    assert np.load(cut)["step"] == 8
    started_by_mpi("resume.py", 2, "0", file, cut).check()
    found, wanted = np.load(cut), np.load(whole)
    assert found.files == wanted.files
    for name in wanted.files:
        assert found[name].dtype == wanted[name].dtype
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=1e-12, err_msg=name)


@needs_mpi
def test_a_worker_that_raises_ends_all():
    done = started_by_mpi("failing.py", 2, "mpi", "numpy", "raise")
    assert done.code != 0
    assert "worker 1 of 2 failed, which ends all" in done.errors
    assert "ZeroDivisionError: one over none" in done.errors
    assert "worker 0 after" not in done.output


@needs_mpi
def test_a_worker_that_is_killed_ends_all():
    done = started_by_mpi("failing.py", 2, "mpi", "numpy", "kill")
    assert done.code != 0
    assert "rank 1" in done.errors
    assert "signal 9" in done.errors
    assert "worker 0 after" not in done.output


@needs_mpi
def test_a_worker_with_another_model_is_refused():
    done = started_by_mpi("failing.py", 3, "mpi", "numpy", "model")
    assert done.code != 0
    assert "the parameters of worker 1 == the parameters of worker 0" in done.errors
    assert "layer_1.bias float32 (5,) != layer_1.bias float32 (4,)" in done.errors


@sweep
@needs_mpi
def test_one_worker_stops_all():
    done = started_by_mpi("failing.py", 2, "mpi", "numpy", "stop")
    lines = [f"worker {rank} after 2 epochs: the second worker says so" for rank in (0, 1)]
    done.check(*lines)
    assert done.errors.count("stopped after epoch 2") == 1  # the first worker alone shows progress


def test_a_worker_of_torch_that_is_killed_ends_all():
    pytest.importorskip("torch")
    done = started_by_torch("failing.py", 2, "torch", "torch", "kill")
    assert done.code != 0
    assert "DistributedError: torch.distributed failed on worker 0 of 2" in done.errors


@sweep
@needs_mpi
@pytest.mark.parametrize(
    ("how", "what"), [("seed", "the parameters at the start"), ("rule", "the optimizer")]
)
def test_workers_that_begin_otherwise_are_refused(how, what):
    done = started_by_mpi("failing.py", 4, "mpi", "numpy", how)
    assert done.code != 0
    assert f"{what} of worker 1 == {what} of worker 0" in done.errors


@sweep
@needs_mpi
@pytest.mark.parametrize("library", ["array_api_strict", "torch", "jax"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_training_of_any_library_by_mpi(library, count):
    checks = [name for name in FOR_ALL if (library, name) != ("array_api_strict", "overflowing")]
    started_by_mpi("training.py", count, "mpi", library, *checks).check(*checks)


@sweep
@needs_mpi
@pytest.mark.parametrize("count", [2, 3, 5])
def test_training_on_numpy_by_mpi(count):
    started_by_mpi("training.py", count, "mpi", "numpy", *TRAINING).check(*TRAINING)


@sweep
@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_training_by_jax(count):
    pytest.importorskip("jax")
    started_by_mpi("messages.py", count, "jax", str(count), "jax", "numpy").check("jax", "numpy")
    started_by_mpi("training.py", count, "jax", "jax", *FOR_ALL).check(*FOR_ALL)


@sweep
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_training_by_torch(library, count):
    pytest.importorskip("torch")
    started_by_torch("messages.py", count, "torch", str(count), "torch", "numpy").check("torch")
    started_by_torch("training.py", count, "torch", library, *FOR_ALL).check(*FOR_ALL)


@sweep
@pytest.mark.parametrize("how", ["raise", "model", "seed"])
def test_a_worker_of_torch_that_fails_ends_all(how):
    pytest.importorskip("torch")
    done = started_by_torch("failing.py", 2, "torch", "torch", how)
    assert done.code != 0
    assert "DistributedError" in done.errors


@sweep
def test_parameters_spread_over_a_mesh_of_jax():
    pytest.importorskip("jax")
    alone("sharded.py", "jax").check("spread")


@sweep
def test_parameters_spread_over_processes_of_torch():
    pytest.importorskip("torch")
    started_by_torch("sharded.py", 2, "torch").check("spread")
