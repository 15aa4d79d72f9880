"""A checkpoint of another model: every difference is named, and nothing is changed."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, ShapeError
from portanet.io import Checkpointer, npz

pytest.importorskip("safetensors")


@pytest.fixture
def ckpt(tmp_path):
    return Checkpointer(tmp_path)


def refused(ckpt, saved, like, error):
    ckpt.save(saved, step=0)
    with pytest.raises(error) as caught:
        ckpt.restore(like)
    text = str(caught.value)
    assert text.startswith(repr(ckpt.path(0)))
    return text


def test_all_differences_are_in_one_error(ckpt):
    saved = {"a": np.ones(2), "b": np.ones(3), "c": np.ones(4), "d": [1], "old": 1, "e": np.ones(1)}
    like = {"a": np.ones(2), "b": np.ones((3, 1)), "c": np.ones(4, "f4"), "d": (1,), "new": 1}
    like["e"] = np.ones(2, np.float32)
    text = refused(ckpt, saved, like, ParameterTreeError)
    for part in (
        "missing ['new'], unexpected ['old']",
        "the containers differ: 'd' list != tuple",
        "the shapes differ: 'b' (3,) != (3, 1), 'e' (1,) != (2,)",
        "cannot hold the numbers exactly: 'c' float64 in float32, 'e' float64 in float32",
    ):
        assert part in text
    del like["new"], saved["old"]
    saved["d"] = (1,)
    assert "entries" not in refused(ckpt, saved, like, ShapeError)
    like["b"], like["e"] = np.ones(3), np.ones(1, np.float32)
    assert "shapes" not in refused(ckpt, saved, like, DTypeError)


def test_a_bare_file_names_all_differences_too(tmp_path):
    npz.save(tmp_path / "a.npz", {"a": np.ones(2), "b": np.ones(3)})
    with pytest.raises(
        ParameterTreeError, match=r"missing \['c'\].*shapes differ: 'a'.*'a' float64"
    ):
        npz.load(tmp_path / "a.npz", like={"a": np.ones(3, np.float32), "c": 1})


def test_a_part_of_a_checkpoint_says_where_it_is(ckpt):
    model = pn.Dense(2, 1)
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam())
    ckpt.save({"ts": ts, "more": {"weight": np.ones(3)}}, step=0)
    with pytest.raises(ParameterTreeError, match=r"at 'ts': give like=\{'ts': …\} and only='ts'"):
        ckpt.restore(like=ts)
    with pytest.raises(ParameterTreeError, match=r"at 'ts': give like="):
        ckpt.restore(like=ts, only="parameters.weight")
    assert ckpt.restore(like={"ts": ts}, only="ts")["ts"].step == 0


def test_another_model_and_another_optimizer(ckpt):
    def made(model, rule):
        return pn.training.TrainState(model, *pn.setup(0, model), rule)

    deep = pn.Chain(pn.Dense(3, 4), pn.BatchNorm(4), pn.Dense(4, 1))
    wide = pn.Chain(pn.Dense(3, 5), pn.BatchNorm(5), pn.Dense(5, 1))
    bare = pn.Chain(pn.Dense(3, 4), pn.LayerNorm(4), pn.Dense(4, 1))
    adam, momentum = pn.optimizers.Adam(), pn.optimizers.Momentum()
    text = refused(ckpt, made(deep, adam), made(wide, adam), ShapeError)
    assert "'parameters.layer_1.weight' (4, 3) != (5, 3)" in text
    assert "'states.layer_2.running_mean' (4,) != (5,)" in text
    text = refused(ckpt, made(deep, adam), made(bare, adam), ParameterTreeError)
    assert "'states.layer_2.running_mean'" in text
    text = refused(ckpt, made(deep, adam), made(deep, momentum), ParameterTreeError)
    assert "optimizer_state.rules.layer_1.bias.betas" in text


def test_layers_without_parameters_count(ckpt):
    text = refused(ckpt, {"a": {}, "b": {}}, {"a": {}, "c": {}}, ParameterTreeError)
    assert "missing ['c'], unexpected ['b']" in text
    assert "'a' None in dict" in refused(ckpt, {"a": None}, {"a": {}}, DTypeError)
    assert "'a' float64 in None" in refused(ckpt, {"a": np.ones(1)}, {"a": None}, DTypeError)
    assert "'a' list in dict" in refused(ckpt, {"a": []}, {"a": {}}, DTypeError)


@pytest.mark.parametrize(
    ("saved", "like"),
    [(1, 1.5), (True, True), (2**53, 0.5), (0.1, 0.1), ("a", "b"), (np.float32(1), np.ones(()))],
)
def test_what_fits(ckpt, saved, like):
    ckpt.save({"x": saved}, step=0)
    found = ckpt.restore({"x": like})["x"]
    assert found == saved
    assert type(found) is type(like)


@pytest.mark.parametrize(
    ("saved", "like"),
    [
        (1.0, 1),
        (1, True),
        (True, 1),
        (True, 1.0),
        (2**53 + 1, 0.5),
        ("1", 1),
        (1, "1"),
        (1, None),
        (1.0, np.float64(1)),
        (np.float64(1), np.float32(1)),
        (np.int64(1), np.float64(1)),
        (1, pn.random.key(0)),
        (pn.random.key(0), 1),
        ([1.0], [len]),
    ],
)
def test_what_does_not_fit(ckpt, saved, like):
    refused(ckpt, {"x": saved}, {"x": like}, DTypeError)


def test_choices_of_nothing_are_refused(ckpt):
    ckpt.save({"a": {"b": 1, "bc": 2}}, step=0)
    like = {"a": {"b": 0, "bc": 0}}
    assert ckpt.restore(like, only="a.b") == {"a": {"b": 1, "bc": 0}}
    for only, message in (
        ("a.x", "nothing is at 'a.x' in like"),
        (["a.b", "a.x"], "nothing is at 'a.x' in like"),
        ("a.*", r"nothing is at 'a\.\*' in like"),
        ([], "only chooses nothing in like"),
        (lambda path, x: False, "only chooses nothing in like"),
    ):
        with pytest.raises(ParameterTreeError, match=message):
            ckpt.restore(like, only=only)
    for only in (3, [1], {"a"}):
        with pytest.raises(ArgumentError, match="only is a path, a list of paths, or a function"):
            ckpt.restore(like, only=only)
    with pytest.raises(ArgumentError, match="only chooses entries of like: give both"):
        ckpt.restore(only="a")


def test_differences_of_a_part_are_named(ckpt):
    ckpt.save({"a": {"w": np.ones(2), "old": 1}, "b": 3}, step=0)
    like = {"a": {"w": np.ones(3), "new": 1}, "c": 4}
    with pytest.raises(ParameterTreeError) as caught:
        ckpt.restore(like, only="a")
    assert "missing ['a.new'], unexpected ['a.old']" in str(caught.value)
    assert "'a.w' (2,) != (3,)" in str(caught.value)
    assert "'b'" not in str(caught.value)
    assert "'c'" not in str(caught.value)
