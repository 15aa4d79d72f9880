"""How parameters begin: frozen descriptions, called as ``init(rng, shape, dtype)``.

They are drawn on the host from a `numpy.random.Generator` and give NumPy arrays. Their names are
lower case because they are used as functions: ``pn.Dense(2, 3, init_weight=glorot_uniform())``.
Any function of the same arguments can stand in for one.
"""

from portanet.initializers._base import Initializer
from portanet.initializers.basic import constant, normal, ones, truncated_normal, uniform, zeros
from portanet.initializers.fans import fans, gain
from portanet.initializers.scaled import (
    glorot_normal,
    glorot_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    variance_scaling,
)
from portanet.initializers.structured import dirac, identity, orthogonal, sparse
from portanet.listing import listing

__all__ = [
    "Initializer",
    "constant",
    "dirac",
    "fans",
    "gain",
    "glorot_normal",
    "glorot_uniform",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zeros",
]
__dir__ = listing(__all__)
