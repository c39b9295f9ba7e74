# SPDX-License-Identifier: Apache-2.0
"""`butterfly-vp import`: models with random parameters under the names of Hugging Face and PyTorch, imported, run, and
held against the published formulas in NumPy, in float64 and with the parameters as they are. BUTTERFLY_VP names the
executable."""
import json
import math
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
ERF = np.vectorize(math.erf, otypes=[float])


def save(tensors, path):
    """Floats as F32, integers as I64."""
    kinds = {"i": "<i8", "u": "<i8"}
    files.save({name: np.asarray(tensor, kinds.get(np.asarray(tensor).dtype.kind, "<f4")) for name, tensor in tensors.items()},
               path)


def load(path):
    return {name: tensor.astype(float) for name, tensor in files.load(path).items()}


ACTIVATIONS = {"gelu": lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2, "relu": lambda x: np.maximum(x, 0),
               "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))}


class Model:
    """Parameters by name, drawn when they are first asked for, and the layers that models consist of."""

    def __init__(self, seed, epsilon=1e-12):
        self.random, self.tensors, self.epsilon = np.random.default_rng(seed), {}, epsilon

    def draw(self, name, shape, scale, offset=0.0):
        if name not in self.tensors:
            self.tensors[name] = (offset + scale * self.random.standard_normal(shape)).astype("<f4")
        return self.tensors[name].astype(float)

    def linear(self, name, x, outputs, bias=True):
        weight = self.draw(name + ".weight", (outputs, x.shape[-1]), x.shape[-1] ** -0.5)
        return x @ weight.T + (self.draw(name + ".bias", (outputs,), 0.1) if bias else 0)

    def butterfly(self, name, x, outputs, blocks=1, increasing=True):
        """torch_butterfly: blocks whose strides grow and shrink in turn."""
        inputs = x.shape[-1]
        log_n = (inputs - 1).bit_length()
        n, stacks = 2 ** log_n, math.ceil(outputs / 2 ** log_n)
        twiddle = self.draw(name + ".twiddle", (stacks, blocks, log_n, n // 2, 2, 2), 0.5 ** 0.5)
        padded = np.concatenate([x, np.zeros(x.shape[:-1] + (n - inputs,))], -1)
        parts = []
        for stack in range(stacks):
            y = padded
            for block in range(blocks):
                for k in range(log_n):
                    s = 2 ** (k if increasing == (block % 2 == 0) else log_n - 1 - k)
                    t = twiddle[stack, block, k].reshape(n // (2 * s), s, 2, 2)
                    y = np.einsum("gsij,...gjs->...gis", t, y.reshape(x.shape[:-1] + (n // (2 * s), 2, s)))
                    y = y.reshape(x.shape[:-1] + (n,))
            parts.append(y)
        return np.concatenate(parts, -1)[..., :outputs] + self.draw(name + ".bias", (outputs,), 0.1)

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x ** 2).mean(-1, keepdims=True) + self.epsilon)
        return (x * self.draw(name + ".weight", x.shape[-1:], 0.1, 1.0)
                + self.draw(name + ".bias", x.shape[-1:], 0.1))

    @staticmethod
    def attend(q, k, v, heads, mask=None):
        def split(t):
            return t.reshape(t.shape[:2] + (heads, -1)).transpose(0, 2, 1, 3)

        q, k, v = map(split, (q, k, v))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = np.where(mask[:, None, None, :] != 0, scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = weights / weights.sum(-1, keepdims=True) @ v
        return mixed.transpose(0, 2, 1, 3).reshape(mixed.shape[0], mixed.shape[2], -1)


class Bert(Model):
    """BERT (Devlin et al.), FNet (Lee-Thorp et al.: its embedding has a projection, a layer is mixed by the real part of
    an unscaled transform) and FABNet (both, and butterflies): names and configuration of Hugging Face."""

    def __init__(self, seed, prefix, config, mixings, ffn_butterflies=False):
        super().__init__(seed, config["layer_norm_eps"])
        self.prefix, self.config, self.mixings, self.ffn_butterflies = prefix, config, mixings, ffn_butterflies

    def embed(self, ids, types):
        e, c, size = self.prefix + "embeddings.", self.config, self.config["hidden_size"]
        x = self.draw(e + "word_embeddings.weight", (c["vocab_size"], size), 0.6)[ids]
        positions = self.draw(e + "position_embeddings.weight", (c["max_position_embeddings"], size), 0.6)
        # RoBERTa leaves out the positions up to that of its padding.
        x = x + positions[c["pad_token_id"] + 1 if "pad_token_id" in c else 0:][:ids.shape[1]]
        x = x + self.draw(e + "token_type_embeddings.weight", (c["type_vocab_size"], size), 0.6)[types]
        x = self.norm(e + "LayerNorm", x)
        return self.linear(e + "projection", x, size) if c["model_type"] == "fnet" else x

    def layer(self, i, x, mask):
        name, c, size = f"{self.prefix}encoder.layer.{i}.", self.config, self.config["hidden_size"]
        linear = self.butterfly if self.ffn_butterflies else self.linear
        if self.mixings[i] == "fourier":
            h = self.norm(name + "fourier.output.LayerNorm", x + np.fft.fft2(x, axes=(1, 2)).real)
        else:
            project = self.butterfly if self.mixings[i] == "butterfly" else self.linear
            q, k, v = (project(f"{name}attention.self.{part}", x, size) for part in ["query", "key", "value"])
            mixed = self.attend(q, k, v, c["num_attention_heads"], mask)
            h = self.norm(name + "attention.output.LayerNorm", x + project(name + "attention.output.dense", mixed, size))
        up = ACTIVATIONS[c["hidden_act"]](linear(name + "intermediate.dense", h, c["intermediate_size"]))
        return self.norm(name + "output.LayerNorm", h + linear(name + "output.dense", up, size))

    def evaluate(self, ids, types=0, mask=None, classes=3):
        x = self.embed(ids, np.broadcast_to(types, ids.shape))
        for i in range(len(self.mixings)):
            x = self.layer(i, x, mask)
        roberta = "roberta" in self.config["model_type"]
        pooled = np.tanh(self.linear("classifier.dense" if roberta else self.prefix + "pooler.dense", x[:, 0], x.shape[-1]))
        return x, self.linear("classifier.out_proj" if roberta else "classifier", pooled, classes)


def bert_config(model_type="bert", **changes):
    return {"model_type": model_type, "vocab_size": 60, "hidden_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "intermediate_size": 96, "hidden_act": "gelu", "max_position_embeddings": 20,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12, **changes}


class Vit(Model):
    """ViT (Dosovitskiy et al.), names and configuration of Hugging Face."""
    config = {"model_type": "vit", "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3,
              "intermediate_size": 80, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": [8, 12],
              "patch_size": 4, "num_channels": 3}

    def evaluate(self, images, classes=4):
        size, e = 48, "vit.embeddings."
        kernel = self.draw(e + "patch_embeddings.projection.weight", (size, 3, 4, 4), 48 ** -0.5)
        bias = self.draw(e + "patch_embeddings.projection.bias", (size,), 0.1)
        x = np.zeros((len(images), 7, size))
        x[:, 0] = self.draw(e + "cls_token", (1, 1, size), 1)[0, 0]
        # The convolution as it is defined: at each place a sum over channels, rows and columns.
        for row in range(2):
            for column in range(3):
                window = images[:, :, 4 * row:4 * row + 4, 4 * column:4 * column + 4]
                x[:, 1 + 3 * row + column] = np.einsum("bcij,dcij->bd", window, kernel) + bias
        x = x + self.draw(e + "position_embeddings", (1, 7, size), 0.5)
        for i in range(2):
            name = f"vit.encoder.layer.{i}."
            n = self.norm(name + "layernorm_before", x)
            q, k, v = (self.linear(f"{name}attention.attention.{part}", n, size) for part in ["query", "key", "value"])
            x = x + self.linear(name + "attention.output.dense", self.attend(q, k, v, 3), size)
            up = ACTIVATIONS["gelu"](self.linear(name + "intermediate.dense", self.norm(name + "layernorm_after", x), 80))
            x = x + self.linear(name + "output.dense", up, size)
        x = self.norm("vit.layernorm", x)
        return x, self.linear("classifier", x[:, 0], classes)


class Encoder(Model):
    """torch.nn.TransformerEncoder(norm_first=True, norm=LayerNorm), with what a layer may have instead."""

    def __init__(self, seed, heads, ffn, kinds, increasing=True, blocks=1):
        super().__init__(seed, 1e-5)
        self.heads, self.ffn, self.kinds, self.increasing, self.blocks = heads, ffn, kinds, increasing, blocks

    def evaluate(self, x):
        size = x.shape[-1]
        for i, kind in enumerate(self.kinds):
            name = f"encoder.layers.{i}."
            n = self.norm(name + "norm1", x)
            if kind == "fourier":
                mixed = np.fft.fft2(n, axes=(1, 2), norm="ortho").real
            else:
                weight = self.draw(name + "self_attn.in_proj_weight", (3 * size, size), size ** -0.5)
                bias = self.draw(name + "self_attn.in_proj_bias", (3 * size,), 0.1)
                mixed = self.attend(*np.split(n @ weight.T + bias, 3, -1), self.heads)
                mixed = self.linear(name + "self_attn.out_proj", mixed, size)
            x = x + mixed
            n = self.norm(name + "norm2", x)
            if kind == "fourier":
                up = self.butterfly(name + "linear1", n, self.ffn, self.blocks, self.increasing)
                down = self.butterfly(name + "linear2", np.maximum(up, 0), size, self.blocks, self.increasing)
            else:
                down = self.linear(name + "linear2", np.maximum(self.linear(name + "linear1", n, self.ffn), 0), size)
            x = x + down
        return self.norm("encoder.norm", x)


class InDirectory(unittest.TestCase):
    """Imports a model, runs it, or sees that it is refused."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        (self.path / "model").mkdir()

    def vp(self, *arguments):
        return subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True)

    def imported(self, tensors, config, *options):
        (self.path / "model" / "config.json").write_text(json.dumps(config))
        if tensors is not None:
            save(tensors, self.path / "model" / "model.safetensors")
        done = self.vp("import", "model", "--output", "made", *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(sorted(file.name for file in (self.path / "made").iterdir()),
                         ["scenario.yaml", "weights.safetensors"])
        self.assertEqual(done.stderr, "")
        return done.stdout

    def run_it(self, inputs, output, logits=None):
        """Runs what was imported: verified by itself, and within 2e-2 of the model's own output."""
        save(inputs, self.path / "input.safetensors")
        done = self.vp("run", "made/scenario.yaml", "--dump", "--quiet", "--fidelity", "fast", "--out", "run", "--set",
                       "run.input=input.safetensors")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        tensors = load(self.path / "run" / "tensors.safetensors")
        summary = json.loads((self.path / "run" / "summary.json").read_text())
        self.assertTrue(summary["verification"]["bit_exact"])
        for got, want in [(tensors["output"], output)] + ([] if logits is None else [(tensors["logits"], logits)]):
            self.assertEqual(got.shape, want.shape)
            self.assertLess(np.linalg.norm(got - want) / np.linalg.norm(want), 1e-2)
        if logits is not None:
            same = tensors["logits"].argmax(-1) == logits.argmax(-1)
            self.assertGreater(same.mean(), 0.99)
        return tensors

    def ids(self, seed, batch, tokens, vocabulary=60):
        return np.random.default_rng(seed).integers(0, vocabulary, (batch, tokens))

    def refused(self, *expected, source="model", options=()):
        done = self.vp("import", source, "--output", "made", *options)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        for text in expected:
            self.assertIn(text, done.stderr)
        self.assertFalse((self.path / "made").exists())
        self.assertEqual([file.name for file in self.path.iterdir() if file.name.startswith(".")], [])
        return done.stderr


class Import(InDirectory):
    def test_bert(self):
        model = Bert(1, "bert.", bert_config(), ["attention"] * 2)
        ids = self.ids(1, 128, 20)
        output, logits = model.evaluate(ids)
        model.tensors["bert.embeddings.position_ids"] = np.arange(20)[None]
        model.tensors["cls.predictions.bias"] = np.zeros(60)
        printed = self.imported(model.tensors, model.config, "--batch", 128)
        self.assertIn("all tokens are of type 0", printed)
        self.assertIn("rounded from F32 to fp16", printed)
        self.assertIn("left out:\n  tensor 'cls.predictions.bias'", printed)
        self.run_it({"tokens": ids}, output, logits)

    def test_bert_with_types_and_a_mask(self):
        """Names of old files (gamma, beta), without a prefix, the tanh GELU; more tokens than one block of keys."""
        model = Bert(2, "", bert_config(hidden_act="gelu_new", max_position_embeddings=30), ["attention"] * 2)
        ids = self.ids(2, 4, 25)
        types = (np.arange(25) >= 12).astype(int)
        mask = (np.arange(25) < np.array([25, 12, 1, 20])[:, None]).astype(int)
        output, logits = model.evaluate(ids, types, mask)
        renamed = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
                   for name, tensor in model.tensors.items()}
        printed = self.imported(renamed, model.config, "--batch", 4, "--tokens", 25, "--token-types", "--padding-mask")
        self.assertIn("id + 60 * type", printed)
        self.assertIn("the first 25 of 30 positions", printed)
        tensors = self.run_it({"tokens": ids + 60 * types, "mask": mask}, output, logits)
        np.testing.assert_array_equal(tensors["mask"], mask)
        # What a run leaves is an input again.
        first = (self.path / "run" / "tensors.safetensors").read_bytes()
        done = self.vp("run", "made/scenario.yaml", "--dump", "--quiet", "--fidelity", "fast", "--out", "again", "--set",
                       "run.input=run/tokens.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.path / "again" / "tensors.safetensors").read_bytes(), first)

    def test_roberta(self):
        """Positions behind that of the padding, one type of tokens, and a head of its own."""
        for kind, padding in (("roberta", 1), ("xlm-roberta", 3)):
            with self.subTest(kind):
                config = bert_config(kind, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=padding)
                model = Bert(9, "roberta.", config, ["attention"] * 2)
                tokens = 20 - padding - 1
                ids = self.ids(9, 32, tokens)
                output, logits = model.evaluate(ids)
                model.tensors["lm_head.bias"] = np.zeros(60)
                printed = self.imported(model.tensors, config, "--batch", 32)
                self.assertIn(f"{tokens} tokens of 48 values", printed)
                self.assertIn("left out:\n  tensor 'lm_head.bias'", printed)
                self.run_it({"tokens": ids}, output, logits)
                for made in (self.path / "made").iterdir():
                    made.unlink()
                (self.path / "made").rmdir()
        self.refused("--tokens 17: the model has 16 positions", options=("--tokens", 17))
        for wrong in (-1, 1.5, 19):
            (self.path / "model" / "config.json").write_text(json.dumps({**config, "pad_token_id": wrong}))
            self.refused("pad_token_id: found", "expected an integer from 0 to 18")

    def test_fnet(self):
        config = bert_config("fnet", hidden_act="gelu_new")
        del config["num_attention_heads"]
        model = Bert(3, "fnet.", config, ["fourier"] * 2)
        ids = self.ids(3, 16, 20)
        output, logits = model.evaluate(ids)
        self.imported(model.tensors, config, "--batch", 16)
        self.run_it({"tokens": ids}, output, logits)

    def test_fabnet(self):
        """Transforms first, attention of butterflies last, and the parameters in two files."""
        model = Bert(4, "fnet.", bert_config("fnet"), ["fourier", "butterfly"], ffn_butterflies=True)
        ids = self.ids(4, 8, 20)
        output, logits = model.evaluate(ids)
        names = sorted(model.tensors)
        files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
        for file, some in files.items():
            save({name: model.tensors[name] for name in some}, self.path / "model" / file)
        index = {"weight_map": {name: file for file, some in files.items() for name in some}}
        (self.path / "model" / "model.safetensors.index.json").write_text(json.dumps(index))
        printed = self.imported(None, model.config, "--batch", 8)
        self.assertIn("layer 0: the real part of a two-dimensional Fourier transform, butterfly feed-forward\n", printed)
        self.assertIn("layer 1: attention with butterfly projections, butterfly feed-forward\n", printed)
        self.assertNotIn("multiplied out", printed)
        self.run_it({"tokens": ids}, output, logits)

    def test_vit(self):
        model = Vit(5)
        images = np.random.default_rng(5).standard_normal((32, 3, 8, 12)).astype("<f2").astype(float)
        output, logits = model.evaluate(images)
        printed = self.imported(model.tensors, model.config, "--batch", 32)
        self.assertIn("`patches` [batch, 7, 48]", printed)
        # [batch, channels, rows of patches, rows, columns of patches, columns]
        cut = images.reshape(32, 3, 2, 4, 3, 4).transpose(0, 2, 4, 1, 3, 5).reshape(32, 6, 48)
        patches = np.concatenate([np.zeros((32, 1, 48)), cut], 1)
        self.run_it({"patches": patches}, output, logits)

    def test_plain_encoders(self):
        x = np.random.default_rng(6).standard_normal((2, 16, 32)).astype("<f2").astype(float)
        for increasing, blocks in [(True, 1), (False, 1), (True, 2)]:
            with self.subTest(increasing=increasing, blocks=blocks):
                model = Encoder(6, 4, 80, ["fourier", "attention"], increasing, blocks)
                output = model.evaluate(x)
                config = {"model_type": "transformer_encoder", "nhead": 4, "norm_first": True, "activation": "relu",
                          "tokens": 16, "increasing_stride": increasing}
                printed = self.imported(model.tensors, config, "--batch", 2)
                kept = increasing and blocks == 1
                self.assertEqual("multiplied out to dense matrices" in printed, not kept)
                self.assertIn(f"layer 0: the real part of a two-dimensional Fourier transform, {'butterfly' if kept else 'dense'} feed-forward\n", printed)
                self.run_it({"input": x}, output)
                for file in (self.path / "made").iterdir():
                    file.unlink()

    def projected(self, *options):
        """Errors by layer and matrix, as the command prints them."""
        done = self.vp("project", "made/scenario.yaml", "--output", "projected", *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        errors = {}
        for line in done.stdout.splitlines():
            if line.startswith("  layers."):
                part, *words = line.split()
                errors |= {f"{part}.{name}": float(error) for name, error in zip(words[::2], words[1::2])}
        return errors

    def test_butterflies_are_found_in_dense_matrices(self):
        """Matrices that are butterflies: what was multiplied out comes back, and the network computes the same."""
        model = Encoder(9, 4, 80, ["fourier", "fourier"])
        x = np.random.default_rng(9).standard_normal((2, 16, 32)).astype("<f2").astype(float)
        output = model.evaluate(x)
        dense = {name: tensor for name, tensor in model.tensors.items() if not name.endswith(".twiddle")}
        for name in set(model.tensors) - set(dense):
            layer, inputs = name[:-len(".twiddle")], 32 if "linear1" in name else 80
            bias = model.tensors[layer + ".bias"]
            dense[layer + ".weight"] = (model.butterfly(layer, np.eye(inputs), len(bias)) - bias).T
        self.imported(dense, {"model_type": "transformer_encoder", "norm_first": True, "activation": "relu", "tokens": 16},
                      "--batch", 2)
        errors = self.projected("--set", "soc.array.lanes=16")
        self.assertEqual(len(errors), 4)
        self.assertLess(max(errors.values()), 2e-3)
        scenario = (self.path / "projected" / "scenario.yaml").read_text()
        self.assertIn("    - {mixing: fft2d, ffn: butterfly, repeat: 2}\n", scenario)
        self.assertIn("    lanes: 16\n", scenario)
        (self.path / "made").rename(self.path / "dense")
        (self.path / "projected").rename(self.path / "made")
        self.run_it({"input": x}, output)
        refused = self.vp("project", "made/scenario.yaml", "--output", "again")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("there are no dense matrices to project", refused.stderr)
        self.assertFalse((self.path / "again").exists())

    def test_the_nearest_butterfly_of_four_points(self):
        """Two factors: what is lost are the second singular values of 2 x 2 blocks of every second row."""
        model = Encoder(10, 2, 8, ["attention"])
        model.evaluate(np.random.default_rng(10).standard_normal((1, 8, 4)))
        self.imported(model.tensors, {"model_type": "transformer_encoder", "norm_first": True, "activation": "relu",
                                      "tokens": 8, "nhead": 2})
        errors = self.projected("--layers", 0)
        weights = load(self.path / "made" / "weights.safetensors")
        for name, error in errors.items():
            matrix, lost = weights[name + ".weight"], 0.0
            if matrix.shape[1] != 4:
                continue
            for stack in np.split(matrix, len(matrix) // 4):
                for residue in range(2):
                    for block in range(2):
                        part = stack[residue::2, 2 * block:2 * block + 2]
                        lost += np.linalg.svd(part, compute_uv=False)[1] ** 2
            self.assertAlmostEqual(error, math.sqrt(lost) / np.linalg.norm(matrix), delta=1.1e-3)
        self.assertEqual(len(errors), 6)

    def test_what_is_not_supported_is_said_at_once(self):
        model = Bert(7, "bert.", bert_config(), ["attention"] * 2)
        model.evaluate(self.ids(7, 1, 20))
        save(model.tensors, self.path / "model" / "model.safetensors")
        config = self.path / "model" / "config.json"
        config.write_text(json.dumps(bert_config(hidden_act="silu", position_embedding_type="relative_key",
                                                 is_decoder=True, hidden_size="48")))
        message = self.refused("hidden_act 'silu'", "position_embedding_type 'relative_key'", "is_decoder",
                               'hidden_size: found "48", expected an integer')
        self.assertEqual(len(message.splitlines()), 4)
        config.write_text(json.dumps(bert_config(intermediate_size=100, vocab_size=61)))
        self.refused("'bert.embeddings.word_embeddings.weight' has shape [60, 48], expected [61, 48]",
                     "'bert.encoder.layer.0.intermediate.dense.weight' has shape [96, 48], expected [100, 48]",
                     "'bert.encoder.layer.1.output.dense.weight' has shape [48, 96], expected [48, 100]")
        config.write_text(json.dumps(bert_config(num_hidden_layers=1)))
        self.refused("num_hidden_layers is 1, and there is a layer 1")
        config.write_text(json.dumps(bert_config("gpt2")))
        self.refused("model_type 'gpt2', expected one of: bert, roberta, xlm-roberta, camembert, fnet")
        config.write_text(json.dumps({}))
        self.refused("'model_type' is missing")
        config.write_text("[1]")
        self.refused("found a list, expected a map")
        config.write_text('{"model_type": ')
        self.refused("config.json")
        config.unlink()
        self.refused("config.json: there is no such file")
        config.write_text(json.dumps(bert_config()))
        self.refused("--tokens 21: the model has 20 positions", options=["--tokens", 21])
        del model.tensors["bert.encoder.layer.1.attention.self.key.weight"]
        model.tensors["bert.pooler.dense.weight"][3, 4] = 1e6
        save(model.tensors, self.path / "model" / "model.safetensors")
        self.refused("'bert.encoder.layer.1.attention.self.key.weight' [48, 48] is missing",
                     "'bert.pooler.dense.weight': 1000000 is beyond the range of fp16")

    def test_files_that_are_not_sound(self):
        (self.path / "model" / "config.json").write_text(json.dumps(bert_config()))
        self.refused("has no tensors; expected model.safetensors")
        (self.path / "model" / "pytorch_model.bin").write_bytes(b"PK")
        self.refused("pytorch_model.bin, which is a Python pickle")
        (self.path / "model" / "model.safetensors").write_bytes(b"\x00" * 4)
        self.refused("model.safetensors: is not a safetensors file")
        index = self.path / "model" / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))
        self.refused("expected the name of a file beside this one")
        index.write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
        self.refused("part.safetensors")
        save({"b": np.zeros(2)}, self.path / "model" / "part.safetensors")
        self.refused("weight_map: 'a' is not in part.safetensors")
        index.write_text(json.dumps({"weight_map": 5}))
        self.refused("index.json: weight_map: found a number")
        self.refused("there is no such file or directory", source="nowhere")

    def test_the_output_is_new(self):
        model = Bert(8, "bert.", bert_config(), ["attention"] * 2)
        model.evaluate(self.ids(8, 1, 20))
        self.imported(model.tensors, model.config)
        before = {file.name: file.read_bytes() for file in (self.path / "made").iterdir()}
        done = self.vp("import", "model", "--output", "made")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--output made: is there already", done.stderr)
        self.assertEqual({file.name: file.read_bytes() for file in (self.path / "made").iterdir()}, before)


if __name__ == "__main__":
    unittest.main()
