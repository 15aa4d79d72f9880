"""What can be held in one process: parts of batches, one worker, refusals, launchers."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.data.part import Share
from portanet.distributed import group, launchers
from portanet.distributed.messages import packed, unpacked
from portanet.errors import (
    ArgumentError,
    BackendNotAvailableError,
    DistributedError,
    DTypeError,
    HyperparameterError,
    TracedValueError,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Begin in a process that no launcher has started and that is no worker yet."""
    monkeypatch.setattr(group, "_started", [])
    for names in (*launchers._BY_TORCH, *launchers._BY_MPI):
        for name in names:
            monkeypatch.delenv(name, raising=False)
    return pn.distributed.initialize()


class Two(pn.distributed.Engine):
    """One of two workers, of which the other has the same."""

    name, library = "two", "numpy"
    rank, workers, local_rank = 1, 2, 1

    def allreduce(self, message, operation):
        return message * 2 if operation == "sum" else message

    def broadcast(self, message, root):
        return message

    def gather(self, data):
        return [data, data]


@pytest.mark.parametrize("total", range(12))
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_parts_of_a_batch_are_the_batch(total, count):
    bounds = [Share(i, count).bounds(total) for i in range(count)]
    assert [stop for _, stop in bounds[:-1]] == [start for start, _ in bounds[1:]]
    assert (bounds[0][0], bounds[-1][1]) == (0, total)
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "rng": 0}, {"pad": True}])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_every_sample_is_seen_once(options, count):
    whole = pn.data.DataLoader(np.arange(23), 6, **options)
    parts = [pn.data.DataLoader(np.arange(23), 6, **options).shared(i, count) for i in range(count)]
    for _ in range(2):
        for batch, *own in zip(whole, *parts, strict=True):
            data, mask = batch if options.get("pad") else (batch, np.ones(len(batch), bool))
            seen = []
            for part in own:
                x, kept = part.data if options.get("pad") else (part.data, ...)
                seen += list(np.asarray(x)[kept].ravel() if part.samples else [])
                assert (part.total, part.parts) == (mask.sum(), count)
            assert seen == data[mask].tolist()
            assert sum(part.weight for part in own) == pytest.approx(count)
            assert sum(part.samples for part in own) == mask.sum()


def test_parts_of_the_batches_of_any_iterable(backend):
    batches = [{"x": backend.asarray(np.arange(n)), "note": "text"} for n in (5, 1)]
    for index, wanted in ((0, ([0, 1, 2], [0])), (1, ([3, 4], [0]))):
        parts = [Share(index, 2).cut(batch) for batch in batches]
        assert [backend.to_numpy(part.data["x"]).tolist() for part in parts] == list(wanted)
        assert [part.samples for part in parts] == [3 - index, 1 - index]
    mask = backend.asarray(np.asarray([True, True, False]))
    batch = pn.data.MaskedBatch(backend.asarray(np.arange(3)), mask)
    part = Share(1, 2).cut(batch)
    assert (part.samples, part.total) == (0, 2)
    assert backend.to_numpy(part.data.mask).tolist() == [False]


def test_a_transform_draws_other_numbers_for_each_part():
    def drawn(index, count):
        loader = pn.data.DataLoader(
            np.zeros(4), 4, rng=0, transform=lambda rng, x: rng.normal(size=x.shape)
        )
        loader = loader.shared(index, count) if count else loader
        batch = next(iter(loader))
        return (batch.data if count else batch).tolist()

    assert drawn(0, 1) == drawn(0, 0)  # one worker draws as no workers do
    assert drawn(0, 2) == drawn(0, 0)[:2]
    assert not set(drawn(0, 2)) & set(drawn(1, 2))


def test_parts_go_on_from_a_position_of_whole_batches():
    first = pn.data.DataLoader(np.arange(23), 6, shuffle=True, rng=1).shared(1, 4)
    batches = iter(first)
    next(batches)
    second = pn.data.DataLoader(np.arange(23), 6, shuffle=True, rng=2)
    second.restore(first.state())
    halves = second.shared(1, 2)
    assert len(next(iter(halves)).data) == 3


def test_messages_are_a_vector_a_dtype(backend):
    names = ("float32", "int32", "bool")
    arrays = [backend.asarray(np.ones((2, 3), name)) for name in names]
    arrays += [backend.asarray(np.asarray(5, np.int32)), backend.asarray(np.zeros((0, 2), "f4"))]
    vectors = packed(arrays)
    assert [tuple(x.shape) for x in vectors] == [(6,), (7,), (6,)]
    for x, y in zip(unpacked(vectors, arrays), arrays, strict=True):
        assert x.dtype == y.dtype
        assert np.array_equal(backend.to_numpy(x), backend.to_numpy(y))


@pytest.mark.parametrize("jit", [None, False])
def test_one_worker_trains_as_none(backend, jit):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    plain = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.BatchNorm(4), pn.Dense(4, 2))
    adam, found = pn.optimizers.Adam(0.1), []
    for model, rule, wrap in (
        (plain, adam, lambda x: x),
        (
            pn.distributed.sync_batch_norm(plain),
            pn.distributed.DistributedOptimizer(adam),
            pn.distributed.DistributedLoader,
        ),
    ):
        ps, st = pn.setup(0, model, dtype="float64")
        ts = pn.training.TrainState(model, ps, pn.astype(st, "float64"), rule)
        loader = pn.data.DataLoader(data, 4, shuffle=True, rng=0)
        ts, history = pn.training.fit(
            pn.device(backend.place)(ts), pn.MSELoss(), wrap(loader), epochs=2, progress=False,
            jit=jit, validation=wrap(pn.data.DataLoader(data, 4)),
        )  # fmt: skip
        found.append((pn.trees.leaves((ts.parameters, ts.states)), history.rows))
    for x, y in zip(found[0][0], found[1][0], strict=True):
        if hasattr(x, "shape"):
            np.testing.assert_allclose(
                backend.to_numpy(x), backend.to_numpy(y), rtol=1e-12, atol=1e-13
            )
    for x, y in zip(found[0][1], found[1][1], strict=True):
        assert x == pytest.approx(y, rel=1e-12)


def test_a_part_needs_the_optimizer_of_all_workers():
    model = pn.Dense(1, 1)
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
    x = np.ones((4, 1), np.float32)
    loader = pn.distributed.DistributedLoader([(x, x)])
    for call in (pn.training.train_step, pn.training.compute_gradients):
        with pytest.raises(ArgumentError, match="DistributedOptimizer"):
            call(pn.MSELoss(), next(iter(loader)), ts)
    with pytest.raises(ArgumentError, match="DistributedOptimizer"):
        pn.training.fit(ts, pn.MSELoss(), loader, progress=False)
    with pytest.raises(ArgumentError, match="got a DistributedLoader"):
        pn.training.predict(ts, loader)


@pytest.mark.parametrize("jit", [None, False])
def test_a_sum_over_a_part_is_refused(jit):
    """The mean over the workers of their sums is no sum of the whole batch."""
    rule = pn.distributed.DistributedOptimizer(pn.optimizers.SGD(0.1))
    ts = pn.training.TrainState(pn.Dense(1, 1), *pn.setup(0, pn.Dense(1, 1)), rule)
    x, total = np.ones((4, 1), np.float32), pn.MSELoss(reduction="sum")
    loader = pn.distributed.DistributedLoader([(x, x)])
    for options in ({}, {"metrics": [pn.training.metrics.R2Score()]}):
        with pytest.raises(ArgumentError, match="a mean over its samples"):
            pn.training.fit(ts, total, loader, progress=False, jit=jit, **options)
    with pytest.raises(ArgumentError, match="a mean over its samples"):
        pn.training.evaluate(ts, total, loader, jit=jit)
    _, _, ts = pn.training.train_step(total, (x, x), ts, jit=jit)  # a whole batch of its own
    assert ts.step == 1


def test_around_a_recorded_rule_is_refused():
    """What is recorded sends nothing: a message would come at another time than those of others."""
    inner = pn.distributed.DistributedOptimizer(pn.optimizers.SGD(0.1))
    model = pn.Dense(1, 1)
    rule = pn.optimizers.Accumulate(inner, every=2)
    ts = pn.training.TrainState(model, *pn.setup(0, model), rule)
    x = np.ones((4, 1), np.float32)
    with pytest.raises(TracedValueError, match="stands around other rules"):
        pn.training.train_step(pn.MSELoss(), (x, x), ts)
    _, _, ts = pn.training.train_step(pn.MSELoss(), (x, x), ts, jit=False)
    assert ts.step == 1


def test_a_process_is_no_worker_before_it_says_so(monkeypatch):
    monkeypatch.setattr(group, "_started", [])
    assert not pn.distributed.initialized()
    rule = pn.distributed.DistributedOptimizer(pn.optimizers.SGD(0.1))
    for call in (
        pn.distributed.rank,
        pn.distributed.workers,
        pn.distributed.local_rank,
        lambda: pn.distributed.allreduce(np.ones(1)),
        lambda: pn.distributed.synchronize({}),
        lambda: pn.distributed.DistributedLoader([np.ones(1)]),
        lambda: pn.optimizers.setup(rule, {"w": np.ones(1)}),
    ):
        with pytest.raises(DistributedError, match=r"pn.distributed.initialize\(\)"):
            call()


def test_a_process_belongs_to_one_group(alone):
    assert pn.distributed.initialize() is alone
    assert pn.distributed.initialize("torch") is alone  # no launcher: the only worker of any engine
    group._started[:] = [Two()]
    assert pn.distributed.initialize().name == "two"
    assert (pn.distributed.rank(), pn.distributed.workers(), pn.distributed.local_rank()) == (
        1,
        2,
        1,
    )
    with pytest.raises(DistributedError, match="'two' already: got 'mpi'"):
        pn.distributed.initialize("mpi")


@pytest.mark.parametrize("bad", ["gloo", 3, "", object(), ["mpi"]])
def test_engines_that_are_none(bad):
    with pytest.raises(ArgumentError, match="engine is one of"):
        pn.distributed.initialize(bad)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), "soon", None])
def test_timeouts_that_are_none(bad):
    with pytest.raises(HyperparameterError, match="timeout"):
        pn.distributed.initialize(timeout=bad)


def test_launchers_are_known_by_the_environment(monkeypatch):
    assert launchers.launched_by() is None
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert launchers.launched_by() == "mpi"
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.setenv(name, "1")
    assert launchers.launched_by() == "torch"


def test_an_engine_whose_package_is_missing(monkeypatch):
    group._started.clear()
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setattr(group.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendNotAvailableError, match=r"portanet\[mpi\]"):
        pn.distributed.initialize()


@pytest.mark.parametrize("bad", [None, "text", {"x": "text"}, [1.0]])
def test_trees_that_are_not_sent(bad):
    if bad is None:
        assert pn.distributed.allreduce(bad) is None  # an empty tree
        return
    with pytest.raises(DTypeError, match="is an array"):
        pn.distributed.allreduce(bad)


@pytest.mark.parametrize("bad", [-1, 1, 2**70, 0.5, None, True])
def test_roots_that_are_none(bad):
    for call in (pn.distributed.broadcast, pn.distributed.synchronize):
        with pytest.raises(HyperparameterError, match="root"):
            call(np.ones(1), bad)


def test_nothing_is_sent_from_a_derivative_or_a_recording(backend):
    x = backend.asarray(np.ones(3))

    def loss(x):
        return backend.xp.sum(pn.distributed.allreduce(x))

    with pytest.raises(TracedValueError):
        pn.grad(loss)(x)
    if not backend.adapter.compiles_slowly:  # the compiler of torch is off in the tests
        with pytest.raises(TracedValueError):
            pn.jit(loss)(x)


@pytest.mark.parametrize(
    "metric",
    [
        pn.training.metrics.Accuracy(),
        pn.training.metrics.ROCAUC(),
        pn.training.metrics.F1Score(),
        pn.training.metrics.ConfusionMatrix(),
        pn.training.metrics.Perplexity(),
    ],
    ids=repr,
)
def test_metrics_of_several_workers_are_those_of_all_samples(metric):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(30, 3)), rng.integers(0, 3, 30)
    totals = [
        metric.add(None, metric.measure(scores[part], labels[part]))
        for part in (slice(0, 11), slice(11, 12), slice(12, 30))
    ]
    total = metric.join(metric.join(totals[0], totals[1]), totals[2])
    whole = metric(scores, labels)
    np.testing.assert_allclose(metric.result(total), whole, rtol=1e-12)


def test_a_derivative_through_the_statistics_of_all(backend):
    """With a second worker that has the same batch: the statistics, and twice the derivative."""
    group._started[:] = [Two()]
    layer = pn.BatchNorm(3)
    ps, st = pn.setup(0, layer, dtype="float64")
    st = pn.astype(st, "float64")
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    place = pn.device(backend.place)
    ps, st, x, weights = place((ps, st, x, weights))
    both = pn.distributed.SyncBatchNorm(3)

    def loss(layer, x):
        return backend.xp.sum(layer(x, ps, st)[0] * weights)

    alone, together = (layer(x, ps, st) for layer in (layer, both))
    np.testing.assert_allclose(
        backend.to_numpy(alone[0]), backend.to_numpy(together[0]), atol=1e-12
    )
    mean = [backend.to_numpy(state["running_mean"]) for _, state in (alone, together)]
    np.testing.assert_allclose(*mean, atol=1e-12)
    doubled = np.concatenate([backend.to_numpy(x)] * 2)

    def on_doubled(x, weights):  # NumPy's own layer, of both batches at once
        st64, ps64 = (pn.cpu_device()(tree) for tree in (st, ps))
        return (layer(x, ps64, st64)[0] * np.concatenate([weights] * 2)).sum()

    wanted = pn.grad(on_doubled)(doubled, backend.to_numpy(weights))[:4]
    found = pn.grad(lambda x: loss(both, x))(x)
    np.testing.assert_allclose(backend.to_numpy(found), wanted, atol=1e-10)
