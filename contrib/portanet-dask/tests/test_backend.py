"""dask as a backend: the kit, the sample of the README, what is dask's own."""

from __future__ import annotations

import re
from pathlib import Path

import dask.array
import numpy as np
import pytest
from portanet_dask import persist

import portanet as pn

X = np.random.default_rng(0).normal(size=(6, 4))


def placed(x):
    return dask.array.from_array(x, chunks=(2, 4))


def test_it_is_found_by_its_entry_point():
    assert pn.backends.available()["dask"] is None
    assert pn.get_device(placed(X)) == pn.device("dask")


def test_the_kit():
    pn.testing.check_backend("dask")


def test_the_sample_of_the_readme(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    namespace = {}
    exec(block, namespace)
    assert capsys.readouterr().out == "Array (128, 1) dask:cpu\n"
    assert float(namespace["loss"]) < 0.2


def test_a_gradient_in_chunks_is_lazy_and_that_of_numpy():
    w = np.random.default_rng(1).normal(size=(4, 3))

    def loss(xp, w, x):
        return xp.mean(xp.tanh(x @ w) ** 2)

    xp = pn.array_namespace(placed(X))
    found = pn.grad(lambda w: loss(xp, w, placed(X)))(placed(w))
    assert isinstance(found, dask.array.Array)
    np.testing.assert_allclose(found, pn.grad(lambda w: loss(np, w, X))(w), rtol=1e-13)


def test_second_order_and_batches():
    xp = pn.array_namespace(placed(X))

    def loss(x):
        return xp.sum(x**4)

    v = placed(np.ones_like(X))
    np.testing.assert_allclose(pn.hvp(loss, placed(X), v), 12 * X**2, rtol=1e-12)
    np.testing.assert_allclose(pn.vmap(pn.grad(loss))(placed(X)), 4 * X**3, rtol=1e-12)


def test_persist_keeps_the_tree_and_what_is_no_array():
    tree = persist({"x": placed(X) + 1.0, "n": 3, "host": X})
    assert len(tree["x"].dask.layers) == 1
    assert tree["n"] == 3
    assert tree["host"] is X
    np.testing.assert_array_equal(tree["x"], X + 1.0)


def test_arrays_of_dask_and_numpy_are_refused_together():
    with pytest.raises(pn.errors.BackendMismatchError):
        pn.functional.linear(placed(X), X)
