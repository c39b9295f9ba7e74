# SPDX-License-Identifier: Apache-2.0
"""`butterfly-vp import MODEL.onnx`: graphs made here operator by operator, held against the published formulas in NumPy
(test_import.py), and, where PyTorch is installed, graphs that it exports, held against itself. BUTTERFLY_VP names the
executable. Needs python3-onnx."""
import math
import pathlib
import sys
import unittest
import warnings

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_import as models  # noqa: E402

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    onnx = None
try:
    import torch
    from torch import nn
except ImportError:
    torch = None


class GraphWriter:
    """Nodes of a graph, as exporters write them: linear layers as products with transposed matrices, norms and
    activations as their arithmetic."""

    def __init__(self, tensors):
        self.tensors, self.nodes, self.constants, self.count = tensors, [], {}, 0

    def node(self, kind, *inputs, **attributes):
        self.count += 1
        output = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], f"{kind}_{self.count}", **attributes))
        return output

    def constant(self, value, kind="<f4"):
        self.count += 1
        name = f"c{self.count}"
        self.constants[name] = np.asarray(value, kind)
        return name

    def integers(self, *values):
        return self.constant(values, "<i8")

    def linear(self, name, x):
        product = self.node("MatMul", x, self.constant(self.tensors[name + ".weight"].T))
        return self.node("Add", self.constant(self.tensors[name + ".bias"]), product)

    def norm(self, name, x, epsilon):
        centred = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        square = self.node("ReduceMean", self.node("Pow", centred, self.constant(2)), axes=[-1])
        root = self.node("Sqrt", self.node("Add", square, self.constant(epsilon)))
        scaled = self.node("Mul", self.node("Div", centred, root), self.constant(self.tensors[name + ".weight"]))
        return self.node("Add", scaled, self.constant(self.tensors[name + ".bias"]))

    def gelu(self, x):
        inner = self.node("Erf", self.node("Div", x, self.constant(math.sqrt(2))))
        half = self.node("Mul", x, self.node("Add", inner, self.constant(1)))
        return self.node("Mul", half, self.constant(0.5))

    def attend(self, q, k, v, batch, tokens, heads, size):
        def heads_of(x, order):
            return self.node("Transpose", self.node("Reshape", x, self.integers(batch, tokens, heads, size // heads)),
                             perm=order)

        scores = self.node("MatMul", heads_of(q, [0, 2, 1, 3]), heads_of(k, [0, 2, 3, 1]))
        scores = self.node("Div", scores, self.constant(math.sqrt(size // heads)))
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), heads_of(v, [0, 2, 1, 3]))
        return self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.integers(batch, tokens, size))

    def save(self, path, inputs, outputs, **options):
        """inputs, outputs: name -> (type, shape)."""
        def described(values):
            return [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in values.items()]

        for name, of in zip(outputs, options.pop("of")):
            self.nodes.append(helper.make_node("Identity", [of], [name]))
        graph = helper.make_graph(self.nodes, "graph", described(inputs), described(outputs),
                                  [numpy_helper.from_array(value, name) for name, value in self.constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        onnx.save(model, str(path), **options)


class ImportsOnnx(models.InDirectory):
    """The checks of test_import.py for a model in one file."""

    def setUp(self):
        super().setUp()
        self.model = self.path / "model.onnx"

    def imported(self, *options):
        done = self.vp("import", "model.onnx", "--output", "made", *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def refused(self, *expected, options=()):
        return super().refused(*expected, source="model.onnx", options=options)


@unittest.skipIf(onnx is None, "needs python3-onnx")
class Graphs(ImportsOnnx):
    def bert(self, model, ids, writer=GraphWriter):
        """Writes the model, whose parameters are drawn, as a graph for ids of this shape; returns the writer and the
        names of its hidden values and logits."""
        tensors, config = model.tensors, model.config
        (batch, tokens), heads, size = ids.shape, config["num_attention_heads"], config["hidden_size"]
        graph, e = writer(tensors), model.prefix + "embeddings."
        words = graph.node("Gather", graph.constant(tensors[e + "word_embeddings.weight"]), "ids")
        types = graph.node("Gather", graph.constant(tensors[e + "token_type_embeddings.weight"]), "types")
        positions = graph.constant(tensors[e + "position_embeddings.weight"][None, :tokens])
        x = graph.node("Add", graph.node("Add", words, types), positions)
        x = graph.norm(e + "LayerNorm", x, config["layer_norm_eps"])
        for i in range(config["num_hidden_layers"]):
            name = f"{model.prefix}encoder.layer.{i}."
            q, k, v = (graph.linear(f"{name}attention.self.{part}", x) for part in ("query", "key", "value"))
            mixed = graph.attend(q, k, v, batch, tokens, heads, size)
            x = graph.node("Add", graph.linear(name + "attention.output.dense", mixed), x)
            x = graph.norm(name + "attention.output.LayerNorm", x, config["layer_norm_eps"])
            up = graph.gelu(graph.linear(name + "intermediate.dense", x))
            x = graph.node("Add", graph.linear(name + "output.dense", up), x)
            x = graph.norm(name + "output.LayerNorm", x, config["layer_norm_eps"])
        first = graph.node("Gather", x, graph.constant(0, "<i8"), axis=1)
        pooled = graph.node("Tanh", graph.linear(model.prefix + "pooler.dense", first))
        return graph, x, graph.linear("classifier", pooled)

    def written(self, ids, **options):
        model = models.Bert(1, "bert.", models.bert_config(), ["attention"] * 2)
        output, logits = model.evaluate(ids)
        graph, hidden, classes = self.bert(model, ids)
        shape = list(ids.shape)
        graph.save(self.model, {name: (TensorProto.INT64, shape) for name in ("ids", "types")},
                   {"hidden": (TensorProto.FLOAT, shape + [48]), "logits": (TensorProto.FLOAT, [shape[0], 3])},
                   of=[hidden, classes], **options)
        return model, output, logits

    def test_bert(self):
        ids = self.ids(1, 16, 20)
        _, output, logits = self.written(ids)
        printed = self.imported("--batch", 16)
        self.assertIn("layers 0 to 1: attention with dense projections, dense feed-forward", printed)
        self.assertIn("all tokens are of type 0", printed)
        self.assertIn("output 'hidden' of the graph", printed)
        self.run_it({"tokens": ids}, output, logits)

    def test_types_of_tokens_and_numbers_beside_the_graph(self):
        ids = self.ids(2, 4, 20)
        model, _, _ = self.written(ids, save_as_external_data=True, location="numbers.bin")
        types = (np.arange(20) >= 12).astype(int)
        output, logits = model.evaluate(ids, types)
        self.imported("--batch", 4, "--token-types")
        self.run_it({"tokens": ids + 60 * types}, output, logits)
        (self.path / "numbers.bin").rename(self.path / "elsewhere.bin")
        (self.path / "made").rename(self.path / "made before")
        self.refused("numbers.bin: there is no such file")

    def test_numbers_are_read_beside_the_graph_alone(self):
        self.written(self.ids(3, 2, 20), save_as_external_data=True, location="numbers.bin")
        model = onnx.load(str(self.model), load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = "../numbers.bin"
        self.model.write_bytes(model.SerializeToString())
        self.refused("lies in '../numbers.bin', expected a file beside the model")

    def test_what_is_no_encoder_is_refused(self):
        for content in (b"", b"\x08\x07", b"no graph", bytes(range(256))):
            self.model.write_bytes(content)
            self.refused("model.onnx")
        self.model.unlink()
        self.refused("model.onnx")
        graph = GraphWriter({})
        x = graph.node("Relu", graph.node("MatMul", "x", graph.constant(np.eye(4))))
        graph.save(self.model, {"x": (TensorProto.FLOAT, [2, 3, 4])}, {"y": (TensorProto.FLOAT, [2, 3, 4])}, of=[x])
        self.refused("no encoder was found: the outputs 'y' are neither tokens nor logits")
        self.refused("--config: an ONNX model says itself what it is", options=["--config", "x.json"])
        graph = GraphWriter({})
        x = graph.node("LSTM", graph.node("Hardmax", "x"), graph.constant(np.zeros((1, 16, 4))),
                       graph.constant(np.zeros((1, 16, 4))), hidden_size=4)
        graph.save(self.model, {"x": (TensorProto.FLOAT, [2, 3, 4])}, {"y": (TensorProto.FLOAT, [2, 1, 3, 4])}, of=[x])
        message = self.refused("not supported: operator LSTM", "not supported: operator Hardmax")
        self.assertEqual(len(message.splitlines()), 2)

    def test_other_functions_are_not_taken_for_attention(self):
        """The same operators with another scale, or with a mask that leaves out keys."""
        model = models.Bert(4, "", models.bert_config(num_hidden_layers=1), ["attention"])
        ids = self.ids(4, 2, 20)
        model.evaluate(ids)

        class Scaled(GraphWriter):
            def attend(self, q, k, v, *shape):
                return super().attend(self.node("Mul", q, self.constant(2)), k, v, *shape)

        class Causal(GraphWriter):
            def node(self, kind, *inputs, **attributes):
                if kind == "Softmax":
                    mask = self.constant(np.triu(np.full((20, 20), -1e9), 1))
                    inputs = (super().node("Add", inputs[0], mask),)
                return super().node(kind, *inputs, **attributes)

        for writer in (Scaled, Causal):
            graph, hidden, _ = self.bert(model, ids, writer)
            graph.save(self.model, {name: (TensorProto.INT64, [2, 20]) for name in ("ids", "types")},
                       {"hidden": (TensorProto.FLOAT, [2, 20, 48])}, of=[hidden])
            self.refused("expected attention of 4 heads, softmax(q k / sqrt(12)) v, over all tokens")


if torch:
    class SelfAttention(nn.Module):
        def __init__(self, size, heads):
            super().__init__()
            self.heads = heads
            self.query, self.key, self.value, self.output = (nn.Linear(size, size) for _ in range(4))

        def forward(self, x, mask=None):
            def heads_of(t):
                return t.view(t.shape[0], t.shape[1], self.heads, -1).transpose(1, 2)

            q, k, v = heads_of(self.query(x)), heads_of(self.key(x)), heads_of(self.value(x))
            scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
            if mask is not None:
                scores = scores + (1.0 - mask[:, None, None, :].to(scores.dtype)) * -10000.0
            return self.output((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

    class Fourier(nn.Module):
        """The real part of the transform, as products with its matrices: there is no operator for it in older sets."""

        def __init__(self, tokens, size):
            super().__init__()
            for name, count in (("token", tokens), ("value", size)):
                angle = 2 * math.pi * (torch.outer(torch.arange(count), torch.arange(count)) % count) / count
                self.register_buffer(name + "_cosine", angle.double().cos().float())
                self.register_buffer(name + "_sine", angle.double().sin().float())

        def forward(self, x):
            return (torch.einsum("bth,ts,hg->bsg", x, self.token_cosine, self.value_cosine)
                    - torch.einsum("bth,ts,hg->bsg", x, self.token_sine, self.value_sine))

    class Layer(nn.Module):
        def __init__(self, mixing, size, inner, pre, activation):
            super().__init__()
            self.mixing, self.pre, self.activation = mixing, pre, activation
            self.norm1, self.norm2 = nn.LayerNorm(size, eps=1e-6), nn.LayerNorm(size, eps=1e-6)
            self.up, self.down = nn.Linear(size, inner), nn.Linear(inner, size)

        def forward(self, x, *mask):
            if self.pre:
                x = x + self.mixing(self.norm1(x), *mask)
                return x + self.down(self.activation(self.up(self.norm2(x))))
            x = self.norm1(x + self.mixing(x, *mask))
            return self.norm2(x + self.down(self.activation(self.up(x))))

    class Classifier(nn.Module):
        """A vocabulary, layers, the mean of the tokens or a pooler of the first one."""

        def __init__(self, layers, size, tokens, pooler):
            super().__init__()
            self.words, self.positions, self.layers = nn.Embedding(50, size), nn.Embedding(tokens, size), layers
            self.norm, self.classifier = nn.LayerNorm(size, eps=1e-6), nn.Linear(size, 5)
            self.pooler = nn.Linear(size, size) if pooler else None

        def forward(self, ids, *mask):
            x = self.words(ids) * math.sqrt(self.words.weight.shape[1]) + self.positions(torch.arange(ids.shape[1]))
            for layer in self.layers:
                x = layer(x, *mask)
            x = self.norm(x)
            return self.classifier(x.mean(1) if self.pooler is None else self.pooler(x[:, 0]).tanh())

    class Vit(nn.Module):
        def __init__(self, layers, size):
            super().__init__()
            self.patches, self.layers = nn.Conv2d(3, size, (4, 2), (4, 2)), layers
            self.token = nn.Parameter(torch.randn(1, 1, size))
            self.positions = nn.Parameter(torch.randn(1, 13, size))
            self.norm, self.classifier = nn.LayerNorm(size, eps=1e-6), nn.Linear(size, 4)

        def forward(self, images):
            x = self.patches(images).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
            for layer in self.layers:
                x = layer(x)
            return self.classifier(self.norm(x)[:, 0])


@unittest.skipIf(onnx is None or torch is None, "needs python3-onnx and python3-torch")
class Exported(ImportsOnnx):
    def setUp(self):
        super().setUp()
        torch.manual_seed(len(self.id()))

    def export(self, model, inputs, **options):
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = model(*inputs).double().numpy()
            torch.onnx.export(model, inputs, str(self.model), **{"opset_version": 13, **options})
        return expected

    def remove_what_was_made(self):
        for file in (self.path / "made").iterdir():
            file.unlink()

    def test_encoders_of_pytorch(self):
        """Both places of the norm, both orders of axes; in training mode without dropout, because the path of the
        evaluation mode cannot be exported."""
        for pre in (False, True):
            for batch_first in (False, True):
                for activation, version in (("relu", 12), ("gelu", 17)):
                    with self.subTest(pre=pre, batch_first=batch_first, activation=activation):
                        layer = nn.TransformerEncoderLayer(32, 4, 48, 0, activation, norm_first=pre,
                                                           batch_first=batch_first)
                        model = nn.TransformerEncoder(layer, 2, nn.LayerNorm(32) if pre else None)
                        x = torch.randn(2, 11, 32).half().float()
                        given = x if batch_first else x.transpose(0, 1)
                        expected = self.export(model, (given,), opset_version=version, do_constant_folding=False,
                                               training=torch.onnx.TrainingMode.TRAINING)
                        self.imported("--batch", 2)
                        output = expected if batch_first else expected.transpose(1, 0, 2)
                        self.run_it({"input": x.numpy()}, output)
                        self.remove_what_was_made()

    def classified(self, layers, size, tokens, pooler, masked=False):
        model = Classifier(nn.ModuleList(layers), size, tokens, pooler).eval()
        ids = torch.randint(0, 50, (64, tokens))
        mask = (torch.arange(tokens) < torch.randint(1, tokens + 1, (64, 1))).long()
        inputs, names = ((ids, mask), ["ids", "mask"]) if masked else ((ids,), ["ids"])
        expected = self.export(model, inputs, input_names=names,
                               dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names} if masked else None)
        options = ["--tokens", tokens, "--padding-mask"] if masked else []
        self.imported("--batch", 64, *options)
        given = {"tokens": ids.numpy(), **({"mask": mask.numpy()} if masked else {})}
        models.save(given, self.path / "input.safetensors")
        done = self.vp("run", "made/scenario.yaml", "--dump", "--quiet", "--fidelity", "fast", "--out", "run", "--set",
                       "run.input=input.safetensors")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        logits = models.load(self.path / "run" / "tensors.safetensors")["logits"]
        self.assertLess(np.linalg.norm(logits - expected) / np.linalg.norm(expected), 1e-2)
        self.assertGreater((logits.argmax(1) == expected.argmax(1)).mean(), 0.96)

    def test_attention_with_a_mask_and_the_mean_of_tokens(self):
        layers = [Layer(SelfAttention(40, 5), 40, 64, False, nn.functional.gelu) for _ in range(2)]
        self.classified(layers, 40, 15, False, masked=True)

    def test_transforms_then_attention(self):
        layers = [Layer(Fourier(12, 24), 24, 40, False, lambda x: nn.functional.gelu(x, approximate="tanh")),
                  Layer(SelfAttention(24, 2), 24, 40, False, lambda x: nn.functional.gelu(x, approximate="tanh"))]
        self.classified(layers, 24, 12, True)

    def test_images(self):
        model = Vit(nn.ModuleList(Layer(SelfAttention(24, 3), 24, 40, True, nn.functional.gelu) for _ in range(2)), 24)
        images = torch.randn(32, 3, 12, 8).half().float()
        expected = self.export(model.eval(), (images,))
        self.imported("--batch", 32)
        cut = images.unfold(2, 4, 4).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
        patches = nn.functional.pad(cut, (0, 0, 1, 0)).numpy()
        models.save({"patches": patches}, self.path / "input.safetensors")
        done = self.vp("run", "made/scenario.yaml", "--dump", "--quiet", "--fidelity", "fast", "--out", "run", "--set",
                       "run.input=input.safetensors")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        logits = models.load(self.path / "run" / "tensors.safetensors")["logits"]
        self.assertLess(np.linalg.norm(logits - expected) / np.linalg.norm(expected), 1e-2)


if __name__ == "__main__":
    unittest.main()
