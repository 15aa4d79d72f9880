"""Functions written as ONNX models, run by onnxruntime."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, BackendNotAvailableError, ExportError

pytest.importorskip("ndonnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(0)


def session_of(folder, function, *examples, **options):
    path = folder / "made.onnx"
    pn.export.onnx(function, path, *examples, **options)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def nodes_of(folder):
    return [node.op_type for node in onnx.load(folder / "made.onnx").graph.node]


def images(size):
    return RNG.normal(size=(size, 8, 8, 4)).astype(np.float32)


def test_a_network_takes_batches_of_every_size(tmp_path):
    model = pn.Chain(pn.Dense(4, 8, pn.gelu), pn.LayerNorm((8,)), pn.Dense(8, 3), pn.softmax)
    ps, st = pn.setup(0, model)
    st = pn.test_mode(st)
    session = session_of(tmp_path, lambda x: model(x, ps, st)[0], np.ones((5, 4), np.float32))
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, given.type) == ("x", ["n", 4], "tensor(float)")
    assert result.name == "output"
    for size in (1, 2, 33):
        x = RNG.normal(size=(size, 4)).astype(np.float32)
        (y,) = session.run(None, {"x": x})
        np.testing.assert_allclose(y, model(x, ps, st)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        pn.Conv((3, 3), 4, 6, stride=2, padding=1),
        pn.Conv((2, 3), 4, 8, padding=((1, 0), (0, 2)), groups=2),
        pn.Conv((3, 1), 4, 6, dilation=(2, 1), use_bias=False),
        pn.Conv((1, 1), 4, 6),
        pn.Conv((3, 3), 4, 4, groups=4),
    ],
)
def test_convolutions_are_nodes_of_their_own(tmp_path, layer):
    ps, st = pn.setup(0, layer)
    session = session_of(tmp_path, lambda x: layer(x, ps, st)[0], images(2))
    pointwise = ps["weight"].shape[:2] == (1, 1)
    assert ("Conv" in nodes_of(tmp_path)) != pointwise
    x = images(3)
    np.testing.assert_allclose(
        session.run(None, {"x": x})[0], layer(x, ps, st)[0], rtol=1e-4, atol=1e-5
    )


def test_what_onnxruntime_does_not_convolve_is_taken_apart(tmp_path):
    layer = pn.Conv((3, 3), 4, 6)
    ps, st = pn.setup(0, layer, dtype="float64")
    session_of(tmp_path, lambda x: layer(x, ps, st)[0], images(2).astype(float))
    assert "Conv" not in nodes_of(tmp_path)


def test_the_largest_of_a_window_is_nan_where_one_is(tmp_path):
    pool = pn.MaxPool((2, 2))
    x = images(2)
    x[0, 0, 0, 0] = np.nan
    session = session_of(tmp_path, lambda x: pool(x, {}, {})[0], x)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], pool(x, {}, {})[0])


def test_trees_are_named_by_their_paths(tmp_path):
    def f(batch):
        return {"sum": batch["a"] + batch["b"][0]}, batch["a"] * 2.0

    batch = {"a": np.ones((2, 3)), "b": [np.full((2, 3), 2.0)]}
    session = session_of(tmp_path, f, batch)
    assert [x.name for x in session.get_inputs()] == ["batch.a", "batch.b.0"]
    assert [x.name for x in session.get_outputs()] == ["output.0.sum", "output.1"]


def test_loops_and_branches(tmp_path):
    def f(rows, start):
        last, stacked = pn.scan(lambda c, x: (c * 0.5 + x, c[0]), start, rows, reverse=True)
        side = pn.cond(np.sum(last) > 0, lambda x: x * 2.0, lambda x: -x, last)
        return last, stacked, side

    for sign in (1.0, -1.0):
        rows, start = sign * np.abs(RNG.normal(size=(4, 3))), np.zeros(3)
        session = session_of(tmp_path, f, rows, start, batch_axis=None)
        found = session.run(None, {"rows": -rows, "start": start})
        for x, y in zip(found, f(-rows, start), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-14)


def test_what_onnx_does_not_have_is_refused_by_name(tmp_path):
    for function, text in (
        (lambda x: np.linalg.inv(x @ x.T + np.eye(2)), r"ndonnx has no 'linalg\.inv'"),
        (lambda x: pn.while_loop(lambda x: np.sum(x) < 9.0, lambda x: x * 2.0, x), "while_loop"),
        (lambda x: x[np.array([0, 1]), np.array([1, 0])], "an index of several arrays"),
    ):
        with pytest.raises(ArgumentError, match=text):
            pn.export.onnx(function, tmp_path / "made.onnx", np.ones((2, 3)), batch_axis=None)
    with pytest.raises(ArgumentError, match=r"path ends in '\.onnx': got"):
        pn.export.onnx(np.sin, tmp_path / "made.py", np.ones(3))
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*A lossy cast to 'float32'.*:UserWarning")
def test_digits_that_the_library_loses_are_found(tmp_path):
    with pytest.raises(ExportError, match="gives other numbers"):
        pn.export.onnx(lambda x: np.cos(x), tmp_path / "made.onnx", RNG.normal(size=(3, 4)))
    assert not list(tmp_path.iterdir())


def test_without_its_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ndonnx", None)
    with pytest.raises(BackendNotAvailableError, match=r'needs the package ndonnx: pip install "p'):
        pn.export.onnx(np.sin, tmp_path / "made.onnx", np.ones((2, 3)))
