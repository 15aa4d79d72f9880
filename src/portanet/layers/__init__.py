"""The layers, one file a family."""

from portanet.layers.alpha_dropout import AlphaDropout
from portanet.layers.attention import MultiHeadAttention
from portanet.layers.batch_normalization import BatchNorm, InstanceNorm
from portanet.layers.bilinear import Bilinear
from portanet.layers.branches import BranchLayer, PairwiseFusion, Parallel
from portanet.layers.containers import Chain, RepeatedLayer, SkipConnection
from portanet.layers.convolution import Conv, ConvTranspose
from portanet.layers.dropout import Dropout, DropPath, VariationalHiddenDropout
from portanet.layers.embedding import Embedding, EmbeddingBag
from portanet.layers.frozen import Frozen
from portanet.layers.functions import NoOp, WrappedFunction
from portanet.layers.global_pooling import (
    AdaptiveLPPool,
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    GlobalLPPool,
    GlobalMaxPool,
    GlobalMeanPool,
)
from portanet.layers.hypernet import HyperNet
from portanet.layers.linear import Dense, Scale
from portanet.layers.maxout import Maxout
from portanet.layers.normalization import GroupNorm, LayerNorm, RMSNorm
from portanet.layers.padding import (
    CircularPad,
    ConstantPad,
    ReflectionPad,
    ReplicationPad,
    ZeroPad,
)
from portanet.layers.pooling import LPPool, MaxPool, MeanPool
from portanet.layers.positions import (
    LearnedPositionalEmbedding,
    RotaryPositionalEmbedding,
    SinusoidalPositionalEmbedding,
)
from portanet.layers.precision import AlternatePrecision
from portanet.layers.recurrent import (
    BidirectionalRNN,
    GRUCell,
    LSTMCell,
    Recurrence,
    RNNCell,
    StackedRecurrence,
    StatefulRecurrentCell,
)
from portanet.layers.sequence import PeriodicEmbedding, ReverseSequence
from portanet.layers.spectral_normalization import SpectralNorm
from portanet.layers.tied import Tied
from portanet.layers.transformer import (
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    TransformerStack,
)
from portanet.layers.upsampling import PixelShuffle, PixelUnshuffle, Upsample
from portanet.layers.utility import Flatten, Reshape, SelectDim
from portanet.layers.weight_normalization import WeightNorm

__all__ = [
    "AdaptiveLPPool",
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "AlphaDropout",
    "AlternatePrecision",
    "BatchNorm",
    "BidirectionalRNN",
    "Bilinear",
    "BranchLayer",
    "Chain",
    "CircularPad",
    "ConstantPad",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DropPath",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "Frozen",
    "GRUCell",
    "GlobalLPPool",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "GroupNorm",
    "HyperNet",
    "InstanceNorm",
    "LPPool",
    "LSTMCell",
    "LayerNorm",
    "LearnedPositionalEmbedding",
    "MaxPool",
    "Maxout",
    "MeanPool",
    "MultiHeadAttention",
    "NoOp",
    "PairwiseFusion",
    "Parallel",
    "PeriodicEmbedding",
    "PixelShuffle",
    "PixelUnshuffle",
    "RMSNorm",
    "RNNCell",
    "Recurrence",
    "ReflectionPad",
    "RepeatedLayer",
    "ReplicationPad",
    "Reshape",
    "ReverseSequence",
    "RotaryPositionalEmbedding",
    "Scale",
    "SelectDim",
    "SinusoidalPositionalEmbedding",
    "SkipConnection",
    "SpectralNorm",
    "StackedRecurrence",
    "StatefulRecurrentCell",
    "Tied",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
    "TransformerStack",
    "Upsample",
    "VariationalHiddenDropout",
    "WeightNorm",
    "WrappedFunction",
    "ZeroPad",
]
