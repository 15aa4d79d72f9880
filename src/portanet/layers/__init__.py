"""The layers, one folder a family."""

from portanet.core import Chain, WrappedFunction
from portanet.layers.attention.decoder import TransformerDecoderLayer
from portanet.layers.attention.encoder import TransformerEncoderLayer
from portanet.layers.attention.multi_head import MultiHeadAttention
from portanet.layers.attention.stack import TransformerStack
from portanet.layers.containers.branches import BranchLayer, PairwiseFusion, Parallel
from portanet.layers.containers.maxout import Maxout
from portanet.layers.containers.repeated_layer import RepeatedLayer
from portanet.layers.containers.skip_connection import SkipConnection
from portanet.layers.embeddings.embedding import Embedding, EmbeddingBag
from portanet.layers.embeddings.learned import LearnedPositionalEmbedding
from portanet.layers.embeddings.periodic import PeriodicEmbedding
from portanet.layers.embeddings.rotary import RotaryPositionalEmbedding
from portanet.layers.embeddings.sinusoidal import SinusoidalPositionalEmbedding
from portanet.layers.linear.bilinear import Bilinear
from portanet.layers.linear.dense import Dense, Scale
from portanet.layers.normalization.batch import BatchNorm, InstanceNorm
from portanet.layers.normalization.group import GroupNorm
from portanet.layers.normalization.layer import LayerNorm, RMSNorm
from portanet.layers.normalization.spectral import SpectralNorm
from portanet.layers.normalization.weight import WeightNorm
from portanet.layers.recurrent import (
    BidirectionalRNN,
    GRUCell,
    LSTMCell,
    Recurrence,
    RNNCell,
    StackedRecurrence,
    StatefulRecurrentCell,
)
from portanet.layers.regularization.alpha_dropout import AlphaDropout
from portanet.layers.regularization.dropout import Dropout, DropPath, VariationalHiddenDropout
from portanet.layers.spatial.convolution import Conv
from portanet.layers.spatial.global_pooling import (
    AdaptiveLPPool,
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    GlobalLPPool,
    GlobalMaxPool,
    GlobalMeanPool,
)
from portanet.layers.spatial.padding import (
    CircularPad,
    ConstantPad,
    ReflectionPad,
    ReplicationPad,
    ZeroPad,
)
from portanet.layers.spatial.pooling import LPPool, MaxPool, MeanPool
from portanet.layers.spatial.transposed_convolution import ConvTranspose
from portanet.layers.spatial.upsampling import PixelShuffle, PixelUnshuffle, Upsample
from portanet.layers.utility.no_op import NoOp
from portanet.layers.utility.prelu import PReLU
from portanet.layers.utility.reverse import ReverseSequence
from portanet.layers.utility.shapes import Flatten, Reshape, SelectDim
from portanet.layers.wrappers.frozen import Frozen
from portanet.layers.wrappers.hypernet import HyperNet
from portanet.layers.wrappers.precision import AlternatePrecision
from portanet.layers.wrappers.tied import Tied
from portanet.listing import listing

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
    "PReLU",
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
__dir__ = listing(__all__)
