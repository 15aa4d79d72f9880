"""Optimizers: rules that turn gradients into steps, and the state they keep.

A rule (`SGD`, `Adam`, …) is an immutable description. `setup` makes its state for a tree of
parameters, `update` moves the parameters by one step, and `adjust`, `freeze` and `thaw` change
the course of training. `Scheduler` and `schedules` let hyperparameters follow the step.
"""

from portanet.optimizers import schedules
from portanet.optimizers.adam import Adam, AdamW
from portanet.optimizers.base import Rule
from portanet.optimizers.chains import OptimizerChain, chain
from portanet.optimizers.changes import adjust, freeze, thaw
from portanet.optimizers.rmsprop import RMSProp
from portanet.optimizers.scheduler import Scheduler
from portanet.optimizers.sgd import SGD
from portanet.optimizers.state import Leaf, OptimizerState
from portanet.optimizers.step import setup, update
from portanet.optimizers.transforms import ClipGlobalNorm, ClipGradient, ClipNorm, WeightDecay

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ClipGlobalNorm",
    "ClipGradient",
    "ClipNorm",
    "Leaf",
    "OptimizerChain",
    "OptimizerState",
    "RMSProp",
    "Rule",
    "Scheduler",
    "WeightDecay",
    "adjust",
    "chain",
    "freeze",
    "schedules",
    "setup",
    "thaw",
    "update",
]
