"""``cupy.fft``: NumPy's transforms, in single precision where CuPy calculates so."""

import numpy as np
from cupy._functions import functions_of

_FUNCTIONS = functions_of("cupy.fft", {}, np.fft)
globals().update(_FUNCTIONS)
__all__ = list(_FUNCTIONS)
