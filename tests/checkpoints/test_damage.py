"""Files that are torn, changed, of another version or of somebody else: refused, and named."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from training.problems import LOSS, check_same, fit, fresh, loader

from portanet.errors import ArgumentError, CheckpointError, PortanetError, StorageError
from portanet.io import Checkpointer, npz, safetensors
from portanet.training.callbacks import Checkpoint

pytest.importorskip("safetensors")

FORMATS = {"safetensors": safetensors, "npz": npz}


@pytest.fixture(params=FORMATS)
def ckpt(request, tmp_path):
    return Checkpointer(tmp_path / "run", best="loss", mode="min", format=request.param)


def saved(ckpt, steps=(1, 2, 3)):
    for step in steps:
        tree = {"w": np.arange(4.0) * step, "l": [step, None], "r": np.random.default_rng(step)}
        ckpt.save(tree, step=step, metrics={"loss": 1 / step})
    return ckpt


def plain(tree):
    """Return a tree of `saved` as something that can be compared."""
    return tree["w"].tolist(), tree["l"], tree["r"].bit_generator.state


def change(path, edit):
    with open(path, "r+b") as file:
        content = edit(bytearray(file.read()))
        file.seek(0)
        file.write(content)
        file.truncate()


def rewrite(ckpt, step, **notes):
    """Write the note of a checkpoint anew, with other entries."""
    files, path = FORMATS[ckpt.format], ckpt.path(step)
    arrays, metadata = files.load(path), files.metadata(path)
    note = {**json.loads(metadata["portanet.checkpoint"]), **notes}
    metadata["portanet.checkpoint"] = json.dumps(note)
    files.save(path, arrays, metadata)


def test_a_changed_bit_is_never_taken_for_a_checkpoint(ckpt):
    saved(ckpt)
    path, expected = ckpt.path(3), plain(ckpt.restore())
    size = os.path.getsize(path)
    rng, refused = np.random.default_rng(0), 0
    for place in rng.choice(size, min(size, 400), replace=False):
        bit = 1 << int(rng.integers(8))

        def flip(content, place=place, bit=bit):
            content[place] ^= bit
            return content

        change(path, flip)
        try:
            found = plain(ckpt.restore())
        except CheckpointError:
            refused += 1
        else:  # what is not part of it, such as the date in a zip
            assert found == expected, (place, bit)
        change(path, flip)
    assert plain(ckpt.restore()) == expected
    assert refused > 200


def test_parts_of_a_file_are_refused(ckpt):
    saved(ckpt)
    path = ckpt.path(3)
    size = os.path.getsize(path)
    shutil.copy(path, f"{path}.whole")
    for length in {0, 1, 7, 8, 40, size // 2, size - 30, size - 8, size - 1}:
        shutil.copy(f"{path}.whole", path)
        os.truncate(path, length)
        with pytest.raises(CheckpointError, match="is damaged: "):
            ckpt.restore()


def test_the_newest_is_named_and_no_other_one_taken(ckpt):
    saved(ckpt)
    change(ckpt.path(3), lambda content: content[:-9])
    with pytest.raises(CheckpointError) as caught:
        ckpt.restore()
    assert repr(ckpt.path(3)) in str(caught.value)
    assert "the one before is that of step 2: take it with restore(…, step=2)" in str(caught.value)
    assert "or remove this file, which makes it the latest" in str(caught.value)
    assert ckpt.latest == 3
    assert ckpt.restore(step=2)["l"] == [2, None]
    os.unlink(ckpt.path(3))
    assert ckpt.restore()["l"] == [2, None]
    change(ckpt.path(1), lambda content: b"")
    with pytest.raises(CheckpointError, match="there is none before it"):
        ckpt.restore(step=1)


def test_what_cannot_be_read_is_not_the_best_and_is_left(ckpt):
    saved(ckpt, (1, 2))
    change(ckpt.path(1), lambda content: content[:20])
    with pytest.raises(CheckpointError, match="is damaged"):
        assert ckpt.best
    saved(ckpt, (3, 4, 5))
    assert ckpt.steps == [1, 3, 4, 5]


def test_files_of_other_versions_are_refused(ckpt):
    saved(ckpt)
    rewrite(ckpt, 3, version=2)
    for read in (ckpt.restore, lambda: ckpt.metrics(3)):
        with pytest.raises(
            CheckpointError, match="has version 2, not 1: read it with the portanet"
        ):
            read()


def test_a_note_that_was_changed_is_refused(ckpt):
    saved(ckpt)
    rewrite(ckpt, 3, metrics={"loss": 0.0})
    with pytest.raises(CheckpointError, match="is damaged: its BLAKE2b checksum is another one"):
        ckpt.restore()


def test_files_of_somebody_else_are_refused(ckpt):
    saved(ckpt)
    files = FORMATS[ckpt.format]
    files.save(ckpt.path(4), {"w": np.ones(2)})
    for read in (ckpt.restore, lambda: ckpt.metrics(4), lambda: ckpt.best):
        with pytest.raises(CheckpointError, match="is no checkpoint: it has no"):
            read()
    for text in ("", "[]", "{}", "[" * 100_000):
        files.save(ckpt.path(4), {"w": np.ones(2)}, {"portanet.checkpoint": text})
        with pytest.raises(CheckpointError, match=r"is damaged|has version"):
            ckpt.restore()


@pytest.mark.parametrize(
    "node",
    [
        ["array"],
        ["array", [0, 0]],
        ["array", 3, 4, 5],
        ["what"],
        [],
        [[]],
        ["key", "a", "b"],
        ["number", "float33", 1],
        ["number", "object", 1],
        ["generator", {"bits": {"bit_generator": "os"}, "seed": {}}],
        ["library key", "numpy", "x"],
        ["library key", "nothing", "x"],
    ],
)
def test_a_forged_structure_is_refused(ckpt, node, monkeypatch):
    monkeypatch.setattr("portanet.io._record._digest", lambda text, arrays: "same")
    saved(ckpt)
    rewrite(ckpt, 3, tree={"x": node})
    with pytest.raises(PortanetError):
        ckpt.restore()


def test_what_the_system_does_not_read_is_an_error_of_the_family(ckpt, monkeypatch):
    saved(ckpt)

    def failing(path):
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr("portanet.io._record._note", lambda path, metadata: failing(path))
    for read in (ckpt.restore, lambda: ckpt.metrics(3)):
        with pytest.raises(
            StorageError, match=r"step 3, .* was not read: .*Input/output"
        ) as caught:
            read()
        assert caught.value.errno == 5


def test_a_run_is_not_taken_up_from_a_damaged_file(tmp_path):
    path = tmp_path / "run"
    ts, _ = fit(fresh(), LOSS, loader(), epochs=3, callbacks=[Checkpoint(path)])
    ckpt = Checkpointer(path)
    change(ckpt.path(9), lambda content: content[:-1] + b"\0")
    resume = [Checkpoint(path, resume=True)]
    with pytest.raises(CheckpointError, match="the one before is that of step 6") as caught:
        fit(fresh(), LOSS, loader(), epochs=3, callbacks=resume)
    assert caught.value.ts.step == 0
    os.unlink(ckpt.path(9))
    again, _ = fit(fresh(seed=1), LOSS, loader(), epochs=3, callbacks=resume)
    check_same(again, ts)


def test_a_run_does_not_begin_before_what_is_there(tmp_path):
    path = tmp_path / "run"
    ts, _ = fit(fresh(), LOSS, loader(), epochs=2, callbacks=[Checkpoint(path)])
    with pytest.raises(ArgumentError, match=r"step >= 6, .*: the run begins at 0: resume=True"):
        fit(fresh(), LOSS, loader(), callbacks=[Checkpoint(path)])
    assert Checkpointer(path).steps == [3, 6]
    fit(ts, LOSS, loader(), callbacks=[Checkpoint(path)])
    assert Checkpointer(path).steps == [3, 6, 9]
