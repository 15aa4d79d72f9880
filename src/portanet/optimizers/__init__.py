"""Optimizers: rules that turn gradients into steps, and the state they keep.

A rule (`SGD`, `Adam`, …) is an immutable description. `setup` makes its state for a tree of
parameters, `update` moves the parameters by one step, and `adjust`, `freeze` and `thaw` change
the course of training. `chain` puts what clips, decays or averages before and behind a rule,
`Groups` gives another rule to each part of a model, and `Scheduler` and `schedules` let
hyperparameters follow the step.
"""

from portanet.listing import listing
from portanet.optimizers import schedules
from portanet.optimizers.adafactor import Adafactor
from portanet.optimizers.adagrad import AdaDelta, AdaGrad
from portanet.optimizers.adam import Adam, AdamW
from portanet.optimizers.adam_directions import NAdam, OAdam, RAdam
from portanet.optimizers.adam_scales import AdaBelief, AdaMax, AMSGrad
from portanet.optimizers.averages import MovingAverage, averaged_parameters
from portanet.optimizers.base import Rule
from portanet.optimizers.chains import OptimizerChain, chain
from portanet.optimizers.changes import adjust, freeze, thaw
from portanet.optimizers.clipping import ClipGlobalNorm, ClipGradient, ClipNorm
from portanet.optimizers.decay import SignDecay, WeightDecay
from portanet.optimizers.groups import Groups, Masked
from portanet.optimizers.lamb import LAMB
from portanet.optimizers.momentum import Momentum, Nesterov
from portanet.optimizers.muon import Muon
from portanet.optimizers.rmsprop import RMSProp
from portanet.optimizers.scheduler import Scheduler
from portanet.optimizers.sgd import SGD
from portanet.optimizers.signs import Lion, Rprop
from portanet.optimizers.state import Leaf, OptimizerState
from portanet.optimizers.step import setup, update
from portanet.optimizers.wrappers import Accumulate, MasterWeights

__all__ = [
    "LAMB",
    "SGD",
    "AMSGrad",
    "Accumulate",
    "AdaBelief",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adafactor",
    "Adam",
    "AdamW",
    "ClipGlobalNorm",
    "ClipGradient",
    "ClipNorm",
    "Groups",
    "Leaf",
    "Lion",
    "Masked",
    "MasterWeights",
    "Momentum",
    "MovingAverage",
    "Muon",
    "NAdam",
    "Nesterov",
    "OAdam",
    "OptimizerChain",
    "OptimizerState",
    "RAdam",
    "RMSProp",
    "Rprop",
    "Rule",
    "Scheduler",
    "SignDecay",
    "WeightDecay",
    "adjust",
    "averaged_parameters",
    "chain",
    "freeze",
    "schedules",
    "setup",
    "thaw",
    "update",
]
__dir__ = listing(__all__)
