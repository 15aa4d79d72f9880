"""Training by several processes, on one machine or many."""

from portanet.distributed.batch_norm import SyncBatchNorm, sync_batch_norm
from portanet.distributed.collectives import allreduce, broadcast, reduce, synchronize
from portanet.distributed.engine import Engine
from portanet.distributed.group import initialize, initialized, local_rank, rank, workers
from portanet.distributed.loader import DistributedLoader
from portanet.distributed.optimizer import DistributedOptimizer
from portanet.listing import listing

__all__ = [
    "DistributedLoader",
    "DistributedOptimizer",
    "Engine",
    "SyncBatchNorm",
    "allreduce",
    "broadcast",
    "initialize",
    "initialized",
    "local_rank",
    "rank",
    "reduce",
    "sync_batch_norm",
    "synchronize",
    "workers",
]
__dir__ = listing(__all__)
