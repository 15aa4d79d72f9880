"""Random numbers on a CUDA device: entry i of an array depends on the key and on i alone.

The generator is Philox4x32-10 [1]_: the first word of a key is the generator's key, the second
one the upper half of its counter, the index of the entry the lower half.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as
   1, 2, 3", SC 2011.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cupy

PHILOX = r"""
__device__ void philox(unsigned int c[4], unsigned int k0, unsigned int k1) {
    for (int round = 0; round < 10; ++round) {
        unsigned long long p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
        c[0] = (unsigned int)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (unsigned int)p1;
        c[2] = (unsigned int)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (unsigned int)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}
__device__ void draw(
    unsigned int c[4], unsigned long long high, unsigned long long low, unsigned long long i
) {
    c[0] = (unsigned int)i;
    c[1] = (unsigned int)(i >> 32);
    c[2] = (unsigned int)low;
    c[3] = (unsigned int)(low >> 32);
    philox(c, (unsigned int)high, (unsigned int)(high >> 32));
}
__device__ double fraction53(unsigned int a, unsigned int b) {
    return ((a >> 5) * 67108864.0 + (b >> 6)) / 9007199254740992.0;
}
"""

# One formula a dtype: uniform numbers k / 2**n in [0, 1) with all n bits that the dtype resolves,
# normal ones by Box and Muller's transformation of numbers in (0, 1].
_FORMULAS = {
    ("uniform", "float16"): "(c[0] >> 21) / 2048.0f",
    ("uniform", "float32"): "(c[0] >> 8) / 16777216.0f",
    ("uniform", "float64"): "fraction53(c[0], c[1])",
    ("normal", "float32"): (
        "sqrtf(-2.0f * logf(((c[0] >> 8) + 1) / 16777216.0f)) * cospif((c[1] >> 8) / 8388608.0f)"
    ),
    ("normal", "float64"): (
        "sqrt(-2.0 * log(1.0 - fraction53(c[0], c[1]))) * cospi(2.0 * fraction53(c[2], c[3]))"
    ),
}
_FORMULAS["normal", "float16"] = _FORMULAS["normal", "float32"]


@cache
def _kernel(kind: str, dtype: str) -> Any:
    body = f"unsigned int c[4]; draw(c, high, low, i); y = {_FORMULAS[kind, dtype]};"
    return cupy.ElementwiseKernel(
        "uint64 high, uint64 low", "T y", body, f"portanet_{kind}_{dtype}", preamble=PHILOX
    )


def fill(kind: str, words: tuple[int, int], shape: tuple[int, ...], dtype: Any) -> Any:
    """Draw ``"uniform"`` or ``"normal"`` numbers on the current device."""
    high, low = map(cupy.uint64, words)
    return _kernel(kind, str(dtype))(high, low, cupy.empty(shape, dtype))
