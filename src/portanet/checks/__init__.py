"""Checks that layers, losses, optimizers and initializers share.

An error states the relation that does not hold, and what to do about it.
"""

from portanet.checks.hyperparameters import (
    Size,
    Sizes,
    decays,
    finite,
    flags,
    functions,
    integers,
    non_negative,
    one_of,
    optional_functions,
    optional_integers,
    optional_sizes,
    positive,
    probabilities,
    refuse,
    sizes,
)
from portanet.checks.kinds import (
    alike,
    floating,
    integral,
    real_floating,
    same_device,
    same_kind,
)
from portanet.checks.shapes import (
    axes,
    entry,
    last_axes,
    last_axis,
    member,
    rank_at_least,
    same_shape,
    shape_of,
)

__all__ = [
    "Size",
    "Sizes",
    "alike",
    "axes",
    "decays",
    "entry",
    "finite",
    "flags",
    "floating",
    "functions",
    "integers",
    "integral",
    "last_axes",
    "last_axis",
    "member",
    "non_negative",
    "one_of",
    "optional_functions",
    "optional_integers",
    "optional_sizes",
    "positive",
    "probabilities",
    "rank_at_least",
    "real_floating",
    "refuse",
    "same_device",
    "same_kind",
    "same_shape",
    "shape_of",
    "sizes",
]
