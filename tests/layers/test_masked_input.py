"""A mask goes through a chain to the layers that take one."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DTypeError, ShapeError

RNG = np.random.default_rng(6)
LENGTHS = (5, 2, 4)
TOKENS = RNG.integers(1, 20, size=(3, 5)).astype(np.int32)
MASK = np.arange(5) < np.asarray(LENGTHS)[:, None]


def encoder(**options):
    return pn.TransformerEncoderLayer(8, 2, **options)


BODIES = {
    "attention": lambda: (pn.MultiHeadAttention(8, 2),),
    "encoder": lambda: (encoder(), pn.LayerNorm(8)),
    "stack": lambda: (pn.TransformerStack(encoder(), 2, norm=pn.LayerNorm(8)),),
    "chain in a chain": lambda: (pn.Chain(pn.Dense(8, 8, pn.tanh), encoder()), pn.Dense(8, 3)),
    "recurrence": lambda: (pn.Recurrence(pn.LSTMCell(8, 4), return_sequence=True),),
    "stacked": lambda: (
        pn.StackedRecurrence([pn.GRUCell(8, 4), pn.GRUCell(4, 4)], return_sequence=True),
    ),
    "both directions": lambda: (
        pn.BidirectionalRNN(pn.GRUCell(8, 4), return_sequence=True), pn.Dense(8, 2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("jitted", [False, True])
def test_the_rest_is_as_if_it_were_not_there(backend, name, jitted):
    model = pn.Chain(pn.Embedding(20, 8), pn.Dropout(0.2), *BODIES[name]())
    device = pn.device(backend.place)
    ps, st = device(pn.setup(0, model))
    st = pn.test_mode(st)
    run = pn.jit(model) if jitted else model
    tokens, mask = device((TOKENS, MASK))
    y, new = run(pn.MaskedInput(tokens, mask), ps, st)
    assert new.keys() == st.keys()
    for i, length in enumerate(LENGTHS):
        alone, _ = model(device(TOKENS[i : i + 1, :length]), ps, st)
        np.testing.assert_allclose(
            backend.to_numpy(y)[i, :length], backend.to_numpy(alone)[0], rtol=2e-5, atol=2e-6
        )


def test_it_trains_in_a_loop():
    model = pn.Chain(pn.Embedding(20, 8), pn.Recurrence(pn.GRUCell(8, 6)), pn.Dense(6, 2))
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.05))
    data = pn.MaskedInput(TOKENS, MASK), np.asarray([0, 1, 1])
    loader = pn.data.DataLoader(data, 2, shuffle=True, rng=0)
    ts, history = pn.training.fit(
        ts, pn.CrossEntropyLoss(logits=True), loader, epochs=30, progress=False
    )
    assert history["loss"][-1] < 0.1
    assert pn.training.predict(ts, data[0]).shape == (3, 2)


def test_what_is_refused():
    deaf = pn.Chain(pn.Embedding(20, 8), pn.Dense(8, 2))
    with pytest.raises(ShapeError, match="Chain has no layer that takes a mask"):
        deaf(pn.MaskedInput(TOKENS, MASK), *pn.setup(0, deaf))
    model = pn.Chain(pn.Embedding(20, 8), pn.Recurrence(pn.GRUCell(8, 6)))
    ps, st = pn.setup(0, model)
    with pytest.raises(ShapeError) as caught:
        model(pn.MaskedInput(TOKENS, MASK[:, :4]), ps, st)
    assert "mask.shape == x.shape[:2]: (3, 4) != (3, 5)" in str(caught.value)
    with pytest.raises(DTypeError, match=r"mask\.dtype is bool"):
        model(pn.MaskedInput(TOKENS, MASK.astype(np.float32)), ps, st)


def test_models_that_are_looked_into_keep_it():
    model = pn.Chain(pn.Embedding(20, 8), pn.Recurrence(pn.GRUCell(8, 6)))
    ps, st = pn.setup(0, model)
    given = pn.MaskedInput(TOKENS, MASK)
    wanted, _ = model(given, ps, st)
    found, _ = pn.debug(model)(given, ps, st)
    np.testing.assert_array_equal(found, wanted)
    assert pn.summary(model, given).rows[2].output == ((3, 6),)
