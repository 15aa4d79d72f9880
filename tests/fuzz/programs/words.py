"""The words of random programs: expressions whose operands stand in braces.

``{x}`` is any array, ``{f}`` one of real floats, ``{z}`` a complex one, ``{i}`` one of integers,
``{b}`` one of booleans, ``{m}`` a matrix of floats, ``{k}`` a key; ``{y}`` and ``{w}`` have the
shape of the first operand; ``{axis}`` is an axis of it, ``{n}`` a small integer, ``{c}`` a number,
``{body}`` and ``{other}`` expressions of floats `t`, and ``{row}`` one of rows.
"""

from __future__ import annotations

_OF_ONE = """
sin cos tanh atan exp expm1 log1p sqrt square abs negative positive sign floor ceil trunc round
reciprocal isnan isfinite signbit conj real imag zeros_like ones_like logical_not cosh log
""".split()  # noqa: SIM905
_OF_TWO = """
add subtract multiply divide maximum minimum hypot atan2 copysign logaddexp pow remainder
floor_divide less greater_equal equal not_equal logical_and logical_xor
""".split()  # noqa: SIM905
_OF_NUMPY = """
sin exp sum prod real imag conj abs transpose ravel sqrt mean max min square squeeze flip cumsum any
zeros_like
""".split()  # noqa: SIM905
_OF_NUMPY_FLOATS = """
median nanmean nansum nanmax nanstd ptp sinc i0 nan_to_num unwrap trapezoid gradient fix modf angle
average nancumsum nanmedian cbrt exp2 log10 rint deg2rad diff ediff1d fabs
""".split()  # noqa: SIM905
_OF_NUMPY_AXIS = """
median cumprod cumsum sort argsort ptp nansum nanprod argmax trapezoid average diff flip std any
count_nonzero cumulative_sum unstack
""".split()  # noqa: SIM905
_OF_NUMPY_TWO = """
arctan2 fmax fmin logaddexp2 heaviside nextafter float_power divmod hypot fmod bitwise_and
left_shift gcd kron outer inner vdot tensordot hstack vstack dstack column_stack append isclose
power multiply floor_divide remainder
""".split()  # noqa: SIM905
_OF_SCIPY = """
erf erfc gammaln psi expit logit entr ndtr log_ndtr i0 i1e j0 exp1 cbrt exprel exp2 logsumexp
softmax log_softmax log_expit gamma dawsn cosm1 round erfcx spence
""".split()  # noqa: SIM905
_OF_SCIPY_TWO = "xlogy xlog1py rel_entr kl_div beta betaln binom huber pseudo_huber".split()  # noqa: SIM905
_REDUCTIONS = "sum prod max min any all count_nonzero".split()  # noqa: SIM905
_OF_AN_AXIS = "sum prod max min any argmax".split()  # noqa: SIM905
_KINDS = "sum mean prod max min".split()  # noqa: SIM905
_KEPT = "sum mean max std".split()  # noqa: SIM905

STANDARD = [
    *(f"xp.{name}({{x}})" for name in (*_OF_ONE, *_REDUCTIONS)),
    *(f"xp.{name}({{x}}, {{y}})" for name in _OF_TWO),
    *(f"xp.{name}({{f}})" for name in _OF_ONE),
    *(f"xp.{name}({{x}}, axis={{axis}})" for name in _OF_AN_AXIS),
    *(f"xp.{name}({{f}}, axis={{axis}}, keepdims=True)" for name in _KEPT),
    "{x}[...]", "{x}[..., None]", "{x}[None]", "{x}[1:]", "{x}[:-1]", "{x}[::-1]", "{x}[..., ::2]",
    "{x}[0, ...]", "{x}[-1]", "{x}[..., -1]", "{x}[0]", "{x}[0, 0]", "{x}[:, 0]",
    "xp.reshape({x}, (-1,))", "xp.reshape({x}, (1, -1))", "xp.reshape({x}, {x}.shape[::-1])",
    "xp.permute_dims({x}, tuple(range({x}.ndim))[::-1])", "xp.matrix_transpose({x})", "{m}.T",
    "xp.moveaxis({x}, 0, -1)", "xp.expand_dims({x}, axis=0)", "xp.squeeze({x}[None], axis=0)",
    "xp.broadcast_to({x}, (2, *{x}.shape))", "xp.flip({x})", "xp.flip({x}, axis={axis})",
    "xp.real({z})", "xp.imag({z})", "{z}.real", "{z}.imag", "xp.unstack({x})[0]",
    "xp.roll({x}, 1)", "xp.roll({x}, {n}, axis={axis})", "xp.real(xp.sum({z}))",
    "xp.sum({x})[...]", "xp.broadcast_arrays({x}, {y})[0]", "xp.meshgrid({f}, {f})[1]",
    "xp.mean({f})", "xp.var({f})", "xp.std({f}, axis={axis}, correction=1)", "xp.argmin({f})",
    "xp.cumulative_sum({x}, axis={axis})", "xp.cumulative_prod({f}, axis={axis})",
    "xp.sum({x}, axis={axis}, dtype={x}.dtype)", "xp.diff({m}[None], axis=0)",
    "xp.concat([{x}, {y}])", "xp.concat([{x}, {y}, {w}], axis={axis})", "xp.stack([{x}, {y}])",
    "xp.stack([{x}, {y}], axis=-1)", "xp.concat([{x}[1:], {x}[:1]])", "xp.tile({x}, (2,))",
    "xp.concat([xp.flip({x}), {y}])",
    "xp.concat([xp.reshape({x}, (-1,)), xp.reshape({x}, (-1,))])",
    "xp.concat([xp.real({z}), xp.imag({z})])", "xp.repeat({x}[None], 2, axis=0)",
    "xp.concat([xp.sin({f}), xp.cos({f}), {f}])", "xp.concat([xp.expand_dims({x}, axis=0)] * 2)",
    "xp.where({b}, {x}, {y})", "xp.where({f} > {c}, {f}, {c})", "xp.clip({f}, -1.0, {c})",
    "xp.clip({f}, -0.5)", "xp.clip({x}, 0, 2)", "xp.take({x}, xp.asarray([0, 0]), axis={axis})",
    "xp.sort({f}, axis={axis})", "xp.argsort({f}, axis={axis})", "xp.tril({m})", "xp.triu({m})",
    "xp.take({x}, xp.argmax({f}, axis={axis}), axis={axis})", "{f} > {c}", "{x} == {y}",
    "{x} + {n}", "{x} * {n}", "{x} ** 2", "{f} ** 2.0", "{f} ** 3", "{x} * 1", "{f} * 1.0",
    "{f} / 1.0", "{f} + {c}", "{c} * {f}", "{c} - {f}", "2.0 ** {f}", "{x} / 2", "{i} // 2",
    "{i} % 3", "{i} & 1", "{i} << 1", "~{i}", "~{b}", "{b} & {b}", "{z} * (1 + 2j)", "{z} ** 2",
    "{x} + {y}", "{x} * {y}", "{x} - {y}", "{f} / ({y} + 3)", "+{x}", "-{x}", "abs({x})",
    "xp.astype({x}, xp.float64)", "xp.astype({x}, xp.float32)", "xp.astype({f}, xp.complex128)",
    "xp.astype({x}, xp.bool)", "xp.astype({i}, xp.int8)", "xp.astype({x}, {x}.dtype)",
    "{m} @ {m}.T", "xp.matmul({m}, xp.matrix_transpose({m}))", "xp.tensordot({f}, {f}, axes=0)",
    "xp.vecdot({f}, {f})", "xp.linalg.outer(xp.reshape({f}, (-1,)), xp.reshape({f}, (-1,)))",
    "xp.linalg.eigh({m} @ {m}.T)[0]", "xp.linalg.qr({m})[1]", "xp.linalg.vector_norm({x})",
    "xp.linalg.svdvals({m})", "xp.linalg.inv({m} @ {m}.T + xp.eye({m}.shape[0]))",
    "xp.linalg.diagonal({m})", "xp.linalg.trace({m})", "xp.linalg.det({m} @ {m}.T)",
    "pn.relu({f})", "pn.silu({f})", "pn.gelu({f})", "pn.sigmoid({f})", "pn.softmax({f})",
    "pn.logsumexp({f}, axis={axis})", "pn.softplus({f})", "pn.log_softmax({f})", "{k}.split()[0]",
    "{k}.split(3)[2]", "{k}.fold_in({n})", "pn.random.normal({k}, {f}.shape, like={f})",
    "pn.random.uniform({k}, (2, 2), like={f})",
    "pn.random.bernoulli({k}, 0.5, {f}.shape, like={f})",
    "pn.scan(lambda c, t: ({row}, c + t), xp.zeros_like({f}[0]), {f})[0]",
    "pn.scan(lambda c, t: ({row}, {row}), {f}[0, ...], {f})[1]",
    "pn.scan(lambda c, t: (c + 1, t * c), {f}[0, ...], {f}, reverse=True)[1]",
    "pn.scan(lambda c, t: ((c[0].split()[0], c[1] + pn.random.normal(c[0], (), like=t)), "
    "t * c[1]), ({k}, xp.sum({f})), {f})",
    "pn.scan(lambda c, t: ((c[1], {body}), c[0]), ({f}, {y}), length=3)[1]",
    "pn.cond(xp.sum({f}) > {c}, lambda t: {body}, lambda t: {other}, {f})",
    "pn.fori_loop(0, 3, lambda i, t: {body}, {f})", "pn.grad(lambda t: xp.sum({body}))({f})",
    "pn.value_and_grad(lambda t: xp.sum({body}))({f})",
    "pn.grad(lambda t: xp.sum({body} * {other}))({f})", "pn.grad(lambda t: xp.prod({body}))({f})",
    "pn.grad(lambda t: xp.sum(xp.cumulative_prod({body}, axis={axis})))({f})",
    "pn.grad(lambda t: xp.real(xp.vecdot(t, {z} * t)) / xp.real(xp.vecdot(t, t)))({z})",
    "pn.grad(lambda t: xp.sum(xp.abs({body} + 1j * {f}) ** 2))({f})",
    "pn.grad(lambda t: xp.sum(pn.scan(lambda c, t: ({row}, {row}), t[0, ...], t)[1]))({f})",
    "pn.grad(lambda t: xp.sum(pn.cond(xp.sum(t) > 0, lambda t: {body}, lambda t: "
    "{other}, t)))({f})",
    "pn.jvp(lambda t: pn.scan(lambda c, t: ({row}, c), t[0, ...], t)[1], ({f},), ({f},))",
    "pn.hvp(lambda t: xp.sum(pn.scan(lambda c, t: ({row}, {row}), t[0, ...], t)[1]), {f}, {f})",
    "pn.vmap(lambda t: pn.scan(lambda c, t: ({row}, {row}), t[0, ...], t)[1])({m})",
    "pn.vmap(pn.grad(lambda t: xp.sum(pn.scan(lambda c, s: (c * s, {body}), t[0, ...], t)[1])))"
    "({m})",
    "pn.vmap(lambda t: pn.cond(xp.sum(t) > 0, lambda t: {body}, lambda t: {other}, t))({f})",
    "pn.jvp(lambda t: pn.cond(xp.sum(t) > 0, lambda t: {body}, lambda t: {other}, t), ({f},), "
    "({f},))",
    "pn.while_loop(lambda t: xp.sum(xp.abs(t)) < 9, lambda t: t + {c}, {f}, max_steps=5)",
    "pn.grad(lambda t: xp.sum(pn.while_loop(lambda t: xp.sum(xp.abs(t)) < 9, "
    "lambda t: {other} + t, t, max_steps=4)))({f})",
    "pn.jvp(lambda t: {body}, ({f},), ({f},))",
    "pn.jvp(lambda t: xp.sum({body}), ({f},), ({f},))[1]", "pn.vjp(lambda t: {body}, {f})[1]({f})",
    "pn.hvp(lambda t: xp.sum({body}), {f}, {f})", "pn.vmap(lambda t: {body})({f})",
    "pn.vmap(lambda t: xp.sum({body}))({f})", "pn.vmap(pn.grad(lambda t: xp.sum({body})))({f})",
    "pn.jacobian(lambda t: {body})({f})", "pn.vmap(lambda t, s: t * xp.sum(s))({f}, {y})",
    "pn.checkpoint(lambda t: {body})({f})",
    "xp.vecdot({x}, {y})", "xp.repeat({x}, 2)", "xp.repeat({x}, {n}, axis={axis})", "2j * {x}",
    "xp.diff({x}, axis={axis})", "xp.unstack({x}, axis={axis})", "xp.linalg.trace({x})",
    "xp.take_along_axis({f}, xp.argsort({f}, axis={axis}), axis={axis})", "{c} - 1j * {x}",
    "xp.searchsorted(xp.sort(xp.reshape({f}, (-1,))), xp.reshape({f}, (-1,)))",
    *(f"pn.functional.segment_{kind}({{x}}, xp.arange({{x}}.shape[0]) % 2, 2)" for kind in _KINDS),
    *(
        f"pn.functional.segment_{kind}(xp.reshape({{f}}, (-1,)), "
        "xp.astype(xp.reshape({y}, (-1,)) > 0, xp.int64), 2)"
        for kind in ("sum", "mean", "prod")
    ),
    "pn.functional.at({x})[0].set({n})", "pn.functional.at({x})[..., -1].add({x}[..., 0])",
    "pn.functional.at({x})[xp.asarray([0, 0])].add({n})", "pn.functional.at({f})[1:].multiply({c})",
    "pn.functional.at({f})[{f} > 0].set({c})", "pn.functional.at({f})[::2].max({c})",
    "pn.functional.at({f})[xp.argmax({f}, axis=0)].min({c})", "pn.functional.at({f})[-1].divide(2)",
    "pn.grad(lambda t: xp.sum(pn.functional.at({body})[0].set({c})))({f})",
    "pn.grad(lambda t: xp.sum(pn.functional.segment_max({body}, xp.arange(t.shape[0]) % 2, 2)))"
    "({f})",
]  # fmt: skip

NUMPY = [
    *(f"np.{name}({{x}})" for name in _OF_NUMPY),
    "np.sum({x}, axis={axis}, keepdims=True)", "np.clip({f}, -1.0, 1.0)", "np.clip({f}, {c}, 1.5)",
    "np.concatenate([{x}, {y}])", "np.stack([{x}, {y}])", "np.where({b}, {x}, {y})",
    "np.where({x} > 0, {x}, 1.5)", "np.reshape({x}, (-1,))", "np.reshape({x}, {x}.shape[::-1])",
    "np.power({f}, 2)", "np.maximum({x}, {n})", "np.dot({m}, {m}.T)", "np.moveaxis({x}, -1, 0)",
    "np.expand_dims({x}, 0)", "np.broadcast_to({x}, (3, *{x}.shape))", "np.std({f}, axis={axis})",
    "np.vecdot({z}, {z})", "np.real(np.sum({z}))", "np.sum({x})[...]", "np.cumprod({f})",
    "{x}.sum()", "{x}.reshape(-1)", "{x}.T", "{x}.mT", "{x}.ravel()", "{x}.astype('float64')",
    "{x}.flatten()", "{x}.copy()", "{x}.mean()", "{x}.max()", "{x}.transpose()", "{z}.conj()",
    "np.multiply({x}, {y})", "np.add({x}, {n})", "np.subtract({x}, {c})", "np.divide({x}, 2)",
    "{x} * {c}", "{x} + {c}", "{c} * {x}", "{x} - 1j", "{x} ** 0.5", "{x} ** -1", "{f} ** {n}",
    "{b} + {b}", "{b} * 2", "{i} * 2.5", "{i} ** 2.0", "{i} / {i}", "{x} <= {n}", "{i} - {b}",
    *(f"np.{name}({{f}})" for name in _OF_NUMPY_FLOATS),
    *(f"np.{name}({{x}}, axis={{axis}})" for name in _OF_NUMPY_AXIS),
    *(f"np.{name}({{x}}, {{y}})" for name in _OF_NUMPY_TWO),
    *(f"special.{name}({{x}})" for name in _OF_SCIPY),
    *(f"special.{name}({{x}}, {{y}})" for name in _OF_SCIPY_TWO),
    *(f"pn.grad(lambda t: xp.sum(special.{name}({{body}})))({{f}})" for name in _OF_SCIPY),
    "np.power({b}, 2)", "np.power({x}, 0.5)", "np.power({x}, -1.0)", "{x}.conj()", "{x}.trace()",
    "np.clip({i}, -0.5, {c})", "np.clip({x}, {y}, {w})", "np.clip({i}, None, 2)", "{x}.clip({n})",
    "np.quantile({f}, 0.3, axis={axis})", "np.percentile({f}, [10, 75])", "np.trace({x})",
    "np.einsum('ij,ij->i', {m}, {m})", "np.einsum('...i->...', {x})", "np.einsum('ii', {m})",
    "np.interp({f}, [-1.0, 0.0, 2.0], [3.0, {c}, 1.0])", "np.convolve({x}, [1.0, {c}, 2.0])",
    "np.correlate({f}, {f}, 'full')", "np.roll({x}, {n}, axis={axis})", "np.tile({x}, (2, 1))",
    "np.select([{f} > 0, {f} < -1], [{f}, {f} ** 2], {c})", "np.choose({b}, [{x}, {y}])",
    "np.repeat({x}, {n})", "np.repeat({x}, 2, axis={axis})", "np.pad({x}, 1)", "np.diag({x})",
    "np.pad({f}, 1, mode='edge')", "np.rot90({x})", "np.array_split({x}, 2)",
    "np.insert({x}, 0, 1)",
    "np.delete({x}, 0, axis={axis})", "np.take({x}, [0, 0], axis={axis})", "np.var({x})",
    "np.digitize({f}, [-1.0, 0.5])", "np.linalg.norm({x})",
    "np.linalg.norm({m}, axis={axis})", "np.cross({f}, {f})", "np.polyval([1.0, {c}, 2.0], {x})",
    "np.vander({f})", "np.swapaxes({x}, 0, -1)", "np.cumprod({x})", "np.frexp({f})", "np.tril({x})",
    "np.sum({x}, where={b})", "np.mean({f}, where={f} > {c})", "np.max({f}, initial={c})",
    "np.where({x}, {y}, {w})", "np.where({i}, {c}, {f})", "np.prod({x}, dtype='float64')",
    "np.take_along_axis({x}, np.argsort({f}, axis={axis}), axis={axis})", "np.linspace({f}, 1, 3)",
    "np.unstack({x})", "np.average({f}, weights={f} ** 2)", "np.cov({m})", "np.ones_like({x})",
    "{x} * np.float64({c})", "np.float32({c}) + {x}", "np.int8({n}) * {x}", "{x}.cumsum({axis})",
    "{x}.std({axis})", "{x}.swapaxes(0, -1)", "{x}.repeat(2)", "{x}.round(1)", "{x}.diagonal()",
    "{x}.argmax({axis})", "{x}.take([0, 0])", "2j * np.sum({f})", "np.sum({f}) * 2j",
]  # fmt: skip

BODIES = [
    "xp.sin({t})", "xp.tanh({t})", "{t} * {t}", "{t} * 1.0", "{t} + {c}", "{t} ** 2", "{t} ** 3",
    "xp.exp(-xp.square({t}))", "{t} * xp.sum({t})", "{t} - xp.mean({t})", "xp.cos({t}) * {s}",
    "xp.where({t} > {c}, {t}, {s})", "xp.maximum({t}, {c})", "pn.silu({t})", "pn.sigmoid({t})",
    "xp.reshape(xp.reshape({t}, (-1,)), {t}.shape)", "xp.flip({t})", "xp.roll({t}, 1)",
    "xp.moveaxis(xp.moveaxis({t}, 0, -1), -1, 0)", "{t} * xp.prod(xp.tanh({t}))",
    "xp.concat([{t}[1:, ...], {t}[:1, ...]])", "{t} / (1 + xp.abs({t}))",
    "xp.real(xp.sum({t} * (1 + 2j))) * {t}", "xp.abs({t} + 1j)", "xp.cumulative_sum({t}, axis=0)",
    "xp.imag(({t} + 2j * {s}) ** 2)", "xp.max({t}) * {t}", "xp.stack([{t}, {s}])[0, ...]",
    "xp.sum(xp.stack([{t}, {s}, {t}]), axis=0)", "xp.std({t}) * {t}", "{t}[...]", "pn.gelu({t})",
    "pn.softmax({t})",
]  # fmt: skip

ROWS = [
    "c + t", "c * t", "xp.sin(c) + t", "t", "c", "c * 1.0", "t - c", "xp.tanh(c * t)", "t[...]",
    "xp.where(t > 0, c, t)", "c + xp.sum(t)", "(c + t)[...]",
    "xp.real(c + 1j * xp.astype(t, c.dtype))",
]  # fmt: skip

SHAPES = [
    (), (1,), (2,), (3,), (5,), (2, 3), (3, 3), (3, 2), (1, 4), (4, 1), (2, 1, 3), (2, 3, 4), (0,),
    (2, 0),
]  # fmt: skip
CHAINED = [(7, 4), (33,), (6, 2, 3), (40,), (20, 1)]
LARGE = [(40000,), (200, 200), (3, 20000)]
FLOATS = ["float64"] * 6 + ["float32"] * 2
DTYPES = [*FLOATS, "complex128", "complex64", "int64", "int8", "uint8", "bool", "float16"]
EXTREMES = "[np.inf, -np.inf, np.nan, -0.0, 0.0, 1e30, -1e30, 1e-30, 1.0, -2.5]"
KEYS = [
    "a", "b", "np.sum(x)", "np.exp(", "{0}", "it's", "a\nb", '"', "é", "{out}", "np.add(v0)", "",
]  # fmt: skip
LAYOUTS = [
    "{0}", "{0}", "{0}", "np.asfortranarray({0})", "{0}[::-1]", "np.repeat({0}, 2, 0)[::2]",
    "{0}.T",
]  # fmt: skip
