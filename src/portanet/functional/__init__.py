"""Stateless functions, each written once on the Array API standard."""

from portanet.functional.at import at
from portanet.functional.convolution import conv, conv_transpose
from portanet.functional.dropout import dropout
from portanet.functional.einsum import einsum
from portanet.functional.elus import celu, elu, selu
from portanet.functional.embedding import embedding
from portanet.functional.gamma import digamma, lgamma, polygamma
from portanet.functional.gates import gelu, gelu_erf, glu, lisht, mish, silu
from portanet.functional.gradient import stop_gradient
from portanet.functional.hard import hard_sigmoid, hard_swish, hard_tanh, soft_shrink
from portanet.functional.linear import bilinear, linear
from portanet.functional.losses import inner_product, mean_squared_error
from portanet.functional.normalization import batch_norm, layer_norm
from portanet.functional.pad import pad
from portanet.functional.pooling import max_pool, mean_pool
from portanet.functional.rectifiers import identity, leaky_relu, relu, relu6, rrelu, threshold_relu
from portanet.functional.sigmoids import (
    log_cosh,
    log_sigmoid,
    sigmoid,
    softplus,
    softsign,
    tanh,
    tanh_shrink,
)
from portanet.functional.softmax import log_softmax, logsumexp, softmax
from portanet.functional.special import erf, erfc

__all__ = [
    "at",
    "batch_norm",
    "bilinear",
    "celu",
    "conv",
    "conv_transpose",
    "digamma",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "erf",
    "erfc",
    "gelu",
    "gelu_erf",
    "glu",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "identity",
    "inner_product",
    "layer_norm",
    "leaky_relu",
    "lgamma",
    "linear",
    "lisht",
    "log_cosh",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "max_pool",
    "mean_pool",
    "mean_squared_error",
    "mish",
    "pad",
    "polygamma",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "stop_gradient",
    "tanh",
    "tanh_shrink",
    "threshold_relu",
]
