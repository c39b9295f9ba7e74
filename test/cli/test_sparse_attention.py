# SPDX-License-Identifier: Apache-2.0
"""Sparse attention against NumPy in float64, by whole matrices of which query sees which key.

The definitions are those of docs/scenario.md, written anew. BUTTERFLY_VP names the executable."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "python"))
from butterfly_vp import tensors as files  # noqa: E402

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
HIDDEN, HEADS, FFN = 32, 2, 48


def run(layer, tokens, fidelity, seed, network=()):
    """Runs one layer; returns its parameters and tensors as float64."""
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        sizes = {"tokens": tokens, "hidden": HIDDEN, "heads": HEADS, "ffn": FFN, **dict(network)}
        layer = {"projections": "dense", "ffn": "dense", **layer}
        (directory / "sparse.yaml").write_text(json.dumps({"network": {**sizes, "layers": [layer]}}))
        done = subprocess.run([EXECUTABLE, "run", directory / "sparse.yaml", "--quiet", "--dump", "--fidelity", fidelity,
                               "--out", directory / "run", "--set", f"run.seed={seed}"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        summary = json.loads((directory / "run" / "summary.json").read_text())
        loaded = {}
        for name in ("weights", "tensors"):
            loaded.update(files.load(directory / "run" / f"{name}.safetensors"))
        return summary, {name: np.asarray(tensor, float) for name, tensor in loaded.items()}


def linear(values, name, x):
    return x @ values[f"layers.0.{name}.weight"].T + values[f"layers.0.{name}.bias"]


def norm(values, name, x):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-5) * values[f"layers.0.{name}.weight"] + values[f"layers.0.{name}.bias"]


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(__import__("math").erf)(x / np.sqrt(2)))


def heads_of(x):
    return x.reshape(len(x), HEADS, HIDDEN // HEADS).transpose(1, 0, 2)


def layer_of(values, x, sees, left_out=None):
    """The layer's output for one sequence; sees [heads, tokens, tokens]; `left_out`: tokens that a padding mask leaves out."""
    q, k, v = (heads_of(linear(values, f"attention.{part}", x)) for part in ("query", "key", "value"))
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(HIDDEN // HEADS)
    if left_out is not None:
        scores[:, :, left_out] = -1e9
    scores[~sees(q, k)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mixed = (weights @ v).transpose(1, 0, 2).reshape(x.shape)
    h = norm(values, "norm1", x + linear(values, "attention.output", mixed))
    return norm(values, "norm2", h + linear(values, "ffn.down", gelu(linear(values, "ffn.up", h))))


def everywhere(matrix):
    return lambda q, k: np.broadcast_to(matrix, (HEADS, *matrix.shape))


class SparseAttention(unittest.TestCase):
    def check(self, layer, tokens, sees, seed=1, network=(), batch=1):
        """In both fidelities: the same bits, as NumPy has it."""
        outputs = []
        for fidelity in ("cycle", "fast"):
            summary, values = run(layer, tokens, fidelity, seed, network)
            self.assertTrue(summary["verification"]["bit_exact"])
            got = values["layers.0.output"].reshape(batch, tokens, HIDDEN)
            outputs.append(got)
            for element, x in enumerate(values["input"].reshape(batch, tokens, HIDDEN)):
                left_out = None
                if "mask" in values:
                    left_out = values["mask"].reshape(batch, tokens)[element] == 0
                want = layer_of(values, x, sees, left_out)
                error = np.linalg.norm(got[element] - want) / np.linalg.norm(want)
                self.assertLess(error, 2e-3)
                # A wrong pattern would be seen.
                other = layer_of(values, x, everywhere(np.ones((tokens, tokens), bool)), left_out)
                self.assertGreater(np.linalg.norm(other - want) / np.linalg.norm(want), 2e-2)
        self.assertTrue((outputs[0] == outputs[1]).all())

    def test_window(self):
        for tokens, window, glob in ((100, 7, 0), (64, 16, 5), (45, 0, 1)):
            i = np.arange(tokens)
            near = abs(i[:, None] - i[None, :]) <= window
            near[:glob] = True
            near[:, :glob] = True
            with self.subTest(tokens=tokens, window=window, global_tokens=glob):
                self.check({"mixing": "window", "window": window, "global_tokens": glob}, tokens, everywhere(near))

    def test_window_with_padding(self):
        tokens = 48
        i = np.arange(tokens)
        # Every query sees the first token, which no mask leaves out.
        near = abs(i[:, None] - i[None, :]) <= 4
        near[:1] = True
        near[:, :1] = True
        self.check({"mixing": "window", "window": 4, "global_tokens": 1}, tokens, everywhere(near), seed=3,
                   network={"padding_mask": True, "batch": 3}, batch=3)

    def test_butterfly(self):
        for blocks, size in ((8, 8), (6, 10)):
            b = np.arange(blocks * size) // size
            differing = b[:, None] ^ b[None, :]
            one_bit = np.vectorize(lambda n: bin(n).count("1") <= 1)(differing)
            with self.subTest(blocks=blocks):
                self.check({"mixing": "blocks", "block_tokens": size}, blocks * size, everywhere(one_bit))

    def test_given_blocks(self):
        lists = [[0], [0, 2], [1, 2, 3], [3]]
        seen = np.zeros((64, 64), bool)
        for block, keys in enumerate(lists):
            for key in keys:
                seen[block * 16:block * 16 + 16, key * 16:key * 16 + 16] = True
        self.check({"mixing": "blocks", "block_tokens": 16, "key_blocks": "0, 0 2, 1-3, 3"}, 64, everywhere(seen))

    def test_topk(self):
        tokens, size, top = 64, 16, 2

        def sees(q, k):
            means = [x.reshape(HEADS, -1, size, x.shape[-1]).mean(2) for x in (q, k)]
            scores = means[0] @ means[1].transpose(0, 2, 1)
            order = np.sort(scores, -1)
            # Nothing here hangs on an error of rounding.
            self.assertGreater((order[..., -top] - order[..., -top - 1]).min(), 2e-3)
            chosen = scores >= order[..., -top, None]
            return np.repeat(np.repeat(chosen, size, 1), size, 2)

        self.check({"mixing": "topk", "block_tokens": size, "top_blocks": top}, tokens, sees, seed=TOPK_SEED)


# A seed of which all choices are clear (test_topk says so otherwise).
TOPK_SEED = 3

if __name__ == "__main__":
    unittest.main()
