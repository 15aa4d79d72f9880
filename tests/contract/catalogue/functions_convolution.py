"""Cases of the functions behind pooling and resampling."""

from __future__ import annotations

from contract.catalogue.builders import FunctionCase, floats

import portanet as pn

F = pn.functional

CASES = [
    ("", FunctionCase(
        "adaptive_lp_pool", lambda x: F.adaptive_lp_pool(x, 2), floats(4, 2),
        lambda t, x: t.nn.functional.lp_pool1d(x.mT, 2, 2).mT,
    )),
    ("", FunctionCase(
        "adaptive_max_pool", lambda x: F.adaptive_max_pool(x, 2), floats(5, 2),
        lambda t, x: t.nn.functional.adaptive_max_pool1d(x.mT, 2).mT,
    )),
    ("", FunctionCase(
        "adaptive_mean_pool", lambda x: F.adaptive_mean_pool(x, 2), floats(5, 2),
        lambda t, x: t.nn.functional.adaptive_avg_pool1d(x.mT, 2).mT,
    )),
    ("", FunctionCase(
        "fold", lambda x: F.fold(x, 5, 3, stride=2), floats(2, 3, 2),
        lambda t, x: t.nn.functional.fold(
            x.permute(0, 3, 2, 1).flatten(1, 2), (5, 1), (3, 1), stride=2
        ).squeeze(-1).mT,
    )),
    ("", FunctionCase(
        "unfold", lambda x: F.unfold(x, 3, stride=2, padding=1), floats(5, 2),
        lambda t, x: t.nn.functional.unfold(
            x.mT.unsqueeze(-1), (3, 1), padding=(1, 0), stride=2
        ).unflatten(1, (2, 3)).permute(0, 3, 2, 1),
    )),
    ("", FunctionCase(
        "lp_pool", lambda x: F.lp_pool(x, 2, p=3.0), floats(4, 2),
        lambda t, x: t.nn.functional.lp_pool1d(x.abs().mT, 3, 2).mT,
    )),
    ("", FunctionCase(
        "pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), floats(1, 2, 4),
        lambda t, x: t.nn.functional.pixel_shuffle(x.movedim(-1, 1), 2).movedim(1, -1),
    )),
    ("", FunctionCase(
        "pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), floats(2, 4, 1),
        lambda t, x: t.nn.functional.pixel_unshuffle(x.movedim(-1, 1), 2).movedim(1, -1),
    )),
    ("", FunctionCase(
        "upsample", lambda x: F.upsample(x, scale=2, mode="linear"), floats(3, 2),
        lambda t, x: t.nn.functional.interpolate(x.mT, scale_factor=2, mode="linear").mT,
    )),
]  # fmt: skip
