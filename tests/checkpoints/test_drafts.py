"""A file is written whole or not at all, and what a killed process began is removed."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from training.problems import LOSS, fit, fresh, loader

from portanet.errors import CallbackError, StorageError
from portanet.io import Checkpointer, atomic, npz
from portanet.training.callbacks import Callback, Checkpoint

pytest.importorskip("safetensors")

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def ckpt(tmp_path):
    return Checkpointer(tmp_path / "run", keep=2)


def tree(step):
    return {"x": np.full(5000, float(step))}


def fail(*_):
    raise FULL


def check_nothing_lost(ckpt, step):
    """The checkpoints before are there, whole, and there are no drafts; the next one is written."""
    assert ckpt.latest == step
    assert ckpt.restore()["x"][0] == step
    assert len(os.listdir(ckpt.folder)) == len(ckpt.steps)
    ckpt.save(tree(9), step=9)
    assert ckpt.restore()["x"][0] == 9


@pytest.mark.parametrize("call", ["fsync", "replace", "open", "fdopen", "chmod"])
def test_a_full_disk_loses_nothing(ckpt, monkeypatch, call):
    ckpt.save(tree(1), step=1)
    step = 1 if call == "chmod" else 2  # of a file that is there the mode is kept
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, call, fail)
        with pytest.raises(StorageError, match="No space left on device") as caught:
            ckpt.save(tree(2), step=step)
    assert f"the checkpoint of step {step}, {ckpt.path(step)!r}, was not" in str(caught.value)
    assert "the last one is that of step 1" in str(caught.value)
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, OSError)
    check_nothing_lost(ckpt, 1)


def test_a_disk_that_is_full_in_the_middle_loses_nothing(ckpt):
    ckpt.save({"x": np.ones(1)}, step=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match="too large"):
            ckpt.save(tree(2), step=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    check_nothing_lost(ckpt, 1)


def test_the_first_one_on_a_full_disk(ckpt, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", fail)
        with pytest.raises(StorageError, match=r"No space left on device.*: there is none"):
            ckpt.save(tree(1), step=1)
    assert (ckpt.steps, ckpt.latest) == ([], None)
    ckpt.save(tree(1), step=1)
    assert os.listdir(ckpt.folder) == ["step-00000001.safetensors"]


def test_training_on_a_full_disk_has_its_state_at_hand(ckpt, monkeypatch):
    class Filling(Callback):
        def on_step(self, run):
            if run.ts.step == 5:
                monkeypatch.setattr(atomic.os, "fsync", fail)

    with pytest.raises(StorageError) as caught:
        fit(fresh(), LOSS, loader(), epochs=3, callbacks=[Filling(), Checkpoint(ckpt)])
    monkeypatch.undo()
    assert caught.value.ts.step == 6
    assert caught.value.history.epochs == 2
    assert ckpt.steps == [3]
    again, _ = fit(fresh(), LOSS, loader(), epochs=3, callbacks=[Checkpoint(ckpt, resume=True)])
    assert again.step == 9


def test_a_callback_that_raises_leaves_the_last_checkpoint(ckpt):
    def raising(run):
        if run.epoch == 3:
            raise RuntimeError("no more")

    with pytest.raises(CallbackError, match="no more") as caught:
        fit(fresh(), LOSS, loader(), epochs=4, callbacks=[raising, Checkpoint(ckpt)])
    assert (ckpt.latest, caught.value.ts.step) == (6, 9)
    again, history = fit(
        fresh(), LOSS, loader(), epochs=4, callbacks=[Checkpoint(ckpt, resume=True)]
    )
    assert (again.step, history.epochs) == (12, 4)


def test_what_is_removed_may_be_gone_already(ckpt, monkeypatch):
    for step in (1, 2):
        ckpt.save(tree(step), step=step)
    remove = os.unlink

    def twice(path):
        remove(path)
        remove(path)

    monkeypatch.setattr("portanet.io._folder.os.unlink", twice)
    ckpt.save(tree(3), step=3)
    assert ckpt.steps == [2, 3]


def test_what_cannot_be_removed_is_named(ckpt, monkeypatch):
    for step in (1, 2):
        ckpt.save(tree(step), step=step)
    monkeypatch.setattr("portanet.io._folder.os.unlink", fail)
    with pytest.raises(StorageError, match=r"the checkpoint of step 1, .* was not removed"):
        ckpt.save(tree(3), step=3)
    assert ckpt.steps == [1, 2, 3]


WRITER = """
import os, sys, time
from portanet.io import atomic

fsync = os.fsync
def waiting(handle):
    fsync(handle)
    print("writing", flush=True)
    sys.stdin.readline()
atomic.os.fsync = waiting
atomic.replace(sys.argv[1], bytes(1000))
"""


def writer(path):
    """Start a process that is in the middle of writing a file."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.skipif(atomic.fcntl is None, reason="no locks of files on this system")
def test_drafts_of_the_killed_are_removed_and_no_other_ones(ckpt, tmp_path):
    folder = tmp_path / "run"
    ckpt.save(tree(1), step=1)
    (folder / ".portanet-notes.tmp").write_text("not ours")
    with writer(folder / "a") as living:
        with writer(folder / "b") as killed:
            killed.send_signal(signal.SIGKILL)
        (folder / ".portanet-0123456789abcdef.tmp").write_text("of a process that is gone")
        assert len(list(folder.glob(".portanet-*"))) == 4
        ckpt.save(tree(2), step=2)
        assert len(list(folder.glob(".portanet-*"))) == 2
        living.communicate("go on\nand on\n")
    assert living.returncode == 0
    assert (folder / "a").read_bytes() == bytes(1000)
    assert [path.name for path in folder.glob(".portanet-*")] == [".portanet-notes.tmp"]
    assert not (folder / "b").exists()


@pytest.mark.skipif(atomic.fcntl is None, reason="no locks of files on this system")
def test_a_draft_that_is_removed_before_it_is_locked_is_begun_anew(ckpt, monkeypatch, tmp_path):
    lock, seen = atomic.fcntl.flock, []

    def late(handle, kind):
        if not seen:
            seen.append(kind)
            atomic._remove_abandoned(str(tmp_path / "run"))  # another process, just before
            assert os.fstat(handle).st_nlink == 0
        lock(handle, kind)

    ckpt.save(tree(1), step=1)
    monkeypatch.setattr(atomic.fcntl, "flock", late)
    ckpt.save(tree(2), step=2)
    assert ckpt.restore()["x"][0] == 2


def test_a_file_system_without_locks_is_written_too(ckpt, monkeypatch):
    def refuse(handle, kind):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    ckpt.save(tree(1), step=1)
    draft = os.path.join(ckpt.folder, ".portanet-0123456789abcdef.tmp")
    with open(draft, "w"):
        pass
    monkeypatch.setattr(atomic.fcntl, "flock", refuse)
    ckpt.save(tree(2), step=2)
    assert ckpt.steps == [1, 2]
    assert os.path.exists(draft)  # nobody can say whose it is


def test_a_system_without_locks(ckpt, monkeypatch):
    monkeypatch.setattr(atomic, "fcntl", None)
    for step in (1, 2, 3):
        ckpt.save(tree(step), step=step)
    assert ckpt.steps == [2, 3]
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", fail)
        with pytest.raises(StorageError):
            ckpt.save(tree(4), step=4)
    assert len(os.listdir(ckpt.folder)) == 2


def test_the_folder_is_put_on_the_disk_too(ckpt, monkeypatch, tmp_path):
    synced, fsync = [], os.fsync

    def noting(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("no names of open files on this system")
    monkeypatch.setattr(atomic.os, "fsync", noting)
    ckpt.save(tree(1), step=1)
    made, draft, folder = synced
    assert (made, folder) == (str(tmp_path), ckpt.folder)
    assert os.path.dirname(draft) == ckpt.folder
    npz.save(tmp_path / "a.npz", tree(1))
    assert synced[-1] == str(tmp_path)


def test_a_folder_that_cannot_be_put_on_the_disk(ckpt, monkeypatch):
    ckpt.save(tree(1), step=1)
    is_folder, fsync = atomic.stat.S_ISDIR, os.fsync

    def only_files(number):
        def synced(handle):
            if is_folder(os.fstat(handle).st_mode):
                raise OSError(number, os.strerror(number))
            fsync(handle)

        return synced

    monkeypatch.setattr(atomic.os, "fsync", only_files(errno.EINVAL))
    ckpt.save(tree(2), step=2)
    monkeypatch.setattr(atomic.os, "fsync", only_files(errno.EIO))
    with pytest.raises(StorageError, match=r"step 3, .* was not written"):
        ckpt.save(tree(3), step=3)
