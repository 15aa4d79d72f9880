"""One model for the tests of bad input, and what they ask of a refusal."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import PortanetError
from portanet.testing import Snapshot

MODEL = pn.Chain(
    pn.Dense(3, 4, pn.relu),
    pn.SkipConnection(pn.Chain(attention=pn.Dense(4, 4)), lambda y, x: y + x),
    pn.BatchNorm(4),
    pn.Dropout(0.5),
    pn.Dense(4, 2),
)
ATTENTION = "model.layer_2.layers.attention"
TREE = "pass the tree that pn.setup(rng, model) made for this model"


def replaced(tree, path, value):
    """Return a copy of a tree of dicts with another entry at a path, or without it."""
    name, *rest = path
    entry = replaced(tree[name], rest, value) if rest else value
    new = {**tree, name: entry}
    return {key: kept for key, kept in new.items() if kept is not None}


def refused(kind, text, x, ps, st, model=MODEL):
    before = Snapshot(x, ps, st)
    with pytest.raises(PortanetError) as caught:
        model(x, ps, st)
    assert type(caught.value) is kind
    assert str(caught.value) == text
    before.check()


def ones(backend, *shape, dtype="float32"):
    return backend.asarray(np.ones(shape, dtype))
