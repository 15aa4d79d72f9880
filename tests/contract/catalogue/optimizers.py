"""Cases of optimizers, each for a tree with a matrix at ``layer_1.weight``."""

from __future__ import annotations

from collections.abc import Callable

from portanet import optimizers as opt

RULES: dict[str, Callable[[], opt.Rule]] = {
    "SGD": lambda: opt.SGD(0.1),
    "SGD, momentum": lambda: opt.SGD(0.1, momentum=0.9),
    "SGD, Nesterov": lambda: opt.SGD(0.1, momentum=0.8, nesterov=True),
    "SGD, dampening": lambda: opt.SGD(0.1, momentum=0.9, dampening=0.5),
    "Momentum": lambda: opt.Momentum(0.1),
    "Nesterov": lambda: opt.Nesterov(0.1),
    "Rprop": lambda: opt.Rprop(),
    "AdaGrad": lambda: opt.AdaGrad(0.1),
    "AdaDelta": lambda: opt.AdaDelta(),
    "RAdam": lambda: opt.RAdam(0.01),
    "NAdam": lambda: opt.NAdam(0.01),
    "OAdam": lambda: opt.OAdam(0.01),
    "AdaMax": lambda: opt.AdaMax(0.01),
    "AMSGrad": lambda: opt.AMSGrad(0.01),
    "AdaBelief": lambda: opt.AdaBelief(0.01),
    "Lion": lambda: opt.Lion(0.01, weight_decay=0.1),
    "LAMB": lambda: opt.LAMB(0.01, weight_decay=0.1),
    "Adafactor": lambda: opt.Adafactor(0.01, weight_decay=0.1),
    "Muon": lambda: opt.Groups({"layer_1.weight": opt.Muon(0.01)}, opt.SGD(0.1)),
    "Groups": lambda: opt.Groups({"layer_1": opt.Adam(0.01)}, opt.SGD(0.1)),
    "Masked": lambda: opt.chain(opt.Masked(opt.WeightDecay(0.01), "layer_1.weight"), opt.SGD(0.1)),
    "SignDecay": lambda: opt.SignDecay(0.01),
    "MovingAverage": lambda: opt.MovingAverage(0.9),
    "Accumulate": lambda: opt.Accumulate(opt.Adam(0.01), every=2),
    "MasterWeights": lambda: opt.MasterWeights(opt.Adam(0.01)),
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
