"""Layers of positions."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DTypeError, HyperparameterError, ShapeError


def test_learned_positions_are_added(backend, place):
    model = pn.LearnedPositionalEmbedding(5, 3)
    ps, st = pn.setup(0, model)
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    y, _ = model(place(x), place(ps), st)
    np.testing.assert_array_equal(backend.to_numpy(y), x + ps["weight"][:4])
    positions = np.asarray([[0, 1, 0, 1], [4, 3, 2, 1]])
    y, _ = model((place(x), backend.asarray(positions)), place(ps), st)
    np.testing.assert_array_equal(backend.to_numpy(y), x + ps["weight"][positions])
    y, _ = model((place(x), backend.asarray(positions[1])), place(ps), st)
    np.testing.assert_array_equal(backend.to_numpy(y), x + ps["weight"][positions[1]])
    assert np.std(ps["weight"]) == pytest.approx(0.02, rel=0.5)


def test_sinusoids_follow_their_formula(backend, place):
    x = np.random.default_rng(0).uniform(0, 50, size=(3, 2))
    for options in ({}, {"scale": 1.0, "full_turns": True, "min_freq": 0.01, "max_freq": 2.0}):
        model = pn.SinusoidalPositionalEmbedding(6, **options)
        ps, st = pn.setup(0, model, dtype="float64")
        y, _ = model(backend.asarray(x), place(ps), place(st))
        low, high = options.get("min_freq", 1e-4), options.get("max_freq", 1.0)
        waves = high * (low / high) ** (np.arange(3) / 2) * (2 * np.pi if len(options) > 1 else 1)
        angles = x[..., None] * waves
        expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
        expected *= options.get("scale", np.sqrt(2 / 6))
        np.testing.assert_allclose(backend.to_numpy(y), expected, atol=1e-4)
    assert pn.output_shape(model, (7,)) == (7, 6)


def test_given_positions_are_rows_of_the_tables(backend, place):
    for interleaved in (False, True):
        model = pn.RotaryPositionalEmbedding(4, 9, interleaved=interleaved)
        ps, st = pn.setup(0, model)
        x = np.random.default_rng(0).normal(size=(2, 3, 2, 4)).astype(np.float32)
        whole, _ = model(place(x), place(ps), place(st))
        order = np.asarray([2, 0, 1])
        y, _ = model((place(x[:, order]), backend.asarray(order)), place(ps), place(st))
        np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(whole)[:, order])
        several = np.stack([order, order])
        y, _ = model((place(x[:, order]), backend.asarray(several)), place(ps), place(st))
        np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(whole)[:, order])


def test_bad_input_is_refused(backend, place):
    learned, rotary = pn.LearnedPositionalEmbedding(3, 4), pn.RotaryPositionalEmbedding(4, 3)
    ps, st = pn.setup(0, learned, device=backend.place)
    x = backend.asarray(np.ones((2, 4, 4), np.float32))
    with pytest.raises(ShapeError, match=r"^positions in x <= length: 4 > 3$"):
        learned(x, ps, st)
    with pytest.raises(ShapeError, match=r"^positions\.shape == x\.shape\[:-1\]: \(3,\) != \(2, 4"):
        learned((x, backend.asarray(np.zeros(3, np.int64))), ps, st)
    with pytest.raises(DTypeError, match=r"^positions\.dtype is an integer: float32: convert it"):
        learned((x, x[..., 0]), ps, st)
    ps, st = pn.setup(0, rotary, device=backend.place)
    with pytest.raises(ShapeError, match=r"^positions in x <= length: 4 > 3$"):
        rotary(x[..., None, :], ps, st)


def test_a_position_outside_the_table_is_refused_on_the_host():
    learned = pn.LearnedPositionalEmbedding(3, 4)
    x = np.ones((2, 2, 4), np.float32)
    text = r"^0 <= positions < length: positions has 3, length is 3$"
    with pytest.raises(ShapeError, match=text):
        learned((x, np.asarray([0, 3])), *pn.setup(0, learned))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.SinusoidalPositionalEmbedding(5), "features is even: got 5"),
        (lambda: pn.SinusoidalPositionalEmbedding(4, min_freq=0), "min_freq > 0: got 0"),
        (lambda: pn.RotaryPositionalEmbedding(3), "features is even: got 3"),
        (lambda: pn.RotaryPositionalEmbedding(4, 0), "length >= 1: got 0"),
        (lambda: pn.LearnedPositionalEmbedding(0, 4), "length >= 1: got 0"),
    ],
)
def test_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value).endswith(text)
