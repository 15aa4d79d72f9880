"""``cupy.ElementwiseKernel`` and ``cupy.ReductionKernel``: their texts as loops on the host."""

from __future__ import annotations

import ctypes
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from cupy._array import SCALARS, dtype_of, host, made, ndarray
from cupy._compile import C_TYPES, CompileException, Unit, compiled
from cupy._state import counts


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel; its dtype is None where a letter stands for it."""

    name: str
    ctype: str
    dtype: np.dtype | None
    raw: bool


def parameters(text: str) -> tuple[Parameter, ...]:
    """Read a list such as ``"T x, raw float32 y"``."""
    found = []
    for part in text.split(",") if text.strip() else ():
        *words, kind, name = part.split()
        if set(words) - {"raw"}:
            raise Exception(f'Unknown keyword "{words[0]}"')
        dtype = None if len(kind) == 1 else dtype_of(kind)
        ctype = kind if dtype is None else C_TYPES[dtype.char]
        found.append(Parameter(name, ctype, dtype, bool(words)))
    return tuple(found)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z_0-9]*", name):
        raise ValueError(f'Invalid kernel name: "{name}"')


class _Kernel:
    """What both kinds of kernels share: their parameters, and the dtypes of a call."""

    def __init__(self, in_params: str, out_params: str, name: str, preamble: str) -> None:
        _check_name(name)
        self.in_params, self.out_params = parameters(in_params), parameters(out_params)
        self.params = self.in_params + self.out_params
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        self.name = self.__name__ = name
        self.preamble = preamble
        if any(p.name == "i" for p in self.params):
            raise ValueError("Can not use 'i' as a parameter name")

    def _given(self, args: tuple[Any, ...]) -> list[Any]:
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        for x in args:
            if not isinstance(x, (ndarray, *SCALARS)):
                raise TypeError(f"Unsupported type {type(x)}")
        return list(map(host, args))

    def _types(self, given: list[Any]) -> dict[str, np.dtype]:
        """Return the dtypes that the letters among the parameters stand for."""
        letters: dict[str, np.dtype] = {}
        for p, x in zip(self.params, given, strict=False):
            if not isinstance(x, np.ndarray):
                continue
            known = p.dtype or letters.setdefault(p.ctype, x.dtype)
            if known != x.dtype:
                raise TypeError(f"Type is mismatched. {p.name} {x.dtype} {known}")
        return letters

    def _outputs(self, given: list[Any], types: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
        if len(given) == self.nin:
            return [np.empty(shape, p.dtype or types[p.ctype]) for p in self.out_params]
        for p, x in zip(self.out_params, given[self.nin :], strict=True):
            if not p.raw and x.shape != shape:
                raise ValueError("Out shape is mismatched")
        return given[self.nin :]

    def _typedefs(self, types: dict[str, np.dtype]) -> str:
        return "\n".join(f"typedef {C_TYPES[t.char]} {k};" for k, t in sorted(types.items()))


def _launch(function: Any, *args: Any) -> None:
    counts.launches += 1
    function(*args)


def _pointers(arrays: list[np.ndarray]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))


class ElementwiseKernel(_Kernel):
    """A statement for each entry, ``i`` by ``i``."""

    __module__ = "cupy"

    def __init__(
        self, in_params, out_params, operation, name="kernel", reduce_dims=True, preamble="",
        no_return=False, return_tuple=False, *, options=(), loop_prep="", after_loop="",
    ):  # fmt: skip
        super().__init__(in_params, out_params, name, preamble)
        self.operation, self.options = operation, tuple(options)
        self.no_return, self.return_tuple = no_return, return_tuple
        self._around = (loop_prep, after_loop)
        self._functions: dict[Any, Any] = {}
        if all(p.dtype is not None for p in self.params):
            _waiting.append(self)

    def __call__(self, *args, size=-1, stream=None, block_size=128):
        given = self._given(args)
        types = self._types(given)
        spread = [
            x
            for x, p in zip(given, self.params, strict=False)
            if isinstance(x, np.ndarray) and not p.raw
        ]
        if size == -1 and not spread:
            raise ValueError("Loop size is undecided.")
        if size != -1 and spread:
            raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
        shape = (size,) if size != -1 else np.broadcast_shapes(*(x.shape for x in spread))
        outputs = self._outputs(given, types, shape)
        if math.prod(shape):
            self._run(given, outputs, types, shape)
        if self.no_return:
            return None
        own = len(args) == self.nin
        done = [made(y) for y in outputs] if own else list(args[self.nin :])
        counts.launches -= len(done) if own else 0  # one launch made all of them
        return done[0] if self.nout == 1 and not self.return_tuple else tuple(done)

    def _run(self, given: Any, outputs: Any, types: Any, shape: tuple[int, ...]) -> None:
        key = tuple(sorted((k, t.char) for k, t in types.items()))
        if not key and self in _waiting:
            _compile_waiting(self.options)
        if key not in self._functions:
            (self._functions[key],) = compiled([self._unit(types)], self.options)
        inputs = []
        for x, p in zip(given, self.in_params, strict=False):
            x = np.asarray(x, p.dtype or types[p.ctype])
            inputs.append(np.array(x if p.raw else np.broadcast_to(x, shape), order="C"))
        places = [y if y.flags.c_contiguous else np.array(y, order="C") for y in outputs]
        arrays = [*inputs, *places]
        _launch(self._functions[key], ctypes.c_longlong(math.prod(shape)), _pointers(arrays))
        for y, place in zip(outputs, places, strict=True):
            if y is not place:
                y[...] = place

    def _unit(self, types: dict[str, np.dtype]) -> Unit:
        lines = []
        for number, p in enumerate(self.params):
            ctype = C_TYPES[(p.dtype or types[p.ctype]).char]
            const = "const " * (number < self.nin)
            whole = f"(({ctype} *)arrays[{number}])"
            lines.append(
                f"{const}{ctype} *{p.name} = {whole};"
                if p.raw
                else f"{const}{ctype} &{p.name} = {whole}[i];"
            )
        before, after = self._around
        body = [
            "const struct { long long n; long long size() const { return n; } } _ind = {count};",
            f"{before}; for (long long i = 0; i < count; ++i) {{",
            *lines,
            f"{self.operation};",
            f"}} {after};",
        ]
        preamble = f"{self._typedefs(types)}\n{self.preamble}"
        return Unit(preamble, "long long count, void **arrays", "\n".join(body))


_waiting: list[ElementwiseKernel] = []
"""Kernels whose dtypes are known, so that the first one that is called brings the others along."""


def _compile_waiting(options: tuple[str, ...]) -> None:
    kernels = [kernel for kernel in _waiting if kernel.options == options]
    _waiting[:] = [kernel for kernel in _waiting if kernel.options != options]
    units = {kernel._unit({}): None for kernel in kernels}
    try:
        functions = dict(zip(units, compiled(list(units), options), strict=True))
    except CompileException:
        return  # one of them, which then fails when it is called
    for kernel in kernels:
        kernel._functions[()] = functions[kernel._unit({})]


class ReductionKernel(_Kernel):
    """An expression of each entry, two of them joined until one is left, and what is made of it."""

    __module__ = "cupy"

    def __init__(
        self, in_params, out_params, map_expr, reduce_expr, post_map_expr, identity,
        name="reduce_kernel", reduce_type=None, reduce_dims=True, preamble="", options=(),
    ):  # fmt: skip
        super().__init__(in_params, out_params, name, preamble)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity = "" if identity is None else str(identity)
        self.reduce_type = reduce_type or self.out_params[0].ctype
        self.options = tuple(options)

    def __call__(self, *args, out=None, axis=None, keepdims=False, stream=None):
        if out is not None:
            args = (*args, out)
        given = self._given(args)
        types = self._types(given)
        spread = [x for x in given[: self.nin] if isinstance(x, np.ndarray)]
        if not spread:
            raise ValueError("Loop size is undecided.")
        shape = np.broadcast_shapes(*(x.shape for x in spread))
        axes = range(len(shape)) if axis is None else np.atleast_1d(axis) % max(len(shape), 1)
        inner = tuple(map(int, axes))
        outer = tuple(a for a in range(len(shape)) if a not in inner)
        count = math.prod(shape[a] for a in inner)
        if not count and not self.identity:
            raise ValueError(f"zero-size array to reduction operation {self.name}")
        left = tuple(
            (1 if a in inner else n) for a, n in enumerate(shape) if keepdims or a in outer
        )
        outputs = self._outputs(given, types, left)
        inputs = []
        for x, p in zip(given, self.in_params, strict=False):
            whole = np.broadcast_to(np.asarray(x, p.dtype or types[p.ctype]), shape)
            inputs.append(np.array(whole.transpose(*outer, *inner), order="C"))
        (function,) = compiled([self._unit(types)], self.options)
        rows = math.prod(left)
        arrays = _pointers([*inputs, *outputs])
        _launch(function, ctypes.c_longlong(rows), ctypes.c_longlong(count), arrays)
        if len(args) > self.nin:
            return args[self.nin] if self.nout == 1 else tuple(args[self.nin :])
        done = [made(y) for y in outputs]
        counts.launches -= len(done)
        return done[0] if self.nout == 1 else tuple(done)

    def _unit(self, types: dict[str, np.dtype]) -> Unit:
        def places(params: Any, first: int, index: str) -> str:
            ctypes = [C_TYPES[(p.dtype or types[p.ctype]).char] for p in params]
            return "\n".join(
                f"{t} &{p.name} = (({t} *)arrays[{number}])[{index}];"
                for number, (p, t) in enumerate(zip(params, ctypes, strict=True), first)
            )

        start = f"type_reduce({self.identity})" if self.identity else "type_reduce()"
        body = f"""
            typedef {self.reduce_type} type_reduce;
            for (long long i = 0; i < rows; ++i) {{
                type_reduce a = {start};
                bool first = {str(not self.identity).lower()};
                for (long long _j = 0; _j < count; ++_j) {{
                    {places(self.in_params, 0, "i * count + _j")}
                    const type_reduce b = type_reduce({self.map_expr});
                    a = first ? b : type_reduce({self.reduce_expr});
                    first = false;
                }}
                {places(self.out_params, self.nin, "i")}
                {self.post_map_expr};
            }}"""
        preamble = f"{self._typedefs(types)}\n{self.preamble}"
        return Unit(preamble, "long long rows, long long count, void **arrays", body)
