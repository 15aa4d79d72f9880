"""Stateless functions, each written once on the Array API standard.

They check that their arrays are arrays of one library, and answer bad arguments with an error of
the family that names them, the same on every library. Shapes and dtypes that do not fit are found
by the library: the error has the shapes and dtypes of all arguments, and what the library said.
"""

from portanet.checks import checked as _checked
from portanet.functional.activations.elus import celu, elu, selu
from portanet.functional.activations.gates import gelu, gelu_erf, glu, lisht, mish, silu
from portanet.functional.activations.hard import hard_sigmoid, hard_swish, hard_tanh, soft_shrink
from portanet.functional.activations.rectifiers import (
    identity,
    leaky_relu,
    prelu,
    relu,
    relu6,
    rrelu,
    threshold_relu,
)
from portanet.functional.activations.sigmoids import (
    log_cosh,
    log_sigmoid,
    sigmoid,
    softplus,
    softsign,
    tanh,
    tanh_shrink,
)
from portanet.functional.activations.softmax import log_softmax, logsumexp, softmax
from portanet.functional.dropout import alpha_dropout, dropout
from portanet.functional.gradient import stop_gradient
from portanet.functional.indexing.at import at
from portanet.functional.indexing.segments import (
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
)
from portanet.functional.linear.einsum import einsum
from portanet.functional.linear.embedding import embedding, embedding_bag
from portanet.functional.linear.linear import bilinear, linear
from portanet.functional.linear.triangular import cho_solve, solve_triangular
from portanet.functional.losses.ctc import ctc_loss
from portanet.functional.losses.labels import label_smoothing, one_hot
from portanet.functional.losses.reductions import inner_product, mean_squared_error
from portanet.functional.losses.similarity import cosine_similarity
from portanet.functional.normalization.batch import batch_norm, instance_norm
from portanet.functional.normalization.features import group_norm, layer_norm, rms_norm
from portanet.functional.normalization.weights import spectral_norm, weight_norm
from portanet.functional.sequences.attention import attention_weights, scaled_dot_product_attention
from portanet.functional.sequences.fourier import istft, stft
from portanet.functional.sequences.masks import causal_mask
from portanet.functional.sequences.rotary import rotary_embedding, rotary_tables
from portanet.functional.spatial.adaptive_pooling import (
    adaptive_lp_pool,
    adaptive_max_pool,
    adaptive_mean_pool,
)
from portanet.functional.spatial.convolution import conv, conv_transpose
from portanet.functional.spatial.grid_sample import grid_sample
from portanet.functional.spatial.padding import pad
from portanet.functional.spatial.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from portanet.functional.spatial.pooling import lp_pool, max_pool, mean_pool
from portanet.functional.spatial.unfold import fold, unfold
from portanet.functional.spatial.upsampling import upsample
from portanet.functional.special.error_function import erf, erfc
from portanet.functional.special.gamma import digamma, lgamma, polygamma
from portanet.functional.special.incomplete import betainc, gammainc
from portanet.functional.special.powers import cbrt, exp2
from portanet.listing import listing

__all__ = [
    "adaptive_lp_pool",
    "adaptive_max_pool",
    "adaptive_mean_pool",
    "alpha_dropout",
    "at",
    "attention_weights",
    "batch_norm",
    "betainc",
    "bilinear",
    "causal_mask",
    "cbrt",
    "celu",
    "cho_solve",
    "conv",
    "conv_transpose",
    "cosine_similarity",
    "ctc_loss",
    "digamma",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "embedding_bag",
    "erf",
    "erfc",
    "exp2",
    "fold",
    "gammainc",
    "gelu",
    "gelu_erf",
    "glu",
    "grid_sample",
    "group_norm",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "identity",
    "inner_product",
    "instance_norm",
    "istft",
    "label_smoothing",
    "layer_norm",
    "leaky_relu",
    "lgamma",
    "linear",
    "lisht",
    "log_cosh",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "lp_pool",
    "max_pool",
    "mean_pool",
    "mean_squared_error",
    "mish",
    "one_hot",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "polygamma",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rotary_embedding",
    "rotary_tables",
    "rrelu",
    "scaled_dot_product_attention",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "solve_triangular",
    "spectral_norm",
    "stft",
    "stop_gradient",
    "tanh",
    "tanh_shrink",
    "threshold_relu",
    "unfold",
    "upsample",
    "weight_norm",
]
__dir__ = listing(__all__)

for _name in __all__:
    _function = globals()[_name]
    if _name not in ("at", "identity") and not hasattr(_function, "checked"):
        globals()[_name] = _checked(_function)
        globals()[_name].__module__ = __name__  # where it can be found, by pickle too
