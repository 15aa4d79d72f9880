"""Mixed precision: what is computed in 16 bits, what stays in 32, and the scale of the loss."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import portanet as pn
from portanet import errors, trees
from portanet.training import TrainState, mixed_precision, train_step

X = np.linspace(-1.0, 1.0, 48, dtype=np.float32).reshape(24, 2)
Y = (X[:, :1] * X[:, 1:]).astype(np.float32)


def network():
    return pn.Chain(
        pn.Dense(2, 16, pn.tanh), pn.BatchNorm(16), pn.Dense(16, 16), pn.LayerNorm(16, affine=True),
        pn.Dense(16, 1),
    )  # fmt: skip


def half(backend):
    """The dtypes of 16 bits that a library has."""
    found = [name for name in ("float16", "bfloat16") if hasattr(backend.xp, name)]
    if backend.name == "numpy" and find_spec("ml_dtypes"):
        found.append("bfloat16")  # as numbers of float32
    return found or pytest.skip(f"{backend} has no dtype of 16 bits")


def start(backend, model=None, rule=None, dtype="float16", **options):
    model = model or network()
    ps, st = pn.setup(0, model)
    ps, st = (
        trees.map_leaves(lambda x: backend.asarray(x) if hasattr(x, "shape") else x, tree)
        for tree in (ps, st)
    )
    ts = TrainState(model, ps, st, rule or pn.optimizers.Adam(0.01))
    return mixed_precision(ts, dtype, **options)


def placed(backend, *arrays):
    return tuple(map(backend.asarray, arrays))


class Seen(pn.Layer):
    """A layer that notes in which dtype it was called."""

    dtypes: set = set()  # noqa: RUF012

    def __call__(self, x, ps, st):
        type(self).dtypes.add(str(x.dtype).rpartition(".")[2])
        return x, st


@pytest.mark.parametrize("jit", [False, True])
def test_a_network_with_norms_learns_and_keeps_its_parameters_in_32_bits(backend, jit):
    for dtype in half(backend):
        Seen.dtypes.clear()
        model = pn.Chain(network(), Seen())
        ts = start(backend, model, dtype=dtype)
        data = placed(backend, X, Y)
        first = None
        few = backend.name == "jax" and not jit  # it compiles each operation
        for _ in range(12 if few else 80):
            value, _, ts = train_step(pn.MSELoss(), data, ts, jit=jit)
            first = float(value) if first is None else first
            assert value.dtype == backend.dtype("float32")
        assert float(value) < (0.9 if few else 0.2) * first
        emulated = backend.name == "numpy" and dtype == "bfloat16"
        assert Seen.dtypes == {"float32" if emulated else dtype}
        for x in trees.leaves((ts.parameters, ts.states["model"])):
            if hasattr(x, "shape"):
                assert x.dtype == backend.dtype("float32")
                assert bool(backend.xp.all(backend.xp.isfinite(x)))
        y, _ = ts.model(data[0], ts.parameters, pn.test_mode(ts.states))
        assert y.dtype == backend.dtype("float32")


def test_gradients_are_those_of_32_bits_up_to_rounding(backend):
    for dtype in half(backend):
        ts = start(backend, dtype=dtype, initial_scale=2.0**8)
        plain = TrainState(
            ts.model.layer, ts.parameters, ts.states["model"], pn.optimizers.Adam(0.01)
        )
        data = placed(backend, X, Y)
        narrow = pn.training.compute_gradients(pn.MSELoss(), data, ts)[0]
        wide = pn.training.compute_gradients(pn.MSELoss(), data, plain)[0]
        for a, b in zip(trees.leaves(narrow), trees.leaves(wide), strict=True):
            a, b = backend.to_numpy(a), backend.to_numpy(b)
            assert a.dtype == np.float32
            # A few roundings of 11 or of 8 binary digits.
            bound = (0.02 if dtype == "float16" else 0.15) * np.linalg.norm(b) + 1e-3
            assert np.linalg.norm(a - b) < bound


@pytest.mark.parametrize("jit", [False, True])
def test_the_scale_keeps_small_gradients(backend, jit):
    """A gradient of 1e-8 is zero in float16 without a scale."""
    half(backend)

    def loss(model, ps, st, x):
        y, st = model(x, ps, st)
        return 1e-9 * pn.array_namespace(y).sum(y), st, {}

    moved = {}
    for scale in (1.0, 2.0**16):
        rule = pn.optimizers.SGD(1e8)
        ts = start(backend, pn.Dense(2, 1), rule, initial_scale=scale)
        before = backend.to_numpy(ts.parameters["weight"])
        _, _, ts = train_step(loss, backend.asarray(np.ones((4, 2), np.float32)), ts, jit=jit)
        moved[scale] = backend.to_numpy(ts.parameters["weight"]) - before
    np.testing.assert_array_equal(moved[1.0], np.zeros((1, 2)))
    np.testing.assert_allclose(moved[2.0**16], np.full((1, 2), -0.4), rtol=1e-2)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("rule", [pn.optimizers.Adam(0.01), pn.optimizers.LAMB(0.01)], ids=repr)
def test_a_step_that_overflows_is_left_out(backend, rule, jit):
    half(backend)
    ts = start(backend, rule=rule, initial_scale=2.0**8)
    good, bad = placed(backend, X, Y), placed(backend, X * np.float32(1e7), Y)
    _, _, ts = train_step(pn.MSELoss(), good, ts, jit=jit)
    assert bool(ts.states["loss_scale"]["finite"])
    _, _, after = train_step(pn.MSELoss(), bad, ts, jit=jit)
    assert after.step == ts.step == 1
    assert not bool(after.states["loss_scale"]["finite"])
    assert float(after.states["loss_scale"]["scale"]) == 2.0**7
    kept = [(s.parameters, s.states["model"], s.optimizer_state.states) for s in (ts, after)]
    for a, b in zip(trees.leaves(kept[0]), trees.leaves(kept[1]), strict=True):
        if hasattr(a, "shape"):
            np.testing.assert_array_equal(backend.to_numpy(a), backend.to_numpy(b))
        else:
            assert a == b
    _, _, again = train_step(pn.MSELoss(), good, after, jit=jit)
    assert again.step == 2
    assert float(again.states["loss_scale"]["clean_steps"]) == 1.0


def test_the_scale_finds_its_way_down_and_up(backend):
    half(backend)
    ts = start(backend, initial_scale=2.0**30, growth_interval=3)
    data = placed(backend, X, Y)
    scales = []
    for _ in range(40):
        _, _, ts = train_step(pn.MSELoss(), data, ts)
        scales.append(float(ts.states["loss_scale"]["scale"]))
    lowest = min(scales)
    assert lowest < 2.0**24
    assert scales.index(lowest) + 1 + ts.step <= 41
    assert max(scales[scales.index(lowest) :]) > lowest
    assert all(np.log2(scale) % 1 == 0 for scale in scales)


def test_eager_and_recorded_steps_are_the_same(backend):
    half(backend)
    runs = []
    for jit in (False, True):
        ts = start(backend, initial_scale=2.0**24)
        for _ in range(25):
            _, _, ts = train_step(pn.MSELoss(), placed(backend, X, Y), ts, jit=jit)
        runs.append((ts.step, ts.parameters))
        for x in ts.states["loss_scale"].values():
            assert type(x) is type(backend.asarray(np.ones(2)))
    assert runs[0][0] == runs[1][0] < 25
    for a, b in zip(trees.leaves(runs[0][1]), trees.leaves(runs[1][1]), strict=True):
        np.testing.assert_allclose(backend.to_numpy(a), backend.to_numpy(b), rtol=2e-2, atol=2e-3)


def test_gradients_that_overflow_are_not_applied_by_hand():
    ts = start(_Host)
    with np.errstate(all="ignore"):
        grads, _, _, after = pn.training.compute_gradients(pn.MSELoss(), (X * 1e7, Y), ts)
    assert all(not np.any(g) for g in trees.leaves(grads))
    same = pn.training.apply_gradients(after, grads)
    assert same.step == 0
    assert same.parameters is after.parameters
    assert same.optimizer_state is after.optimizer_state


def test_bfloat16_has_no_scale(backend):
    if not hasattr(backend.xp, "bfloat16"):
        pytest.skip(f"{backend} has no bfloat16")
    assert list(start(backend, dtype="bfloat16").states) == ["model"]


def test_bfloat16_on_numpy_is_that_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")

    def rounded(x):
        return np.asarray(x).astype(ml_dtypes.bfloat16).astype(np.float32)

    model = pn.Dense(2, 3)
    ts = start(_Host, model, dtype="bfloat16")
    y, _ = ts.model(X, ts.parameters, ts.states)
    weight, bias = (rounded(ts.parameters[name]) for name in ("weight", "bias"))
    np.testing.assert_array_equal(y, rounded(rounded(X) @ weight.T + bias))
    assert not np.array_equal(y, model(X, ts.parameters, {})[0])
    grads = pn.grad(lambda ps: np.sum(ts.model(X, ps, ts.states)[0]))(ts.parameters)
    for g in trees.leaves(grads):
        np.testing.assert_array_equal(g, rounded(g))


def test_donated_steps_keep_what_an_overflow_needs():
    ts = start(_Host, initial_scale=2.0**8)
    for _ in range(3):
        _, _, ts = train_step(pn.MSELoss(), (X, Y), ts, donate=True)
    before = trees.map_leaves(np.copy, ts.parameters)
    _, _, after = train_step(pn.MSELoss(), (X * np.float32(1e7), Y), ts, donate=True)
    for a, b in zip(trees.leaves(after.parameters), trees.leaves(before), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_trains_in_mixed_precision():
    ts = start(_Host, rule=pn.optimizers.Adam(0.01))
    loader = pn.data.DataLoader((X, Y), batch_size=8)
    ts, history = pn.training.fit(ts, pn.MSELoss(), loader, epochs=30, progress=False)
    losses = history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_it_can_be_kept_in_a_file(tmp_path):
    ts = start(_Host)
    _, _, ts = train_step(pn.MSELoss(), (X, Y), ts)
    pn.io.safetensors.save(tmp_path / "ts.safetensors", ts)
    again = pn.io.safetensors.load(tmp_path / "ts.safetensors", start(_Host))
    runs = [train_step(pn.MSELoss(), (X, Y), s)[2].parameters for s in (ts, again)]
    for a, b in zip(trees.leaves(runs[0]), trees.leaves(runs[1]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dtype": "float32"}, 'dtype is "float16" or "bfloat16": got \'float32\''),
        ({"dtype": None}, 'dtype is "float16" or "bfloat16": got None'),
        ({"growth_interval": 0}, "growth_interval is an integer >= 1: got 0"),
        ({"initial_scale": 0.0}, "initial_scale is a number > 0: got 0.0"),
        ({"initial_scale": float("inf")}, "initial_scale is a number > 0: got inf"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises((errors.ArgumentError, errors.HyperparameterError)) as caught:
        start(_Host, **options)
    assert str(caught.value) == f"mixed_precision: {text}"


def test_bad_states():
    ts = start(_Host)
    with pytest.raises(errors.ArgumentError, match="in mixed precision already"):
        mixed_precision(ts)
    with pytest.raises(errors.ArgumentError, match="ts is a TrainState"):
        mixed_precision(network())
    narrow = pn.astype(ts.parameters, "float16")
    with pytest.raises(errors.DTypeError, match=r"is in float32 or wider: float16: convert the"):
        mixed_precision(TrainState(network(), narrow, {}, pn.optimizers.SGD()))
    with pytest.raises(errors.ParameterTreeError, match="has a floating parameter"):
        mixed_precision(TrainState(pn.NoOp(), {}, {}, pn.optimizers.SGD()))


def test_norms_take_parameters_of_32_bits_beside_16(backend):
    """Their own parameters are not rounded: 1.001 is 1 in bfloat16."""
    for dtype in half(backend):
        if not hasattr(backend.xp, dtype):
            continue
        for layer in (pn.BatchNorm(4), pn.LayerNorm(4), pn.RMSNorm(4), pn.GroupNorm(4, 2)):
            ps, st = pn.setup(0, layer)
            ps, st = (
                trees.map_leaves(lambda x: backend.asarray(x) if hasattr(x, "shape") else x, tree)
                for tree in (ps, st)
            )
            x = backend.xp.astype(
                backend.asarray(np.ones((3, 5, 4)) * X[:3, :1, None]), backend.dtype(dtype)
            )
            y, _ = layer(x, ps, st)
            assert y.dtype == x.dtype
            narrow = pn.astype(ps, dtype)
            np.testing.assert_allclose(
                backend.to_numpy(y), backend.to_numpy(layer(x, narrow, st)[0]), rtol=2e-2, atol=1e-2
            )
            with pytest.raises(errors.DTypeError, match=r"x.dtype == "):
                layer(backend.asarray(np.ones((3, 5, 4), np.float32)), narrow, st)


class _Host:
    asarray = staticmethod(np.asarray)
