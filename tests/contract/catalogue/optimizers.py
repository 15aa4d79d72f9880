"""Cases of optimizers."""

from __future__ import annotations

from collections.abc import Callable

from portanet import optimizers as opt

RULES: dict[str, Callable[[], opt.Rule]] = {
    "SGD": lambda: opt.SGD(0.1),
    "SGD, momentum": lambda: opt.SGD(0.1, momentum=0.9),
    "SGD, Nesterov": lambda: opt.SGD(0.1, momentum=0.8, nesterov=True),
    "Adam": lambda: opt.Adam(0.01),
    "AdamW": lambda: opt.AdamW(0.01, weight_decay=0.1),
    "RMSProp": lambda: opt.RMSProp(0.01),
    "RMSProp, centered": lambda: opt.RMSProp(0.01, centered=True),
    "WeightDecay": lambda: opt.WeightDecay(0.1),
    "ClipGradient": lambda: opt.ClipGradient(0.5),
    "ClipNorm": lambda: opt.ClipNorm(0.5),
    "ClipGlobalNorm": lambda: opt.ClipGlobalNorm(0.5),
    "Scheduler": lambda: opt.Scheduler(
        opt.AdamW(), lr=opt.schedules.ExponentialDecay(0.05, decay=0.9)
    ),
    "OptimizerChain": lambda: opt.OptimizerChain(
        opt.ClipGlobalNorm(1.0), opt.WeightDecay(0.01), opt.Adam(0.01)
    ),
}
