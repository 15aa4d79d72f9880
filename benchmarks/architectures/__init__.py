"""Training steps and inference of known architectures, one a file."""

from benchmarks.architectures.lenet import lenet
from benchmarks.architectures.lstm import lstm
from benchmarks.architectures.minilm import minilm
from benchmarks.architectures.transformer import transformer

__all__ = ["lenet", "lstm", "minilm", "transformer"]
