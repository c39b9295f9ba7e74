# SPDX-License-Identifier: Apache-2.0
"""run.dataset: a run over a set of samples against runs of its batches, one by one; and what is wrong with a dataset.

BUTTERFLY_VP names the executable, BVP_FIRMWARE_DIR the directory of the firmware."""
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "python"))
from butterfly_vp import rows, tensors  # noqa: E402

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
NETWORK = {"tokens": 8, "hidden": 16, "heads": 2, "ffn": 16, "classes": 3, "batch": 2}
KINDS = {
    "tokens": {"vocabulary": 9, "variant": "hybrid", "depth": 2},
    "patches": {"patch_values": 12, "variant": "dense", "depth": 1},
    "input": {"variant": "butterfly", "depth": 1},
    "mask": {"vocabulary": 9, "padding_mask": "true", "variant": "dense", "depth": 1},
    "topk": {"vocabulary": 9, "layers": "[{mixing: topk, block_tokens: 2, top_blocks: 2}]"},
}
SAMPLES = 6


class Dataset(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        self.random = np.random.default_rng(1)

    def write(self, kind, **changes):
        """The scenario, and samples for it."""
        keys = {**NETWORK, **KINDS[kind], **changes}
        (self.path / "x.yaml").write_text("network:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items()))
        if "vocabulary" in keys:
            samples = {"tokens": self.random.integers(9, size=(SAMPLES, 8)).astype(np.uint8)}
        else:
            name, width = ("patches", 12) if kind == "patches" else ("input", 16)
            samples = {name: self.random.standard_normal((SAMPLES, 8, width)).astype("<f2")}
        if "padding_mask" in keys:
            samples["mask"] = (np.arange(8) < self.random.integers(1, 9, size=(SAMPLES, 1))).astype(np.uint8)
        labels = self.random.integers(3, size=SAMPLES).astype(np.uint8)
        tensors.save({**samples, "labels": labels}, self.path / "set")
        return samples, labels

    def run_it(self, *options):
        return subprocess.run([EXECUTABLE, "run", "x.yaml", "--quiet", *options], cwd=self.path, capture_output=True, text=True,
                              check=False)

    def result(self, name, *options, fidelity="fast"):
        done = self.run_it("--fidelity", fidelity, "--dump", "--out", name, *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads((self.path / name / "summary.json").read_text()), tensors.load(self.path / name / "tensors.safetensors")

    def check(self, kind, *options, fidelity="fast"):
        samples, labels = self.write(kind)
        whole, outputs = self.result("whole", "--set", "run.dataset=set", *options, fidelity=fidelity)
        self.assertTrue(whole["verification"]["bit_exact"])
        self.assertEqual(whole["inferences"], 3)
        parts, cycles = [], 0
        for first in range(0, SAMPLES, 2):
            tensors.save({name: tensor[first:first + 2] for name, tensor in samples.items()}, self.path / "part")
            alone, part = self.result(f"part{first}", "--set", "run.input=part", fidelity=fidelity)
            parts.append(part)
            cycles += alone["cycles"]
        self.assertEqual(set(outputs), set(parts[0]))
        for name, tensor in outputs.items():
            np.testing.assert_array_equal(tensor, np.concatenate([part[name] for part in parts]), name)
        predictions = outputs["logits"].astype(float).argmax(1)
        self.assertEqual(whole["dataset"]["accuracy"], (predictions == labels).mean())
        with open(self.path / "whole" / "predictions.csv", newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        self.assertEqual([int(line["prediction"]) for line in lines], list(predictions))
        self.assertEqual([int(line["label"]) for line in lines], list(labels))
        # Logits of fp32 and fp16 are too near to each other for more than this.
        same = np.mean([line["prediction"] == line["reference"] for line in lines])
        self.assertEqual(whole["dataset"]["agreement"], same)
        self.assertGreater(same, 0.6)
        figures = whole["dataset"]
        self.assertEqual((figures["samples"], figures["batch"]), (SAMPLES, 2))
        self.assertAlmostEqual(figures["cycles_per_sample"], whole["cycles"] / SAMPLES)
        self.assertAlmostEqual(figures["energy_per_sample_j"], whole["energy_j"] / SAMPLES)
        # The firmware starts and ends once, which takes some thousand cycles, and has the classes to find in return.
        self.assertLess(abs(whole["cycles"] - cycles), 0.1 * cycles + 2 * 10000)
        return whole

    def test_a_run_over_a_dataset_has_the_bits_of_its_batches(self):
        for kind in KINDS:
            with self.subTest(kind):
                self.check(kind)

    def test_in_cycle_and_with_protection(self):
        for kind in ("tokens", "patches", "mask"):
            with self.subTest(kind):
                guarded = self.check(kind, "--set", "run.protection=true", fidelity="cycle")
                self.assertEqual(guarded["reliability"]["protection_violations"], 0)

    def test_batches_go_on_without_a_dead_row(self):
        for kind in ("tokens", "patches", "mask"):
            for fidelity in ("cycle", "fast"):
                with self.subTest(kind=kind, fidelity=fidelity):
                    self.write(kind)
                    common = ("--set", "run.dataset=set", "--set", "run.spare_images=true", "--set", "run.protection=true",
                              "--set", "run.launch_limit=20000")
                    whole, right = self.result("whole", *common, fidelity=fidelity)
                    # In the second of three batches.
                    fault = f"faults=[{{kind: stuck_pe, unit: 1, time_s: {whole['time_s'] / 2}, count: 0}}]"
                    degraded, outputs = self.result("degraded", *common, "--set", fault, fidelity=fidelity)
                    self.assertEqual(degraded["reliability"]["rows_left_out"], [0])
                    self.assertTrue(degraded["reliability"]["degraded"])
                    self.assertEqual(degraded["reliability"]["protection_violations"], 0)
                    self.assertEqual(degraded["inferences"], 3)
                    self.assertEqual(degraded["dataset"]["accuracy"], whole["dataset"]["accuracy"])
                    for name, tensor in right.items():
                        np.testing.assert_array_equal(outputs[name], tensor, name)

    def test_some_samples_and_no_verification(self):
        _, labels = self.write("tokens")
        summary, outputs = self.result("some", "--set", "run.dataset=set", "--set", "run.samples=4", "--set",
                                       "verify.enabled=false")
        self.assertEqual(outputs["logits"].shape, (4, 3))
        self.assertEqual(summary["dataset"]["accuracy"], (outputs["logits"].astype(float).argmax(1) == labels[:4]).mean())
        self.assertIsNone(summary["dataset"]["agreement"])
        self.assertIsNone(self.result("none")[0]["dataset"])

    def test_what_is_said_of_it(self):
        self.write("tokens")
        done = subprocess.run([EXECUTABLE, "run", "x.yaml", "--fidelity", "fast", "--set", "run.dataset=set", "--out", "run"],
                              cwd=self.path, capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, r"dataset +6 samples in 3 batches of 2\n +accuracy +[0-9.]+ %, in fp32 [0-9.]+ %; the same "
                                      r"class for [0-9.]+ %\n +a sample +[0-9.]+ us, [0-9.]+ uJ, [0-9]+ cycles\n")
        self.assertIn("batch 3/3 done at cycle", (self.path / "run" / "uart.log").read_text())
        subprocess.run([EXECUTABLE, "report", "run", "--out", "page.html"], cwd=self.path, check=True, capture_output=True)
        self.assertIn('"reference_accuracy"', (self.path / "page.html").read_text())
        listed = json.loads((self.path / "run" / "summary.json").read_text())["inputs"]
        self.assertIn("run.dataset", [entry["key"] for entry in listed])

    def test_a_sweep_over_weights_has_accuracy_as_an_objective(self):
        self.write("tokens")
        expected = {}
        for seed in (1, 2):
            summary, _ = self.result(f"seed{seed}", "--set", "run.dataset=set", "--set", f"run.seed={seed}")
            expected[f"seed{seed}/weights.safetensors"] = summary["dataset"]["accuracy"]
        (self.path / "study.yaml").write_text(
            "base: x.yaml\nset: {run.fidelity: fast, run.dataset: set}\naxes:\n  - linked:\n"
            f"      scenario: [x.yaml, x.yaml]\n      run.weights: [{', '.join(expected)}]\n"
            "objectives:\n  - maximise: dataset.accuracy\n  - minimise: dataset.energy_per_sample_j\n")
        # Files are beside the sweep, wherever it is called.
        elsewhere = self.path / "elsewhere"
        elsewhere.mkdir()
        subprocess.run([EXECUTABLE, "sweep", "../study.yaml", "--quiet", "--out", "s"], cwd=elsewhere, check=True,
                       capture_output=True)
        found = {pathlib.Path(row["run.weights"]): row["dataset.accuracy"] for row in rows(elsewhere / "s")[0] if row["point"]}
        self.assertEqual({str(path.parent.name + "/" + path.name): accuracy for path, accuracy in found.items()}, expected)

    def refused(self, text, *options):
        for command in (["run", "x.yaml", "--quiet", "--fidelity", "fast"], ["validate", "x.yaml"]):
            sets = [word for option in ("run.dataset=set", *options) for word in ("--set", option)]
            done = subprocess.run([EXECUTABLE, *command, *sets], cwd=self.path, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn(text, done.stderr)

    def test_what_is_wrong_is_said(self):
        samples, labels = self.write("tokens")
        tokens = samples["tokens"]
        self.refused("found beside run.input", "run.input=set")
        self.refused("run.data is false", "run.data=false")
        self.refused("expected a classifier head", "network.classes=0")
        self.refused("of 6 samples in batches of 4 (network.batch) the last batch has only 2; expected whole batches: a "
                     "network.batch that divides 6, or run.samples: 4", "network.batch=4")
        self.refused("it has 6 samples, of which run.samples asks for 8", "run.samples=8")
        self.refused("'labels': found 2 at index", "network.classes=2")
        self.refused("expected 0 to 1 (network.vocabulary)", "network.vocabulary=2")
        for wrong, text in [({"tokens": tokens}, "labels"), ({"labels": labels}, "tokens"),
                            ({"tokens": tokens, "labels": labels[:4]}, "'tokens' has shape [6, 8], expected [4, 8]"),
                            ({"tokens": tokens[:, :7], "labels": labels}, "'tokens' has shape [6, 7], expected [6, 8]"),
                            ({"tokens": tokens, "labels": labels[:0]}, "'labels' has shape [0]"),
                            ({"tokens": tokens, "labels": labels[None]}, "'labels' has shape [1, 6], expected [samples]"),
                            ({"tokens": tokens, "labels": labels.astype(np.int32) - 9}, "'labels': found -")]:
            with self.subTest(text):
                tensors.save(wrong, self.path / "set")
                self.refused(text)
        (self.path / "set").unlink()
        self.refused("set")
        done = self.run_it("--set", "run.samples=4")
        self.assertEqual(done.returncode, 2)
        self.assertIn("found 4 without run.dataset", done.stderr)

    def test_a_dram_without_room_is_refused(self):
        self.write("input")
        many = {"input": np.zeros((4096, 8, 16), "<f2"), "labels": np.zeros(4096, np.uint8)}
        tensors.save(many, self.path / "set")
        done = self.run_it("--set", "run.dataset=set", "--set", "soc.dram.size_bytes=1048576")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no room for the 4096 samples of run.dataset", done.stderr)

    def test_firmware_that_knows_nothing_of_datasets_fails(self):
        self.write("tokens")
        firmware = pathlib.Path(os.environ["BVP_FIRMWARE_DIR"])
        done = self.run_it("--fidelity", "fast", "--set", "run.dataset=set", "--set", f"run.firmware={firmware / 'network.elf'}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the magic number is wrong", done.stdout + done.stderr)
        done = self.run_it("--fidelity", "fast", "--set", "run.dataset=set", "--set", f"run.firmware={firmware / 'hello.elf'}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the firmware has run the network 0 times, expected 3", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
