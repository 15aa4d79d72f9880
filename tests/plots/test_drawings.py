"""Drawings of models and programs, tables, and what notebooks show."""

from __future__ import annotations

import html
import operator
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, HyperparameterError

SPACE = "{http://www.w3.org/2000/svg}"
MODEL = pn.Chain(
    pn.Dense(None, 8, pn.relu),
    skip=pn.SkipConnection(pn.Chain(pn.Dense(8, 8), pn.Dropout(0.1)), operator.add),
    branches=pn.BranchLayer(pn.Dense(8, 2), pn.Dense(8, 3)),
)
EXAMPLE = np.zeros((2, 4), np.float32)


def texts(svg):
    return [x.text for x in ElementTree.fromstring(svg.text).iter(f"{SPACE}text")]


def count(svg, tag):
    return len(list(ElementTree.fromstring(svg.text).iter(SPACE + tag)))


def test_each_layer_has_a_box_with_its_name_its_call_and_its_output():
    found = texts(pn.plots.model_graph(MODEL, EXAMPLE))
    assert {"Dense(4, 8, relu)", "skip = SkipConnection", "add", "Dense(8, 3)"} <= set(found)
    assert "40 parameters   → (2, 8)" in found
    assert "→ (2, 2), (2, 3)" in next(x for x in found if x.startswith("45 parameters"))


def test_arrows_go_where_the_calls_go():
    chain = pn.Chain(pn.Dense(2, 3), pn.relu, pn.Dense(3, 1))
    assert count(pn.plots.model_graph(chain), "polyline") == 2
    assert count(pn.plots.model_graph(MODEL), "polyline") == 2 + 3 + 1 + 4
    layer = pn.TransformerEncoderLayer(8, 2)
    assert count(pn.plots.model_graph(layer), "polyline") == 1  # in the Chain inside
    assert "stroke-dasharray" in pn.plots.model_graph(layer).text


def test_a_depth_folds_what_lies_below():
    assert texts(pn.plots.model_graph(MODEL, EXAMPLE, depth=0))[0] == "Chain"
    found = texts(pn.plots.model_graph(MODEL, EXAMPLE, depth=1))
    assert "SkipConnection" in found
    assert "Dropout(0.1)" not in found


def test_names_are_written_as_they_are():
    model = pn.Chain(pn.WrappedFunction(lambda x: x))
    assert "WrappedFunction(<lambda>)" in texts(pn.plots.model_graph(model))


def test_drawings_are_shown_and_saved(tmp_path):
    svg = pn.plots.model_graph(MODEL)
    svg.save(tmp_path / "model.svg")
    assert (tmp_path / "model.svg").read_text("utf-8") == svg.text == svg._repr_svg_()
    with pytest.raises(ArgumentError, match="path names a file"):
        svg.save(3)


def test_a_program_has_a_box_for_each_operation():
    function = pn.jit(lambda x, y: (np.sin(x) @ y, x + 1.0))
    x, y = np.ones((3, 3)), np.ones((3, 2))
    svg = pn.plots.program_graph(function, x, y)
    assert sorted(t for t in texts(svg) if "(" not in t) == ["a0", "a1", "add", "matmul", "sin"]
    assert count(svg, "polyline") == 4  # x to sin and to add, sin and y to matmul
    assert "float64 (3, 2)" in texts(svg)
    function(x, y)
    assert function.cache_info().misses == 1


def test_a_training_step_can_be_drawn():
    model = pn.Chain(pn.Dense(4, 3, pn.tanh), pn.Dense(3, 2))
    ps, st = pn.setup(0, model)
    slope = pn.jit(pn.grad(lambda ps, x: np.sum(model(x, ps, st)[0] ** 2)))
    svg = pn.plots.program_graph(slope, ps, EXAMPLE)
    operations = slope.program(ps, EXAMPLE).operations
    assert count(svg, "rect") == 1 + len(operations) + 5


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: pn.plots.model_graph(3), HyperparameterError, "model is a portanet.Layer"),
        (lambda: pn.plots.model_graph(MODEL, depth=-1), HyperparameterError, "depth is"),
        (lambda: pn.plots.program_graph(np.sin, 1.0), ArgumentError, "made by pn.jit"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_program_of_the_library_itself_is_not_ours_to_draw(backend):
    x = backend.asarray(np.ones(3))
    function = pn.jit(lambda x: x + 1.0)
    if backend.name in ("jax", "torch"):
        with pytest.raises(ArgumentError, match="has compiled it"):
            pn.plots.program_graph(function, x)
    else:
        assert "add" in texts(pn.plots.program_graph(function, x))


def test_tables_hold_the_statistics_of_numpy(backend):
    weight = np.asarray([[1.0, -2.0, np.inf], [4.0, np.nan, 0.5]])
    tree = {"a": {"weight": backend.asarray(weight)}, "training": True}
    (entry,) = pn.plots.table(tree).entries
    finite = weight[np.isfinite(weight)]
    np.testing.assert_allclose(
        entry.numbers, [finite.mean(), finite.std(), finite.min(), finite.max()]
    )
    assert (entry.path, entry.shape, entry.lost) == ("a.weight", (2, 3), 2)
    assert sum(entry.counts) == 4


@pytest.mark.parametrize(
    "x",
    [np.zeros((0, 3)), np.full(2, np.nan), np.asarray([True, False]), np.asarray([1 + 2j]),
     np.asarray([-1.7e308, 1.7e308]), np.float32(3.0), np.asarray([1, 2], np.uint8)],
    ids=repr,
)  # fmt: skip
def test_tables_of_any_array(x):
    found = pn.plots.table({"x": x})
    assert str(np.shape(x)) in str(found)
    ElementTree.fromstring(found._repr_html_())


def test_notebooks_show_models_and_training_states():
    ps, st = pn.setup(0, MODEL, EXAMPLE)
    ts = pn.training.TrainState(MODEL, ps, st, pn.optimizers.Adam())
    for shown in (MODEL._repr_html_(), ts._repr_html_(), pn.summary(MODEL, EXAMPLE)._repr_html_()):
        page = ElementTree.fromstring(f"<p>{shown.replace(' open', '')}</p>")
        words = "".join(page.itertext())
        assert "Dense(8, 3)" in words
    words = html.unescape(re.sub("<[^>]*>", "", ts._repr_html_()))
    assert "layer_1.weight(8, 4)float32" in words
    assert "optimizer: Adam(lr=0.001" in words
    assert "in_features from the input" in MODEL._repr_html_()
    ts = pn.training.TrainState(lambda x, ps, st: (x, st), ps, st, pn.optimizers.Adam())
    assert "&lt;lambda&gt;" in ts._repr_html_()
