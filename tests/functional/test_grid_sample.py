"""grid_sample against PyTorch's, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, ShapeError

sample = pn.functional.grid_sample


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("space", [(4, 5), (1, 3), (3, 2, 4)])
def test_values_are_those_of_torch(backend, space, align, padding):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(len(space))
    x = rng.normal(size=(2, *space, 3))
    grid = rng.uniform(-1.6, 1.6, size=(2, *(3,) * len(space), len(space)))
    wanted = torch.nn.functional.grid_sample(
        torch.asarray(np.moveaxis(x, -1, 1)),
        torch.asarray(grid),
        padding_mode=padding,
        align_corners=align,
    )
    y = sample(backend.asarray(x), backend.asarray(grid), padding=padding, align_corners=align)
    actual = np.moveaxis(backend.to_numpy(y), -1, 1)
    np.testing.assert_allclose(actual, wanted.numpy(), rtol=1e-12, atol=1e-12)


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
    with pytest.raises(ArgumentError, match=r"^padding is 'zeros' or 'border': got 'wrap'$"):
        sample(np.zeros((1, 2, 2, 1)), np.zeros((1, 1, 2)), padding="wrap")
