"""Normalisation on torch: its bodies for channels that lie behind, against the generic ones."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.functional.kernel import GENERIC

torch = pytest.importorskip("torch")

SHAPES = {"few rows": (6, 4), "images": (3, 5, 2, 4), "one sample": (1, 7, 4)}
KINDS = {
    "batch": lambda f, x, w, b: f("batch_norm")(x, w, b)[0],
    "running": lambda f, x, w, b: f("batch_norm")(x, w, b, *STATISTICS)[0],
    "tested": lambda f, x, w, b: f("batch_norm")(x, w, b, *STATISTICS, training=False)[0],
    "instance": lambda f, x, w, b: f("instance_norm")(x, w, b)[0],
    "instance, running": lambda f, x, w, b: f("instance_norm")(x, w, b, *STATISTICS)[0],
    "group": lambda f, x, w, b: f("group_norm")(x, w, b, groups=2),
}
STATISTICS = (
    torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64),
    torch.tensor([1.5, 0.3, 2.0, 1.0], dtype=torch.float64),
)


def own(name):
    return getattr(functional, name)


@pytest.fixture(params=["as chosen", "in few passes"])
def chosen(request, monkeypatch):
    """Whether small arrays go the way of small ones, or that of large ones."""
    if request.param == "in few passes":
        from portanet.backends.torch import normalization

        monkeypatch.setattr(normalization, "_SMALL", 0)
    return request.param


def arguments(shape, affine, dtype=torch.float64) -> list:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(1.0, 2.0, shape), dtype=dtype, requires_grad=True)
    if not affine:
        return [x, None, None]
    pair = (torch.tensor(rng.normal(size=4), dtype=dtype, requires_grad=True) for _ in range(2))
    return [x, *pair]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_values_and_first_and_second_derivatives(chosen, kind, shape, affine):
    if "instance" in kind and len(shape) == 2:
        pytest.skip("a sample has several places")
    call, args = KINDS[kind], arguments(shape, affine)
    given = [x for x in args if x is not None]
    found, expected = call(own, *args), call(GENERIC.__getitem__, *args)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    d = torch.tensor(np.random.default_rng(1).normal(size=shape))

    def slopes(y):
        first = torch.autograd.grad((y * y * d).sum(), given, create_graph=True)
        second = torch.autograd.grad(sum(g.pow(3).sum() for g in first), given)
        return *first, *second

    torch.testing.assert_close(slopes(found), slopes(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics(chosen, name):
    x, w, b = arguments((3, 5, 4), True)
    before = [p.clone() for p in STATISTICS]
    found = own(name)(x, w, b, *STATISTICS, momentum=0.3)[1:]
    expected = GENERIC[name](x, w, b, *STATISTICS, momentum=0.3)[1:]
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
    assert not any(p.requires_grad for p in found)
    torch.testing.assert_close(list(STATISTICS), before, rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_of_transforms(kind):
    with torch.no_grad():
        x, w, b = (1.0 * p for p in arguments((3, 5, 2, 4), True))

    def total(x, w, b):
        return KINDS[kind](own, x, w, b).pow(3).sum()

    xs = torch.stack([x, 2.0 * x])
    found = torch.func.vmap(torch.func.grad(total), in_dims=(0, None, None))(xs, w, b)
    expected = torch.stack([pn.grad(total)(x, w, b) for x in xs])
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", ["batch", "group"])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_digits_of_float32_over_many_rows(kind, offset):
    """Torch's own batch normalisation of such rows is off by 3e-5."""
    rng = np.random.default_rng(3)
    wide = [torch.tensor(rng.normal(1.0, 1.0, shape)) for shape in ((8, 128, 256, 4), (4,), (4,))]
    wide[0] = (wide[0] + offset).float().double()
    wide[1:] = [p.float().double() for p in wide[1:]]
    wide = [p.requires_grad_() for p in wide]
    short = [p.detach().float().requires_grad_() for p in wide]
    expected, found = KINDS[kind](GENERIC.__getitem__, *wide), KINDS[kind](own, *short)
    unit = torch.finfo(torch.float32).eps * (1.0 + offset)
    bound = 2 * unit * float(expected.detach().abs().max())
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=bound)
    d = torch.tensor(rng.normal(1.0, 1.0, expected.shape)).float()
    slopes = torch.autograd.grad(expected, wide, d.double()), torch.autograd.grad(found, short, d)
    terms = d.abs().sum() / 4  # of which the last two are sums
    for one, other, size in zip(*slopes, (slopes[0][0].abs().max(), terms, terms), strict=True):
        bound = 4 * unit * float(size)
        torch.testing.assert_close(other.double(), one, rtol=0, atol=bound)


def test_a_batch_without_epsilon():
    x = torch.tensor([[1.0], [3.0]])
    assert functional.batch_norm(x, epsilon=0.0)[0].tolist() == [[-1.0], [1.0]]
    assert functional.batch_norm(x.to(torch.bfloat16), epsilon=0.0)[0].tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize("layer", [pn.LayerNorm(3), pn.BatchNorm(3), pn.GroupNorm(3, 1)])
def test_parameters_that_a_checkpoint_captures_have_their_derivatives(layer):
    """What torch's modes do not see go into a function of our own would be lost."""
    ps, st = pn.device("torch")(pn.setup(0, layer, dtype="float64"))
    x = torch.tensor(np.random.default_rng(0).normal(size=(5, 4, 3)))

    def loss(ps, wrap):
        return (wrap(lambda x: layer(x, ps, st)[0])(x) ** 3).sum()

    expected = pn.grad(lambda ps: loss(ps, lambda f: f))(ps)
    found = pn.grad(lambda ps: loss(ps, pn.checkpoint))(ps)
    for a, b in zip(pn.trees.leaves(found), pn.trees.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
        assert b.abs().max() > 0.1
