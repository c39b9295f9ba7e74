# SPDX-License-Identifier: Apache-2.0
"""`describe` with a filter and as JSON, and how scenarios are named. BUTTERFLY_VP names the executable."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]


class Commands(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def vp(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done


class Describe(Commands):
    def test_filter(self):
        text = self.vp("describe", "--filter", "LANES").stdout
        self.assertEqual(re.findall(r"(?m)^  (\S+) = ", text), ["soc.array.lanes"])
        self.assertNotIn("Memory map", text)
        text = self.vp("describe", "--filter", "uart").stdout
        self.assertIn("Registers of uart", text)
        self.assertRegex(text, r"(?m)^  uart +0x")
        self.assertNotIn("sequencer", text)
        text = self.vp("describe", "encoder_1024x512", "--filter", "fft_tok").stdout
        self.assertRegex(text, r"layers\.0\.fft_tokens +8 +32 ")
        self.assertIn("layers.0.fft_tokens.stage1: stage of 1024 points", text)
        self.assertNotIn("ffn", text)
        self.assertLess(len(text.splitlines()), 20)

    def test_a_filter_that_finds_nothing(self):
        for more in [[], ["--json"], ["--json", "--tensors"]]:
            done = self.vp("describe", "encoder_128x64", "--filter", "no such thing", *more, expect=2)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, "--filter no such thing: nothing has this in its name; .* task or kernel")

    def test_json_has_what_the_text_has(self):
        everything = json.loads(self.vp("describe", "--json").stdout)
        text = self.vp("describe").stdout
        self.assertEqual(set(re.findall(r"(?m)^  ([a-z][\w.]+) = ", text)), set(everything["parameters"]))
        self.assertRegex(text, r"(?m)^  region +base +bytes at most what it is$")
        for region in everything["memory_map"]:
            self.assertRegex(text, rf"(?m)^  {region['name']} +{region['base']:#012x}  {region['bytes']:#012x}  ")
        for bank in everything["registers"]:
            self.assertIn(f"Registers of {bank['name']} at {bank['base']:#x}: {bank['description']}", text)
            for register in bank["registers"]:
                self.assertRegex(text, rf"{register['offset']:#06x}  {register['name']}\b")
        lanes = everything["parameters"]["soc.array.lanes"]
        self.assertEqual((lanes["value"], lanes["default"], lanes["unit"]), (32, 32, "fp16 lanes"))
        self.assertIn("power of two", lanes["allowed"])
        self.assertIsNone(everything["parameters"]["network.tokens"]["default"])

    def test_form_of_transforms(self):
        for choice, form in (("complex", "complex"), ("real", "real"), ("cheaper", "real")):
            arguments = ("describe", "encoder_1024x512", "--set", f"compiler.fft={choice}")
            end = ", not the real one: compiler.fft asks for the complex form\n" if form == "complex" else "\n"
            self.assertIn(f"two-dimensional FFTs have the {form} form{end}", self.vp(*arguments).stdout)
            self.assertEqual(json.loads(self.vp(*arguments, "--json").stdout)["plan"]["fft"], form)
        text = self.vp("describe", "bert_base", "--set", "network.depth=1").stdout
        self.assertNotIn("two-dimensional FFTs", text)

    def test_why_transforms_do_not_have_the_real_form(self):
        for settings, reason in (
            (["soc.scratchpad.column_access=false"], "soc.scratchpad.column_access"),
            (["network.hidden=96"], "odd number of panels"),
            (["network.hidden=40"], "whole panels"),
            (["network.hidden=1152", "compiler.fft=real"], "soc.pe.operand_vectors"),
            (["network.tokens=2"], "three tokens"),
            ([], "it costs more"),
        ):
            words = [word for setting in settings for word in ("--set", setting)]
            plan = json.loads(self.vp("describe", "encoder_128x64", *words, "--json").stdout)["plan"]
            self.assertEqual(plan["fft"], "complex")
            self.assertIn(reason, plan["fft_not_real_because"])

    def test_json_of_a_scenario(self):
        described = json.loads(self.vp("describe", "encoder_1024x512", "--json", "--set", "soc.array.lanes=8").stdout)
        lanes = described["parameters"]["soc.array.lanes"]
        self.assertEqual((lanes["value"], lanes["default"], lanes["given"]), (8, 32, "--set soc.array.lanes=8"))
        self.assertEqual(described["network"]["tokens"], 1024)
        self.assertEqual([task["name"] for task in described["plan"]["tasks"]][:2],
                         ["layers.0.fft_tokens", "layers.0.fft_hidden"])
        self.assertGreater(described["area_by_component_mm2"]["pe"], 0)
        part = json.loads(self.vp("describe", "encoder_1024x512", "--json", "--filter", "fft_tok").stdout)
        self.assertEqual([task["name"] for task in part["plan"]["tasks"]], ["layers.0.fft_tokens"])
        self.assertEqual(part["parameters"], {})

    def test_tensors_of_a_classifier(self):
        tensors = json.loads(self.vp("describe", "text_classifier", "--tensors", "--json").stdout)
        shapes = {entry["name"]: entry["shape"] for entry in tensors["run.weights"]}
        self.assertEqual(shapes["embedding.token"], [256, 128])
        self.assertEqual(shapes["classifier.weight"], [2, 128])
        self.assertEqual(tensors["run.input"][0]["name"], "tokens")
        self.vp("run", "text_classifier", "--quiet", "--dump", "--out", "here", "--fidelity", "fast", "--set",
                "network.tokens=16")
        header = (self.path / "here" / "weights.safetensors").read_bytes()
        size = int.from_bytes(header[:8], "little")
        found = {name: entry["shape"] for name, entry in json.loads(header[8:8 + size]).items() if name[0] != "_"}
        shapes["embedding.position"] = [16, 128]
        self.assertEqual(found, shapes)

    def test_options_that_do_not_go_together(self):
        for arguments in [["--tensors"], ["--schema", "--json"], ["--markdown", "--filter", "x"], ["--filter", ""]]:
            self.vp("describe", *arguments, expect=2)


class Names(Commands):
    def test_shipped_scenarios_by_name(self):
        names = sorted(path.stem for path in (TREE / "scenarios").glob("*.yaml"))
        lines = self.vp("validate", *names).stdout.splitlines()
        self.assertEqual([line.partition("; note: ")[0] for line in lines], [f"{name}: valid" for name in names])
        error = self.vp("validate", "bert_bas", expect=2).stderr
        self.assertIn("did you mean 'bert_base'?; shipped are: bert_base, bert_large, ", error)
        for name in ["bert_base.yaml", "./bert_base", "scenarios/bert_base"]:
            self.assertIn("there is no such file", self.vp("validate", name, expect=2).stderr)

    def test_a_file_of_ones_own_goes_before(self):
        (self.path / "bert_base").write_text("network: {tokens: 4, hidden: 8, ffn: 8, layers: [{mixing: fft2d}]}\n")
        described = json.loads(self.vp("describe", "bert_base", "--json").stdout)
        self.assertEqual(described["network"]["tokens"], 4)
        (self.path / "bert_base").unlink()
        (self.path / "bert_base").mkdir()
        self.assertIn("valid", self.vp("validate", "bert_base").stdout)


if __name__ == "__main__":
    unittest.main()
