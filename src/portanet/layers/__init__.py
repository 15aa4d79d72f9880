"""The layers, one file a family."""

from portanet.layers.bilinear import Bilinear
from portanet.layers.branches import BranchLayer, PairwiseFusion, Parallel
from portanet.layers.containers import Chain, RepeatedLayer, SkipConnection
from portanet.layers.dropout import Dropout
from portanet.layers.embedding import Embedding
from portanet.layers.functions import NoOp, WrappedFunction
from portanet.layers.linear import Dense, Scale
from portanet.layers.maxout import Maxout
from portanet.layers.normalization import BatchNorm, LayerNorm
from portanet.layers.utility import Flatten, Reshape, SelectDim

__all__ = [
    "BatchNorm",
    "Bilinear",
    "BranchLayer",
    "Chain",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "LayerNorm",
    "Maxout",
    "NoOp",
    "PairwiseFusion",
    "Parallel",
    "RepeatedLayer",
    "Reshape",
    "Scale",
    "SelectDim",
    "SkipConnection",
    "WrappedFunction",
]
