"""Device code compiled for the host, and kept in the folder that CuPy keeps its kernels in."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

C_TYPES = {
    "?": "bool", "b": "signed char", "h": "short", "i": "int", "l": "long long", "q": "long long",
    "B": "unsigned char", "H": "unsigned short", "I": "unsigned int", "L": "unsigned long long",
    "Q": "unsigned long long", "e": "float16", "f": "float", "d": "double",
}  # fmt: skip

_ONE = """
    acos acosh asin asinh atan atanh cbrt ceil cos cosh erf erfc exp exp2 expm1 fabs floor lgamma
    log log10 log1p log2 nearbyint rint round sin sinh sqrt tan tanh tgamma trunc
"""
_TWO = "atan2 copysign fdim fmax fmin fmod hypot nextafter pow remainder"


def _overloads() -> str:
    lines = []
    for names, parameters, args in ((_ONE, "{0} a", "a"), (_TWO, "{0} a, {0} b", "a, b")):
        for name in names.split():
            double, single = (parameters.format(t) for t in ("double", "float"))
            lines.append(f'extern "C" double {name}({double}); extern "C" float {name}f({single});')
            for kind in ("float", "float16"):
                head = f"inline float {name}({parameters.format(kind)})"
                lines.append(f"{head} {{ return {name}f({args}); }}")
    return "\n".join(lines)


# The header of the C library would take most of the time of a compilation.
HEAD = f"""
typedef _Float16 float16;
#define __device__
#define __forceinline__ inline
{_overloads()}
template <typename T> inline T min(T a, T b) {{ return b < a ? b : a; }}
template <typename T> inline T max(T a, T b) {{ return a < b ? b : a; }}
template <typename T> inline bool isnan(T a) {{ return a != a; }}
template <typename T> inline bool isfinite(T a) {{ return a - a == 0; }}
template <typename T> inline bool isinf(T a) {{ return a == a && a - a != 0; }}
inline bool signbit(float a) {{ return __builtin_signbit(a); }}
inline bool signbit(double a) {{ return __builtin_signbit(a); }}
inline double cospi(double a) {{ return cos(3.14159265358979323846 * a); }}
inline float cospif(float a) {{ return cospi(double(a)); }}
"""
FLAGS = ["-O1", "-w", "-shared", "-fPIC", "-fno-exceptions", "-fno-math-errno"]


@cache
def compiler() -> str | None:
    """Return a compiler of C++ that knows half precision, None without one."""
    found = shutil.which("g++")
    check = [found, "-x", "c++", "-fsyntax-only", "-"]
    if found is None or subprocess.run(check, input=b"_Float16 x;", capture_output=True).returncode:
        return None
    return found


@cache
def _folder() -> Path:
    kept = os.environ.get("CUPY_CACHE_DIR")
    folder = Path(kept or tempfile.mkdtemp(prefix="cupy"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compiled(units: Sequence[Unit], options: tuple[str, ...]) -> list[Any]:
    """Return a function for each unit; all are one call of the compiler."""
    found = compiler()
    if found is None:
        raise RuntimeError("no g++ of 12 or later to compile kernels for the host")
    contract = "-ffp-contract=" + ("off" if "--fmad=false" in options else "fast")
    text = "\n".join([HEAD, *_definitions(units), *(unit.text for unit in units)])
    target = _folder() / f"{_hash(found, contract, *FLAGS, text)}.so"
    if not target.exists():
        made = target.with_suffix(f".{os.getpid()}")
        command = [found, "-x", "c++", "-", *FLAGS, contract, "-o", str(made)]
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        if done.returncode:
            raise CompileException(done.stderr)
        made.replace(target)
    library = ctypes.CDLL(str(target))
    return [library[unit.name] for unit in units]


def _definitions(units: Sequence[Unit]) -> list[str]:
    """Return what the preambles define, each template and type once for all of them."""
    found: dict[str, None] = {}
    for unit in units:
        parts = [part.strip() for part in _DEFINITION.split(unit.preamble)]
        if len(set(parts)) < len(parts):
            raise CompileException(f"something is defined twice in {unit.preamble}")
        found.update(dict.fromkeys(parts))
    return list(found)


_DEFINITION = re.compile(r"\n(?=template|typedef)")


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Unit:
    """A kernel as a function of the host: its surroundings, its parameters and its body."""

    preamble: str
    parameters: str
    body: str
    result: str = "void"
    own: str = ""
    """What stands in a namespace of its own, which `body` calls ``own``."""

    @cached_property
    def name(self) -> str:
        return f"kernel_{_hash(self.preamble, self.own, self.body)}"

    @property
    def text(self) -> str:
        body = f"namespace own = of_{self.name};\n{self.body}" if self.own else self.body
        own = f"namespace of_{self.name} {{\n{self.own}\n}}\n" if self.own else ""
        return f'{own}extern "C" {self.result} {self.name}({self.parameters}) {{\n{body}\n}}'


class CompileException(Exception):
    """What a compiler said of a source."""
