"""Modules of torch as layers: the values are torch's own."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, DTypeError

torch = pytest.importorskip("torch")
nn = torch.nn

ACTIVATIONS = [
    nn.CELU(0.7), nn.ELU(0.5), nn.GELU(), nn.GELU(approximate="tanh"), nn.Hardsigmoid(),
    nn.Hardswish(), nn.Hardtanh(), nn.LeakyReLU(0.2), nn.LogSigmoid(), nn.Mish(), nn.PReLU(),
    nn.ReLU(), nn.ReLU6(), nn.SELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.Softshrink(0.3),
    nn.Softsign(), nn.Tanh(), nn.Tanhshrink(), nn.GLU(1), nn.Softmax(1), nn.LogSoftmax(-2),
    nn.Identity(), nn.Dropout(0.5), nn.AlphaDropout(0.5), nn.Flatten(), nn.Flatten(0, 1),
]  # fmt: skip
ROWS = [
    nn.Linear(6, 5), nn.Linear(6, 5, bias=False), nn.LayerNorm(6), nn.LayerNorm((4, 6), eps=1e-3),
    nn.LayerNorm(6, bias=False), nn.LayerNorm(6, elementwise_affine=False),
    nn.RMSNorm(6, eps=1e-4), nn.RMSNorm((4, 6), eps=1e-4, elementwise_affine=False),
    nn.LSTM(6, 3, batch_first=True), nn.GRU(6, 3, num_layers=2, bias=False),
    nn.RNN(6, 3, nonlinearity="relu", bidirectional=True),
    nn.LSTM(6, 3, num_layers=3, bidirectional=True, dropout=0.5),
    nn.TransformerEncoderLayer(6, 2, 9, batch_first=True),
    nn.TransformerEncoderLayer(6, 3, 9, batch_first=True, dropout=0.0, activation="gelu"),
    nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, 9, batch_first=True, norm_first=True, bias=False), 2,
        norm=nn.LayerNorm(6), enable_nested_tensor=False,
    ),
]  # fmt: skip
CHANNELS = [nn.BatchNorm1d(6), nn.BatchNorm1d(6, eps=1e-2, affine=False, momentum=None)]


def images(spatial):
    """Return modules of images with so many spatial axes, and 4 channels."""

    def of(name):
        return getattr(nn, f"{name}{spatial}d")

    several = tuple(range(2, 2 + spatial))
    return [
        of("Conv")(4, 6, 3, stride=2, padding=1), of("Conv")(4, 6, several, groups=2, dilation=2),
        of("Conv")(4, 6, several, padding="same", bias=False), of("ConvTranspose")(4, 6, 3),
        of("ConvTranspose")(4, 6, several, stride=2, output_padding=1, padding=1, groups=2),
        of("BatchNorm")(4), of("InstanceNorm")(4),
        of("InstanceNorm")(4, affine=True, track_running_stats=True), nn.GroupNorm(2, 4),
        of("MaxPool")(3, stride=2, padding=1), of("MaxPool")(several, ceil_mode=True),
        of("AvgPool")(3, 2, 1), of("AvgPool")(several, count_include_pad=False),
        of("AdaptiveAvgPool")(2), of("AdaptiveMaxPool")(several), of("Dropout")(0.5),
        of("ZeroPad")(tuple(range(2 * spatial))), of("ConstantPad")(2, 1.5),
        of("ReflectionPad")(tuple(range(2 * spatial))), of("ReplicationPad")(1),
        of("CircularPad")(1), nn.PReLU(4),
    ]  # fmt: skip


IMAGES = [(spatial, module) for spatial in (1, 2, 3) for module in images(spatial)]


def prepared(module):
    """Return a module in float64 whose numbers are none that a layer begins with."""
    torch.manual_seed(0)
    module = module.to(torch.float64).eval()
    with torch.no_grad():
        for x in (*module.parameters(), *module.buffers()):
            if x.dtype.is_floating_point:
                x.add_(0.3 * torch.rand_like(x))
    return module


def value(module, *inputs):
    """Return what torch computes, without the states that recurrent layers add."""
    with torch.no_grad():
        y = module(*map(torch.asarray, inputs))
    return (y[0] if isinstance(y, tuple) else y).numpy()


def converted(module, x):
    model, ps, st = pn.io.from_torch(module)
    assert pn.trees.flatten(ps)[1] == pn.trees.flatten(pn.setup(0, model)[0])[1]
    assert pn.trees.flatten(st)[1] == pn.trees.flatten(pn.setup(0, model)[1])[1]
    return model(x, ps, st)[0]


def close(x, y):
    np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("module", [*ACTIVATIONS, *ROWS], ids=str)
def test_rows(module):
    x = np.random.default_rng(1).normal(size=(3, 4, 6))
    close(converted(prepared(module), x), value(module, x))


@pytest.mark.parametrize("module", CHANNELS, ids=str)
def test_channels(module):
    x = np.random.default_rng(1).normal(size=(3, 6))
    close(converted(prepared(module), x), value(module, x))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize(("spatial", "module"), IMAGES, ids=str)
def test_images(spatial, module):
    x = np.random.default_rng(1).normal(size=(2, 4, *range(7, 7 + spatial)))
    y = converted(prepared(module), np.moveaxis(x, 1, -1))
    close(np.moveaxis(y, -1, 1), value(module, x))


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_upsampling_and_shuffling(mode):
    grown = nn.Sequential(
        nn.Conv2d(4, 8, 1), nn.Upsample(scale_factor=2, mode=mode), nn.PixelShuffle(2),
        nn.Upsample(size=(30, 31), mode=mode), nn.ReLU(),
    )  # fmt: skip
    x = np.random.default_rng(1).normal(size=(2, 4, 5, 6))
    y = converted(prepared(grown), np.moveaxis(x, 1, -1))
    close(np.moveaxis(y, -1, 1), value(grown, x))


def test_a_network_of_images_ends_in_rows():
    module = prepared(
        nn.Sequential(
            nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Softmax(1), nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(24, 5), nn.Softmax(-1),
        )
    )  # fmt: skip
    x = np.random.default_rng(1).normal(size=(2, 4, 7, 6))
    close(converted(module, np.moveaxis(x, 1, -1)), value(module, x))


def test_attention():
    module = prepared(nn.MultiheadAttention(8, 2, batch_first=True, kdim=5, vdim=6, dropout=0.1))
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(2, 4, 8)), rng.normal(size=(2, 7, 5)), rng.normal(size=(2, 7, 6))]
    close(converted(module, tuple(parts)), value(module, *parts))
    module = prepared(nn.MultiheadAttention(8, 2, batch_first=True, bias=False))
    close(converted(module, (parts[0],) * 3), value(module, *(parts[0],) * 3))


def test_embeddings():
    module = prepared(nn.Embedding(10, 4, padding_idx=2))
    x = np.array([[1, 2, 9]])
    close(converted(module, x), value(module, x))


def test_names_modes_and_dtypes_are_kept():
    module = nn.Sequential()
    module.add_module("hidden", nn.Linear(2, 3))
    module.add_module("norm", nn.BatchNorm1d(3))
    model, ps, st = pn.io.from_torch(module)
    assert list(ps) == ["hidden", "norm"]
    assert ps["hidden"]["weight"].dtype == np.float32
    assert st["norm"]["training"] is True
    assert pn.io.from_torch(module.eval())[2]["norm"]["training"] is False
    assert pn.io.from_torch(module)[0] == model
    with pytest.raises(DTypeError, match="numpy has no dtype bfloat16"):
        pn.io.from_torch(module.to(torch.bfloat16))


def test_numbers_are_copies():
    module = nn.Linear(2, 3)
    _, ps, _ = pn.io.from_torch(module)
    before = ps["weight"].copy()
    with torch.no_grad():
        module.weight.zero_()
    np.testing.assert_array_equal(ps["weight"], before)


def test_training_goes_on_here():
    module = prepared(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)))
    model, ps, st = pn.io.from_torch(module)
    x = np.random.default_rng(0).normal(size=(20, 2))
    y = x[:, :1] * x[:, 1:]
    gradient = pn.grad(lambda ps: np.mean((model(x, ps, st)[0] - y) ** 2))(ps)
    ((module(torch.asarray(x)) - torch.asarray(y)) ** 2).mean().backward()
    close(gradient["layer_1"]["weight"], module[0].weight.grad.numpy())


class Custom(nn.Module):
    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (3, r"module is a torch\.nn\.Module: got 3"),
        (nn.Sequential(), "the module is a Sequential: it is empty"),
        (nn.Sequential(nn.ReLU(), Custom()), "from_torch: 1 is a Custom: it has no counterpart"),
        (nn.Sequential(nn.Conv2d(4, 6, 3), nn.Linear(8, 2)), "1 is a Linear: of images it would"),
        (nn.Sequential(nn.Conv2d(4, 6, 3), nn.Flatten(2)), "start_dim is 1: got 2"),
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv1d(1, 1, 1))), "0.1 is a Conv1d"),
        (nn.Conv2d(1, 1, 3, padding_mode="reflect"), "padding_mode is 'zeros': got 'reflect'"),
        (nn.MultiheadAttention(4, 2), "batch_first is True: got False"),
        (nn.AvgPool2d(2, divisor_override=3), "divisor_override is None: got 3"),
        (nn.AdaptiveAvgPool2d((None, 3)), r"every axis has a size: got \(None, 3\)"),
        (nn.Upsample(scale_factor=2), "it follows a layer of images"),
        (nn.Softplus(beta=2.0), "beta is 1.0: got 2.0"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)), "remove_parametrizations"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_path(module, text):
    with pytest.raises(ArgumentError, match=text):
        pn.io.from_torch(module)


def test_from_torch_to_numpy_alone(tmp_path, monkeypatch):
    module = prepared(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 2)))
    model, ps, st = pn.io.from_torch(module)
    x = np.random.default_rng(1).normal(size=(3, 4))
    pn.export.numpy(lambda x: model(x, ps, st)[0], tmp_path / "of_torch.py", x)
    monkeypatch.syspath_prepend(tmp_path)
    import of_torch

    close(of_torch.predict(x[:2]), value(module, x[:2]))
