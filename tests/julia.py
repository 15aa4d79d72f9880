"""The random numbers of Julia, by the published algorithms, so that its tutorials can be repeated.

`Xoshiro` is xoshiro256++ (Blackman and Vigna, 2021), of which Julia runs eight side by side to fill
an array of 64 bytes or more. `MersenneTwister` is dSFMT 19937 (Saito and Matsumoto, 2009). Normal
numbers come from the ziggurat of Marsaglia and Tsang (2000) with 256 layers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

_64, _52, _32 = 2**64 - 1, 2**52 - 1, 2**32 - 1


class _Generator:
    """What is drawn from uniform numbers, whatever draws those."""

    def bits(self) -> int:
        """Return 52 random bits."""
        raise NotImplementedError

    def uniform(self) -> float:
        raise NotImplementedError

    def normal(self, bits: int | None = None) -> float:
        while True:
            bits = self.bits() if bits is None else bits
            size, layer = bits >> 1, bits >> 1 & 255
            x = (-size if bits & 1 else size) * WIDTH[layer]
            if size < INSIDE[layer]:
                return x
            if layer == 0:
                return self._tail(size >> 8 & 1)
            below, above = HEIGHT[layer], HEIGHT[layer - 1]
            if (above - below) * self.uniform() + below < math.exp(-x * x / 2):
                return x
            bits = None

    def _tail(self, negative: int) -> float:
        while True:
            x, y = -math.log(self.uniform()) / EDGE, -math.log(self.uniform())
            if 2 * y > x * x:
                return -EDGE - x if negative else EDGE + x

    def normals(self, *shape: int) -> np.ndarray:
        """Return float32 normal numbers drawn one by one, in Julia's order: down the columns."""
        draws = [self.normal() for _ in range(math.prod(shape))]
        return np.asarray(draws, np.float32).reshape(shape, order="F")


class Xoshiro(_Generator):
    """xoshiro256++ from the four words of its state."""

    SEED_0 = 0xDB2FA90498613FDF, 0x48D73DC42D195740, 0x8C49BC52DC8A77EA, 0x1911B814C02405E8
    LANES = 0x02011CE34BCE797F, 0x5A94851FB48A6E05, 0x3688CF5D48899FA7, 0x867B4BB4C42E5661

    def __init__(self, state: Sequence[int] = SEED_0) -> None:
        self.state = state

    def word(self) -> int:
        a, b, c, d = self.state
        word = _rotated(a + d & _64, 23) + a & _64
        c, d = c ^ a, d ^ b
        self.state = a ^ d, b ^ c, c ^ (b << 17 & _64), _rotated(d, 45)
        return word

    def bits(self) -> int:
        return self.word() >> 12

    def uniform(self) -> float:
        return (self.word() >> 11) * 2.0**-53

    def uniforms(self, *shape: int, dtype: type = np.float64) -> np.ndarray:
        """Return numbers from 0 to 1 in Julia's order."""
        size = math.prod(shape)
        words = np.asarray(self._words(size * np.dtype(dtype).itemsize), np.uint64)
        if dtype is np.float64:
            draws = (words >> np.uint64(11)) * 2.0**-53
        else:
            draws = (words.view(np.uint32)[:size] >> 8).astype(dtype) * dtype(2.0**-24)
        return draws.reshape(shape, order="F")

    def _words(self, size: int) -> list[int]:
        words: list[int] = []
        if size >= 64:
            states = [[factor * self.word() & _64 for _ in range(8)] for factor in self.LANES]
            lanes = [Xoshiro(state) for state in zip(*states, strict=True)]
            words = [lane.word() for _ in range(size // 64) for lane in lanes]
        return words + [self.word() for _ in range(-(-size // 8) - len(words))]


class MersenneTwister(_Generator):
    """dSFMT 19937, seeded with one number."""

    def __init__(self, seed: int) -> None:
        self._draws = _mersenne(_mersenne_seed(seed))

    def bits(self) -> int:
        return next(self._draws) & _52

    def uniform(self) -> float:
        return self.bits() * 2.0**-52

    def doubles(self, size: int) -> np.ndarray:
        """Return float64 normal numbers: of all of them the first bits are drawn first."""
        bits = [self.bits() for _ in range(size)]
        return np.asarray([self.normal(drawn) for drawn in bits])

    def singles(self, size: int) -> np.ndarray:
        """Return float32 numbers from 0 to 1; `size` is a multiple of 4."""
        fractions: list[int] = []
        for _ in range(size // 4):
            block = next(self._draws) | next(self._draws) << 64
            block ^= block << 26
            fractions += [block >> 32 * k & 0x7FFFFF for k in range(4)]
        return np.asarray(fractions, np.float32) * np.float32(2.0**-23)


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> 64 - by) & _64


def _mersenne_seed(seed: int) -> list[int]:
    size, middle, lag = 768, 378, 11
    state = [0x8B8B8B8B] * size
    keys = itertools.chain([1, seed], itertools.repeat(0))
    for turn, factor in ((0, 1664525), (1, 1566083941)):
        for i in range(size):
            near, far = (i + middle) % size, (i + middle + lag) % size
            mixed = state[i], state[near], state[i - 1]
            mix = sum(mixed) & _32 if turn else mixed[0] ^ mixed[1] ^ mixed[2]
            mix = (mix ^ mix >> 27) * factor & _32
            if turn:
                state[near] ^= mix
                mix = mix - i & _32
                state[far] ^= mix
            else:
                state[near] = state[near] + mix & _32
                mix = mix + i + next(keys) & _32
                state[far] = state[far] + mix & _32
            state[i] = mix
    words = [low | high << 32 for low, high in zip(state[::2], state[1::2], strict=True)]
    words[:-2] = [word & _52 | 0x3FF << 52 for word in words[:-2]]
    parity = (words[-2] ^ 0x90014964B32F4329) & 0x3D84E1AC0DC82880
    parity ^= (words[-1] ^ 0x3B8D12AC548A7C7A) & 1
    words[-1] ^= 1 - parity.bit_count() % 2
    return words


def _mersenne(words: list[int]) -> Iterator[int]:
    *state, low, high = words
    while True:
        for i in range(0, 382, 2):
            j = (i + 234) % 382
            a, b = state[i : i + 2]
            low, high = (
                a << 19 & _64 ^ _rotated(high, 32) ^ state[j],
                b << 19 & _64 ^ _rotated(low, 32) ^ state[j + 1],
            )
            state[i] = low >> 12 ^ low & 0x000FFAFFFFFFFB3F ^ a
            state[i + 1] = high >> 12 ^ high & 0x000FFDFFFC90FFFD ^ b
        yield from state.copy()


EDGE, AREA = 3.6541528853610088, 0.00492867323399


def _ziggurat() -> tuple[list[float], list[int], list[float]]:
    """The width of a unit in each layer, how many of them are surely inside, and the heights."""
    unit, height = 2.0**-51, math.exp(-EDGE * EDGE / 2)
    width, heights, inside = [0.0] * 256, [1.0] * 256, [0] * 256
    width[0], inside[0] = AREA / height * unit, int(EDGE * height / AREA / unit)
    x = EDGE
    for layer in range(255, 0, -1):
        width[layer], heights[layer] = x * unit, height
        if layer > 1:
            inner = math.sqrt(-2 * math.log(AREA / x + height))
            inside[layer] = int(inner / x / unit)
            x, height = inner, math.exp(-inner * inner / 2)
    return width, inside, heights


WIDTH, INSIDE, HEIGHT = _ziggurat()
