"""What the tests of single layers share."""

from __future__ import annotations

import numpy as np
import pytest

from portanet import trees


@pytest.fixture
def place(backend):
    """A function that moves the NumPy arrays of a tree to the library under test."""

    def move(leaf):
        return backend.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf

    return lambda tree: trees.map_leaves(move, tree)
