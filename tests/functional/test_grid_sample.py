"""grid_sample against PyTorch's, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, ShapeError

sample = pn.functional.grid_sample


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("space", [(4, 5), (1, 3), (3, 2, 4)])
def test_values_and_derivatives_are_those_of_torch(backend, space, align, padding, mode):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(len(space))
    x = rng.normal(size=(2, *space, 3))
    grid = rng.uniform(-4.3, 4.3, size=(2, *(3,) * len(space), len(space)))
    images = torch.tensor(np.moveaxis(x, -1, 1), requires_grad=True)
    places = torch.tensor(grid, requires_grad=True)
    wanted = torch.nn.functional.grid_sample(
        images,
        places,
        mode="bilinear" if mode == "linear" else mode,
        padding_mode=padding,
        align_corners=align,
    )
    factors = rng.normal(size=wanted.shape)
    (wanted * torch.asarray(factors)).sum().backward()

    def function(x, grid):
        y = sample(x, grid, mode=mode, padding=padding, align_corners=align)
        by = backend.asarray(np.moveaxis(factors, 1, -1))
        return backend.xp.sum(y * by), y

    arrays = backend.asarray(x), backend.asarray(grid)
    (_, y), slopes = pn.value_and_grad(function, argnums=(0, 1), has_aux=True)(*arrays)
    for actual, expected in (
        (y, wanted.detach().movedim(1, -1)),
        (slopes[0], images.grad.movedim(1, -1)),
        (slopes[1], places.grad),
    ):
        np.testing.assert_allclose(
            backend.to_numpy(actual), expected.numpy(), rtol=1e-11, atol=1e-11
        )


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_at_a_place_that_is_nan_there_is_nan(backend, padding, mode):
    x = backend.asarray(np.arange(12.0).reshape(2, 2, 3, 1))
    grid = np.random.default_rng(0).uniform(-1.0, 1.0, size=(2, 4, 2))
    expected = sample(np.arange(12.0).reshape(2, 2, 3, 1), grid, mode=mode, padding=padding)
    for place in ((0, 1, 0), (1, 3, 1)):
        grid[place], expected[place[:2]] = np.nan, np.nan
    for function in (sample, pn.jit(sample)):
        found = function(x, backend.asarray(grid), mode=mode, padding=padding)
        np.testing.assert_allclose(backend.to_numpy(found), expected)


def test_a_line_of_places_and_no_places(backend):
    x = backend.asarray(np.arange(6.0).reshape(1, 2, 3, 1))
    corners = backend.asarray(np.asarray([[[-1.0, -1.0], [1.0, 1.0], [9.0, 0.0]]]))
    assert backend.to_numpy(sample(x, corners))[0, :, 0].tolist() == [0.0, 5.0, 0.0]
    assert sample(x, corners[:, :0, :]).shape == (1, 0, 1)


@pytest.mark.parametrize(
    ("x", "grid", "text"),
    [
        ((2, 3, 3, 1), (2, 4, 3), "grid.shape[-1] == x.ndim - 2: 3 != 2"),
        ((2, 3, 3, 1), (1, 4, 2), "grid.shape[0] == x.shape[0]: 1 != 2"),
        ((2, 0, 3, 1), (2, 4, 2), "x.shape[1:-1] >= 1: (0, 3): there is nothing to read"),
        ((2, 3), (2, 4, 2), "x.ndim >= 3: 2 < 3"),
    ],
)
def test_what_does_not_fit_is_refused(x, grid, text):
    with pytest.raises(ShapeError) as caught:
        sample(np.zeros(x), np.zeros(grid))
    assert str(caught.value) == text
    for name in ("padding", "mode"):
        with pytest.raises(ArgumentError, match=rf"^{name} is one of .*: got 'wrap'$"):
            sample(np.zeros((1, 2, 2, 1)), np.zeros((1, 1, 2)), **{name: "wrap"})
