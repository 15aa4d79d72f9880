"""A stand-in for ``cupy.ElementwiseKernel`` whose kernels are loops on the host.

Kernels that have been made, but not yet been called, are compiled together at the next call.
"""

from __future__ import annotations

import ctypes
import itertools
import re
import shutil
import subprocess

import numpy as np

from portanet.tracing.plan.fused_words import C_TYPES


def _compiler():
    """Return a compiler that knows half precision, None without one."""
    found = shutil.which("g++")
    if found is None:
        return None
    check = [found, "-x", "c++", "-fsyntax-only", "-"]
    return (
        None
        if subprocess.run(check, input=b"_Float16 x;", stderr=subprocess.DEVNULL).returncode
        else found
    )


COMPILER = _compiler()
HEAD = """
#include <cmath>
using namespace std;
typedef _Float16 float16;
#define __device__
"""
_numbers = itertools.count()


def unique(preambles):
    """Return what all preambles define, each template and type once."""
    parts = (part for text in preambles for part in re.split(r"\n(?=template|typedef)", text))
    return dict.fromkeys(part.strip() for part in parts)


class Kernels:
    """Where kernels are compiled; `ElementwiseKernel` is what CuPy has under that name."""

    def __init__(self, folder):
        self.folder = folder
        self.waiting = []
        self.made = []
        self.launches = 0

    def ElementwiseKernel(self, inputs, outputs, body, name, *, preamble, options):
        assert name.isidentifier()
        assert options == ("--fmad=false",)
        kernel = Kernel(self, inputs, outputs, body, preamble)
        self.waiting.append(kernel)
        self.made.append(kernel)
        return kernel

    def compile(self):
        source = self.folder / f"kernels{next(_numbers)}.cpp"
        target = source.with_suffix(".so")
        preambles = unique(kernel.preamble for kernel in self.waiting)
        loops = [kernel.loop(f"k{i}") for i, kernel in enumerate(self.waiting)]
        source.write_text("\n".join([HEAD, *preambles, 'extern "C" {', *loops, "}"]))
        flags = ["-O1", "-w", "-shared", "-fPIC", "-ffp-contract=off"]
        subprocess.run([COMPILER, *flags, "-o", target, source], check=True)
        library = ctypes.CDLL(str(target))
        for i, kernel in enumerate(self.waiting):
            kernel.function = library[f"k{i}"]
        self.waiting.clear()


class Kernel:
    def __init__(self, kernels, inputs, outputs, body, preamble):
        self.kernels = kernels
        self.inputs = [x.split() for x in inputs.split(",")]
        self.outputs = [x.split() for x in outputs.split(",")]
        self.body = body
        self.preamble = preamble
        self.function = None

    def loop(self, name):
        places = enumerate([*self.inputs, *self.outputs])
        lines = [
            f"{'const ' * (i < len(self.inputs))}{C_TYPES[dtype]} &{x} = "
            f"(({C_TYPES[dtype]} *)arrays[{i}])[_i];"
            for i, (dtype, x) in places
        ]
        head = f"void {name}(long _n, void **arrays) {{ for (long _i = 0; _i < _n; ++_i) {{"
        return "\n".join([head, *lines, self.body, "} }"])

    def cuda(self, name):
        """Return the text of a kernel as CuPy gives it to CUDA's compiler, for two axes."""
        params, lines = [], []
        for i, (dtype, x) in enumerate([*self.inputs, *self.outputs]):
            const = "const " * (i < len(self.inputs))
            params.append(f"{const}CArray<{C_TYPES[dtype]}, 2, 0, 1> _raw_{x}")
            lines.append(f"{const}{C_TYPES[dtype]} &{x} = _raw_{x}[_ind.get()];")
        head = f'extern "C" __global__ void {name}({", ".join(params)}, CIndexer<2, 1> _ind) {{'
        loop = "CUPY_FOR(i, _ind.size()) { _ind.set(i);"
        return "\n".join([head, loop, *lines, self.body, "} }"])

    def __call__(self, *args):
        """Broadcast, check the dtypes and allocate the results, as CuPy does."""
        assert len(args) == len(self.inputs)
        arrays = [x for x in args if hasattr(x, "shape")]
        if not arrays:
            raise ValueError("Loop size is undecided.")
        shape = np.broadcast_shapes(*(x.shape for x in arrays))
        given = []
        for x, (dtype, name) in zip(args, self.inputs, strict=True):
            if hasattr(x, "dtype") and x.dtype != dtype:
                raise TypeError(f"Type is mismatched. {name} {x.dtype} {dtype}")
            given.append(np.array(np.broadcast_to(np.asarray(x, dtype), shape), order="C"))
        results = [np.empty(shape, dtype) for dtype, _ in self.outputs]
        if self.function is None:
            self.kernels.compile()
        places = [x.ctypes.data for x in (*given, *results)]
        self.kernels.launches += 1
        self.function(ctypes.c_long(results[0].size), (ctypes.c_void_p * len(places))(*places))
        return results[0] if len(results) == 1 else tuple(results)
