"""Schedules: hyperparameters as functions of the number of steps taken so far, from 0.

A schedule is a value; called with a step it returns a number. `portanet.optimizers.Scheduler`
steps a rule by them. Any function of the step that can be hashed serves as one.
"""

from portanet.listing import listing
from portanet.optimizers.schedules.decays import (
    Constant,
    ExponentialDecay,
    InverseDecay,
    Polynomial,
    StepDecay,
)
from portanet.optimizers.schedules.sequences import Sequence
from portanet.optimizers.schedules.waves import CosineAnnealing, OneCycle, Triangle

__all__ = [
    "Constant",
    "CosineAnnealing",
    "ExponentialDecay",
    "InverseDecay",
    "OneCycle",
    "Polynomial",
    "Sequence",
    "StepDecay",
    "Triangle",
]
__dir__ = listing(__all__)
