"""Questions about a traced array: name, what is asked."""

from __future__ import annotations

import numpy as np
from tape.numpy_names.inputs import V

ANSWERS = {
    "allclose": lambda x: np.allclose(x, [0.31, 0.72, 1.27, 0.54]),
    "argwhere": lambda x: np.argwhere(x > 0.5),
    "array_equal": lambda x: np.array_equal(x, V) & np.array_equal(V, x + 0, True),
    "array_equal of other shapes": lambda x: np.array_equal(x, V[:2]),
    "array_equiv": lambda x: np.array_equiv(x, V[None]),
    "array_repr": lambda x: len(np.array_repr(x)) > 0,
    "array_str": lambda x: len(np.array_str(x)) > 0,
    "can_cast": lambda x: np.can_cast(x.dtype, np.float32),
    "common_type": lambda x: np.common_type(x, V) is np.float64,
    "diag_indices_from": lambda x: np.diag_indices_from(x[:, None] * x)[0],
    "digitize": lambda x: np.digitize(x, bins=[0.0, 0.5, 1.0]),
    "fix": lambda x: np.fix(3 * x),
    "flatnonzero": lambda x: np.flatnonzero(x > 0.6),
    "iscomplex": lambda x: np.iscomplex(x + 0j),
    "iscomplexobj": lambda x: np.iscomplexobj(x) or np.iscomplexobj(x + 1j),
    "isclose": lambda x: np.isclose(x, 0.72),
    "isin": lambda x: np.isin(x, [0.31, 1.27]),
    "isneginf": lambda x: np.isneginf(-np.inf * x),
    "isposinf": lambda x: np.isposinf([-np.inf, 1, np.inf, 2] * x),
    "isreal": lambda x: np.isreal(x * 1j),
    "isrealobj": lambda x: np.isrealobj(x),
    "lexsort": lambda x: np.lexsort((x, x > 0.5)),
    "may_share_memory": lambda x: np.may_share_memory(x, x),
    "min_scalar_type": lambda x: np.min_scalar_type(x) == np.float64,
    "ndim": lambda x: np.ndim(x) == x.ndim,
    "nonzero": lambda x: np.nonzero(x > 0.6)[0] + x.round().nonzero()[0][:1],
    "ravel_multi_index": lambda x: np.ravel_multi_index((np.argsort(x), [0, 1, 0, 1]), (4, 2)),
    "result_type": lambda x: np.result_type(x, np.float32) == np.float64,
    "searchsorted": lambda x: np.searchsorted(np.sort(x), [0.4, 1.0], side="right"),
    "shape": lambda x: np.shape(x) == (4,),
    "shares_memory": lambda x: np.shares_memory(x, x),
    "size": lambda x: np.size(x) * np.size(x[None], 1) * x.itemsize + x.nbytes,
    "tril_indices_from": lambda x: np.tril_indices_from(np.outer(x, x), k=1)[0],
    "triu_indices_from": lambda x: np.triu_indices_from(np.outer(x, x))[1],
    "unravel_index": lambda x: np.unravel_index(np.argmax(x), (2, 2))[0],
    "zeros_like": lambda x: np.zeros_like(x) + np.ones_like(x, dtype=np.float64, shape=(4,)),
    "ones_like": lambda x: np.ones_like(x, np.int8),
    "full_like": lambda x: np.full_like(x, 2, dtype=int),
    "searchsorted of a method": lambda x: np.sort(x).searchsorted(0.6, "left"),
    "argsort of a method": lambda x: x.argsort()[::-1] + x.argpartition(1) * 0,
    "spread": lambda x: np.empty_like(x).shape == (4,) and np.empty_like(x, shape=(2,)).size == 2,
}
OF_NO_SIZE = {"argwhere", "flatnonzero", "nonzero"}
