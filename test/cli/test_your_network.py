# SPDX-License-Identifier: Apache-2.0
"""The steps of docs/your_network.md with NumPy: parameters of one's own in a file, a run, an evaluation of one's own.

The evaluation multiplies by whole matrices, which it makes of the twiddles as the page defines them. BUTTERFLY_VP names the
executable."""
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "python"))
from butterfly_vp import tensors as files  # noqa: E402

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "your_network.md").read_text()


def blocks(language):
    """The page's blocks of code."""
    return [block for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if kind == language]


def save(tensors, path, dtype="<f2"):
    files.save({name: np.asarray(tensor, dtype) for name, tensor in tensors.items()}, path)


def load(path):
    return {name: tensor.astype(float) for name, tensor in files.load(path).items()}


class Network:
    """Parameters by the page's table, drawn here, and what they compute in float64."""

    def __init__(self, seed, tokens, hidden, heads, ffn, layers, norm="post", fft_norm="ortho", activation="gelu"):
        self.tokens, self.hidden, self.heads, self.ffn, self.layers = tokens, hidden, heads, ffn, layers
        self.norm, self.fft_norm, self.activation = norm, fft_norm, activation
        self.random = np.random.default_rng(seed)
        self.tensors = {}
        for i, layer in enumerate(layers):
            self.add_norm(f"layers.{i}.norm1")
            self.add_norm(f"layers.{i}.norm2")
            if layer["mixing"] == "attention":
                for part in ["query", "key", "value", "output"]:
                    self.add_linear(f"layers.{i}.attention.{part}", layer["projections"], hidden, hidden)
            self.add_linear(f"layers.{i}.ffn.up", layer["ffn"], hidden, ffn)
            self.add_linear(f"layers.{i}.ffn.down", layer["ffn"], ffn, hidden)
        if norm == "pre":
            self.add_norm("final_norm")
        self.input = self.draw(1, 2, tokens, hidden)

    def draw(self, scale, *shape):
        """Values that fp16 has, so that the file's type makes no difference."""
        return (scale * self.random.standard_normal(shape)).astype("<f2").astype(float)

    def add_norm(self, name):
        self.tensors[name + ".weight"] = 1 + self.draw(0.125, self.hidden)
        self.tensors[name + ".bias"] = self.draw(0.1, self.hidden)
        self.tensors[name + ".weight"] = self.tensors[name + ".weight"].astype("<f2").astype(float)

    def add_linear(self, name, kind, inputs, outputs):
        if kind == "dense":
            self.tensors[name + ".weight"] = self.draw(inputs ** -0.5, outputs, inputs)
        else:
            log_n = (inputs - 1).bit_length()
            stacks = math.ceil(outputs / 2 ** log_n)
            self.tensors[name + ".twiddle"] = self.draw(0.5 ** 0.5, stacks, log_n, 2 ** log_n // 2, 2, 2)
        self.tensors[name + ".bias"] = self.draw(0.1, outputs)

    @staticmethod
    def matrix_of(twiddle, inputs, outputs):
        """[outputs, inputs]: product of the factors, each written out, of all stacks."""
        stacks, log_n, half = twiddle.shape[:3]
        rows = []
        for stack in range(stacks):
            product = np.eye(2 * half)
            for k in range(log_n):
                s, factor = 2 ** k, np.zeros((2 * half, 2 * half))
                for p in range(half):
                    g, o = divmod(p, s)
                    i = 2 * g * s + o
                    factor[np.ix_([i, i + s], [i, i + s])] = twiddle[stack, k, p]
                product = factor @ product
            rows.append(product)
        return np.concatenate(rows)[:outputs, :inputs]

    def linear(self, name, x, outputs):
        weight = self.tensors.get(name + ".weight")
        if weight is None:
            weight = self.matrix_of(self.tensors[name + ".twiddle"], x.shape[-1], outputs)
        return x @ weight.T + self.tensors[name + ".bias"]

    def normalised(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        return (x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-5) * self.tensors[name + ".weight"]
                + self.tensors[name + ".bias"])

    def mix(self, i, x):
        if self.layers[i]["mixing"] == "fft2d":
            transform = np.fft.fft2(x, axes=(1, 2)).real
            return transform / math.sqrt(self.tokens * self.hidden) if self.fft_norm == "ortho" else transform
        heads = []
        q, k, v = (self.linear(f"layers.{i}.attention.{part}", x, self.hidden) for part in ["query", "key", "value"])
        width = self.hidden // self.heads
        for head in range(self.heads):
            cut = slice(head * width, (head + 1) * width)
            scores = np.einsum("bqd,bkd->bqk", q[..., cut], k[..., cut]) / math.sqrt(width)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(weights / weights.sum(-1, keepdims=True) @ v[..., cut])
        return self.linear(f"layers.{i}.attention.output", np.concatenate(heads, -1), self.hidden)

    def feed_forward(self, i, x):
        x = self.linear(f"layers.{i}.ffn.up", x, self.ffn)
        erf = np.vectorize(math.erf)
        x = np.maximum(x, 0) if self.activation == "relu" else x * (1 + erf(x / math.sqrt(2))) / 2
        return self.linear(f"layers.{i}.ffn.down", x, self.hidden)

    def evaluate(self):
        x = self.input
        for i in range(len(self.layers)):
            norm1, norm2 = f"layers.{i}.norm1", f"layers.{i}.norm2"
            if self.norm == "post":
                h = self.normalised(norm1, x + self.mix(i, x))
                x = self.normalised(norm2, h + self.feed_forward(i, h))
            else:
                h = x + self.mix(i, self.normalised(norm1, x))
                x = h + self.feed_forward(i, self.normalised(norm2, h))
        return x if self.norm == "post" else self.normalised("final_norm", x)


class YourNetwork(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def vp(self, *arguments):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        return done.stdout

    def check(self, network, scenario, *options, dtype="<f2"):
        (self.path / "mine.yaml").write_text(scenario)
        described = json.loads(self.vp("describe", "mine.yaml", "--tensors", "--json", *options))
        self.assertEqual({entry["name"]: tuple(entry["shape"]) for entry in described["run.weights"]},
                         {name: tensor.shape for name, tensor in network.tensors.items()})
        self.assertEqual(described["run.input"], [{"name": "input", "dtype": "F16", "shape": list(network.input.shape)}])
        save(network.tensors, self.path / "mine.safetensors", dtype)
        save({"input": network.input}, self.path / "input.safetensors", dtype)
        self.vp("run", "mine.yaml", "--quiet", "--out", "runs/mine", *options)
        got, want = load(self.path / "runs" / "mine" / "tensors.safetensors")["output"], network.evaluate()
        self.assertEqual(got.shape, want.shape)
        self.assertLess(np.linalg.norm(got - want) / np.linalg.norm(want), 4e-3)
        self.assertLess(np.abs(got - want).max(), 0.1)

    def test_the_network_of_the_page(self):
        (scenario,) = blocks("yaml")
        layers = [{"mixing": "fft2d", "ffn": "butterfly"},
                  {"mixing": "attention", "projections": "dense", "ffn": "butterfly"}]
        network = Network(1, 16, 64, 4, 128, layers)
        self.check(network, scenario, "--set", "network.batch=2")

    def test_other_networks(self):
        run = "run: {weights: mine.safetensors, input: input.safetensors}\nrecord: {tensors: true}\n"
        butterfly = {"mixing": "attention", "projections": "butterfly", "ffn": "dense"}
        transforms = [{"mixing": "fft2d", "ffn": "butterfly"}] * 3
        cases = [(dict(tokens=20, hidden=48, heads=3, ffn=100, norm="pre",
                       layers=[butterfly, {"mixing": "attention", "projections": "butterfly", "ffn": "butterfly"}]), "<f4"),
                 (dict(tokens=32, hidden=128, heads=8, ffn=300, fft_norm="none", activation="relu",
                       layers=[{"mixing": "fft2d", "ffn": "butterfly"}, {"mixing": "fft2d", "ffn": "dense"}]), "<f8"),
                 # Transforms of lengths that are no powers of two.
                 (dict(tokens=40, hidden=192, heads=1, ffn=192, layers=transforms), "<f2"),
                 (dict(tokens=96, hidden=64, heads=1, ffn=64, fft_norm="none", layers=transforms), "<f2"),
                 (dict(tokens=64, hidden=96, heads=1, ffn=64, norm="pre", layers=transforms), "<f2"),
                 (dict(tokens=37, hidden=45, heads=1, ffn=64, fft_norm="none", layers=transforms), "<f2")]
        for number, (case, dtype) in enumerate(cases):
            with self.subTest(case):
                scenario = f"network: {json.dumps({**case, 'batch': 2})}\n" + run
                self.check(Network(number, **case), scenario, dtype=dtype)

    def test_what_the_page_shows_is_what_is_printed(self):
        (self.path / "mine.yaml").write_text(blocks("yaml")[0])
        printed = self.vp("describe", "mine.yaml", "--tensors").splitlines()
        shown = next(block for block in blocks("") if block.startswith("run.weights")).splitlines()
        self.assertEqual(shown[-1], "  ...")
        self.assertEqual(printed[:len(shown) - 1], shown[:-1])

    def test_its_python_is_sound(self):
        for block in blocks("python"):
            compile(block, "your_network.md", "exec")
        self.assertEqual(len(blocks("python")), 3)

    def test_its_configuration_is_sound(self):
        (configuration,) = map(json.loads, blocks("json"))
        self.assertEqual(configuration["model_type"], "transformer_encoder")


if __name__ == "__main__":
    unittest.main()
