"""Cases of the functions of attention, positions and bags."""

from __future__ import annotations

from typing import Any

import numpy as np
from contract.catalogue.builders import FunctionCase, floats, indices, several

import portanet as pn

F = pn.functional


def _torchs(torch: Any, q: Any, k: Any, v: Any, mask: Any = None, **options: Any) -> Any:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    y = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, mask, enable_gqa=q.shape[1] != k.shape[1], **options
    )
    return y.transpose(1, 2)


def _parted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    mask = rng.uniform(size=(n, 1, 3, 4)) < 0.5
    mask[..., 0] = True
    return *(rng.normal(size=(n, *s)) for s in ((3, 2, 2), (4, 2, 2), (4, 2, 3))), mask


def _rotated(torch: Any, x: Any) -> Any:
    angles = torch.arange(3.0, dtype=x.dtype)[:, None, None] * torch.tensor(
        [1.0, 0.01], dtype=x.dtype
    )
    turn = torch.polar(torch.ones_like(angles), angles)
    y = torch.complex(x[..., :2], x[..., 2:]) * turn
    return torch.cat((y.real, y.imag), -1)


def _arange(x: Any) -> Any:
    xp = pn.array_namespace(x)
    return xp.arange(3, dtype=x.dtype, device=pn.backends.backend_of(x).device_of(x))


def _lower(x: Any) -> Any:
    return pn.array_namespace(x).where(F.causal_mask(2, 3, like=x), x, 0.0)


CASES = [
    ("", FunctionCase(
        "scaled_dot_product_attention", F.scaled_dot_product_attention,
        several(floats(3, 2, 2), floats(4, 2, 2), floats(4, 2, 3)),
        _torchs,
    )),
    ("masked", FunctionCase(
        "scaled_dot_product_attention", F.scaled_dot_product_attention, _parted, _torchs,
    )),
    ("grouped, causal", FunctionCase(
        "scaled_dot_product_attention",
        lambda *xs: F.scaled_dot_product_attention(*xs, causal=True, scale=0.3),
        several(floats(3, 4, 2), floats(3, 2, 2), floats(3, 2, 2)),
        lambda t, *xs: _torchs(t, *xs, is_causal=True, scale=0.3),
    )),
    ("dropout", FunctionCase(
        "scaled_dot_product_attention",
        lambda *xs: F.scaled_dot_product_attention(
            *xs, dropout=0.3, dropout_key=pn.random.key(3)
        ),
        several(floats(3, 1, 2), floats(3, 1, 2), floats(3, 1, 2)),
    )),
    ("", FunctionCase(
        "attention_weights", lambda q, k: F.attention_weights(q, k, causal=True),
        several(floats(2, 1, 3), floats(4, 1, 3)),
    )),
    ("", FunctionCase(
        "causal_mask", _lower, floats(2, 3),
        lambda t, x: t.ones(2, 3).tril(1) * x,
    )),
    ("", FunctionCase(
        "embedding_bag", F.embedding_bag,
        several(indices(5, 4), lambda rng, n: rng.normal(size=(5, 3))),
        lambda t, i, w: t.nn.functional.embedding_bag(i, w),
    )),
    ("", FunctionCase("rotary_tables", lambda x: F.rotary_tables(x, 4), floats(2))),
    ("", FunctionCase(
        "rotary_embedding",
        lambda x: F.rotary_embedding(x, *F.rotary_tables(_arange(x), 4)),
        floats(3, 2, 4), _rotated,
    )),
]  # fmt: skip
