"""Write docs/standard-functions.md: other libraries' functions on the standard, differentiated.

    python docs/standard_table.py

Each function is called with the first of a few usual sets of arguments that it takes, or with
those of `ARGUMENTS`, and differentiated with respect to the first; the others are lifted. What
comes out is held against central differences of the function itself, called with NumPy's arrays.
"""

from __future__ import annotations

import os
import warnings

os.environ["SCIPY_ARRAY_API"] = "1"

import importlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from scipy._lib import array_api_extra
from scipy._lib._array_api import xp_capabilities_table
from sklearn import metrics

import portanet as pn
from portanet.errors import PortanetError

MODULES = (
    "special", "stats", "signal", "fft", "linalg", "integrate", "optimize",
    "differentiate", "interpolate", "cluster.vq", "constants",
)  # fmt: skip
METRICS = (
    "d2_absolute_error_score", "d2_brier_score", "d2_pinball_score", "d2_tweedie_score",
    "explained_variance_score", "log_loss", "max_error", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_gamma_deviance", "mean_pinball_loss",
    "mean_poisson_deviance", "mean_squared_error", "mean_squared_log_error",
    "mean_tweedie_deviance", "median_absolute_error", "r2_score", "root_mean_squared_error",
    "root_mean_squared_log_error", "pairwise.additive_chi2_kernel", "pairwise.chi2_kernel",
    "pairwise.cosine_distances", "pairwise.cosine_similarity", "pairwise.euclidean_distances",
    "pairwise.laplacian_kernel", "pairwise.linear_kernel", "pairwise.manhattan_distances",
    "pairwise.paired_cosine_distances", "pairwise.paired_euclidean_distances",
    "pairwise.polynomial_kernel", "pairwise.rbf_kernel", "pairwise.sigmoid_kernel",
)  # fmt: skip
SECONDS = 5

X = np.asarray([0.31, 0.72, 0.18, 0.55, 0.93, 0.44])
Y = np.asarray([0.61, 0.25, 0.84, 0.37, 0.12, 0.71])
M = np.stack([X, Y, X * Y, X**2])
SQUARE = M[:3, :3] + np.eye(3)
USUAL: tuple[tuple[Any, ...], ...] = (
    (X,), (X, Y), (M,), (M, M[::-1] + 0.1), (SQUARE,), (X, 2), (X, 3.0), (X, 2, 1.5), (X, 0.4, 1.5),
    (X, Y, 0.5), (X, Y, Y + 0.5), (X, Y, X + 0.5, 0.4), (M, 0.5), (M, (3, 3)), (X, 1, 0.2),
)  # fmt: skip
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "scipy.signal.hilbert": (X, 6),
    "scipy.signal.lfilter": (Y[:3], np.asarray([1.0, 0.2]), X),
    "scipy.signal.savgol_filter": (X, 5, 2),
    "scipy.signal.upfirdn": (Y[:3], X),
    "scipy.stats.friedmanchisquare": (X, Y, Y + 0.5),
    "scipy.stats.ttest_1samp": (X, 0.3),
    "scipy.stats.boxcox_llf": (0.7, X),
    "scipy.stats.yeojohnson_llf": (0.7, X),
    "scipy.constants.convert_temperature": (X, "Celsius", "Kelvin"),
    "scipy.fft.fht": (X, 0.1, 0.5),
    "scipy.fft.ifht": (X, 0.1, 0.5),
    "scipy.linalg.orthogonal_procrustes": (SQUARE, SQUARE.T @ SQUARE + 0.1),
    "scipy.special.multigammaln": (X + 2.0, 2),
    "scipy.special.polygamma": (2, X),
    "sklearn.metrics.pairwise.euclidean_distances": (M, M[::-1] + 0.1),
    "array_api_extra.apply_where": (X > 0.5, X, np.exp, np.sin),
    "array_api_extra.one_hot": (np.asarray([0, 2]), 3),
}
PLACES = {
    "scipy.stats.boxcox_llf": 1, "scipy.stats.yeojohnson_llf": 1, "scipy.special.polygamma": 1,
    "array_api_extra.apply_where": 1,
}  # fmt: skip


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every function that declares support, with its full name."""
    for module in MODULES:
        home = importlib.import_module(f"scipy.{module}")
        for name in sorted(home.__all__):
            member = getattr(home, name, None)
            entry = _entry(member)
            if entry is not None and not entry["np_only"]:
                yield f"scipy.{module}.{name}", member
    for name in METRICS:
        home, _, last = name.rpartition(".")
        member = getattr(metrics.pairwise if home else metrics, last, None)
        if member is not None:
            yield f"sklearn.metrics.{name}", member
    for name in sorted(array_api_extra.__all__):
        member = getattr(array_api_extra, name)
        if callable(member) and name != "at":
            yield f"array_api_extra.{name}", member


def _entry(member: Any) -> Any:
    try:
        return xp_capabilities_table.get(member)
    except TypeError:
        return None


def loss(result: Any) -> Any:
    """Return a smooth number made of all floating-point numbers of a result, None without any."""
    total = None
    for i, leaf in enumerate(_leaves(result)):
        xp = pn.array_namespace(leaf)
        if not xp.isdtype(leaf.dtype, ("real floating", "complex floating")):
            continue
        leaf = xp.abs(leaf) ** 2 if xp.isdtype(leaf.dtype, "complex floating") else leaf
        size = int(np.prod(leaf.shape))
        part = xp.sum(xp.reshape(leaf, (-1,)) * np.cos(np.arange(1.0 + i, size + 1.0 + i)))
        total = part if total is None else total + part
    return total


def _leaves(result: Any) -> Iterator[Any]:
    if hasattr(result, "statistic"):
        result = result.statistic
    if isinstance(result, tuple | list):
        for part in result:
            yield from _leaves(part)
    elif isinstance(result, float):
        yield np.asarray(result)
    elif hasattr(result, "dtype") and hasattr(result, "shape"):
        yield result


def usual(name: str, function: Callable[..., Any]) -> tuple[Any, ...] | None:
    """Return arguments that a function takes, and whose result depends on them."""
    for given in (ARGUMENTS[name],) if name in ARGUMENTS else USUAL:
        signal.alarm(SECONDS)
        try:
            value = loss(function(*given))
        except Exception:
            continue
        finally:
            signal.alarm(0)
        if value is not None and np.isfinite(value):
            return given
    return None


VERBS = ("value", "gradient", "jvp", "jit", "vmap")


def tried(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """Return for each verb 'yes', 'wrong', or why it is refused."""
    given = usual(name, function)
    if given is None:
        return ("not tried",)
    place = PLACES.get(name, 0)
    x = np.asarray(given[place])
    if x.dtype.kind != "f":
        return ("no derivative",)

    def f(x: Any) -> Any:
        others = given if type(x) is np.ndarray else tuple(map(_lifted, given))
        return loss(function(*others[:place], x, *others[place + 1 :]))

    v = np.sin(np.arange(1.0, x.size + 1)).reshape(x.shape)
    value, slope = f(x), (f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6
    batch = np.stack([x, x + 1e-3 * v])
    checks = (
        lambda: (pn.vjp(f, x)[0], value),
        lambda: (np.sum(pn.grad(f)(x) * v), slope),
        lambda: (pn.jvp(f, (x,), (v,))[1], slope),
        lambda: (_jitted(f, x), value),
        lambda: (pn.vmap(f)(batch), np.stack([f(x), f(batch[1])])),
    )
    return tuple(map(outcome, checks))


def _lifted(x: Any) -> Any:
    return pn.lift(x) if isinstance(x, np.ndarray) else x


def _jitted(f: Callable[..., Any], x: Any) -> Any:
    """Return the value of a replay; what cannot be recorded runs as it is, with a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "jit")  # that of portanet alone
        jitted = pn.jit(f)
        jitted(x)
        return jitted(x)


def outcome(check: Callable[[], tuple[Any, Any]]) -> str:
    signal.alarm(SECONDS)
    try:
        found, expected = check()
    except TimeoutError:
        return "too slow"
    except PortanetError as error:
        return f"refused: {type(error).__name__}"
    except Exception as error:
        return f"fails: {type(error).__name__}"
    finally:
        signal.alarm(0)
    return "yes" if np.allclose(found, expected, rtol=1e-4, atol=1e-7) else "wrong"


def _stop(*_: Any) -> None:
    raise TimeoutError


def write(rows: dict[str, tuple[str, ...]]) -> str:
    """Return the page."""
    full = {name: row for name, row in rows.items() if len(row) == len(VERBS)}
    right = Counter(i for row in full.values() for i, state in enumerate(row) if state == "yes")
    lines = [
        "# SciPy, scikit-learn and array-api-extra on traced arrays",
        "",
        "Written by `docs/standard_table.py`; what it means is in [](standard.md).",
        f"SciPy {scipy.__version__} with `SCIPY_ARRAY_API=1`, scikit-learn {sklearn.__version__} "
        "with `array_api_dispatch`, and the array-api-extra that SciPy brings.",
        "",
        f"Of {len(rows)} functions that declare support of the standard, {len(full)} were called "
        f"and give floating-point numbers: "
        + ", ".join(f"{verb} {right[i]}" for i, verb in enumerate(VERBS))
        + " of them right.",
        "",
        "`scipy.ndimage` and `scipy.cluster.hierarchy` are compiled throughout, and are not tried.",
        "",
        f"| function | {' | '.join(VERBS)} |",
        f"|---|{'---|' * len(VERBS)}",
    ]
    for name, row in full.items():
        lines.append(f"| `{name}` | {' | '.join(row)} |")
    for state, why in (
        ("not tried", "None of the usual arguments fits, or nothing finite comes out:"),
        ("no derivative", "They take no floating-point array first:"),
    ):
        names = ", ".join(f"`{name}`" for name, row in rows.items() if row == (state,))
        lines += ["", f"Not tried. {why}", "", names or "none"]
    return "\n".join(lines) + "\n"


def main() -> None:
    signal.signal(signal.SIGALRM, _stop)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    pn.array_namespace(X)
    with sklearn.config_context(array_api_dispatch=True):
        rows: dict[str, tuple[str, ...]] = {}
        for name, function in functions():
            rows[name] = tried(name, function)
            print(name, *rows[name], flush=True)
    page = Path(__file__).with_name("standard-functions.md")
    page.write_text(write(rows))


if __name__ == "__main__":
    main()
