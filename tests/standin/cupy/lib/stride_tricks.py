"""``cupy.lib.stride_tricks``: other looks at the memory of an array."""

import numpy as np
from cupy._array import made


def as_strided(x, shape=None, strides=None):
    return made(np.lib.stride_tricks.as_strided(x._host, shape, strides), x._device)
