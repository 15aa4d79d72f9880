"""GroupNorm, InstanceNorm, RMSNorm, WeightNorm and SpectralNorm are those of torch."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import HyperparameterError, ParameterTreeError, ShapeError

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
few = hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)


@pytest.fixture(autouse=True)
def _without_jax(request):
    if "backend" in request.fixturenames and request.getfixturevalue("backend").name == "jax":
        pytest.skip("held to the numbers of NumPy by the contract tests")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def gradients(layer, x, ps, states, u):
    """Return the output, and the pullback of `u` to the input and the parameters."""
    xp = pn.array_namespace(x)
    y, _ = layer(x, ps, states)
    return y, pn.gradient(lambda x, ps: xp.sum(layer(x, ps, states)[0] * u), x, ps)


def check(backend, place, layer, x, ps, states, oracle, tensors=("scale", "bias")):
    """The output and all gradients are those of ``oracle(x, *parameters)`` on channels first."""
    torch = pytest.importorskip("torch")
    leaves = [torch.tensor(np.moveaxis(x, -1, 1), requires_grad=True)]
    leaves += [torch.tensor(ps[name], requires_grad=True) for name in tensors if name in ps]
    expected = oracle(*leaves)
    u = draw(*x.shape, seed=9)
    slopes = torch.autograd.grad((expected * torch.tensor(np.moveaxis(u, -1, 1))).sum(), leaves)
    y, (dx, dps) = gradients(layer, backend.asarray(x), place(ps), states, backend.asarray(u))
    wanted = [t.detach().numpy() for t in (expected, *slopes)]
    actual = [y, dx, *(dps[name] for name in tensors if name in ps)]
    for i, (a, b) in enumerate(zip(actual, wanted, strict=True)):
        b = np.moveaxis(b, 1, -1) if i < 2 else b
        np.testing.assert_allclose(backend.to_numpy(a), b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("groups", "space"), [(1, ()), (2, (3,)), (4, (2, 3)), (2, (2, 2, 2))])
def test_group_norm(backend, place, groups, space):
    torch = pytest.importorskip("torch")
    layer = pn.GroupNorm(4, groups, epsilon=1e-3)
    ps = {"scale": draw(4, seed=1), "bias": draw(4, seed=2)}
    oracle = lambda x, *ps: torch.nn.functional.group_norm(x, groups, *ps, eps=1e-3)  # noqa: E731
    check(backend, place, layer, draw(3, *space, 4), ps, {}, oracle)


@few
@hypothesis.given(
    n=st.integers(1, 3), groups=st.integers(1, 3), each=st.integers(1, 3),
    space=st.lists(st.integers(1, 3), max_size=3),
    dtype=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_group_norm_is_that_of_a_plain_loop(n, groups, each, space, dtype):
    x = draw(n, *space, groups * each).astype(dtype)
    y, _ = pn.GroupNorm(groups * each, groups, affine=False, epsilon=0.1)(x, {}, {})
    for i in range(n):
        for g in range(groups):
            part = x[i, ..., g * each : (g + 1) * each].astype(float)
            expected = (part - part.mean()) / np.sqrt(part.var() + 0.1)
            np.testing.assert_allclose(
                y[i, ..., g * each : (g + 1) * each], expected, rtol=1e-4, atol=1e-5
            )
    assert y.dtype == dtype


@pytest.mark.parametrize("space", [(3,), (2, 3), (2, 2, 2)])
def test_instance_norm(backend, place, space):
    torch = pytest.importorskip("torch")
    layer = pn.InstanceNorm(4, affine=True)
    ps = {"scale": draw(4, seed=1), "bias": draw(4, seed=2)}
    oracle = lambda x, w, b: torch.nn.functional.instance_norm(x, weight=w, bias=b)  # noqa: E731
    for mode in (True, False):
        check(backend, place, layer, draw(3, *space, 4), ps, {"training": mode}, oracle)


def test_instance_norm_tracks_statistics_as_torch(backend, place):
    torch = pytest.importorskip("torch")
    layer, theirs = (
        pn.InstanceNorm(2, track_stats=True, momentum=0.3),
        torch.nn.InstanceNorm2d(2, track_running_stats=True, momentum=0.3, dtype=torch.float64),
    )
    ps, states = map(place, pn.setup(0, layer, dtype="float64"))
    for seed in range(2):
        x = draw(3, 2, 4, 2, seed=seed)
        y, states = layer(backend.asarray(x), ps, states)
        expected = theirs(torch.tensor(np.moveaxis(x, -1, 1))).numpy()
        np.testing.assert_allclose(backend.to_numpy(y), np.moveaxis(expected, 1, -1), rtol=1e-9)
    for name in ("running_mean", "running_var"):
        wanted = getattr(theirs, name).numpy()
        np.testing.assert_allclose(backend.to_numpy(states[name]), wanted, rtol=1e-9)
    theirs.eval()
    y, _ = layer(backend.asarray(x), ps, pn.test_mode(states))
    expected = theirs(torch.tensor(np.moveaxis(x, -1, 1))).numpy()
    np.testing.assert_allclose(backend.to_numpy(y), np.moveaxis(expected, 1, -1), rtol=1e-9)


def test_rms_norm(backend, place):
    torch = pytest.importorskip("torch")
    layer = pn.RMSNorm((3, 4), epsilon=1e-3)
    x, ps, u = draw(2, 3, 4), {"scale": draw(3, 4, seed=1)}, draw(2, 3, 4, seed=2)
    leaves = [torch.tensor(v, requires_grad=True) for v in (x, ps["scale"])]
    expected = torch.nn.functional.rms_norm(leaves[0], (3, 4), leaves[1], 1e-3)
    slopes = torch.autograd.grad((expected * torch.tensor(u)).sum(), leaves)
    y, (dx, dps) = gradients(layer, backend.asarray(x), place(ps), {}, backend.asarray(u))
    for actual, wanted in zip((y, dx, dps["scale"]), (expected, *slopes), strict=True):
        np.testing.assert_allclose(
            backend.to_numpy(actual), wanted.detach().numpy(), rtol=1e-9, atol=1e-12
        )


def test_weight_norm(backend, place):
    torch = pytest.importorskip("torch")
    layer = pn.WeightNorm(pn.Dense(3, 2))
    inner = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2, dtype=torch.float64))
    g, v = draw(2, 1), draw(2, 3, seed=1)
    with torch.no_grad():
        inner.parametrizations.weight.original0.copy_(torch.tensor(g))
        inner.parametrizations.weight.original1.copy_(torch.tensor(v))
    x, u = draw(4, 3, seed=2), draw(4, 2, seed=3)
    bias = inner.bias.detach().numpy().copy()
    ps = {"weight_g": g, "weight_v": v, "bias": bias}
    expected = inner(torch.tensor(x))
    (expected * torch.tensor(u)).sum().backward()
    y, (_, dps) = gradients(layer, backend.asarray(x), place(ps), {}, backend.asarray(u))
    np.testing.assert_allclose(backend.to_numpy(y), expected.detach().numpy(), rtol=1e-11)
    weight = inner.parametrizations.weight
    for name, wanted in (("weight_g", weight.original0), ("weight_v", weight.original1)):
        np.testing.assert_allclose(backend.to_numpy(dps[name]), wanted.grad.numpy(), rtol=1e-9)


def test_weight_norm_begins_with_the_layers_own_weights():
    for inner, axes in ((pn.Dense(3, 2), (1,)), (pn.Bilinear((2, 3), 4), (1, 2))):
        ps, _ = pn.setup(7, pn.WeightNorm(inner))
        expected, _ = pn.setup(7, inner)
        weight = pn.functional.weight_norm(ps["weight_v"], ps["weight_g"])
        np.testing.assert_allclose(weight, expected["weight"], rtol=1e-6)
        size = np.sqrt(np.sum(expected["weight"] ** 2, axis=axes, keepdims=True))
        np.testing.assert_allclose(ps["weight_g"], size, rtol=1e-6)
        np.testing.assert_array_equal(ps["bias"], expected["bias"])


def test_spectral_norm(backend, place):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.utils.parametrizations.spectral_norm(
        torch.nn.Linear(3, 2, dtype=torch.float64), n_power_iterations=2
    )
    inner = theirs.parametrizations.weight
    layer = pn.SpectralNorm(pn.Dense(3, 2), iterations=2)
    ps = {"weight": inner.original, "bias": theirs.bias}
    ps = {name: x.detach().numpy().copy() for name, x in ps.items()}
    states = {"weight_u": inner[0]._u.numpy().copy(), "weight_v": inner[0]._v.numpy().copy()}
    states = place({"layer": {}, **states, "training": True})
    x, u = draw(4, 3), draw(4, 2, seed=1)
    for _ in range(2):
        theirs.zero_grad()
        expected = theirs(torch.tensor(x))
        (expected * torch.tensor(u)).sum().backward()
        y, (_, dps) = gradients(layer, backend.asarray(x), place(ps), states, backend.asarray(u))
        _, states = layer(backend.asarray(x), place(ps), states)
        np.testing.assert_allclose(backend.to_numpy(y), expected.detach().numpy(), rtol=1e-10)
        np.testing.assert_allclose(
            backend.to_numpy(dps["weight"]), inner.original.grad.numpy(), rtol=1e-9, atol=1e-12
        )
    np.testing.assert_allclose(backend.to_numpy(states["weight_u"]), inner[0]._u, rtol=1e-10)
    theirs.eval()
    y, after = layer(backend.asarray(x), place(ps), pn.test_mode(states))
    np.testing.assert_allclose(
        backend.to_numpy(y), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-10
    )
    assert after["weight_u"] is states["weight_u"]


@pytest.mark.parametrize("kind", [pn.Conv, pn.ConvTranspose])
def test_the_outputs_of_a_convolution_are_those_of_its_kernel(kind):
    layer = pn.WeightNorm(kind((2, 3), 4, 5))
    ps, states = pn.setup(0, layer)
    shape = (1, 1, 1, 5) if kind is pn.Conv else (1, 1, 5, 1)
    assert ps["weight_g"].shape == shape
    x = draw(2, 4, 4, 4).astype(np.float32)
    inner, _ = pn.setup(0, layer.layer)
    expected, _ = layer.layer(x, inner, {})
    y, _ = layer(x, ps, states)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    doubled, _ = layer(x, {**ps, "weight_g": ps["weight_g"] * np.float32(2)}, states)
    np.testing.assert_allclose(doubled - ps["bias"], 2 * (y - ps["bias"]), rtol=1e-3, atol=1e-4)
    spectral = pn.SpectralNorm(kind((2, 3), 4, 5))
    _, states = pn.setup(0, spectral)
    assert states["weight_u"].shape == (5,)
    assert states["weight_v"].shape == (24,)


def test_a_layer_that_waits_for_its_input_is_refused():
    with pytest.raises(HyperparameterError, match="example"):
        pn.setup(0, pn.WeightNorm(pn.Dense(None, 2)))


def test_spectral_norm_finds_the_largest_singular_value():
    layer = pn.SpectralNorm(pn.Dense(4, 3, use_bias=False))
    ps, states = pn.setup(0, layer)
    for _ in range(60):
        y, states = layer(np.eye(4, dtype=np.float32), ps, states)
    np.testing.assert_allclose(np.linalg.norm(y, 2), 1.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.GroupNorm(4, 3), "GroupNorm: groups divides features: got (3, 4)"),
        (lambda: pn.GroupNorm(4, 0), "GroupNorm: groups >= 1: got 0"),
        (lambda: pn.InstanceNorm(0), "InstanceNorm: features >= 1: got 0"),
        (lambda: pn.RMSNorm(()), "RMSNorm: shape has at least one size: got ()"),
        (lambda: pn.WeightNorm(np.tanh), "WeightNorm: layer is a layer: got <ufunc 'tanh'>"),
        (lambda: pn.WeightNorm(pn.Dense(2, 2), ()),
         "WeightNorm: names is a string or a sequence of strings: got ()"),
        (lambda: pn.setup(0, pn.WeightNorm(pn.Dense(2, 2), "scale")),
         "WeightNorm: Dense(2, 2) has a parameter 'scale': it has 'weight', 'bias'"),
        (lambda: pn.setup(0, pn.WeightNorm(pn.LayerNorm(2), "bias")),
         "WeightNorm: the norms of 'bias' > 0: got 0.0"),
        (lambda: pn.setup(0, pn.WeightNorm(pn.Dense(2, 2), axis=2)),
         "WeightNorm: -2 <= axis < 2: got 2"),
        (lambda: pn.SpectralNorm(pn.Dense(2, 2), iterations=0),
         "SpectralNorm: iterations >= 1: got 0"),
    ],
)  # fmt: skip
def test_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (pn.GroupNorm(4, 2), (4,), "x.ndim >= 2: 1 < 2"),
        (pn.GroupNorm(4, 2), (3, 5), "x.shape[-1] == features: 5 != 4"),
        (pn.InstanceNorm(4), (3, 4), "x.ndim >= 3: 2 < 3"),
        (pn.InstanceNorm(4), (3, 1, 4),
         "values a channel >= 2: 1 < 2 for x.shape (3, 1, 4): a variance needs more than one "
         "value; use a larger image"),
        (pn.InstanceNorm(4, track_stats=True), (3, 1, 4),
         "values a channel >= 2: 1 < 2 for x.shape (3, 1, 4): a variance needs more than one "
         "value; use a larger image, or pn.test_mode(st)"),
        (pn.RMSNorm((2, 3)), (4, 3, 2),
         "x.shape[-2:] == shape: (4, 3, 2) does not end with (2, 3)"),
        (pn.WeightNorm(pn.Dense(3, 2)), (4, 5), "x.shape[-1] == in_features: 5 != 3"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(backend, place, layer, shape, text):
    ps, states = map(place, pn.setup(0, layer))
    with pytest.raises(ShapeError) as caught:
        layer(backend.asarray(np.ones(shape, np.float32)), ps, states)
    assert str(caught.value) == text


def test_trees_that_do_not_fit():
    x = np.ones((4, 3), np.float32)
    layer = pn.WeightNorm(pn.Dense(3, 2))
    ps, states = pn.setup(0, layer)
    with pytest.raises(ParameterTreeError, match="'weight_v' in ps: found 'weight', 'bias'"):
        layer(x, pn.setup(0, layer.layer)[0], states)
    with pytest.raises(ShapeError, match=r'ps\["weight_g"\]\.shape == one norm an output: \(2,\)'):
        layer(x, {**ps, "weight_g": np.ones(2, np.float32)}, states)
    layer = pn.SpectralNorm(pn.Dense(3, 2))
    ps, states = pn.setup(0, layer)
    with pytest.raises(ParameterTreeError, match="'weight_u' in st: found 'layer', 'training'"):
        layer(x, ps, {"layer": {}, "training": True})


@pytest.mark.parametrize("rank", [1, 2])
def test_statistics_that_average_all_batches(backend, rank):
    torch = pytest.importorskip("torch")
    kind = torch.nn.BatchNorm1d
    oracle = kind(3, momentum=None).double()
    device = pn.device(backend.place)
    model = pn.BatchNorm(3, momentum=None)
    ps, st = device(pn.astype(pn.setup(0, model), "float64"))
    rng = np.random.default_rng(2)
    step = pn.jit(model)
    for n in (4, 7, 5, 9):
        x = rng.normal(rng.normal(), 2.0, size=(n, *(2,) * (rank - 1), 3))
        y, st = step(device(x), ps, st)
        wanted = oracle(torch.tensor(np.moveaxis(x, -1, 1)))
        np.testing.assert_allclose(
            backend.to_numpy(y), np.moveaxis(wanted.detach().numpy(), 1, -1), rtol=1e-11, atol=1e-12
        )
    for name in ("running_mean", "running_var"):
        expected = getattr(oracle, name).numpy()
        np.testing.assert_allclose(backend.to_numpy(st[name]), expected, rtol=1e-12)
    assert backend.to_numpy(st["batches"]).tolist() == [4]
    x = rng.normal(size=(3, *(2,) * (rank - 1), 3))
    wanted = oracle.eval()(torch.tensor(np.moveaxis(x, -1, 1))).detach().numpy()
    y, same = model(device(x), ps, pn.test_mode(st))
    np.testing.assert_allclose(backend.to_numpy(y), np.moveaxis(wanted, 1, -1), rtol=1e-11)
    assert same["batches"] is st["batches"]
