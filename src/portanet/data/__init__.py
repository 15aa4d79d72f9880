"""Data: batches of arrays, trees of arrays or datasets, in an order that can be taken up again."""

from portanet.data.collate import pad_sequences, stack
from portanet.data.loader import DataLoader
from portanet.data.order import Buckets
from portanet.data.part import BatchPart
from portanet.data.split import k_folds, split
from portanet.listing import listing
from portanet.losses.masked import MaskedBatch

__all__ = [
    "BatchPart",
    "Buckets",
    "DataLoader",
    "MaskedBatch",
    "k_folds",
    "pad_sequences",
    "split",
    "stack",
]
__dir__ = listing(__all__)
