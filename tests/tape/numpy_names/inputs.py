"""The arrays of the cases, away from kinks and steps."""

from __future__ import annotations

import numpy as np

V = np.asarray([0.31, 0.72, 1.27, 0.54])
W = np.asarray([1.21, 0.43, 0.92, 0.25])
A = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
B = np.asarray([[1.1, 0.6, -0.8], [-0.5, 1.7, 0.2]])
S = np.asarray([[2.1, 0.3, -0.2], [0.4, 1.7, 0.5], [-0.1, 0.2, 1.4]])
T = np.arange(1.0, 25.0).reshape(2, 3, 4) % 7 / 4 + 0.13 * np.arange(24.0).reshape(2, 3, 4) % 1.1
N = np.asarray([0.31, np.nan, 1.27, 0.54])
M = np.asarray([[0.3, np.nan, 1.2], [0.9, 0.4, -1.6]])
