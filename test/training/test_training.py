# SPDX-License-Identifier: Apache-2.0
"""scripts/training against the platform, layer by layer, and against an evaluation of its own; its tasks; its trainer.

BUTTERFLY_VP names the executable. It needs PyTorch (Debian's python3-torch), and says so where there is none."""
import dataclasses
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "scripts"), str(TREE / "scripts" / "python"), str(TREE / "test" / "cli")]

import butterfly_vp  # noqa: E402
from butterfly_vp import evaluation, tensors  # noqa: E402
from training import tasks  # noqa: E402
import test_your_network as own  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
else:
    from training import experiments, files, layers, trainer

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")


def distance(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


class TestTask:
    """What of a task an experiment asks for."""
    vocabulary, classes, train_tokens = 9, 3, np.zeros((1, 64))


class InDirectory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)


class Tensors(InDirectory):
    def test_what_is_written_is_read(self):
        written = {"a": np.arange(6, dtype="<f2").reshape(2, 3), "b": np.array([1, 2], np.uint8), "c": np.zeros((0, 2))}
        tensors.save(written, self.path / "x.safetensors")
        read = tensors.load(self.path / "x.safetensors")
        self.assertEqual(list(read), list(written))
        for name, tensor in written.items():
            self.assertEqual(read[name].dtype, tensor.dtype)
            np.testing.assert_array_equal(read[name], tensor)
        self.assertEqual([path.name for path in self.path.iterdir()], ["x.safetensors"])

    def test_what_is_wrong_is_said(self):
        (self.path / "x").write_bytes(b"no tensors")
        with self.assertRaisesRegex(ValueError, "x: no sound safetensors file"):
            tensors.load(self.path / "x")
        with self.assertRaisesRegex(ValueError, "'a' is of type complex"):
            tensors.save({"a": np.zeros(1, complex)}, self.path / "y")
        self.assertFalse((self.path / "y").exists())


class Tasks(unittest.TestCase):
    def test_listops(self):
        task = tasks.listops(tokens=40, shortest=10, train=300, test=100)
        again = tasks.listops(tokens=40, shortest=10, train=300, test=100)
        np.testing.assert_array_equal(task.train_tokens, again.train_tokens)
        both = np.concatenate([task.train_tokens, task.test_tokens])
        self.assertEqual(len(np.unique(both, axis=0)), 400)
        lengths = (both != tasks.PADDING).sum(1)
        self.assertGreaterEqual(lengths.min(), 10)
        self.assertEqual(both.shape[1], 40)
        for ids, label in zip(both, [*task.train_labels, *task.test_labels]):
            self.assertEqual(self.evaluate(ids), label)

    @staticmethod
    def evaluate(ids):
        """By Python itself, from the text of the tree."""
        median = lambda *terms: int(np.median(terms))  # noqa: E731
        total = lambda *terms: sum(terms) % 10  # noqa: E731
        words = ["", *(f"{digit}," for digit in range(10)), "min(", "max(", "median(", "total(", "),"]
        return eval("".join(words[token] for token in ids).rstrip(","),  # noqa: S307
                    {"min": min, "max": max, "median": median, "total": total})

    def test_recall(self):
        task = tasks.recall(tokens=20, pairs=6, values=4, train=50, test=30)
        for ids, label in zip(task.test_tokens, task.test_labels):
            asked = ids[0] - 24
            pairs = [divmod(token, 4) for token in ids[1:] if token < 24]
            self.assertEqual(sorted(key for key, _ in pairs), list(range(6)))
            self.assertEqual(dict(pairs)[asked], label)
        self.assertEqual(task.vocabulary, task.test_tokens.max() + 1)

    def test_digits(self):
        try:
            task = tasks.digits()
        except ImportError:
            self.skipTest("there is no scikit-learn: scripts/setup python3-sklearn")
        self.assertEqual((task.train_tokens.shape, task.test_tokens.shape), ((1349, 64), (448, 64)))
        self.assertLess(task.train_tokens.max(), task.vocabulary)


@unittest.skipIf(torch is None, "there is no PyTorch: scripts/setup python3-torch")
class Export(InDirectory):
    def draw(self, network):
        """Norms and biases that are not 1 and 0, so that leaving one out is seen."""
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith("bias") or "norm" in name:
                    parameter.add_(0.2 * torch.randn(parameter.shape))

    def check(self, section, batch=2):
        network = layers.Network(layers.complete(section))
        self.draw(network)
        path = self.path / "x.safetensors"
        files.export_network(network, path)
        files.export_scenario(section, batch, path, "A test.", self.path / "x.yaml")
        described = subprocess.run([EXECUTABLE, "describe", "x.yaml", "--tensors", "--json"], cwd=self.path, check=True,
                                   capture_output=True, text=True)
        self.assertEqual({entry["name"]: entry["shape"] for entry in json.loads(described.stdout)["run.weights"]},
                         {name: list(tensor.shape) for name, tensor in tensors.load(path).items()})
        shape = (batch, section["tokens"])
        x = (torch.randint(section["vocabulary"], shape) if "vocabulary" in section
             else torch.randn(*shape, section["hidden"]).half().float())
        tensors.save({"tokens": x.numpy()} if "vocabulary" in section else {"input": x.half().numpy()}, self.path / "in")
        done = subprocess.run([EXECUTABLE, "run", "x.yaml", "--fidelity", "fast", "--quiet", "--dump", "--out", "run", "--set",
                               "run.input=in"], cwd=self.path, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        got = tensors.load(self.path / "run" / "tensors.safetensors")
        with torch.no_grad():
            stages, output = network.encode(x)
            self.hold(got["output"], output)
            for index, stage in enumerate(stages[1:]):
                self.hold(got[f"layers.{index}.output"], stage)
            if "classes" in section:
                self.hold(got["logits"], network(x))
        return network, x, output

    def hold(self, got, want):
        self.assertEqual(got.shape, tuple(want.shape))
        self.assertLess(distance(got.astype(float), want.numpy()), 4e-3)

    def test_networks_are_those_of_the_platform(self):
        base = {"tokens": 16, "hidden": 32, "heads": 2, "ffn": 64}
        one_of_each = [{"mixing": "fft2d", "ffn": "dense"}, {"mixing": "attention", "projections": "dense", "ffn": "butterfly"},
                       {"mixing": "attention", "projections": "butterfly", "ffn": "butterfly"}]
        whole = {"vocabulary": 300, "classes": 5}
        cases = [{**base, "variant": "hybrid", "depth": 3, "attention_layers": 1, "norm": "pre", "pooling": "mean", **whole},
                 {**base, "layers": one_of_each, "activation": "relu", **whole},
                 {**base, "layers": one_of_each, "norm": "pre", "fft_norm": "none", "epsilon": 1e-3},
                 {**base, "variant": "dense", "depth": 1},
                 # Sizes that are no powers of two, stacks that are cut, both lengths of the transform.
                 {"tokens": 12, "hidden": 24, "heads": 3, "ffn": 100, "layers": one_of_each, "fft_length": "power_of_two"},
                 {"tokens": 12, "hidden": 24, "heads": 3, "ffn": 20, "layers": one_of_each, "norm": "pre", **whole}]
        for number, section in enumerate(cases):
            with self.subTest(section):
                torch.manual_seed(number)
                self.check(section)

    def test_sparse_attention_is_that_of_the_platform(self):
        base = {"tokens": 32, "hidden": 32, "heads": 2, "ffn": 64}
        kinds = [{"mixing": "window", "window": 3}, {"mixing": "window", "window": 2, "global_tokens": 3},
                 {"mixing": "blocks", "block_tokens": 4}, {"mixing": "blocks", "block_tokens": 8, "key_blocks": "0, 0 2, 1-3, 3"},
                 # One layer: what the next one chooses could hang on an error of rounding.
                 {"mixing": "topk", "block_tokens": 8, "top_blocks": 2}]
        for kind in kinds:
            with self.subTest(kind):
                torch.manual_seed(1)
                self.check({**base, "layers": [{**kind, "projections": "dense", "ffn": "butterfly"}]})

    def test_sparse_attention_takes_the_place_of_attention(self):
        task = TestTask()
        for variant, name, kinds in [("butterfly_linear", "recall_window", ["window", "window"]),
                                     ("hybrid", "recall_hybrid_1_window", ["fft2d", "window"])]:
            experiment = experiments.Experiment("recall", variant, 1, "window")
            self.assertEqual(experiment.name, name)
            section = experiment.section(task)
            self.assertEqual([layer["mixing"] for layer in section["layers"]], kinds)
            self.assertEqual(section["layers"][1]["projections"], "butterfly")
            files.export_scenario(section, 2, self.path / "w", "A test.", self.path / "x.yaml", self.path / "set")
            written = (self.path / "x.yaml").read_text()
            self.assertIn("\n    - {mixing: window, projections: butterfly, ffn: butterfly, window: 8, global_tokens: 1}\n", written)
            self.assertIn("\n  dataset: set\n", written)

    def test_networks_are_those_of_an_evaluation_in_numpy(self):
        """An evaluation that multiplies by whole matrices and knows nothing of PyTorch."""
        for number, norm in enumerate(["pre", "post"]):
            section = {"tokens": 12, "hidden": 24, "heads": 3, "ffn": 100, "norm": norm,
                       "layers": [{"mixing": "fft2d", "ffn": "butterfly"},
                                  {"mixing": "attention", "projections": "butterfly", "ffn": "dense"}]}
            torch.manual_seed(number)
            network = layers.Network(layers.complete(section))
            self.draw(network)
            other = own.Network(0, **section)
            self.assertEqual(set(other.tensors), set(network.tensors()))
            other.tensors = {name: tensor.astype(float) for name, tensor in network.tensors().items()}
            with torch.no_grad():
                got = network(torch.tensor(other.input, dtype=torch.float32)).numpy()
            self.assertLess(distance(got, other.evaluate()), 1e-5)

    def test_what_is_exported_is_what_is_loaded(self):
        section = {"tokens": 16, "hidden": 32, "heads": 2, "ffn": 64, "variant": "hybrid", "depth": 2, "vocabulary": 9,
                   "classes": 3}
        network = layers.Network(layers.complete(section))
        files.export_network(network, self.path / "x")
        tokens = np.arange(32).reshape(2, 16) % 9
        np.testing.assert_array_equal(trainer.logits_of(files.load_network(section, self.path / "x"), tokens),
                                      trainer.logits_of(network, tokens))

    def test_weights_beyond_fp16_are_clipped(self):
        parameter = torch.tensor([1e6, -1e6, 1.0001], requires_grad=True)
        rounded = layers.rounded(parameter)
        self.assertEqual(rounded.tolist(), [65504, -65504, 1.0])
        rounded.sum().backward()
        self.assertEqual(parameter.grad.tolist(), [1, 1, 1])


class Evaluation(InDirectory):
    """Needs no PyTorch: the weights are drawn by the platform."""

    def setUp(self):
        super().setUp()
        (self.path / "x.yaml").write_text("network: {tokens: 8, hidden: 16, heads: 2, ffn: 16, vocabulary: 9, classes: 3, "
                                          "variant: hybrid, depth: 2}\n")
        self.tokens = np.random.default_rng(1).integers(9, size=(7, 8))

    def test_batches_make_one_set(self):
        whole = evaluation.evaluate(self.path / "x.yaml", self.tokens, batch=7)
        parts = evaluation.evaluate(self.path / "x.yaml", self.tokens.astype(np.uint8), batch=3)
        self.assertEqual(whole.logits.shape, (7, 3))
        np.testing.assert_array_equal(whole.logits, parts.logits)
        self.assertTrue(parts.bit_exact)
        self.assertIsNone(parts.weights)
        runs = [evaluation.evaluate(self.path / "x.yaml", tokens, batch=3) for tokens in (self.tokens[:6], self.tokens[6:])]
        self.assertEqual(parts.cycles, sum(run.cycles for run in runs))
        self.assertEqual(parts.energy_j, sum(run.energy_j for run in runs))
        self.assertEqual(whole.accuracy(whole.logits.argmax(1)), 1)
        self.assertEqual(whole.accuracy((whole.logits.argmax(1) + [1, 0, 0, 0, 0, 0, 0]) % 3), 6 / 7)

    def test_what_is_wrong_is_said(self):
        with self.assertRaisesRegex(ValueError, r"shape \[7, 8\] in batches of 0"):
            evaluation.evaluate(self.path / "x.yaml", self.tokens, batch=0)
        with self.assertRaisesRegex(butterfly_vp.Error, "network.classes"):
            evaluation.evaluate(self.path / "x.yaml", self.tokens, sets={"network.classes": 0})
        with self.assertRaisesRegex(butterfly_vp.Error, "vocabulary"):
            evaluation.evaluate(self.path / "x.yaml", self.tokens + 5)

    def evaluate(self, *options):
        return subprocess.run([sys.executable, str(TREE / "scripts" / "evaluate"), *map(str, options)], cwd=self.path,
                              capture_output=True, text=True, check=False)

    def test_the_command(self):
        tensors.save({"tokens": self.tokens, "labels": np.zeros(7, np.uint8)}, self.path / "test")
        done = self.evaluate("x.yaml", "--test", "test", "--methods", "improved", "--samples", 5)
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = evaluation.evaluate(self.path / "x.yaml", self.tokens[:5])
        cells = done.stdout.splitlines()[1].split()
        self.assertEqual(cells[:4], ["x", "improved", f"{100 * expected.accuracy(np.zeros(5)):.1f}", "%"])
        self.assertIn(f"{expected.cycles / 5:,.0f}", cells)
        for options, text in [(["x.yaml"], "expected both or neither"), (["--methods", "other"], "found 'other'"),
                              (["x.yaml", "--test", "nothing"], "nothing"), (["--seeds", "a"], "--seeds: found 'a'"),
                              (["--trained", self.path], "accuracy.json")]:
            with self.subTest(options):
                refused = self.evaluate(*options)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(text, refused.stderr)
                self.assertNotIn("Traceback", refused.stderr)


class Shipped(unittest.TestCase):
    """The networks of scenarios/trained: complete, sound, and as accurate as their list says."""
    DIRECTORY = TREE / "scenarios" / "trained"

    def setUp(self):
        self.entries = json.loads((self.DIRECTORY / "accuracy.json").read_text())["networks"]

    def test_every_file_is_listed_and_there(self):
        names = {entry["name"] for entry in self.entries}
        expected = {f"{name}.yaml" for name in names} | {f"{entry['task']}.test.safetensors" for entry in self.entries}
        expected |= {f"{entry['name']}.seed{entry['seed']}.safetensors" for entry in self.entries} | {"accuracy.json"}
        self.assertEqual({path.name for path in self.DIRECTORY.iterdir()}, expected)
        subprocess.run([EXECUTABLE, "validate", *sorted(self.DIRECTORY.glob("*.yaml"))], check=True, capture_output=True)
        self.assertLess(sum(path.stat().st_size for path in self.DIRECTORY.iterdir()), 20e6)

    def test_each_is_one_of_the_experiments(self):
        if torch is None:
            self.skipTest("there is no PyTorch: scripts/setup python3-torch")
        of_name = {experiment.name: experiment for experiment in experiments.experiments()}
        for entry in self.entries:
            self.assertEqual(entry["setting"], dataclasses.asdict(of_name[entry["name"]].setting))

    def test_the_page_has_them_all(self):
        page = (TREE / "docs" / "trade_off.md").read_text()
        self.assertEqual({entry["name"] for entry in self.entries},
                         set(re.findall(r"(?m)^\| (\w+) \| [\d,]+ \| [\d.]+ \(", page)))

    def test_a_network_of_each_task_reaches_its_accuracy(self):
        """On all of its test set; what fp16 changes may turn single sequences."""
        for task in sorted({entry["task"] for entry in self.entries}):
            entry = next(entry for entry in self.entries if entry["task"] == task and "hybrid" in entry["name"])
            with self.subTest(entry["name"]):
                found = butterfly_vp.run(self.DIRECTORY / f"{entry['name']}.yaml", fidelity="fast")
                self.assertTrue(found["verification"]["bit_exact"])
                self.assertAlmostEqual(found["dataset"]["accuracy"], entry["accuracy"], delta=0.015)
                self.assertAlmostEqual(found["dataset"]["reference_accuracy"], entry["accuracy"], delta=0.005)


@unittest.skipIf(torch is None, "there is no PyTorch: scripts/setup python3-torch")
class Training(InDirectory):
    TASK = tasks.recall(tokens=8, pairs=3, values=2, train=200, test=20)

    def trainer(self, state, steps=8):
        torch.manual_seed(3)
        setting = dataclasses.replace(experiments.SETTINGS["recall"], steps=steps)
        section = {"tokens": 8, "hidden": 16, "heads": 2, "ffn": 16, "variant": "hybrid", "depth": 2,
                   "vocabulary": self.TASK.vocabulary, "classes": self.TASK.classes}
        return trainer.Trainer(layers.Network(layers.complete(section)), self.TASK, setting, 3, self.path / state)

    def test_what_was_stopped_goes_on_to_the_same_bits(self):
        through, first, second = self.trainer("a"), self.trainer("b"), self.trainer("b")
        through.train()
        first.train(until=5)
        second.resume()
        self.assertEqual(second.step, 5)
        second.train()
        for name, tensor in through.network.tensors().items():
            np.testing.assert_array_equal(tensor, second.network.tensors()[name], name)
        other = self.trainer("b", steps=9)
        other.resume()
        self.assertEqual(other.step, 0)

    def test_it_learns(self):
        training = self.trainer("a", steps=150)
        training.train()
        right = trainer.logits_of(training.network, self.TASK.test_tokens).argmax(1) == self.TASK.test_labels
        self.assertLess(training.loss, 0.6)
        self.assertGreater(right.mean(), 0.7)

    def train(self, *options):
        directories = ["--out", self.path / "out", "--work", self.path / "work"]
        return subprocess.run([str(TREE / "scripts" / "train"), *map(str, [*directories, *options])], capture_output=True,
                              text=True, check=False)

    def test_the_command(self):
        done = self.train("--only", "recall_butterfly_linear", "--seeds", "5,4", "--steps", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(re.findall(r"(?m)^(\w+ seed \d): accuracy 0\.\d", done.stdout),
                         ["recall_butterfly_linear seed 5", "recall_butterfly_linear seed 4"])
        self.assertEqual(list((self.path / "work").iterdir()), [])
        self.assertIn("recall_butterfly_linear.seed4.safetensors", (self.path / "out" / "recall_butterfly_linear.yaml").read_text())
        self.assertEqual([entry["seed"] for entry in files.load_results(self.path / "out")], [4, 5])
        self.assertEqual(self.train("--only", "recall_butterfly_linear", "--seeds", "4", "--steps", 2).stdout, "")
        for options, text in [(["--only", "nothing"], "found 'nothing', expected a part of one of digits_dense"),
                              (["--seeds", "x"], "--seeds: found 'x'"), (["--steps", 0], "--steps: found 0")]:
            with self.subTest(options):
                refused = self.train(*options)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(text, refused.stderr)


class Front(unittest.TestCase):
    def test_what_is_better_in_both_takes_others_from_the_front(self):
        loader = importlib.machinery.SourceFileLoader("trade_off", str(TREE / "scripts" / "trade_off"))
        trade_off = importlib.util.module_from_spec(importlib.util.spec_from_loader("trade_off", loader))
        loader.exec_module(trade_off)
        points = {"cheap": (0.2, 1), "good": (0.8, 5), "worse": (0.5, 6), "dear": (0.8, 6), "same": (0.8, 5), "best": (0.9, 9)}
        networks = {name: {"improved": [{"accuracy": accuracy - 0.1, "cycles": cost}, {"accuracy": accuracy + 0.1, "cycles": cost}]}
                    for name, (accuracy, cost) in points.items()}
        self.assertEqual(trade_off.on_the_front(networks, "improved", "cycles"), {"cheap", "good", "same", "best"})


if __name__ == "__main__":
    unittest.main()
