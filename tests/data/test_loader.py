"""Loaders: every sample once an epoch, in an order that can be taken up again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.data import Buckets, DataLoader, MaskedBatch, pad_sequences
from portanet.errors import (
    ArgumentError,
    DTypeError,
    HyperparameterError,
    ParameterTreeError,
    ShapeError,
)

X = np.arange(22.0, dtype=np.float32).reshape(11, 2)
Y = np.arange(11, dtype=np.int32)


class Squares:
    """A dataset as torch has them."""

    def __len__(self):
        return 7

    def __getitem__(self, i):
        if not 0 <= i < 7:
            raise IndexError(i)
        return {"x": np.full(2, i, np.float32), "y": i * i}


class Columns:
    """A dataset that gives several samples at once, as those of Hugging Face."""

    def __init__(self):
        self.asked = []

    def __len__(self):
        return 5

    def __getitem__(self, i):
        raise AssertionError("it can give several samples at once")

    def __getitems__(self, numbers):
        self.asked.append(numbers)
        return [{"x": np.float32(i)} for i in numbers]


def host(batch):
    place = pn.cpu_device()
    return place(batch)


def epoch(loader):
    return [trees.map_leaves(np.copy, host(batch)) for batch in loader]


def same(batches, others):
    assert len(batches) == len(others)
    for one, other in zip(batches, others, strict=True):
        assert trees.flatten(one)[1] == trees.flatten(other)[1]
        for a, b in zip(trees.leaves(one), trees.leaves(other), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shuffle", [False, True])
def test_every_sample_comes_once(backend, shuffle):
    x, y = backend.asarray(X), backend.asarray(Y)
    loader = DataLoader((x, y), 4, shuffle=shuffle, rng=0)
    assert len(loader) == 3
    sizes, seen = [], []
    for batch_x, batch_y in loader:
        assert type(batch_x) is type(x)
        assert backend.adapter.device_of(batch_x) == backend.adapter.device_of(x)
        assert batch_x.dtype == x.dtype
        assert batch_y.dtype == y.dtype
        labels = backend.to_numpy(batch_y)
        np.testing.assert_array_equal(backend.to_numpy(batch_x), X[labels])
        sizes.append(len(labels))
        seen += labels.tolist()
    assert sizes == [4, 4, 3]
    assert sorted(seen) == Y.tolist()
    assert (seen != Y.tolist()) is shuffle


def test_the_order_is_that_of_the_seed_on_every_library(backend):
    """And another one in each epoch."""
    here = DataLoader(backend.asarray(Y), 4, shuffle=True, rng=3)
    there = DataLoader(Y, 4, shuffle=True, rng=3)
    first, second = epoch(here), epoch(here)
    same(first, epoch(there))
    same(second, epoch(there))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()


def test_a_generator_moves_on_and_a_seed_does_not():
    rng = np.random.default_rng(0)
    one, other = (epoch(DataLoader(Y, 11, shuffle=True, rng=rng)) for _ in range(2))
    assert one[0].tolist() != other[0].tolist()
    again = epoch(DataLoader(Y, 11, shuffle=True, rng=np.random.default_rng(0)))
    same(one, again)


def test_the_last_batch_is_dropped_or_filled_up():
    assert [len(y) for y in DataLoader(Y, 4, drop_last=True)] == [4, 4]
    batches = list(DataLoader((X, Y), 4, pad=True))
    assert all(isinstance(batch, MaskedBatch) for batch in batches)
    assert [batch.data[1].shape for batch in batches] == [(4,)] * 3
    assert [batch.mask.tolist() for batch in batches] == [[True] * 4] * 2 + [[True] * 3 + [False]]
    assert batches[2].data[1].tolist() == [8, 9, 10, 8]
    (filled,) = DataLoader(Y[:2], 5, pad=True)
    assert filled.data.tolist() == [0, 1, 0, 1, 0]


def test_the_mask_is_where_the_arrays_are(backend):
    *_, last = DataLoader(backend.asarray(X), 4, pad=True)
    assert type(last.mask) is type(last.data)
    assert backend.adapter.device_of(last.mask) == backend.adapter.device_of(last.data)
    assert backend.to_numpy(last.mask).tolist() == [True, True, True, False]


def test_datasets_of_samples():
    batches = list(DataLoader(Squares(), 4))
    assert [batch["y"].tolist() for batch in batches] == [[0, 1, 4, 9], [16, 25, 36]]
    assert batches[0]["x"].dtype == np.float32
    assert batches[0]["x"].shape == (4, 2)
    assert batches[0]["y"].dtype == np.int64
    dataset = Columns()
    assert [b["x"].tolist() for b in DataLoader(dataset, 3)] == [[0, 1, 2], [3, 4]]
    assert dataset.asked == [[0, 1, 2], [3, 4]]
    assert [list(b) for b in DataLoader(["a", "b", "c"], 2, collate=tuple)] == [["a", "b"], ["c"]]


def test_datasets_of_torch():
    torch = pytest.importorskip("torch")
    tensors = torch.utils.data.TensorDataset(torch.arange(6.0).reshape(3, 2), torch.arange(3))
    x, y = next(iter(DataLoader(tensors, 3, shuffle=True, rng=0)))
    assert isinstance(x, torch.Tensor)
    np.testing.assert_array_equal(x.numpy()[:, 0], 2 * y.numpy())
    parts = torch.utils.data.Subset(tensors, [2, 0])
    assert next(iter(DataLoader(parts, 2)))[1].tolist() == [2, 0]


def test_transforms_have_a_generator_for_each_batch():
    def noisy(rng, batch):
        return batch + rng.normal(size=batch.shape)

    first = DataLoader(X, 4, transform=noisy, rng=1)
    one, two = epoch(first), epoch(first)
    assert not np.any(one[0] == two[0])
    assert not np.any(one[0] - X[:4] == one[1] - X[4:8])
    same(one, epoch(DataLoader(X, 4, transform=noisy, rng=1, prefetch=2)))


def test_batches_are_moved(backend):
    loader = pn.device(backend.place)(DataLoader((X, Y), 4, pad=True))
    for batch in loader:
        assert str(pn.get_device(batch)) == backend.place
    plain = DataLoader((X, Y), 4, device=backend.place)
    same([host(b) for b in plain], list(DataLoader((X, Y), 4)))


def test_a_device_maps_over_loaders_in_trees():
    moved = pn.cpu_device()({"train": DataLoader(X, 4), "other": "text"})
    assert moved["train"].device == pn.cpu_device()
    assert moved["other"] == "text"


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("options", [{"pad": True}, {"drop_last": True}, {}])
@pytest.mark.parametrize("stop", [0, 1, 2, 3, 4])
def test_a_loader_is_taken_up_in_the_middle_of_an_epoch(prefetch, options, stop):
    def fresh(rng):
        return DataLoader((X, Y), 4, shuffle=True, rng=rng, prefetch=prefetch, **options)

    def endless(loader):
        return itertools.chain.from_iterable(loader for _ in itertools.count())

    whole = [host(b) for b in itertools.islice(endless(fresh(5)), 8)]
    loader = fresh(5)
    before = list(itertools.islice(endless(loader), stop))
    state = loader.state()
    other = fresh(6)  # the state says what the orders are drawn from
    other.restore(state)
    assert other.state() == state
    after = list(itertools.islice(endless(other), 8 - stop))
    same([host(b) for b in before + after], whole)


def test_a_loop_that_was_left_is_not_taken_up():
    loader = DataLoader(Y, 4, shuffle=True, rng=0)
    first, second = (epoch(DataLoader(Y, 4, shuffle=True, rng=0)) for _ in range(2))
    for _ in loader:
        break
    later = epoch(loader)
    assert len(later) == 3
    again = DataLoader(Y, 4, shuffle=True, rng=0)
    epoch(again)
    same(later, epoch(again))
    same(first, second)


def test_a_moved_loader_goes_through_the_same_epochs():
    loader = DataLoader(Y, 4, shuffle=True, rng=0)
    epoch(pn.cpu_device()(loader))
    assert loader.state()["epoch"] == 1


LENGTHS = [3, 9, 1, 4, 12, 5, 2, 8, 7, 11]


@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets(shuffle):
    def collate(samples):
        return pad_sequences(samples, bounds=(4, 8, 16))

    sequences = [np.full(n, n) for n in LENGTHS]
    buckets = Buckets(LENGTHS, (4, 8, 16))
    loader = DataLoader(sequences, 2, buckets=buckets, collate=collate, shuffle=shuffle, rng=0)
    batches = list(loader)
    assert len(loader) == len(batches) == 6
    assert {padded.shape[1] for padded, _ in batches} == {4, 8, 16}
    lengths = np.concatenate([mask.sum(axis=1) for _, mask in batches])
    assert sorted(lengths) == sorted(LENGTHS)
    for padded, mask in batches:
        np.testing.assert_array_equal(padded, np.where(mask, mask.sum(axis=1)[:, None], 0))
        bound = padded.shape[1]
        assert all(bound // 2 < n <= bound or bound == 4 for n in mask.sum(axis=1))
    kept = DataLoader(sequences, 2, buckets=buckets, collate=collate, drop_last=True)
    assert len(kept) == len(list(kept)) == 4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DataLoader((X, Y[:3])), ShapeError, r"data\.1.*3 != 11"),
        (lambda: DataLoader(np.float32(1)), ShapeError, "first axis"),
        (lambda: DataLoader(None), ArgumentError, "data is an array"),
        (lambda: DataLoader("text"), ArgumentError, "data is an array"),
        (lambda: DataLoader(iter([1])), ArgumentError, "data is an array"),
        (lambda: DataLoader((X, "labels")), ArgumentError, "data is an array"),
        (lambda: DataLoader(X[:0]), HyperparameterError, "at least one sample"),
        (lambda: DataLoader([]), HyperparameterError, "at least one sample"),
        (lambda: DataLoader(X, 0), HyperparameterError, "batch_size is an integer >= 1: got 0"),
        (lambda: DataLoader(X, True), HyperparameterError, "batch_size"),
        (lambda: DataLoader(X, 2**70), HyperparameterError, "batch_size is an integer of 64 bits"),
        (lambda: DataLoader(X, prefetch=-1), HyperparameterError, "prefetch"),
        (lambda: DataLoader(X, shuffle=True), HyperparameterError, "shuffle needs rng"),
        (lambda: DataLoader(X, shuffle=1, rng=0), HyperparameterError, "shuffle is True or False"),
        (lambda: DataLoader(X, transform=len), HyperparameterError, "transform needs rng"),
        (lambda: DataLoader(X, transform=3, rng=0), ArgumentError, "transform is a function"),
        (lambda: DataLoader(X, rng=-1), HyperparameterError, "rng, a seed or a"),
        (lambda: DataLoader(X, rng="x"), HyperparameterError, "rng, a seed or a"),
        (lambda: DataLoader(X, pad=True, drop_last=True), HyperparameterError, "not both"),
        (lambda: DataLoader(X, 12, drop_last=True), HyperparameterError, "at least one batch"),
        (lambda: DataLoader(X, collate=len), ArgumentError, "use transform="),
        (lambda: DataLoader(X, buckets=[1]), ArgumentError, "buckets is one"),
        (lambda: DataLoader(X, buckets=Buckets([1], [2])), ShapeError, "1 != 11"),
        (lambda: DataLoader(X, device="nowhere"), ImportError, "nowhere"),
        (lambda: Buckets([3], [2]), ShapeError, "3 > 2"),
        (lambda: Buckets([3], [2, 2]), ArgumentError, "bounds increase"),
        (lambda: Buckets([-3], [2]), ArgumentError, "lengths are integers >= 0"),
        (lambda: list(DataLoader([X[0], {"a": X[0]}], 2)), ParameterTreeError, "sample 1"),
        (lambda: list(DataLoader([X[0], X[0, :1]], 2)), ShapeError, "sample"),
        (lambda: list(DataLoader([X[0], X[0].astype(int)], 2)), DTypeError, "a sample.dtype =="),
        (lambda: list(DataLoader(["a", "b"], 2)), TypeError, "collate="),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_states_of_other_loaders_are_refused():
    state = DataLoader(X, 4).state()
    with pytest.raises(ArgumentError, match="same batch_size: 4 != 5"):
        DataLoader(X, 5).restore(state)
    with pytest.raises(ArgumentError, match="same samples: 11 != 3"):
        DataLoader(X[:3], 4).restore(state)
    for wrong in ({**state, "entropy": 3}, {**state, "batch": 4}):
        with pytest.raises(ArgumentError, match="of a loader of this kind"):
            DataLoader(X, 4).restore(wrong)
    with pytest.raises(ArgumentError, match=r"loader\.state\(\) gave"):
        DataLoader(X, 4).restore({"epoch": 3})


@pytest.mark.parametrize("shuffle", [False, True])
def test_nothing_given_is_changed(shuffle):
    x = X.copy()
    for batch in DataLoader(x, 4, shuffle=shuffle, rng=0):
        batch += 1.0
    np.testing.assert_array_equal(x, X)


def test_what_a_table_and_a_transform_should_be():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(ArgumentError, match=r"got a DataFrame: take its to_numpy\(\)"):
        pn.data.DataLoader((table, np.ones(2)), 1)
    for one in (table, table["a"].iloc[::-1]):
        with pytest.raises(ArgumentError, match=r"got a .*: take its to_numpy\(\)"):
            pn.data.DataLoader(one, 1)
    with pytest.raises(ArgumentError, match=r"transform\(rng, batch\)"):
        pn.data.DataLoader(np.ones(4), 2, rng=0, transform=lambda batch: batch)
