"""``cupy.RawKernel``: whole functions of the device, run block by block on the host.

The threads of a block take turns: one runs until it waits for the others in ``__syncthreads``, then
the next. Memory beside the arrays that are whole is watched: a kernel that writes there is refused.
"""

from __future__ import annotations

import ctypes
import math
import re
from functools import cached_property
from typing import Any

import numpy as np
from cupy._array import ndarray
from cupy._compile import CompileException, Unit, compiled
from cupy._state import counts, current

_GUARD = 64  # bytes before and after an array in which nothing may be written
_MARK = 0xA5
_POINTER = ctypes.c_void_p
_SCALARS = {"long long": ctypes.c_longlong, "double": ctypes.c_double, "bool": ctypes.c_bool}

# The first run of a thread is a context of its own; after that they jump, which costs no system
# call. Whoever resumes is the thread that `running` says.
THREADS = """
#include <ucontext.h>
#define __global__
#define __launch_bounds__(n)
#define __shared__ static thread_local
struct dim3 { unsigned x, y, z; };
static thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
namespace turns {
struct Thread { ucontext_t start; void *point[5]; bool begun, ended; long waits; };
static thread_local Thread threads[1024];
static thread_local ucontext_t caller;
static thread_local void (*body)();
static thread_local int count, running, step, left;
static thread_local char *stacks;
enum { STACK = 1 << 15 };
inline void become(int i) {
    running = i;
    threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
}
__attribute__((noinline)) void go_on() {
    Thread &next = threads[running];
    if (next.begun) __builtin_longjmp(next.point, 1);
    next.begun = true;
    setcontext(&next.start);
}
inline void pass() {
    do become((running + step + count) % count); while (threads[running].ended);
}
__attribute__((noinline)) void wait() {
    const int mine = running;
    ++threads[mine].waits;
    if (__builtin_setjmp(threads[mine].point)) { become(mine); return; }
    pass();
    if (running == mine) return;
    go_on();
    __builtin_unreachable();
}
static void live() {
    for (unsigned z = 0; z < gridDim.z; ++z) for (unsigned y = 0; y < gridDim.y; ++y)
    for (unsigned x = 0; x < gridDim.x; ++x) { blockIdx = {x, y, z}; body(); wait(); }
    threads[running].ended = true;
    if (!--left) setcontext(&caller);
    pass();
    go_on();
}
static int run(const unsigned *grid, const unsigned *block, int order, void (*kernel)()) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    body = kernel; step = order; left = count = block[0] * block[1] * block[2];
    if (!stacks) stacks = (char *)__builtin_malloc(1024l * STACK);
    for (int i = 0; i < count; ++i) {
        Thread &t = threads[i];
        t.begun = t.ended = false; t.waits = 0;
        getcontext(&t.start);
        t.start.uc_stack = {stacks + long(i) * STACK, 0, STACK};
        makecontext(&t.start, live, 0);
    }
    volatile bool done = false;
    getcontext(&caller);
    if (!done) { done = true; become(step > 0 ? 0 : count - 1); go_on(); }
    for (int i = 1; i < count; ++i) if (threads[i].waits != threads[0].waits) return 1;
    return 0;
}
}
inline void __syncthreads() { turns::wait(); }
"""


class Reading(CompileException):
    """A kernel that is not in the source, or whose parameters cannot be read."""


class RawKernel:
    """A function of the device and the way to launch it.

    Attributes
    ----------
    order : int
        1, or -1 where the threads of a block take turns from the last to the first: what they
        compute does not depend on it unless one reads what another has not written yet.
    """

    __module__ = "cupy"
    order = 1

    def __init__(self, code, name, options=(), backend="nvrtc", **others):
        self.code, self.name, self.options = code, name, tuple(options)
        _waiting.append(self)

    def __call__(self, grid, block, args, *, shared_mem=0, **options):
        if shared_mem:
            raise NotImplementedError("the stand-in has no dynamic shared memory")
        grid, block = ((*map(int, n), 1, 1)[:3] for n in (grid, block))
        if math.prod(block) > 1024 or min(*grid, *block) < 1 or max(grid[1:]) > 65535:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        if len(args) != len(self._types):
            raise RuntimeError(f"{self.name} has {len(self._types)} parameters, not {len(args)}")
        memory = [_given(x, kind) for x, kind in zip(args, self._types, strict=True)]
        pointers = (_POINTER * len(memory))(*(m.place for m in memory))
        sizes = [(ctypes.c_uint * 3)(*n) for n in (grid, block)]
        counts.launches += 1
        if self._function(*sizes, self.order, pointers):
            raise RuntimeError(f"not all threads of a block wait in {self.name}")
        for m in memory:
            m.take_back()

    @cached_property
    def _types(self) -> list[str]:
        found = re.search(rf"__global__ void\s[^;{{]*?{self.name}\(([^)]*)\)", self.code)
        if found is None:
            raise Reading(f"no kernel {self.name}")
        return [re.sub(r"\s*\w+$", "", part).strip() for part in found[1].split(",")]

    @cached_property
    def _function(self) -> Any:
        waiting = [kernel for kernel in _waiting if kernel.options == self.options]
        _waiting[:] = [kernel for kernel in _waiting if kernel not in waiting]
        kernels = list(dict.fromkeys([*waiting, self]))
        try:
            made = compiled(list({k._unit: None for k in kernels}), self.options)
        except CompileException:  # of one of them
            return compiled([self._unit], self.options)[0]
        functions = dict(zip({k._unit: None for k in kernels}, made, strict=True))
        for kernel in kernels:
            kernel.__dict__["_function"] = functions[kernel._unit]
        return functions[self._unit]

    @cached_property
    def _unit(self) -> Unit:
        code = re.sub(r"(?m)^#.*$", "", self.code).replace('extern "C"', "static")
        values = ", ".join(f"*(({t} *)args[{i}])" for i, t in enumerate(self._types))
        return Unit(
            THREADS,
            "const unsigned *grid, const unsigned *block, int order, void **given",
            "own::args = given; return turns::run(grid, block, order, own::call);",
            "int",
            f"{code}\nstatic thread_local void **args;\n"
            f"static void call() {{ {self.name}({values}); }}",
        )


_waiting: list[RawKernel] = []
"""Kernels that are compiled together, with the first of them that is launched."""


class _Scalar:
    """A number as an argument."""

    def __init__(self, x: Any, kind: str) -> None:
        self._held = _SCALARS[kind](x)
        self.place = ctypes.addressof(self._held)

    def take_back(self) -> None:
        """Leave it: a number is given by value."""


class _Array:
    """An array as an argument: its place, or a copy between two guards where all of it is whole."""

    def __init__(self, x: ndarray, kind: str) -> None:
        self._host, self._copy = x._host, None
        self._writes = not kind.startswith("const ")
        start = x._host.ctypes.data
        if x._host.flags.c_contiguous:
            size = x._host.nbytes
            self._copy = np.full(size + 2 * _GUARD, _MARK, np.uint8)
            self._copy[_GUARD : _GUARD + size] = x._host.reshape(-1).view(np.uint8)
            start = self._copy.ctypes.data + _GUARD
        self._pointer = _POINTER(start)
        self.place = ctypes.addressof(self._pointer)

    def take_back(self) -> None:
        """Take what was written, and nothing beside it."""
        if self._copy is None:
            return
        inside = self._copy[_GUARD:-_GUARD]
        beside = np.concatenate([self._copy[:_GUARD], self._copy[-_GUARD:]])
        before = self._host.reshape(-1).view(np.uint8)
        changed = not np.array_equal(inside, before)
        if (beside != _MARK).any() or (changed and not self._writes):
            raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access")
        if changed:
            before[...] = inside


def _given(x: Any, kind: str) -> _Scalar | _Array:
    """Return an argument as the parameter takes it, which on a device nobody checks."""
    if isinstance(x, ndarray):
        if not kind.endswith("*") or x._device != current.device:
            raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access")
        return _Array(x, kind)
    wanted = {bool: "bool", int: "long long", float: "double"}.get(type(x))
    if wanted is None:
        raise TypeError(f"Unsupported type {type(x)}")
    if kind.removeprefix("const ") != wanted:
        raise TypeError(f"{kind} is no {wanted}, of which the device would read the bytes")
    return _Scalar(x, wanted)
