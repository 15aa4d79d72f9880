"""Checkpoints in a folder: which there are, which stay, what comes back."""

from __future__ import annotations

import os

import numpy as np
import pytest
from training.problems import LOSS, check_same, fit, fresh, loader

import portanet as pn
from portanet import trees
from portanet.errors import ArgumentError, CheckpointError, HyperparameterError, StorageError
from portanet.io import Checkpointer

pytest.importorskip("safetensors")

FORMATS = ("safetensors", "npz")


@pytest.fixture(params=FORMATS)
def ckpt(request, tmp_path):
    return Checkpointer(tmp_path / "run", format=request.param)


def saved(ckpt, count):
    for step in range(1, count + 1):
        ckpt.save({"x": step}, step=step)
    return ckpt


def test_an_empty_folder_has_none(ckpt):
    assert (ckpt.steps, ckpt.latest, ckpt.best) == ([], None, None)
    assert not os.path.exists(ckpt.folder)
    with pytest.raises(CheckpointError, match=r"has no checkpoint: there are those of \[\]"):
        ckpt.restore()


def test_the_last_ones_stay(tmp_path):
    for keep, steps in ((1, [5]), (3, [3, 4, 5]), (None, [1, 2, 3, 4, 5])):
        ckpt = saved(Checkpointer(tmp_path / str(keep), keep=keep), 5)
        assert ckpt.steps == steps
        assert sorted(os.listdir(ckpt.folder)) == [f"step-{i:08d}.safetensors" for i in steps]


@pytest.mark.parametrize(
    ("mode", "losses", "best", "steps"),
    [
        ("min", [3.0, 1.0, 2.0, 4.0], 2, [2, 4]),
        ("max", [3.0, 1.0, 2.0, 2.5], 1, [1, 4]),
        ("min", [2.0, 2.0, 2.0], 1, [1, 3]),
        ("min", [float("nan"), 5.0, float("nan")], 2, [2, 3]),
        ("max", [float("-inf"), float("nan"), float("-inf")], 1, [1, 3]),
        ("min", [float("nan"), float("nan")], None, [2]),
        ("max", [1.0, None, None], 1, [1, 3]),
        ("min", [None, None], None, [2]),
    ],
)
def test_the_best_one_stays(tmp_path, mode, losses, best, steps):
    ckpt = Checkpointer(tmp_path, keep=1, best="loss", mode=mode)
    for step, loss in enumerate(losses, 1):
        ckpt.save({}, step=step, metrics=None if loss is None else {"loss": loss})
    assert (ckpt.best, ckpt.latest, ckpt.steps) == (best, len(losses), steps)


def test_metrics_are_numbers_of_any_library(backend, tmp_path):
    ckpt = Checkpointer(tmp_path, best="loss", mode="min")
    ckpt.save({}, step=0, metrics={"loss": backend.asarray(np.float32(0.5)), "right": True})
    assert ckpt.metrics(0) == {"loss": 0.5, "right": 1.0}


def test_a_training_state_comes_back_on_its_library(backend, tmp_path):
    ts, _ = fit(fresh(backend.place), LOSS, loader())
    path = Checkpointer(tmp_path).save(ts)
    assert os.path.basename(path) == "step-00000003.safetensors"
    again = Checkpointer(tmp_path).restore(like=fresh(backend.place, seed=1))
    check_same(again, ts)
    assert {type(x) for x in trees.leaves(again)} == {type(x) for x in trees.leaves(ts)}
    for x in trees.leaves(again.parameters):
        assert backend.adapter.device_of(x) == backend.device
    values = [fit(state, LOSS, loader(), epochs=2)[1]["loss"] for state in (ts, again)]
    np.testing.assert_array_equal(*values)


def test_a_training_state_of_another_library_comes_back_on_this_one(backend, tmp_path):
    ts, _ = fit(fresh(), LOSS, loader())
    ckpt = Checkpointer(tmp_path)
    ckpt.save(ts)
    for again in (
        ckpt.restore(like=fresh(backend.place)),
        ckpt.restore(like=fresh(), device=backend.place),
    ):
        check_same(again, ts)
        assert pn.get_device(again) == pn.device(backend.place)
    moved = ckpt.restore(device=backend.place)["parameters"]
    check_same(moved, ts.parameters)
    assert pn.get_device(moved) == pn.device(backend.place)


def test_a_loader_goes_on_where_it_was(ckpt):
    data = np.arange(10)
    through = pn.data.DataLoader(data, 3, shuffle=True, rng=1)
    batches = iter(through)
    next(batches)
    ckpt.save({"n": 1}, step=0, loader=through)
    rest = [x.tolist() for x in batches]
    again = pn.data.DataLoader(data, 3, shuffle=True, rng=2)
    assert ckpt.restore(like={"n": 0}, loader=again) == {"n": 1}
    assert [x.tolist() for x in again] == rest
    assert ckpt.restore(like={"n": 0}) == {"n": 1}
    ckpt.save({}, step=1)
    with pytest.raises(ArgumentError, match="step 1 was saved without a loader"):
        ckpt.restore(loader=again)


def test_another_loader_is_refused_and_stays_where_it_is(ckpt):
    ckpt.save({}, step=0, loader=pn.data.DataLoader(np.arange(10), 3, shuffle=True, rng=1))
    other = pn.data.DataLoader(np.arange(9), 3, shuffle=True, rng=2)
    before = other.state()
    with pytest.raises(ArgumentError, match="same samples: 10 != 9"):
        ckpt.restore(loader=other)
    assert other.state() == before


def test_a_step_is_replaced_and_none_goes_before_another(ckpt):
    ckpt.save({"x": 1}, step=5)
    ckpt.save({"x": 2}, step=5)
    assert (ckpt.steps, ckpt.restore()) == ([5], {"x": 2})
    with pytest.raises(ArgumentError, match=r"step >= 5, the last one in .*: got 4: remove"):
        ckpt.save({"x": 3}, step=4)
    assert ckpt.steps == [5]
    ckpt.save({"x": 3}, step=6)
    assert ckpt.restore(step=5) == {"x": 2}
    with pytest.raises(
        CheckpointError, match=r"no checkpoint of step 7: there are those of \[5, 6\]"
    ):
        ckpt.restore(step=7)


def test_what_is_no_checkpoint_is_not_looked_at(ckpt, tmp_path):
    saved(ckpt, 1)
    for name in (
        "step-1.npz",
        "step-000000002.npz",
        "step-00000003.txt",
        ".step-00000004.npz",
        "a",
    ):
        (tmp_path / "run" / name).write_text("")
    other = {"npz": "safetensors", "safetensors": "npz"}[ckpt.format]
    Checkpointer(ckpt.folder, format=other).save({}, step=9)
    assert ckpt.steps == [1]
    saved(ckpt, 5)
    assert ckpt.steps == [3, 4, 5]
    assert len(os.listdir(ckpt.folder)) == 9


def test_large_steps_have_a_place(ckpt):
    for step in (0, 10**8 - 1, 10**8, 2**63 - 1):
        ckpt.save({"step": step}, step=step)
    assert ckpt.steps == [10**8 - 1, 10**8, 2**63 - 1]
    assert ckpt.restore() == {"step": 2**63 - 1}


def test_parts_of_a_checkpoint(backend, tmp_path):
    encoder = pn.Dense(4, 3, pn.relu)
    old, new = (pn.Chain(encoder=encoder, head=pn.Dense(3, n)) for n in (2, 5))
    made = [
        pn.training.TrainState(
            model, *pn.setup(seed, model, device=backend.place), pn.optimizers.Adam()
        )
        for seed, model in enumerate((old, new))
    ]
    ckpt = Checkpointer(tmp_path)
    ckpt.save(made[0].replaced(step=7))
    for only in (
        "parameters.encoder",
        ["parameters.encoder.weight", "parameters.encoder.bias"],
        lambda path, x: path.startswith("parameters.encoder"),
    ):
        ts = ckpt.restore(like=made[1], only=only)
        check_same(ts.parameters["encoder"], made[0].parameters["encoder"])
        check_same(ts.parameters["head"], made[1].parameters["head"])
        assert ts.step == 0
    part = ckpt.restore(like={"parameters": made[1].parameters}, only="parameters.encoder")
    check_same(part["parameters"]["encoder"], made[0].parameters["encoder"])
    assert ckpt.restore(like=made[1], only="step").step == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "keep is an integer >= 1"),
        ({"keep": 1.5}, "keep is an integer >= 1"),
        ({"best": 3, "mode": "min"}, "best is a name"),
        ({"best": "loss"}, "mode is 'min' or 'max' where best names a metric"),
        ({"best": "loss", "mode": "least"}, "mode is 'min' or 'max'"),
        ({"mode": "min"}, "mode is 'min' or 'max' where best names a metric, else None"),
        ({"format": "pickle"}, r"format is one of \['safetensors', 'npz'\]"),
    ],
)
def test_what_a_checkpointer_refuses(tmp_path, options, message):
    with pytest.raises(HyperparameterError, match=message):
        Checkpointer(tmp_path, **options)


def test_a_folder_below_a_file_is_an_error_of_the_family(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    ckpt = Checkpointer(tmp_path / "file" / "folder")
    for call in (lambda: ckpt.save({"x": np.ones(1)}, step=0), lambda: ckpt.latest, ckpt.restore):
        with pytest.raises(StorageError, match="was not looked into"):
            call()


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ArgumentError, match="is a file"):
        Checkpointer(tmp_path / "a")


@pytest.mark.parametrize(
    ("tree", "options", "message"),
    [
        ({}, {}, "step is the number of the checkpoint"),
        ({}, {"step": -1}, "step is an integer >= 0"),
        ({}, {"step": 1, "metrics": [1.0]}, "metrics is a dict of numbers by name"),
        ({}, {"step": 1, "metrics": {"loss": "low"}}, "metrics has numbers by name"),
        ({}, {"step": 1, "metrics": {"right": 1.0}}, r"metrics has 'loss', .*: got \['right'\]"),
        ({}, {"step": 1, "loader": 3}, r"loader has state\(\) and restore\(state\)"),
        ({"f": len}, {"step": 1}, "'f' is an array, a random key, a generator, a number or a text"),
        ({"a": {1: 2}}, {"step": 1}, "the keys of a dict are texts"),
        ({"n": 2**70}, {"step": 1}, "an integer fits 64 bits"),
        ({"a.b": 1, "a": {"b": 2}}, {"step": 1}, "there are two at 'a.b'"),
        ({"a": np.asarray(["x"])}, {"step": 1}, "has no dtype"),
    ],
)
def test_what_cannot_be_saved(tmp_path, tree, options, message):
    ckpt = Checkpointer(tmp_path / "run", best="loss", mode="min")
    with pytest.raises(pn.errors.PortanetError, match=message):
        ckpt.save(tree, **options)
    assert not os.path.exists(ckpt.folder)


def test_trees_without_end_are_refused(ckpt):
    tree = {}
    tree["again"] = tree
    with pytest.raises(pn.errors.ParameterTreeError, match="contains itself"):
        ckpt.save(tree, step=1)


def test_a_checkpointer_shows_what_it_does(tmp_path):
    ckpt = Checkpointer(tmp_path, keep=2, best="loss", mode="min")
    assert repr(ckpt).endswith("keep=2, best='loss', mode='min', format='safetensors')")
