"""Stacking, filling up and splitting."""

from __future__ import annotations

import numpy as np
import pytest

from portanet.data import k_folds, pad_sequences, split, stack
from portanet.errors import ArgumentError, DTypeError, HyperparameterError, ShapeError


def test_stack_keeps_libraries_and_dtypes(backend):
    samples = [{"x": backend.asarray(np.full(2, i, np.float32)), "n": i} for i in range(3)]
    batch = stack(samples)
    assert type(batch["x"]) is type(samples[0]["x"])
    np.testing.assert_array_equal(backend.to_numpy(batch["x"]), [[0, 0], [1, 1], [2, 2]])
    assert batch["n"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([True, False], np.bool_),
        ([1, 2], np.int64),
        ([1, 2.5], np.float32),
        ([1, 2j], np.complex64),
        ([np.int8(1), np.int8(2)], np.int8),
        ([np.float64(1), np.float64(2)], np.float64),
    ],
)
def test_numbers_become_arrays(samples, dtype):
    batch = stack(samples)
    assert batch.dtype == dtype
    assert batch.tolist() == samples


def test_pad_sequences():
    padded, mask = pad_sequences([np.ones((2, 3)), np.ones((0, 3)), np.ones((4, 3))])
    assert padded.shape == (3, 4, 3)
    assert mask.sum(axis=1).tolist() == [2, 0, 4]
    assert padded.sum() == 18
    padded, _ = pad_sequences([[1], [2, 3]], bounds=(2, 5), value=-1)
    assert padded.tolist() == [[1, -1], [2, 3]]
    padded, mask = pad_sequences([[], [1, 2]])  # an empty list has no dtype
    assert padded.dtype == np.int64
    assert mask.tolist() == [[False, False], [True, True]]
    padded, _ = pad_sequences([[1.5], [2.0, 3.0]], value=np.nan)
    np.testing.assert_array_equal(padded, [[1.5, np.nan], [2.0, 3.0]])
    for wrong, error in (
        (lambda: pad_sequences([]), ArgumentError),
        (lambda: pad_sequences([[1], [[2]]]), ShapeError),
        (lambda: pad_sequences([3]), ShapeError),
        (lambda: pad_sequences([[1, 2, 3]], bounds=(2,)), ShapeError),
        (lambda: pad_sequences([[1]], bounds=()), ArgumentError),
        (lambda: pad_sequences([[1]], value=0.5), DTypeError),
        (lambda: pad_sequences([[1]], value=np.nan), DTypeError),
    ):
        with pytest.raises(error):
            wrong()


def test_split_leaves_no_sample_out_and_shares_none(backend):
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    parts = split((backend.asarray(x), backend.asarray(y)), 0.5, 3, rng=0)
    labels = [backend.to_numpy(part[1]) for part in parts]
    assert [len(part) for part in labels] == [5, 3, 2]
    assert sorted(np.concatenate(labels)) == list(range(10))
    for (first, _), own in zip(parts, labels, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(first), x[own])
    same = split((x, y), 0.5, 3, rng=0)
    np.testing.assert_array_equal(same[0][1], labels[0])


def test_each_sample_is_held_out_once(backend):
    x = np.arange(11)
    folds = list(k_folds((backend.asarray(x),), 3, rng=0))
    held_out = [backend.to_numpy(part[0]) for _, part in folds]
    assert [len(part) for part in held_out] == [4, 4, 3]
    assert sorted(np.concatenate(held_out)) == x.tolist()
    for (train, _), part in zip(folds, held_out, strict=True):
        assert sorted([*backend.to_numpy(train[0]), *part]) == x.tolist()
    for wrong in (1, 12, None):
        with pytest.raises(HyperparameterError):
            k_folds(x, wrong)
    (train, rest), _ = k_folds(list("abcd"), 2)
    assert [train[0], rest[1]] == ["c", "b"]


def test_split_of_datasets_and_in_order():
    train, rest = split(list("abcde"), 0.8)
    assert [train[i] for i in range(len(train))] == list("abcd")
    assert rest[0] == "e"
    for wrong in ((1.5,), (0.0,), (0.01,), (10,), ()):
        with pytest.raises(HyperparameterError):
            split(np.arange(10), *wrong)
    with pytest.raises(ArgumentError):
        split(np.arange(10), "half")
