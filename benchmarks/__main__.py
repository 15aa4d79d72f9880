"""Run the benchmarks named on the command line, or all."""

from __future__ import annotations

import argparse

from benchmarks import (
    architectures,
    cost_model,
    derivatives,
    full_batch,
    functions,
    imports,
    limit,
    loop,
    overhead,
    programs,
    standard,
    torch_layers,
    training,
    workers,
)
from benchmarks.report import machine

BENCHMARKS = {
    "training": training.training,
    "gradient": training.gradient,
    "inference": training.inference,
    "lenet": architectures.lenet,
    "lstm": architectures.lstm,
    "transformer": architectures.transformer,
    "minilm": architectures.minilm,
    "limit": limit.limit,
    "loop": loop.loop,
    "full_batch": full_batch.full_batch,
    "programs": programs.programs,
    "torch_layers": torch_layers.torch_layers,
    "overhead": overhead.overhead,
    "untraced": overhead.untraced,
    "functions": functions.functions,
    "jacobian": derivatives.jacobian,
    "physics": derivatives.physics,
    "standard": standard.standard,
    "import": imports.imports,
    "constants": cost_model.cost_model,
    "scaling": workers.scaling,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or list(BENCHMARKS)
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark {name!r}: choose from {', '.join(BENCHMARKS)}")
    print(machine())
    for name in names:
        for text in BENCHMARKS[name]():
            print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
