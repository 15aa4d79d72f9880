"""Messages by torch.distributed: gloo between hosts, NCCL between GPUs of NVIDIA."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import distributed

from portanet.distributed.engine import Engine
from portanet.distributed.launchers import integer_from
from portanet.errors import DistributedError

_OPERATIONS = {
    "sum": distributed.ReduceOp.SUM,
    "mean": distributed.ReduceOp.SUM,
    "max": distributed.ReduceOp.MAX,
    "min": distributed.ReduceOp.MIN,
}

T = TypeVar("T", bound=Callable[..., Any])


def _explained(method: T) -> T:
    """Let what torch says of a failure be an error of the family."""

    @wraps(method)
    def call(self: Any, *args: Any) -> Any:
        try:
            return method(self, *args)
        except RuntimeError as error:
            raise DistributedError(
                f"torch.distributed failed on worker {self.rank} of {self.workers}: {error}: a "
                f"worker is gone, does something else than the others, or did not answer in "
                f"{self._seconds:g} s"
            ) from error

    return call  # pyright: ignore[reportReturnType]


class TorchEngine(Engine):
    """The processes that `torchrun` has started, or a group that the program has made."""

    name = "torch"
    library = "torch"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.local_rank = integer_from("LOCAL_RANK", 0)
        if torch.cuda.is_available():
            torch.cuda.set_device(self.local_rank % torch.cuda.device_count())
        if not distributed.is_initialized():
            distributed.init_process_group(timeout=timedelta(seconds=seconds))
            atexit.register(distributed.destroy_process_group)  # its threads abort an exit
        self.rank, self.workers = distributed.get_rank(), distributed.get_world_size()

    @_explained
    def allreduce(self, message: torch.Tensor, operation: str) -> torch.Tensor:
        if message.dtype == torch.bool:
            return self.allreduce(message.to(torch.uint8), operation).to(torch.bool)
        total = message.clone()
        parts = torch.view_as_real(total) if total.is_complex() else total
        distributed.all_reduce(parts, op=_OPERATIONS[operation])
        return total.div_(self.workers) if operation == "mean" else total

    @_explained
    def broadcast(self, message: torch.Tensor, root: int) -> torch.Tensor:
        message = message.clone()
        distributed.broadcast(message.view(torch.uint8), src=root)
        return message

    @_explained
    def gather(self, data: bytes) -> list[bytes]:
        found: list[Any] = [None] * self.workers
        distributed.all_gather_object(found, data)
        return found
