"""Cases of the functions behind the losses."""

from __future__ import annotations

from contract.catalogue.builders import FunctionCase, floats, indices, several

import portanet as pn

F = pn.functional

CASES = [
    ("", FunctionCase(
        "cosine_similarity", F.cosine_similarity, several(floats(2, 3), floats(2, 3)),
        lambda t, x, y: t.nn.functional.cosine_similarity(x, y, dim=-1),
    )),
    ("", FunctionCase(
        "ctc_loss",
        lambda x: F.ctc_loss(x, pn.array_namespace(x).asarray(
            [[1, 1], [2, -1]], device=getattr(x, "device", None)
        )),
        lambda rng, n: rng.normal(size=(2, 4, 3)),
        lambda t, x: t.nn.functional.ctc_loss(
            x.log_softmax(-1).transpose(0, 1), t.tensor([1, 1, 2]), [4, 4], [2, 1],
            reduction="none",
        ),
        per_sample=False,
    )),
    ("", FunctionCase(
        "label_smoothing", lambda x: F.label_smoothing(x, 0.3), floats(4),
        lambda t, x: 0.7 * x + 0.075,
    )),
    ("", FunctionCase(
        "one_hot", lambda i, x: F.one_hot(i, 3, dtype=x.dtype) * x,
        several(indices(3), floats(3)),
        lambda t, i, x: t.nn.functional.one_hot(i, 3) * x,
    )),
]  # fmt: skip
