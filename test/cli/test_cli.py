# SPDX-License-Identifier: Apache-2.0
"""The executable as a process: arguments, exit codes, messages, files. BUTTERFLY_VP names the executable."""
import csv
import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import struct
import shutil
import subprocess
import tempfile
import time
import unittest

import numpy as np

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]
SMALL = TREE / "scenarios" / "encoder_128x64.yaml"
CLASSIFIER = TREE / "scenarios" / "text_classifier.yaml"
MAIN = TREE / "scenarios" / "encoder_1024x512.yaml"
SHIPPED = sorted((TREE / "scenarios").glob("*.yaml"))
SANITIZED = "with sanitizers" in subprocess.run([EXECUTABLE, "--version"], capture_output=True, text=True).stdout
# The address sanitizer writes this once into a program whose exceptions pass through fibres, as SystemC's threads are.
SANITIZER_NOTE = re.compile(r"(==\d+==|==)WARNING: ASan is ignoring requested __asan_handle_no_return:.*\n"
                            r"False positive error reports may follow\nFor details see \S+\n")


def tensors_of(path):
    """A safetensors file -> {name: array}, floats as float64."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    types = {"F16": "<f2", "U32": "<u4"}
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[8 + size + begin:8 + size + end], types[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = array.astype(float) if entry["dtype"] == "F16" else array
    return tensors


def safetensors(name, dtype, array):
    """The bytes of a file with one tensor."""
    header = json.dumps({name: {"dtype": dtype, "shape": list(array.shape), "data_offsets": [0, array.nbytes]}}).encode()
    return struct.pack("<Q", len(header)) + header + array.tobytes()


def waveform(text):
    """A VCD file -> {signal: [(time, value), ...]}, changes only."""
    head, _, body = text.partition("$enddefinitions")
    if "$timescale" not in head:
        raise ValueError("no timescale")
    signals = {words[4]: words[3] for words in map(str.split, head.splitlines()) if words[:1] == ["$var"]}
    changes = {code: [] for code in signals.values()}
    now = 0

    def change(code, value):
        if not changes[code] or changes[code][-1][1] != value:
            changes[code].append((now, value))

    for words in map(str.split, body.splitlines()):
        if len(words) == 1 and words[0].startswith("#"):
            now = int(words[0][1:])
        elif len(words) == 2 and words[0].startswith("b"):
            change(words[1], int(words[0][1:], 2))
        elif len(words) == 1 and words[0][0] in "01":
            change(words[0][1:], int(words[0][0]))
    return {name: changes[code] for name, code in signals.items()}


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def vp(self, *arguments, expect=0, timeout=300, **options):
        done = subprocess.run(
            [EXECUTABLE, *map(str, arguments)], cwd=self.path, timeout=timeout, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", **options)
        done.stderr = SANITIZER_NOTE.sub("", done.stderr)
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done

    def write(self, name, text):
        path = self.path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


class Usage(CommandLine):
    def test_bad_usage_is_2(self):
        for arguments in [[], ["fly"], ["run"], ["validate"], ["run", SMALL, "--speed"], ["run", SMALL, "--set", "x"],
                          ["run", SMALL, "--uart", "smoke"], ["describe", "--set", "soc.array.lanes=8"]]:
            with self.subTest(arguments):
                done = self.vp(*arguments, expect=2)
                self.assertNotEqual(done.stderr + done.stdout, "")

    def test_version(self):
        project = (TREE / "CMakeLists.txt").read_text()
        version = re.search(r"project\(butterfly-vp VERSION (\d+\.\d+\.\d+)", project)[1]
        first, commit, build = self.vp("--version").stdout.splitlines()
        self.assertEqual(first, f"butterfly-vp {version}")
        self.assertRegex(commit, r"^commit ([0-9a-f]{40}(, with changes that are not committed)?|unknown)$")
        self.assertRegex(build, r"^build \w+[\w ]*, \w+ [\d.]+, Linux \w+$")

    def test_unknown_commands_and_full_disks(self):
        self.assertIn("unknown command 'rum', did you mean 'run'?; expected one of: run, ",
                      self.vp("rum", SMALL, expect=2).stderr)
        with open("/dev/full", "w") as full:
            done = subprocess.run([EXECUTABLE, "validate", SMALL], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "error: standard output cannot be written\n"))
        for command in [["describe"], ["describe", SMALL, "--json"],
                        ["run", SMALL, "--fidelity", "fast", "--no-data", "--out", self.path / "full"]]:
            with self.subTest(command), open("/dev/full", "w") as full:
                done = subprocess.run([EXECUTABLE, *command], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual((done.returncode, done.stderr.splitlines()[-1]),
                                 (1, "error: standard output cannot be written"))

    def test_options_that_would_be_ignored(self):
        for arguments in [["run", SMALL, "--fidelity", ""], ["run", SMALL, "--firmware", ""], ["run", SMALL, "--out", ""],
                          ["compare", SMALL, "--out", ""], ["report", "here", "--out", ""], ["bench", "--append", ""],
                          ["bench", SMALL, "--series"], ["bench", "--signature", SMALL], ["bench", "--signature", "--series"],
                          ["bench", "--signature", "--out", "x.json"], ["describe", "--schema", SMALL],
                          ["describe", "--markdown", SMALL]]:
            with self.subTest(arguments):
                self.assertRegex(self.vp(*arguments, expect=2, timeout=10).stderr, "^error: ")

    def test_help_is_0(self):
        self.assertIn("validate", self.vp("--help").stdout)
        self.assertIn("--firmware", self.vp("run", "--help").stdout)


class Validate(CommandLine):
    def test_parameters_that_do_not_go_together(self):
        for setting, words in [("soc.dram.banks=1", "bank_groups"), ("soc.scratchpad.size_bytes=262145", "multiple"),
                               ("soc.sequencer.max_image_bytes=64", "max_image_bytes"),
                               ("soc.dram.refresh_cycles=1000000", "refresh_interval")]:
            with self.subTest(setting):
                self.assertIn(words, self.vp("validate", SMALL, "--set", setting, expect=2).stderr)
                error = self.vp("run", SMALL, "--set", setting, expect=2).stderr
                self.assertIn(words, error)
                self.assertNotIn("In file", error)

    def test_shipped_scenarios(self):
        done = self.vp("validate", *SHIPPED)
        self.assertEqual(len(re.findall(r": valid(?:; note: .*)?$", done.stdout, re.M)), len(SHIPPED))

    def test_every_mistake_is_named(self):
        bad = self.write("bad.yaml", "soc: {array: {lanez: 8, rows: 0}}\nnetwork: {tokens: x}\n")
        done = self.vp("validate", bad, SMALL, expect=2)
        self.assertIn("bad.yaml:1:15: soc.array.lanez: unknown key, did you mean 'soc.array.lanes'?", done.stderr)
        self.assertIn("bad.yaml:1:31: soc.array.rows: found '0', expected an integer from 1 to 16", done.stderr)
        self.assertIn("bad.yaml:2:19: network.tokens: found 'x'", done.stderr)
        self.assertIn("encoder_128x64.yaml: valid", done.stdout)

    def test_files_that_are_no_scenarios(self):
        self.vp("validate", "absent.yaml", expect=2)
        self.vp("validate", self.path, expect=2)
        self.vp("validate", "/dev/null", expect=2)
        for content in [b"", b"\0\1\2\3" * 100, b"\t\n- :", b"[" * 50000, b"x" * (2 << 20)]:
            with self.subTest(content[:10]):
                self.vp("validate", self.write("odd.yaml", content), expect=2)
        huge = self.path / "huge.yaml"
        with open(huge, "wb") as file:
            file.truncate(1 << 30)
        self.vp("validate", huge, expect=2, timeout=10)

    def test_heads_mean_nothing_without_attention(self):
        file = self.write("odd.yaml", b"network: {tokens: 16, hidden: 32, heads: 5, ffn: 64, layers: [{mixing: fft2d}]}\n")
        self.vp("validate", file)
        self.vp("run", file, "--quiet", "--out", "odd")
        done = self.vp("compare", file)
        self.assertIn("5 heads do not divide hidden = 32", done.stderr)
        self.assertIn("xavier_nx_dense_tensor", done.stdout)
        self.assertNotIn("this_array_dense ", done.stdout)

    @unittest.skipIf(os.geteuid() == 0, "root may read every file")
    def test_files_that_may_not_be_read(self):
        for key in ["run.weights", "run.input", "run.firmware", "energy.profile"]:
            file = self.write("secret", b"")
            (self.path / file).chmod(0)
            for command in ["run", "validate"]:
                done = self.vp(command, SMALL, "--set", f"{key}={self.path / file}", expect=2)
                self.assertIn(key, done.stderr)
                self.assertIn("Permission denied", done.stderr)

    def test_what_does_not_fit(self):
        done = self.vp("validate", SMALL, "--set", "soc.dram.size_bytes=131072", expect=2)
        self.assertRegex(done.stderr, r"--set soc\.dram\.size_bytes=131072: the network needs more than the 131072 bytes of DRAM")
        done = self.vp("validate", SMALL, "--set", "soc.pe.operand_vectors=32", expect=2)
        self.assertRegex(done.stderr, r"attention\.\S+: .*operand memory.*raise soc\.pe\.operand_vectors")
        # The value in the message is the smallest that is enough: a smaller one is refused.
        for key, value, step in [("soc.dram.size_bytes", 131072, 4096), ("soc.pe.operand_vectors", 32, 1),
                                 ("soc.pe.instruction_store", 8, 1), ("soc.boot_ram.size_bytes", 4096, 4096)]:
            with self.subTest(key):
                done = self.vp("validate", SMALL, "--set", f"{key}={value}", expect=2)
                (least,) = re.findall(rf"--set {key}={value}: .*\(raise {key} to (\d+)\)", done.stderr)
                self.vp("validate", SMALL, "--set", f"{key}={least}")
                done = self.vp("validate", SMALL, "--set", f"{key}={int(least) - step}", expect=2)
                self.assertIn(f"(raise {key} to {least})", done.stderr)

    def test_numbers_that_would_be_read_differently(self):
        done = self.vp("validate", self.write("octal.yaml", "network: {tokens: 0100}\n"), expect=2)
        self.assertIn("network.tokens: found '0100' (with a leading zero, which may mean octal), expected an integer",
                      done.stderr)
        done = self.vp("validate", SMALL, "--set", "run.seed=9007199254740993", expect=2)
        self.assertIn("found '9007199254740993', expected an integer from 0 to 9007199254740992", done.stderr)
        done = self.vp("validate", SMALL, "--set", "network.depth=4", expect=2)
        self.assertIn("found 4 beside network.layers", done.stderr)

    def test_weights_are_checked(self):
        weights = self.write("weights.safetensors", b"not safetensors")
        done = self.vp("validate", SMALL, "--set", f"run.weights={weights}", expect=2)
        self.assertIn("is not a safetensors file", done.stderr)


class Describe(CommandLine):
    def test_defaults(self):
        text = self.vp("describe").stdout
        self.assertIn("scratchpad", text)
        self.assertIn("Registers of sequencer", text)
        self.assertIn("soc.array.lanes = 32 fp16 lanes", text)
        self.assertIn("network.tokens = (required)", text)

    def test_scenario_shows_where_values_come_from(self):
        text = self.vp("describe", SMALL, "--set", "soc.array.lanes=8").stdout
        self.assertIn("soc.array.lanes = 8 fp16 lanes", text)
        self.assertIn("given by --set soc.array.lanes=8", text)
        self.assertIn("18816 parameters", text)

    def test_plan(self):
        text = self.vp("describe", TREE / "scenarios" / "bert_base.yaml", "--set", "network.variant=hybrid").stdout
        self.assertRegex(text, r"Plan: \d+ tasks, [\d,]+ cycles expected; DRAM \S+ MB read")
        self.assertRegex(text, r"layers\.6\.attention\.core +12 +512")
        self.assertRegex(text, r"layers 2 to 4: likewise")
        self.assertRegex(text, r"layers\.0\.ffn\.up\.stage0: stage of 256 points, .* cycles a launch")

    def test_area(self):
        def area(*settings):
            text = self.vp("describe", SMALL, *settings).stdout
            lines = text[text.index("Area at 12 nm"):].split("\n\n")[1].splitlines()
            return {line.split()[0]: float(line.split()[1]) for line in lines if re.fullmatch(r" *\w+ +[0-9.]+", line)}
        base = area()
        self.assertAlmostEqual(sum(v for k, v in base.items() if k != "total"), base["total"], delta=0.01)
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here")
        summary = json.loads((self.path / "here" / "summary.json").read_text())
        self.assertAlmostEqual(summary["area_mm2"], base["total"], delta=0.001)
        self.assertEqual(set(summary["area_by_component_mm2"]) | {"total"}, set(base))
        self.assertLess(area("--set", "soc.array.lanes=8")["pe"], base["pe"] / 2)
        links = 16 * 0.092
        self.assertAlmostEqual(area("--set", "soc.mesh.skip_links=true")["pe"], base["pe"] + links, delta=0.01)
        self.assertAlmostEqual(area("--set", "soc.mesh.link_bytes=8")["pe"], base["pe"] - 7 / 8 * links, delta=0.01)
        self.assertEqual(area("--set", "soc.mesh.link_bytes=64"), base)

    def test_schema_accepts_what_is_declared(self):
        schema = json.loads(self.vp("describe", "--schema").stdout)
        self.assertEqual(schema["required"], ["network"])
        self.assertFalse(schema["additionalProperties"])
        shipped = TREE / "scenarios" / "scenario.schema.json"
        self.assertEqual(schema, json.loads(shipped.read_text()),
                         "write it anew: butterfly-vp describe --schema > scenarios/scenario.schema.json")

    def test_markdown(self):
        self.assertIn("| `soc.array.lanes` | 32 |", self.vp("describe", "--markdown").stdout)


class Run(CommandLine):
    def test_run_leaves_its_results(self):
        done = self.vp("run", SMALL, "--dump", "--out", "here")
        self.assertIn("encoder_128x64", done.stdout)
        self.assertTrue(all(len(line) <= 100 for line in done.stdout.splitlines()))
        summary = json.loads((self.path / "here" / "summary.json").read_text())
        self.assertTrue(summary["passed"])
        self.assertTrue(summary["verification"]["bit_exact"])
        self.assertLess(summary["verification"]["relative_error"], 2e-2)
        self.assertGreater(summary["cycles"], 0)
        network = json.loads((self.path / "here" / "network.json").read_text())
        self.assertEqual(network["tokens"], 128)
        for name in ["tensors.safetensors", "weights.safetensors", "statistics.json", "uart.log"]:
            self.assertTrue((self.path / "here" / name).exists(), name)

    def test_same_scenario_same_bytes(self):
        for name in ["a", "b"]:
            self.vp("run", SMALL, "--quiet", "--dump", "--out", name)
        for name in ["network.json", "statistics.json", "tensors.safetensors", "weights.safetensors", "uart.log"]:
            self.assertEqual((self.path / "a" / name).read_bytes(), (self.path / "b" / name).read_bytes(), name)
        a, b = (json.loads((self.path / name / "summary.json").read_text()) for name in ["a", "b"])
        for key in a:
            if key != "host_run":
                self.assertEqual(a[key], b[key], key)

    def test_defaults_and_uart_file(self):
        done = self.vp("run", SMALL, "--quiet", "--uart", "file:text.log")
        self.assertEqual(done.stdout, "")
        self.assertTrue((self.path / "runs" / "encoder_128x64" / "summary.json").exists())
        self.assertEqual((self.path / "text.log").read_bytes(),
                         (self.path / "runs" / "encoder_128x64" / "uart.log").read_bytes())

    def test_weights_and_input_from_a_run(self):
        self.vp("run", SMALL, "--quiet", "--dump", "--out", "a")
        self.vp("run", SMALL, "--quiet", "--dump", "--out", "b", "--set", "run.weights=a/weights.safetensors",
                "--set", "run.input=a/tensors.safetensors", "--set", "run.seed=99")
        self.assertEqual((self.path / "a" / "tensors.safetensors").read_bytes(),
                         (self.path / "b" / "tensors.safetensors").read_bytes())

    def test_files_are_checked_without_data(self):
        self.vp("run", SMALL, "--quiet", "--dump", "--out", "a")
        good = ["--set", "run.weights=a/weights.safetensors", "--set", "run.input=a/tensors.safetensors"]
        for fidelity in ["cycle", "fast"]:
            self.vp("run", SMALL, "--quiet", "--no-data", "--fidelity", fidelity, "--out", "b", *good)
        self.write("bad.safetensors", b"not safetensors")
        self.write("odd.safetensors", safetensors("input", "F16", np.zeros((1, 2, 3), "<f2")))
        for key, file, message in [("run.weights", "bad", "is not a safetensors file"),
                                   ("run.input", "bad", "is not a safetensors file"),
                                   ("run.weights", "odd", "'layers.0.norm1.weight' [64] is missing"),
                                   ("run.input", "odd", "'input' has shape [1, 2, 3], expected [1, 128, 64]"),
                                   ("run.weights", "absent", "there is no file 'absent.safetensors'")]:
            with self.subTest(f"{key}={file}"):
                done = self.vp("run", SMALL, "--quiet", "--no-data", "--set", f"{key}={file}.safetensors", expect=2)
                self.assertIn(message, done.stderr)

    def test_results_beyond_fp16_fail(self):
        small = ["--set", "network.norm=pre", "--set", "network.tokens=8"]
        self.vp("run", SMALL, "--quiet", "--dump", "--out", "a", *small)
        weights = bytearray((self.path / "a" / "weights.safetensors").read_bytes())
        (size,) = struct.unpack("<Q", weights[:8])
        begin, end = json.loads(weights[8:8 + size])["final_norm.weight"]["data_offsets"]
        weights[8 + size + begin:8 + size + end] = np.full((end - begin) // 2, 65504, "<f2").tobytes()
        self.write("large.safetensors", bytes(weights))
        for more in [[], ["--set", "verify.enabled=false"], ["--fidelity", "fast", "--set", "verify.enabled=false"]]:
            with self.subTest(more):
                done = self.vp("run", SMALL, *small, "--set", "run.weights=large.safetensors", "--out", "b", *more,
                               expect=1)
                self.assertRegex(done.stderr, r"error: kernel final_norm made an? -?infinity in row \d of 8, column \d+ "
                                 "of 64")
                self.assertIn("output has a value that is infinite", done.stderr)
                self.assertIn("NaN in kernels' results, first in final_norm", " ".join(done.stdout.split()))
                found = json.loads((self.path / "b" / "summary.json").read_text())["not_finite"]
                self.assertEqual([kernel["kernel"] for kernel in found["kernels"]], ["final_norm"])
                self.assertGreater(found["infinities"], 0)

    def test_zero_padded_transforms_are_told(self):
        said = "zero-padded to 128 x 128 points"
        sizes = ["--set", "network.hidden=96", "--set", "network.heads=4"]
        self.assertNotIn("zero-padded", self.vp("validate", SMALL, *sizes).stdout)
        self.assertIn("along hidden they are", self.vp("describe", SMALL, *sizes).stdout)
        sizes += ["--set", "network.fft_length=power_of_two"]
        self.assertIn(said, self.vp("validate", SMALL, *sizes).stdout)
        self.assertIn(said, self.vp("describe", SMALL, *sizes).stdout)
        self.assertIn(said, self.vp("run", SMALL, *sizes, "--fidelity", "fast", "--out", "a").stdout)
        summary = json.loads((self.path / "a" / "summary.json").read_text())
        self.assertIn(said, summary["fft_zero_padding"])
        self.assertEqual(json.loads((self.path / "a" / "network.json").read_text())["fft_length"], "power_of_two")
        self.assertNotIn("zero-padded", self.vp("validate", SMALL).stdout)

    def classifier(self, name, *settings):
        words = [word for setting in ["network.fft_length=power_of_two", *settings] for word in ("--set", setting)]
        self.vp("run", CLASSIFIER, "--quiet", "--fidelity", "fast", "--dump", "--out", name, *words)
        run = self.path / name
        return (json.loads((run / "network.json").read_text()), tensors_of(run / "tensors.safetensors"),
                tensors_of(run / "weights.safetensors"), tensors_of(run / "tokens.safetensors")["tokens"])

    def test_embedding_pooling_and_logits_against_numpy(self):
        cases = [["network.tokens=100", "network.pooling=mean"],
                 ["network.tokens=65", "network.batch=3", "network.pooling=mean", "network.hidden=36"],
                 ["network.tokens=33", "network.batch=2", "network.pooling=first", "network.norm=pre",
                  "network.classes=19", "network.vocabulary=5000"]]
        for number, settings in enumerate(cases):
            with self.subTest(settings):
                network, tensors, weights, tokens = self.classifier(f"case{number}", "network.ffn=96", *settings)
                self.assertEqual(tokens.shape, (network["batch"], network["tokens"]))
                self.assertTrue((tokens < network["vocabulary"]).all())
                embedded = weights["embedding.token"][tokens] + weights["embedding.position"]
                np.testing.assert_allclose(tensors["input"], embedded, rtol=2 ** -11, atol=2 ** -25)
                output = tensors["output"]
                pooled = output[:, 0] if network["pooling"] == "first" else output.mean(axis=1)
                logits = pooled @ weights["classifier.weight"].T + weights["classifier.bias"]
                self.assertEqual(tensors["logits"].shape, (network["batch"], network["classes"]))
                np.testing.assert_allclose(tensors["logits"], logits, rtol=2e-3, atol=2e-3)
                self.assertGreater(np.abs(logits).max(), 2e-2)

    def test_token_ids_from_a_file(self):
        small = ["network.tokens=20", "network.batch=2", "network.ffn=96", "network.fft_length=power_of_two"]
        _, tensors, _, tokens = self.classifier("drawn", *small)
        _, again, _, _ = self.classifier("read", *small, "run.input=drawn/tokens.safetensors",
                                         "run.weights=drawn/weights.safetensors", "run.seed=7")
        for name in tensors:
            np.testing.assert_array_equal(tensors[name], again[name])

        def refused(dtype, values, message, name="tokens"):
            file = self.write("ids.safetensors", safetensors(name, dtype, np.asarray(values)))
            words = [word for setting in [*small, f"run.input={file}"] for word in ("--set", setting)]
            done = self.vp("validate", CLASSIFIER, *words, expect=2)
            self.assertIn(f"ids.safetensors: {message}", done.stderr)

        for dtype, kind in [("U8", "<u1"), ("U16", "<u2"), ("I32", "<i4"), ("U32", "<u4"), ("I64", "<i8")]:
            file = self.write("same.safetensors", safetensors("tokens", dtype, tokens.astype(kind)))
            _, again, _, _ = self.classifier("kind", *small, f"run.input={file}")
            np.testing.assert_array_equal(tensors["logits"], again["logits"])
        bad = tokens.astype("<i4")
        bad[1, 3] = 256
        refused("I32", bad, "'tokens': found 256 at index [1, 3], expected 0 to 255 (network.vocabulary)")
        bad[1, 3] = -1
        refused("I32", bad, "'tokens': found -1 at index [1, 3], expected 0 to 255 (network.vocabulary)")
        refused("F32", bad.astype("<f4"), "tensor 'tokens': found type F32, expected U8, U16, I32, U32 or I64")
        refused("I32", bad[:, :5].copy(), "'tokens' has shape [2, 5], expected [2, 20]")
        refused("F16", bad.astype("<f2"), "there is no tensor 'tokens', found 'input'", "input")
        file = self.write("ids.safetensors", safetensors("input", "I32", bad))
        done = self.vp("validate", SMALL, "--set", f"run.input={file}", expect=2)
        self.assertIn("tensor 'input': type I32 is not supported, expected F16, BF16, F32 or F64", done.stderr)

    def test_pooling_needs_classes(self):
        done = self.vp("validate", SMALL, "--set", "network.pooling=mean", expect=2)
        self.assertIn("network.pooling=mean: found 'mean' without network.classes", done.stderr)

    def test_variants_of_a_network(self):
        mixings = {"dense": ["attention"] * 2, "butterfly": ["fft2d"] * 2, "butterfly_linear": ["attention"] * 2,
                   "hybrid": ["fft2d", "attention"]}
        for variant, mixing in mixings.items():
            with self.subTest(variant):
                settings = [f"network.variant={variant}", "network.depth=2", "network.tokens=17", "network.hidden=96",
                            "network.heads=4", "network.ffn=120"]
                self.vp("run", TREE / "scenarios" / "bert_base.yaml", "--quiet", "--fidelity", "fast", "--out", variant,
                        *[word for setting in settings for word in ("--set", setting)])
                summary = json.loads((self.path / variant / "summary.json").read_text())
                self.assertTrue(summary["verification"]["bit_exact"])
                self.assertEqual([layer["mixing"] for layer in summary["layers"]], mixing)
                linear = "dense" if variant == "dense" else "butterfly"
                self.assertEqual({layer["ffn"] for layer in summary["layers"]}, {linear})
                self.assertGreater(summary["plan"]["predicted_cycles"], 0)

    def test_fast_and_without_data(self):
        runs = {"cycle": [], "fast": ["--fidelity", "fast"], "no_data": ["--no-data"]}
        for name, arguments in runs.items():
            self.vp("run", SMALL, "--quiet", "--out", name, *(arguments if name == "no_data" else ["--dump"] + arguments))
        cycle, fast, no_data = (json.loads((self.path / name / "summary.json").read_text()) for name in runs)
        self.assertEqual((self.path / "cycle" / "tensors.safetensors").read_bytes(),
                         (self.path / "fast" / "tensors.safetensors").read_bytes())
        self.assertLess(abs(fast["cycles"] / cycle["cycles"] - 1), 0.05)
        self.assertLess(abs(fast["energy_j"] / cycle["energy_j"] - 1), 0.05)
        self.assertEqual(no_data["cycles"], cycle["cycles"])
        self.assertEqual(no_data["energy_j"], cycle["energy_j"])

    def check_trace(self, directory):
        """Against the format of trace events and the run's summary. @return events, names of processes and tracks, slices"""
        trace = json.loads((directory / "trace.json").read_text())
        self.assertEqual(trace["displayTimeUnit"], "ns")
        trace = trace["traceEvents"]
        summary = json.loads((directory / "summary.json").read_text())
        names, orders, slices, counters = {}, {}, {}, {}
        number = (int, float)
        for event in trace:
            self.assertIs(type(event["pid"]), int, event)
            self.assertIs(type(event["name"]), str, event)
            if event["ph"] == "M":
                self.assertIn(event["name"], ("process_name", "thread_name", "process_sort_index", "thread_sort_index"))
                thread = event["name"].startswith("thread")
                self.assertIs(type(event.get("tid")), int if thread else type(None), event)
                of, kind = (names, "name") if event["name"].endswith("name") else (orders, "sort_index")
                self.assertIs(type(event["args"][kind]), str if kind == "name" else int, event)
                self.assertNotIn((event["pid"], event.get("tid")), of)
                of[event["pid"], event.get("tid")] = event["args"][kind]
            elif event["ph"] == "X":
                self.assertEqual(set(event), {"ph", "pid", "tid", "ts", "dur", "name"})
                self.assertIs(type(event["tid"]), int, event)
                self.assertIsInstance(event["ts"], number)
                self.assertIsInstance(event["dur"], number)
                self.assertGreaterEqual(event["ts"], 0)
                self.assertGreaterEqual(event["dur"], 0)
                self.assertLessEqual(event["ts"] + event["dur"], summary["time_s"] * 1e6 + 1e-2)
                slices.setdefault((event["pid"], event["tid"]), []).append(event)
            else:
                self.assertEqual(event["ph"], "C")
                self.assertEqual(set(event), {"ph", "pid", "ts", "name", "args"})
                self.assertIsInstance(event["ts"], number)
                self.assertIsInstance(event["args"]["value"], number)
                self.assertGreater(event["ts"], counters.get(event["name"], -1))
                counters[event["name"]] = event["ts"]
                self.assertIn((event["pid"], None), names)
        self.assertEqual(names.keys(), orders.keys())
        for track, events in slices.items():
            self.assertIn(track, names)
            self.assertIn((track[0], None), names)
            events.sort(key=lambda e: (e["ts"], e["dur"]))
            ns = lambda microseconds: round(microseconds * 1000)
            for before, after in zip(events, events[1:]):
                self.assertLessEqual(ns(before["ts"]) + ns(before["dur"]), ns(after["ts"]), (names[track], before, after))
        return trace, names, slices

    def check_whole_trace(self, directory):
        """Of a run with nothing left out."""
        trace, names, slices = self.check_trace(directory)
        summary = json.loads((directory / "summary.json").read_text())
        self.assertEqual(summary["trace_events_dropped"], 0)
        busy = {names[pid, None] for pid, tid in slices}
        self.assertLessEqual({"CPU", "DRAM", "DMA", "array", "network", "PE 0", "PE 15"}, busy)
        tracks = {}
        for track, events in slices.items():
            tracks.setdefault(names[track], []).extend(events)
        self.assertEqual(len(tracks["kernels"]), sum(k["launches"] for k in summary["kernels"]))
        kernels_s = summary["kernel_cycles"] * summary["time_s"] / summary["cycles"]
        self.assertAlmostEqual(sum(e["dur"] for e in tracks["kernels"]), kernels_s * 1e6, delta=1)
        self.assertEqual({e["name"] for e in tracks["layers"]}, {f"layer {layer['index']}" for layer in summary["layers"]})
        self.assertEqual({e["name"] for e in tracks["tasks"]}, {task["name"] for task in summary["plan"]["tasks"]})
        self.assertEqual([(e["ts"], e["name"]) for e in tracks["power state"]], [(0, "on")])
        self.assertEqual([e["name"] for e in tracks["run"]], ["run"])
        # A short network leaves the firmware no time to sleep while it has text to print.
        self.assertLessEqual({"run"}, {e["name"] for e in tracks["core"]})
        self.assertLessEqual({e["name"] for e in tracks["core"]}, {"run", "wait for interrupt"})
        self.assertNotIn("stretches with detail", tracks)
        # Layers of a kernel that overlap on a PE, by unit.
        pe = [pid for (pid, tid), n in names.items() if n == "PE 0" and tid is None][0]
        units = {names[track]: events for track, events in slices.items() if track[0] == pe}
        self.assertEqual(set(units), {"load", "cal", "flow", "store"})
        for unit in ["flow", "load"]:
            overlapping = position = 0
            for a in units[unit]:
                while position > 0 and units["cal"][position]["ts"] > a["ts"]:
                    position -= 1
                while position + 1 < len(units["cal"]) and units["cal"][position]["ts"] + units["cal"][position]["dur"] <= a["ts"]:
                    position += 1
                b = units["cal"][position]
                self.assertRegex(a["name"], r"^kernel layer \d+$")
                overlapping += a["name"] != b["name"] and a["ts"] < b["ts"] + b["dur"] and b["ts"] < a["ts"] + a["dur"]
            self.assertGreater(overlapping, 10, unit)
        counters = {e["name"] for e in trace if e["ph"] == "C"}
        self.assertLessEqual({"total [W]", "pe [W]", "dram [W]", "DRAM read [GB/s]", "DRAM write [GB/s]"}
                             | {f"{unit} utilisation [%]" for unit in units}, counters)

    def test_trace(self):
        self.vp("run", SMALL, "--quiet", "--trace", "--out", "here")
        self.check_whole_trace(self.path / "here")

    def test_trace_of_a_clock_between_nanoseconds(self):
        for clock in ["7e8", "2e9"]:
            self.vp("run", SMALL, "--quiet", "--trace", "--out", "here", "--set", f"soc.array.clock_hz={clock}")
            self.check_whole_trace(self.path / "here")

    def test_trace_of_two_inferences(self):
        self.vp("run", SMALL, "--quiet", "--trace", "--out", "here", "--firmware",
                pathlib.Path(EXECUTABLE).parent / "firmware" / "power.elf")
        trace, names, slices = self.check_trace(self.path / "here")
        end = max(e["ts"] + e["dur"] for e in trace if e["ph"] == "X")
        for kind in ["tasks", "layers"]:
            drawn = [event for track, name in names.items() if name == kind for event in slices.get(track, [])]
            of = {name: [e for e in drawn if e["name"] == name] for name in {e["name"] for e in drawn}}
            self.assertGreaterEqual(len(of), 2)
            for name, events in of.items():
                self.assertEqual(len(events), 2, name)
                self.assertLess(sum(e["dur"] for e in events), end / 2)

    def test_trace_in_fast(self):
        self.vp("run", SMALL, "--quiet", "--fidelity", "fast", "--trace", "--out", "here")
        _, names, _ = self.check_trace(self.path / "here")
        self.assertEqual([name for name in names.values() if "PE" in name], ["all PEs in lockstep"])

    def test_trace_of_the_main_scenario(self):
        self.vp("run", MAIN, "--quiet", "--no-data", "--trace", "--out", "here")
        self.check_whole_trace(self.path / "here")

    def test_trace_stays_small(self):
        for scenario, size, window in [(SMALL, 50000, "1e-5"), (SMALL, 300000, "1e-7"), (MAIN, 100000, "1e-7"), (MAIN, 3000000, "1e-6")]:
            with self.subTest(f"{scenario.stem} {size}"):
                self.vp("run", scenario, "--quiet", "--no-data", "--trace", "--set", f"record.trace_bytes={size}",
                        "--set", f"record.power_window_s={window}", "--out", "here")
                written = (self.path / "here" / "trace.json").stat().st_size
                self.assertLessEqual(written, size)
                self.assertGreater(written, size / 3)
                trace, names, slices = self.check_trace(self.path / "here")
                summary = json.loads((self.path / "here" / "summary.json").read_text())
                self.assertGreater(summary["trace_events_dropped"], 0)
                # Counters and stretches with detail, evenly over the run.
                time = summary["time_s"] * 1e6
                marks = [track for track, name in names.items() if name == "stretches with detail"][0]
                for quarter in range(4):
                    inside = lambda e: quarter * time / 4 <= e["ts"] < (quarter + 1) * time / 4
                    self.assertTrue(any(e["ph"] == "C" and inside(e) for e in trace))
                    self.assertTrue(any(map(inside, slices[marks])))
                details = {names[track]: events for track, events in slices.items() if names[track] in ("load", "cal")}
                begins = [(e["ts"], e["ts"] + e["dur"]) for e in slices[marks]]
                for events in details.values():
                    for event in events:
                        self.assertTrue(any(a - 2e-3 <= event["ts"] <= b + 2e-3 for a, b in begins), event)

    def test_trace_that_is_too_small_is_2(self):
        done = self.vp("run", SMALL, "--quiet", "--trace", "--set", "record.trace_bytes=10000", "--out", "here", expect=2)
        self.assertRegex(done.stderr, r"record\.trace_bytes=10000: found 10000, expected at least \d+")
        self.assertFalse((self.path / "here").exists())

    def test_waveform(self):
        # Of a network that leaves the firmware time to sleep.
        self.vp("run", SMALL, "--quiet", "--vcd", "--out", "here", "--set", "network.tokens=256", "--set",
                "network.hidden=128", "--set", "network.ffn=256")
        summary = json.loads((self.path / "here" / "summary.json").read_text())
        values = waveform((self.path / "here" / "signals.vcd").read_text())
        for unit in ["array", "dma0", "dma1"]:
            self.assertEqual(values[f"{unit}_busy"][0], (0, 0))
            self.assertEqual(values[f"{unit}_task"][0], (0, 0xffffffff))
            self.assertEqual(values[f"{unit}_step"][0], (0, 0xffff))
            self.assertEqual(values[f"{unit}_busy"][-1][1], 0)
            self.assertGreater(len(values[f"{unit}_busy"]), 4)
        self.assertGreater(len(values["sequencer_irq"]), 2)
        self.assertEqual([value for _, value in values["array_power"]], [0])
        asleep = [value for _, value in values["cpu_asleep"]]
        self.assertEqual(asleep, [i % 2 for i in range(len(asleep))])
        self.assertGreater(len(asleep), 4)
        for name in ["read", "written"]:
            counts = [value for _, value in values[f"dram_{name}_bytes"]]
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(counts[0], 0)
            # Whole accesses, of which some need a part only.
            self.assertGreaterEqual(counts[-1], 0.99 * summary[f"dram_{name}_bytes"])
            self.assertLess(counts[-1], 1.3 * summary[f"dram_{name}_bytes"])

    @unittest.skipUnless(shutil.which("vcd2fst"), "the package gtkwave is not installed")
    def test_waveform_in_gtkwave(self):
        self.vp("run", SMALL, "--quiet", "--vcd", "--out", "here")
        text = (self.path / "here" / "signals.vcd").read_text()
        subprocess.run(["vcd2fst", "here/signals.vcd", "here/signals.fst"], cwd=self.path, check=True)
        read = subprocess.run(["fst2vcd", "here/signals.fst"], cwd=self.path, check=True, capture_output=True, text=True)
        self.assertEqual(waveform(read.stdout), waveform(text))

    def test_records_change_nothing(self):
        self.vp("run", SMALL, "--quiet", "--out", "a", "--set", "record.power_window_s=0")
        self.vp("run", SMALL, "--quiet", "--out", "b", "--trace", "--vcd", "--set", "record.power_window_s=1e-6")
        a, b = (json.loads((self.path / name / "summary.json").read_text()) for name in ["a", "b"])
        for key in ["cycles", "energy_j", "energy_by_component_j", "unit_cycles", "kernels"]:
            self.assertEqual(a[key], b[key], key)
        self.assertIsNone(a["peak_power_w"])
        self.assertGreater(b["peak_power_w"], b["average_power_w"])
        self.assertFalse((self.path / "a" / "power.csv").exists())

    def test_power_closes(self):
        for window, clock in [("1e-6", "1e9"), ("7.3e-6", "1e9"), ("1", "1e9"), ("3.3e-6", "7e8"), ("3.3e-6", "3e9")]:
            self.vp("run", SMALL, "--quiet", "--out", "here", "--set", f"record.power_window_s={window}",
                    "--set", f"soc.array.clock_hz={clock}")
            summary = json.loads((self.path / "here" / "summary.json").read_text())
            with open(self.path / "here" / "power.csv", newline="") as file:
                rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
            joules = sum(row["total_w"] * (row["end_s"] - row["begin_s"]) for row in rows)
            self.assertAlmostEqual(joules / summary["energy_j"], 1, delta=1e-9)
            for component, energy in summary["energy_by_component_j"].items():
                part = sum(row[component + "_w"] * (row["end_s"] - row["begin_s"]) for row in rows)
                self.assertAlmostEqual(part, energy, delta=1e-9 * summary["energy_j"])
            self.assertEqual(rows[0]["begin_s"], 0)
            self.assertAlmostEqual(rows[-1]["end_s"] / summary["time_s"], 1, delta=1e-12)
            standby = summary["energy_by_action_j"]["dram"]["standby"]
            self.assertAlmostEqual(2 * 0.2988 * summary["time_s"] / standby, 1, delta=1e-9)

    def test_peak_power(self):
        for limit, windows in [("2e-5", slice(None)), ("2.1e-5", slice(-1)), ("5e-6", slice(None))]:
            self.vp("run", SMALL, "--quiet", "--out", "here", "--set", f"run.time_limit_s={limit}", expect=1)
            summary = json.loads((self.path / "here" / "summary.json").read_text())
            with open(self.path / "here" / "power.csv", newline="") as file:
                watts = [float(row["total_w"]) for row in csv.DictReader(file)]
            self.assertAlmostEqual(summary["peak_power_w"], max(watts[windows]), delta=1e-9)

    def test_energy_is_counters_times_prices(self):
        elf = pathlib.Path(EXECUTABLE).resolve().parent / "firmware" / "power.elf"
        self.vp("run", SMALL, "--quiet", "--no-data", "--firmware", elf, "--out", "here", "--set", "energy.profile=textbook")
        summary, prices = (json.loads((self.path / "here" / name).read_text()) for name in ["summary.json", "prices.json"])
        counts = {}
        with open(self.path / "here" / "statistics.csv", newline="") as file:
            for row in csv.DictReader(file):
                path = row["counter"].removeprefix("monitors.").split(".")
                key = path[0].rstrip("0123456789"), path[-1]
                counts[key] = counts.get(key, 0) + int(row["value"])
        in_retention = counts["pe", "retention_cycle"] / 16 * summary["time_s"] / summary["cycles"]
        self.assertGreater(in_retention, 0)
        joules = sum(row["picojoules"] * 1e-12 * counts[row["component"], row["name"]] for row in prices["actions"])
        joules += sum(row["watts"] * (summary["time_s"] - (1 - row["retention"]) * in_retention)
                      for row in prices["background"])
        self.assertAlmostEqual(joules / summary["energy_j"], 1, delta=1e-9)

    def test_what_run_refuses_validate_does(self):
        table = (TREE / "models" / "power" / "tables" / "silicon.yaml").read_text()
        tables = {"incomplete": table.replace("    fma_lane:", "    fma_lanes:"),
                  "old": table.replace("technology_nm: 12", "technology_nm: 200"),
                  "gpu": table + '  gpu:\n    leakage: {watt: 1, per: instance, source: "none", confidence: low}\n',
                  "broken": "profile: broken\n"}
        for name, text in tables.items():
            self.write(f"{name}.yaml", text)
        profile = "energy.profile="
        for settings, expected in [
                (["energy.voltage=0.3"], r"--set energy\.voltage=0\.3: found 0\.3, expected at least 0\.4"),
                (["energy.technology_nm=5"], r"--set energy\.technology_nm=5: .*silicon\.yaml: no scaling .* for 5 nm"),
                ([profile + "old.yaml", "energy.voltage=0.7"], r"--set energy\.voltage=0\.7: .*old\.yaml: no scaling .* 200 nm"),
                ([profile + "incomplete.yaml"], r"--set energy\.profile=.*incomplete\.yaml:\d+: actions\.pe\.fma_lanes: "),
                ([profile + "gpu.yaml"], r"gpu\.yaml:\d+: static\.gpu: there is no such component"),
                ([profile + "broken.yaml"], r"--set energy\.profile=.*broken\.yaml:1: description: missing"),
                ([profile + "silicon_simd8"], r"--set energy\.profile=.*silicon_simd8\.yaml: lanes: "),
                (["record.power_window_s=1e-9"], r"--set record\.power_window_s=1e-9: found 1e-09, expected"),
                (["record.trace=true", "record.trace_bytes=1000"], r"--set record\.trace_bytes=1000: found 1000, expected")]:
            with self.subTest(settings):
                words = [word for setting in settings for word in ("--set", setting)]
                for command in [["validate", SMALL], ["run", SMALL, "--quiet", "--out", "here"]]:
                    self.assertRegex(self.vp(*command, *words, expect=2).stderr, expected)
        self.assertFalse((self.path / "here").exists())
        self.vp("validate", SMALL, "--set", profile + "silicon_simd8", "--set", "soc.array.lanes=8")

    def test_profile_by_machine(self):
        def summary(*settings):
            done = self.vp("run", SMALL, "--no-data", "--fidelity", "fast", "--out", "here",
                           *(word for setting in settings for word in ("--set", setting)))
            result = json.loads((self.path / "here" / "summary.json").read_text())
            self.assertIn(result["energy_note"], " ".join(done.stdout.split()))
            return result["energy_profile"], result["energy_note"], result["energy_by_component_j"]["pe"]

        self.assertEqual(summary()[:2], ("silicon", ""))
        profile, note, lean = summary("soc.array.lanes=8")
        self.assertEqual((profile, note), ("silicon_simd8", ""))
        self.assertEqual(summary("soc.preset=array_256gops")[0], "silicon_simd8")
        profile, note, full = summary("soc.array.lanes=8", "energy.profile=silicon")
        self.assertEqual(profile, "silicon")
        self.assertRegex(note, "calibrated to PEs of 32 lanes; for 8 lanes")
        self.assertGreater(full, 2 * lean)
        self.assertRegex(summary("soc.array.lanes=16")[1], "for 16 lanes")
        self.assertEqual(summary("soc.array.lanes=16", "energy.profile=textbook")[:2], ("textbook", ""))
        self.vp("run", SMALL, "--no-data", "--quiet", "--out", "there", "--set", "soc.array.lanes=8",
                "--set", "energy.profile=silicon")
        self.assertIn("for 8 lanes", self.vp("compare", "there").stdout)

    def test_trace_of_a_run_that_was_stopped(self):
        self.vp("run", SMALL, "--quiet", "--trace", "--out", "whole")
        _, names, slices = self.check_trace(self.path / "whole")
        kernels = [track for track in slices if (names[track[0], None], names[track]) == ("array", "kernels")][0]
        longest = max(slices[kernels], key=lambda event: event["dur"])
        end = round(longest["ts"] + longest["dur"] / 2, 3)
        self.vp("run", SMALL, "--quiet", "--trace", "--out", "here", "--set", f"run.time_limit_s={end}e-6", expect=1)
        _, names, slices = self.check_trace(self.path / "here")
        open_slices = [(names[track[0], None], event) for track, events in slices.items() for event in events
                       if event["name"].endswith(" (not finished)")]
        self.assertIn(("array", longest["name"] + " (not finished)"), [(process, event["name"]) for process, event in open_slices])
        for _, event in open_slices:
            self.assertAlmostEqual(event["ts"] + event["dur"], end, delta=2e-3)

    def test_energy_table_of_ones_own(self):
        table = (TREE / "models" / "power" / "tables" / "silicon.yaml").read_text()
        table = table.replace("profile: silicon", "profile: mine")
        # The shipped tables leave the DRAM to the memory standard; a table with prices of it has them all.
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "shipped")
        prices = json.loads((self.path / "shipped" / "prices.json").read_text())
        dram = {row["name"]: row["picojoules"] for row in prices["actions"] if row["component"] == "dram"}
        dram["read_64b"] = dram["write_64b"] = 8 * 512
        actions = "".join(f'    {name}: {{pj: {price!r}, source: "mine", confidence: low}}\n' for name, price in dram.items())
        watts = next(row["watts"] for row in prices["background"] if row["component"] == "dram") / 2
        standby = f'    standby: {{watt: {watts!r}, per: dram_channel, source: "mine", confidence: low}}\n'
        self.write("mine.yaml", table.replace("static:\n", f"  dram:\n{actions}static:\n  dram:\n{standby}"))
        runs = {"shipped": [], "mine": ["--set", "energy.profile=mine.yaml"],
                "lpddr": ["--set", "energy.dram_pj_per_bit=8"]}
        for name, settings in runs.items():
            self.vp("run", SMALL, "--quiet", "--no-data", "--out", name, *settings)
        shipped, mine, lpddr = (json.loads((self.path / name / "summary.json").read_text())["energy_by_component_j"]
                                for name in runs)
        self.assertLess(mine["dram"], shipped["dram"])
        for component, joules in mine.items():
            self.assertAlmostEqual(joules / lpddr[component], 1, delta=1e-9)
            if component != "dram":
                self.assertEqual(joules, shipped[component])
        self.write("broken.yaml", "profile: broken\n")
        done = self.vp("run", SMALL, "--set", "energy.profile=broken.yaml", expect=2)
        self.assertIn("broken.yaml", done.stderr)

    def test_bad_input_is_2(self):
        empty = self.write("empty.elf", b"")
        for arguments in [["--fidelity", "slow"], ["--set", "compiler.stage_points=100"], ["--firmware", "absent.elf"],
                          ["--firmware", empty], ["--out", "/dev/null/x"], ["--set", "network.heads=5"],
                          ["--set", "soc.array.lanes=0"], ["--no-data", "--dump"]]:
            with self.subTest(arguments):
                done = self.vp("run", SMALL, *arguments, expect=2)
                self.assertIn("error: ", done.stderr)

    def test_firmware_that_cannot_be_run(self):
        elf = bytearray((pathlib.Path(EXECUTABLE).resolve().parent / "firmware" / "hello.elf").read_bytes())

        def refused(expected, *arguments, **bytes_at):
            changed = elf.copy()
            for place, value in bytes_at.items():
                changed[int(place[1:])] = value
            self.write("firmware.elf", bytes(changed))
            done = self.vp("run", SMALL, "--firmware", "firmware.elf", "--out", "here", *arguments, expect=2)
            self.assertRegex(done.stderr, expected)

        def refused_by_both(expected, **bytes_at):
            refused(expected, **bytes_at)
            self.assertRegex(self.vp("validate", SMALL, "--set", "run.firmware=firmware.elf", expect=2).stderr, expected)

        refused_by_both("(--firmware|--set run.firmware=firmware.elf): (run.firmware: )?firmware.elf: not an ELF file", _0=0)
        refused("machine 243, 64 bits, big-endian; expected a RISC-V ELF", _5=2)
        refused("machine 62, 64 bits, little-endian", _18=62)
        refused("its entry 0x[0-9a-f]+ is odd", _24=elf[24] | 1)
        refused(r"soc\.boot_ram\.size_bytes=4096: firmware\.elf: needs \d+ bytes .*raise soc\.boot_ram\.size_bytes to \d+",
                "--set", "soc.boot_ram.size_bytes=4096")
        self.assertFalse((self.path / "here").exists())
        hello = pathlib.Path(EXECUTABLE).resolve().parent / "firmware" / "hello.elf"
        done = self.vp("run", SMALL, "--quiet", "--firmware", hello, "--out", "here", expect=1)
        self.assertIn("error: the firmware carried out no inference", done.stderr)
        self.assertNotIn("values differ", done.stderr)
        self.vp("run", SMALL, "--quiet", "--firmware", hello, "--out", "there", "--set", "verify.enabled=false")

    def test_firmware_that_fails_is_quoted(self):
        firmware = pathlib.Path(EXECUTABLE).resolve().parent / "firmware" / "bad_command.elf"
        done = self.vp("run", SMALL, "--quiet", "--firmware", firmware, "--out", "here", expect=1)
        self.assertRegex(done.stderr, "said: sequencer: error 1: a command's opcode is unknown; info: the opcode; tag 0x[0-9a-f]+, info 0x")
        firmware = firmware.with_name("bad_load.elf")
        done = self.vp("run", SMALL, "--quiet", "--firmware", firmware, "--out", "here", expect=1)
        self.assertRegex(done.stderr, "error: the firmware ended with exit code 3 and said: .*mcause")
        self.assertIn(done.stderr.strip()[len("error: "):],
                      json.loads((self.path / "here" / "summary.json").read_text())["failure"])

    def test_interrupt_ends_the_run_with_its_results(self):
        run = subprocess.Popen([EXECUTABLE, "run", MAIN, "--out", "here"], cwd=self.path, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        while "tasks" not in run.stdout.readline():
            pass
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=300)
        self.assertEqual(run.returncode, -signal.SIGINT, errors)
        self.assertRegex(errors, "error: interrupted after [0-9.e-]+ s of simulated time")
        summary = json.loads((self.path / "here" / "summary.json").read_text())
        self.assertFalse(summary["passed"])
        self.assertGreater(summary["cycles"], 0)

    def test_refused_runs_leave_earlier_results(self):
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here")
        for refused in [["--uart", "smoke"], ["--set", "soc.pe.operand_vectors=16"]]:
            self.vp("run", SMALL, "--quiet", "--out", "here", *refused, expect=2)
            self.assertTrue(json.loads((self.path / "here" / "summary.json").read_text())["passed"])

    def test_interrupt_before_the_simulation_ends_at_once(self):
        run = subprocess.Popen([EXECUTABLE, "run", MAIN, "--out", "here"], cwd=self.path, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        status = pathlib.Path(f"/proc/{run.pid}/status")
        caught = 0
        while not caught >> (signal.SIGINT - 1) & 1:
            caught = int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
        self.assertEqual((run.returncode, errors),
                         (-signal.SIGINT, "error: interrupted: nothing was written, earlier results are untouched\n"))
        self.assertFalse((self.path / "here").exists())

    def test_a_run_keeps_what_it_reads(self):
        self.vp("run", SMALL, "--quiet", "--dump", "--out", "a")
        files = {name: (self.path / "a" / name).read_bytes() for name in ["weights.safetensors", "tensors.safetensors"]}
        inputs = ["--set", "run.weights=a/weights.safetensors", "--set", "run.input=a/tensors.safetensors"]
        for refused in [["--dump"], ["--uart", "file:a/weights.safetensors"]]:
            done = self.vp("run", SMALL, "--quiet", *inputs, "--out", "a", *refused, expect=2)
            self.assertRegex(done.stderr, r"run\.(weights|input): this run reads 'a/\w+\.safetensors' and would overwrite it")
            self.assertTrue((self.path / "a" / "summary.json").exists())
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "a", *inputs)
        for name, content in files.items():
            self.assertEqual((self.path / "a" / name).read_bytes(), content, name)
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "a")
        self.assertFalse((self.path / "a" / "weights.safetensors").exists())

    def test_uart_files(self):
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here", "--uart", "file:here/text.log")
        summary = (self.path / "here" / "summary.json").read_bytes()
        self.assertNotEqual((self.path / "here" / "text.log").read_bytes(), b"")
        for directory in ["here", "new"]:
            done = self.vp("run", SMALL, "--quiet", "--out", directory, "--uart", "file:/nonexistent/x", expect=2)
            self.assertIn("/nonexistent/x: cannot be written", done.stderr)
        self.assertEqual((self.path / "here" / "summary.json").read_bytes(), summary)
        self.assertFalse((self.path / "new").exists())
        done = self.vp("run", SMALL, "--quiet", "--out", "full", "--uart", "file:/dev/full", expect=1)
        self.assertIn("what the firmware printed: /dev/full: cannot be written: No space left on device", done.stderr)
        self.assertTrue(json.loads((self.path / "full" / "summary.json").read_text())["passed"])

    def test_time_limit_is_1(self):
        done = self.vp("run", SMALL, "--out", "here", "--set", "run.time_limit_s=1e-6", expect=1)
        self.assertIn("error: ", done.stderr)


class Files(CommandLine):
    """What the user has is never lost, whatever goes wrong; strangers' files do no harm."""
    TINY = """name: tiny
soc: {preset: array_256gops}
network: {tokens: 16, hidden: 32, heads: 2, ffn: 64, layers: [{mixing: attention, projections: butterfly, ffn: dense}]}
"""

    def setUp(self):
        super().setUp()
        self.tiny = self.write("tiny.yaml", self.TINY)

    def content(self, directory="."):
        place = self.path / directory
        return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}

    def run_tiny(self, *arguments, **options):
        return self.vp("run", "tiny.yaml", "--quiet", *arguments, **options)

    def summary(self, directory):
        return json.loads((self.path / directory / "summary.json").read_text())

    def check_whole(self, directory):
        """All is there that summary.json names, and nothing else."""
        summary, content = self.summary(directory), self.content(directory)
        content = {name: data for name, data in content.items() if "/" not in name}
        self.assertEqual(set(content), set(summary["files"]) | {"summary.json"})
        for name, value in summary["files"].items():
            self.assertEqual(hashlib.sha256(content[name]).hexdigest(), value, name)
        return summary

    def test_a_file_of_the_user_or_one_that_was_changed(self):
        self.run_tiny("--no-data", "--out", "r")
        self.write("r/network.json", "changed")
        self.assertRegex(self.run_tiny("--no-data", "--out", "r", expect=2).stderr,
                         r"^error: r: network\.json is there already, .*, or it was changed since; expected another --out")

    def test_a_directory_with_files_of_the_user(self):
        mine = ["weights.safetensors", "report.html", "trace.json", "notes.txt"]
        (self.path / "o").mkdir()
        for name in mine:
            self.write(f"o/{name}", "mine")
        self.run_tiny("--out", "o")
        for name in mine:
            self.assertEqual((self.path / "o" / name).read_text(), "mine", name)
        before = self.content("o")
        done = self.run_tiny("--out", "o", "--trace", "--dump", expect=2)
        self.assertIn("o: trace.json, weights.safetensors are there already", done.stderr)
        self.assertEqual(self.content("o"), before)
        # Of an earlier run, but not as that has left it.
        with open(self.path / "o" / "network.json", "a") as file:
            file.write(" ")
        before = self.content("o")
        self.assertIn("o: network.json is there already", self.run_tiny("--out", "o", expect=2).stderr)
        self.assertEqual(self.content("o"), before)
        # One file is no summary, the other one has another origin.
        for text in ["{}", self.write("x", "mine").read_text(), "[" * 200000]:
            self.write("o/summary.json", text)
            before = self.content("o")
            self.assertIn("summary.json", self.run_tiny("--out", "o", expect=2).stderr)
            self.assertEqual(self.content("o"), before)
        # A link of the user is not followed, and not replaced.
        (self.path / "p").mkdir()
        self.write("kept.txt", "mine")
        (self.path / "p" / "uart.log").symlink_to("../kept.txt")
        self.assertIn("p: uart.log is there already", self.run_tiny("--out", "p", expect=2).stderr)
        self.assertEqual((self.path / "kept.txt").read_text(), "mine")

    def test_earlier_results_go_when_the_new_ones_are_there(self):
        self.run_tiny("--out", "o", "--trace", "--vcd", "--dump")
        self.vp("report", "o")
        self.assertTrue((self.path / "o" / "report.html").exists())
        self.run_tiny("--out", "o", "--no-data")
        self.check_whole("o")
        for name in ["trace.json", "signals.vcd", "weights.safetensors", "report.html"]:
            self.assertFalse((self.path / "o" / name).exists(), name)

    def test_a_run_that_fails_does_not_replace_one_that_passed(self):
        self.run_tiny("--out", "o")
        before = self.content("o")
        limit = ["--set", "run.time_limit_s=1e-6"]
        done = self.run_tiny("--out", "o", *limit, expect=1)
        self.assertIn("o has the results of an earlier run that passed, as before; those of this run are in o/failed", done.stderr)
        after = self.content("o")
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertFalse(self.check_whole("o/failed")["passed"])
        self.run_tiny("--out", "o", *limit, expect=1)
        # Results of a run that failed are replaced.
        self.run_tiny("--out", "p", *limit, expect=1)
        self.run_tiny("--out", "p", *limit, expect=1)
        self.assertFalse(self.check_whole("p")["passed"])
        self.run_tiny("--out", "p")
        self.assertTrue(self.check_whole("p")["passed"])

    def test_what_cannot_be_written_leaves_earlier_results(self):
        self.run_tiny("--out", "o", "--trace", "--vcd", "--dump")
        before = self.content("o")
        for what, limit in [(["--trace"], 20000), (["--vcd"], 6000), (["--dump"], 9000), ([], 3000), ([], 0)]:
            done = self.run_tiny("--out", "o", *what, expect=1,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            self.assertRegex(done.stderr, r"^error: o/\S+: cannot be written: File too large\n$")
            self.assertEqual(self.content("o"), before, f"{what} {limit}")
            self.assertEqual([entry.name for entry in (self.path / "o").iterdir() if entry.is_dir()], [])

    def test_a_vcd_that_cannot_be_written_is_told(self):
        done = self.run_tiny("--out", "new", "--vcd", expect=1,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)))
        self.assertRegex(done.stderr, r"signals\.vcd: cannot be written: File too large")
        self.assertFalse((self.path / "new").exists())

    @unittest.skipIf(SANITIZED, "the sanitizer itself needs terabytes of address space")
    def test_an_address_space_that_is_too_small(self):
        self.run_tiny("--out", "o")
        before = self.content("o")
        for megabytes in [100, 200, 300, 500, 700, 1000]:
            done = subprocess.run([EXECUTABLE, "run", "tiny.yaml", "--quiet", "--out", "o"], cwd=self.path, capture_output=True, text=True,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20)))
            if done.returncode == 0:
                before = self.content("o")
                continue
            self.assertIn(done.returncode, (1, 2), f"{megabytes} MB: {done.stderr}")
            self.assertRegex(done.stderr, r"error: .*memory", f"{megabytes} MB")
            self.assertEqual(self.content("o"), before)

    def test_nobody_reads_the_output(self):
        done = subprocess.run(["bash", "-c", '"$0" run tiny.yaml --out o | true; echo ${PIPESTATUS[0]}', EXECUTABLE],
                              cwd=self.path, capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr.splitlines()[-1]), ("1\n", "error: standard output cannot be written"))
        self.assertTrue(self.check_whole("o")["passed"])

    def test_two_runs_in_one_directory(self):
        self.run_tiny("--out", "o")
        before = self.content("o")
        first = subprocess.Popen([EXECUTABLE, "run", str(MAIN), "--quiet", "--out", "o"], cwd=self.path, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 60
            while not list((self.path / "o").glob(".butterfly-vp.*")) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertIn("o: another run is writing its results here", self.run_tiny("--out", "o", expect=2).stderr)
        finally:
            first.kill()
            first.communicate()
        # The lock is gone with the process.
        after = self.content("o")
        self.assertEqual({name: after[name] for name in before}, before)
        self.run_tiny("--out", "o")

    def test_two_processes_of_one_number(self):
        if subprocess.run(["unshare", "-p", "-f", "true"], capture_output=True).returncode != 0:
            self.skipTest("no right to make PID namespaces")
        for name in ["run_a", "run_b"]:
            self.run_tiny("--out", name)
        for _ in range(3):
            pairs = [subprocess.Popen(["unshare", "-p", "-f", "--mount-proc", str(pathlib.Path(EXECUTABLE).resolve()), "report",
                                       name, "--out", f"{name}.html"], cwd=self.path, stdout=subprocess.DEVNULL) for name in ["run_a", "run_b"]]
            self.assertEqual([pair.wait() for pair in pairs], [0, 0])
            for name in ["run_a", "run_b"]:
                self.assertIn(f'"directory":"{name}"', (self.path / f"{name}.html").read_text())

    def test_what_a_command_reads_it_does_not_overwrite(self):
        self.run_tiny("--out", "r")
        self.run_tiny("--out", "other")
        shutil.copytree(TREE / "scenarios" / "soc", self.path / "soc")
        before = self.content()
        for arguments, words in [(["compare", "tiny.yaml", "--no-dense", "--out", "tiny.yaml"], "tiny.yaml: is read here"),
                                 (["compare", "tiny.yaml", "--no-dense", "--out", "soc/array_256gops.yaml"], "array_256gops.yaml: is"),
                                 (["report", "r", "--out", "r/summary.json"], "r/summary.json: is read here"),
                                 (["report", "r", "--out", "r/power.csv"], "r/power.csv: is read here"),
                                 (["compare", "r", "--out", "r/summary.json"], "r/summary.json: is read here"),
                                 (["bench", "tiny.yaml", "--out", "tiny.yaml"], "tiny.yaml: is"),
                                 (["bench", "tiny.yaml", "--append", "tiny.yaml"], "tiny.yaml: is read here"),
                                 (["report", "r", "--out", "r/uart.log"], "r/uart.log: is there already"),
                                 (["report", "r", "--out", "other/summary.json"], "other/summary.json: is there already"),
                                 (["compare", "r", "--out", "other/summary.json"], "other/summary.json: is there already"),
                                 (["bench", "tiny.yaml", "--out", "other/summary.json"], "other/summary.json: is there already"),
                                 (["run", "tiny.yaml", "--out", "q", "--uart", "file:other/summary.json"], "is there already"),
                                 (["run", "tiny.yaml", "--out", "q", "--uart", "file:q/summary.json"], "another file there"),
                                 (["run", "tiny.yaml", "--out", "q", "--uart", "file:./other/../q/uart.log"], "another file there"),
                                 (["run", "tiny.yaml", "--out", "q", "--uart", "file:tiny.yaml"], "this run reads"),
                                 (["run", "tiny.yaml", "--out", "q", "--uart", "file:soc/array_1tflops.yaml"], "is there already")]:
            with self.subTest(arguments):
                self.assertIn(words, self.vp(*arguments, expect=2).stderr)
                self.assertEqual(self.content(), before)
        # A file that a command has made may be replaced by it.
        for _ in range(2):
            self.vp("report", "r", "--out", "r.html")
            self.vp("compare", "r", "--out", "r.json")
            self.run_tiny("--out", "u", "--uart", "file:text.log")
        self.write("r.json", "mine")
        self.assertIn("r.json: is there already", self.vp("compare", "r", "--out", "r.json", expect=2).stderr)
        self.assertEqual((self.path / "r.json").read_text(), "mine")

    def test_signals_end_everything_at_once(self):
        self.run_tiny("--out", "o")
        before = self.content("o")
        large = ["--set", "network.variant=dense", "--quiet", "--out", "o"]
        bert = str(TREE / "scenarios" / "bert_base.yaml")
        for arguments, seconds in [(["run", bert, *large], 0.3), (["run", bert, *large], 1.2),
                                   (["run", bert, *large, "--no-data", "--set", "record.power_window_s=0.1"], 3),
                                   (["compare", bert, "--out", "c.json"], 0.5), (["bench", bert, "--out", "b.json"], 0.5),
                                   (["bench", bert, "--out", "b.json"], 2)]:
            for number in [signal.SIGTERM, signal.SIGHUP]:
                with self.subTest(f"{arguments} {seconds} {number.name}"):
                    run = subprocess.Popen([EXECUTABLE, *arguments], cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                    time.sleep(seconds)
                    run.send_signal(number)
                    begin = time.monotonic()
                    errors = run.communicate(timeout=60)[1]
                    # A second, and what a busy machine takes to end a process that has gigabytes.
                    self.assertLess(time.monotonic() - begin, 1 + os.getloadavg()[0] / os.cpu_count())
                    self.assertEqual(run.returncode, -number, errors)
                    self.assertRegex(errors, "interrupted")
                    after = self.content("o")
                    self.assertEqual({name: after[name] for name in before}, before)
                    if "leaves its results" not in errors:
                        self.assertIn("error: interrupted: nothing was written, earlier results are untouched", errors)
                    self.assertFalse((self.path / "c.json").exists() or (self.path / "b.json").exists())
                    self.assertEqual([e.name for e in (self.path / "o").iterdir() if e.name.startswith(".")], [])

    def test_signals_to_the_first_process_of_a_container(self):
        if subprocess.run(["unshare", "-p", "-f", "true"], capture_output=True).returncode != 0:
            self.skipTest("no right to make PID namespaces")
        outer = subprocess.Popen(["unshare", "-p", "-f", str(pathlib.Path(EXECUTABLE).resolve()), "run", str(TREE / "scenarios" / "bert_base.yaml"),
                                  "--set", "network.variant=dense", "--quiet", "--out", "o"], cwd=self.path, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        (inner,) = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(inner), signal.SIGTERM)
        begin = time.monotonic()
        errors = outer.communicate(timeout=60)[1]
        self.assertLess(time.monotonic() - begin, 1 + os.getloadavg()[0] / os.cpu_count())
        self.assertEqual(outer.returncode, 128 + signal.SIGTERM, errors)

    def test_run_directories_of_strangers(self):
        self.run_tiny("--out", "r")
        deep = "[" * 200000 + "]" * 200000
        def text(name):
            return (self.path / "r" / name).read_text().rstrip()
        changes = [("summary.json", text("summary.json")[:-1] + f',"x":{deep}}}', "nested more than 32 deep"),
                   ("network.json", text("network.json")[:-1] + f',"x":{deep}}}', "nested more than 32 deep"),
                   ("parameters.json", deep, "nested more than 32 deep"), ("summary.json", "[]", "found a list, expected a map"),
                   ("summary.json", text("summary.json").replace('"cycles":', '"circles":', 1), "no 'cycles'"),
                   ("summary.json", re.sub(r'"time_s": [\d.e-]+', '"time_s": "<b>"', text("summary.json"), 1), "time_s: found '<b>', expected a number"),
                   ("summary.json", re.sub(r'"time_s": [\d.e-]+', '"time_s": 1e999', text("summary.json"), 1), "is not JSON"),
                   ("network.json", text("network.json").replace('"layers": [', '"layers": [3, ', 1), "layers[0]: found a number, expected a map"),
                   ("parameters.json", "{}", "no 'energy.dram_pj_per_bit'")]
        for name, content, words in changes:
            sound = text(name)
            self.write(f"r/{name}", content)
            for command in ["report", "compare"]:
                with self.subTest(f"{command} {words}"):
                    done = self.vp(command, "r", expect=2)
                    self.assertRegex(done.stderr, rf"^error: r/{name}: .*{re.escape(words)}")
            self.write(f"r/{name}", sound)
        (self.path / "r" / "summary.json").unlink()
        os.mkfifo(self.path / "r" / "summary.json")
        for command in ["report", "compare"]:
            self.assertIn("summary.json: is no regular file", self.vp(command, "r", expect=2, timeout=20).stderr)
        self.assertIn("summary.json are there already", self.run_tiny("--out", "r", expect=2, timeout=20).stderr)

    def test_sizes_are_limited(self):
        table = (TREE / "models" / "power" / "tables" / "silicon.yaml").read_bytes()
        self.write("big.yaml", table + b"# " + b"x" * (20 << 20))
        done = self.vp("validate", self.tiny, "--set", "energy.profile=big.yaml", expect=2, timeout=20)
        self.assertRegex(done.stderr, r"big\.yaml: has \d+ bytes, expected at most 1048576")
        self.run_tiny("--out", "r")
        with open(self.path / "r" / "summary.json", "r+b") as file:
            file.truncate(1 << 31)
        self.assertIn("summary.json: has 2147483648 bytes", self.vp("report", "r", expect=2, timeout=20).stderr)
        aliases = "a: &a {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}\n"
        aliases += "network: {tokens: 16, hidden: 32, ffn: 64, layers: [" + ", ".join(["*a"] * 1000) + "]}\n"
        self.assertIn("further problems are not shown", self.vp("validate", self.write("alias.yaml", aliases), expect=2, timeout=60).stderr)

    def test_weights_as_others_export_them(self):
        self.run_tiny("--out", "a", "--dump")
        data = (self.path / "a" / "weights.safetensors").read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header, body = json.loads(data[8:8 + size]), data[8 + size:]

        def export(name, header, body):
            text = json.dumps(header).encode()
            return self.write(name, struct.pack("<Q", len(text)) + text + body)

        end = len(body)
        export("prefix.safetensors", {"model." + key: value for key, value in header.items()}, body)
        export("ids.safetensors", {**header, "embeddings.position_ids": {"dtype": "I64", "shape": [1, 2], "data_offsets": [end, end + 16]}},
               body + bytes(16))
        floats = np.frombuffer(body, "<f2").astype("<f4")
        bfloat = ((floats.view("<u4") + 0x8000) >> 16).astype("<u2")
        export("bf16.safetensors", {key: {**value, "dtype": "BF16"} for key, value in header.items()}, bfloat.tobytes())
        for name, words in [("prefix", "the names' prefix 'model.' is left off"), ("bf16", f"{len(header)} tensors of type BF16 are rounded"),
                            ("ids", "1 tensors that are not of floats are not part of the network and not read: 'embeddings.position_ids'")]:
            with self.subTest(name):
                setting = ["--set", f"run.weights={name}.safetensors"]
                self.assertIn(words, self.vp("validate", "tiny.yaml", *setting).stderr)
                self.assertIn(words, self.run_tiny("--out", name, "--dump", *setting).stderr)
                self.assertIn(words, self.summary(name)["notes"][0])
                used, original = (tensors_of(self.path / run / "weights.safetensors") for run in (name, "a"))
                for key, array in original.items():
                    np.testing.assert_allclose(used[key], array, rtol=2 ** -8 if name == "bf16" else 0, err_msg=key)
        bfloat[5] = 0x4780  # 65536
        export("large.safetensors", {key: {**value, "dtype": "BF16"} for key, value in header.items()}, bfloat.tobytes())
        done = self.run_tiny("--out", "x", "--set", "run.weights=large.safetensors", expect=2)
        self.assertIn("65536 at flat index 5 is beyond the range of fp16", done.stderr)

    def test_names_of_scenario_files(self):
        for name, expected in [("file (1).yaml", "file (1)"), ("Gr\u00f6\u00dfe.yaml", "Gr\u00f6\u00dfe"),
                               (os.fsdecode(b"o\xff.yaml"), "o_")]:
            with self.subTest(name):
                self.write(name, self.TINY.partition("\n")[2])
                self.vp("run", name, "--quiet", "--no-data")
                self.assertEqual(self.summary(f"runs/{expected}")["scenario"], expected)

    def test_empty_sections_and_pipes(self):
        self.write("empty.yaml", self.TINY.replace("soc: {preset: array_256gops}", "soc:") + "run:\nrecord:\n")
        self.vp("validate", "empty.yaml")
        self.assertIn("network.tokens: is missing", self.vp("validate", self.write("e.yaml", "network:\n"), expect=2).stderr)
        for command in [["validate", "/dev/stdin"], ["run", "/dev/stdin", "--quiet", "--no-data", "--out", "p"]]:
            done = subprocess.run([EXECUTABLE, *command], cwd=self.path, input=self.TINY, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        (scenario,) = [entry for entry in self.summary("p")["inputs"] if entry["key"] == "the scenario"]
        self.assertEqual(scenario["sha256"], hashlib.sha256(self.TINY.encode()).hexdigest())
        done = subprocess.run([EXECUTABLE, "validate", "/dev/zero"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)

    def test_validate_says_which_file(self):
        self.write("bad.safetensors", "bad")
        self.write("second.yaml", self.TINY + "run: {weights: bad.safetensors}\n")
        done = self.vp("validate", "tiny.yaml", "second.yaml", expect=2)
        self.assertIn("tiny.yaml: valid\n", done.stdout)
        self.assertRegex(done.stderr, r"error: second\.yaml:4:\d+: run\.weights: bad\.safetensors: is not a safetensors file")

    def test_errors_of_the_machine_name_file_and_line(self):
        self.write("m.yaml", self.TINY.replace("soc: {preset: array_256gops}", "soc:\n  dram:\n    bank_groups: 4\n    banks: 1"))
        for command in ["validate", "run"]:
            self.assertRegex(self.vp(command, "m.yaml", expect=2).stderr, r"error: m\.yaml:4:\d+: soc\.dram: bank_groups is 4, expected at most")

    def test_matrices_beyond_the_reach_of_a_kernel(self):
        done = self.vp("validate", "tiny.yaml", "--set", "network.tokens=65504", "--set", "network.hidden=8192", "--set",
                       "soc.dram.size_bytes=4294967296", expect=2, timeout=120)
        self.assertRegex(done.stderr, r"tiny\.yaml: .*a matrix is larger than the 512 MiB that a kernel can step over")

    def test_different_work_is_not_compared_as_if_it_were_the_same(self):
        for name, settings in [("a", []), ("b", ["network.batch=8"]), ("c", ["network.tokens=32"]), ("d", ["network.layers.0.ffn=butterfly"])]:
            self.run_tiny("--out", name, *[word for setting in settings for word in ("--set", setting)])
        done = self.vp("compare", "a", "b", "c", "d", "--out", "c.json")
        a, b, c, d = (self.summary(name) for name in "abcd")
        table = done.stdout[done.stdout.rindex("speed-up"):]
        self.assertRegex(table, rf"tiny \(b\) +8 .* {8 * a['time_s'] / b['time_s']:.2f} .* {8 * a['energy_j'] / b['energy_j']:.2f}\n")
        self.assertRegex(table, r"tiny \(c\) \[1\] +1 .* - .* -\n")
        self.assertRegex(table, rf"tiny \(d\) \[2\] +1 .* {a['time_s'] / d['time_s']:.2f} ")
        self.assertIn("[1] another network than the first run's, so that their times and energies are not of the same work: tokens 32 instead of 16",
                      done.stdout)
        self.assertIn('[2] another network than the first run\'s, of the same sizes: layers.0.ffn "butterfly" instead of "dense"', done.stdout)
        results = json.loads((self.path / "c.json").read_text())
        self.assertEqual([result["sequences"] for result in results], [1, 8, 1, 1])
        self.assertAlmostEqual(results[1]["time_of_a_sequence_s"], b["time_s"] / 8, delta=1e-12)
        self.assertEqual(results[2]["other_network"], ["tokens 32 instead of 16"])

    def test_summary_says_where_it_comes_from(self):
        self.run_tiny("--out", "a", "--dump")
        self.run_tiny("--out", "b", "--set", "run.weights=a/weights.safetensors", "--set", "run.input=a/tensors.safetensors")
        summary = self.check_whole("b")
        version = self.vp("--version").stdout.splitlines()
        self.assertEqual(version[0], "butterfly-vp " + summary["build"]["version"])
        self.assertIn(summary["build"]["commit"], version[1])
        hashes = {entry["key"]: (entry["path"], entry["sha256"]) for entry in summary["inputs"]}
        self.assertEqual(set(hashes), {"the scenario", "a preset", "run.weights", "run.input", "run.firmware", "energy.profile", "the area table"})
        for path, value in hashes.values():
            self.assertEqual(hashlib.sha256((self.path / path).read_bytes()).hexdigest(), value, path)
        host = summary["host_run"]
        self.assertEqual(host["command"][1:4], ["run", "tiny.yaml", "--quiet"])
        self.assertRegex(host["begun"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for key in ["host", "cpu"]:
            self.assertNotEqual(host[key], "")

    def test_a_long_run_leaves_a_bounded_file(self):
        firmware = pathlib.Path(EXECUTABLE).resolve().parent / "firmware" / "spin.elf"
        self.run_tiny("--out", "o", "--no-data", "--firmware", firmware, "--set", "run.time_limit_s=0.05",
                      "--set", "record.power_window_s=1e-6", expect=1)
        with open(self.path / "o" / "power.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertLessEqual(len(rows), 32768)
        self.assertAlmostEqual(float(rows[0]["end_s"]), 2e-6, delta=1e-9)
        summary = self.summary("o")
        joules = sum(float(row["total_w"]) * (float(row["end_s"]) - float(row["begin_s"])) for row in rows)
        self.assertAlmostEqual(joules / summary["energy_j"], 1, delta=1e-6)
        self.vp("report", "o")
        self.assertLess((self.path / "o" / "report.html").stat().st_size, 4 << 20)


class Compare(CommandLine):
    PEAK = ["--set", "soc.preset=array_256gops"]

    def summary(self, directory):
        return json.loads((self.path / directory / "summary.json").read_text())

    def test_of_a_run(self):
        self.vp("run", SMALL, "--quiet", "--out", "here", *self.PEAK)
        done = self.vp("compare", "here", "--out", "compare.json")
        summary = self.summary("here")
        (result,) = json.loads((self.path / "compare.json").read_text())
        self.assertEqual(result["time_s"], summary["time_s"])
        self.assertEqual(result["energy_j"], summary["energy_j"])
        without_dram = summary["energy_j"] - summary["energy_by_component_j"]["dram"]
        self.assertAlmostEqual(result["energy_without_dram_j"] / without_dram, 1, delta=1e-9)
        names = [row["name"] for row in result["baselines"]]
        self.assertIn("xavier_nx_dense_tensor", names)
        self.assertIn("SpAtten", names)
        for row in result["baselines"]:
            with self.subTest(row["name"]):
                self.assertAlmostEqual(row["speedup"], row["time_s"] / summary["time_s"], delta=1e-9 * row["speedup"])
                own = summary["energy_j"] if row["with_dram"] else without_dram
                self.assertAlmostEqual(row["energy_ratio"], row["energy_j"] / own, delta=1e-9 * row["energy_ratio"])
                for figure in ["time_evidence", "energy_evidence"]:
                    self.assertRegex(row[figure]["tag"], r"^[FDRMI](, [FDRMI])*$")
                    self.assertIn(row[figure]["confidence"], ["high", "mid", "low"])
                    self.assertNotEqual(row[figure]["source"], "")
                self.assertRegex(done.stdout, rf"(?m)^ *{row['name']} .* {row['speedup']:.2f} .* {row['energy_ratio']:.2f}$")
                self.assertIn(f"  {row['name']}: {row['definition']}", done.stdout)

    def test_of_a_scenario_is_that_of_its_run(self):
        self.vp("run", SMALL, "--quiet", "--out", "here")
        self.vp("compare", "here", SMALL, "--out", "compare.json")
        of_run, of_scenario = json.loads((self.path / "compare.json").read_text())
        self.assertEqual(of_run["time_s"], of_scenario["time_s"])
        self.assertEqual(of_run["energy_j"], of_scenario["energy_j"])
        self.assertEqual(of_scenario["baselines"][-1]["name"], "this_array_dense")
        self.assertEqual(of_run["baselines"], of_scenario["baselines"][:-1])
        self.assertIsNone(of_scenario["directory"])

    def test_runs_of_a_scenario_are_told_apart(self):
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "a")
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "b", "--set", "soc.array.lanes=8")
        done = self.vp("compare", "a", "b", "--out", "compare.json")
        ratio = self.summary("a")["time_s"] / self.summary("b")["time_s"]
        self.assertRegex(done.stdout, r"(?m)^ *enc\S* ?\(a\) .* 1\.00 ")
        self.assertRegex(done.stdout, rf"(?m)^ *enc\S* ?\(b\) .* {ratio:.2f} ")
        results = json.loads((self.path / "compare.json").read_text())
        self.assertEqual([result["directory"] for result in results], ["a", "b"])

    def test_what_may_be_set(self):
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here")
        power = "baselines.xavier_nx.power_mode=20W"
        self.vp("compare", "here", "--set", power, "--out", "compare.json")
        (result,) = json.loads((self.path / "compare.json").read_text())
        self.assertAlmostEqual(result["baselines"][0]["energy_j"] / result["baselines"][0]["time_s"], 20, delta=1e-9)
        for setting in ["soc.array.lanes=8", "network.tokens=64", "baselinesx=1"]:
            with self.subTest(setting):
                done = self.vp("compare", "here", "--set", power, "--set", setting, expect=2)
                self.assertIn("only baselines.* may be set", done.stderr)
        self.vp("compare", "here", "--set", "baselines.xavier_nx.powermode=20W", expect=2)

    def test_operating_point(self):
        point = ["--set", "energy.technology_nm=7", "--set", "energy.voltage=0.5", "--set", "energy.dram_pj_per_bit=8"]
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here", *self.PEAK, *point)
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "own", *self.PEAK)
        done = self.vp("compare", "here", "own", "--out", "compare.json")
        self.assertIn("(profile silicon_simd8 scaled to 7 nm, 0.5 V, DRAM at 8 pJ/bit)", done.stdout)
        self.assertIn("(profile silicon_simd8 at 12 nm, 0.8 V)", done.stdout)
        here, own = json.loads((self.path / "compare.json").read_text())
        keys = ["energy_technology_nm", "energy_voltage", "energy_scaled", "energy_dram_pj_per_bit"]
        self.assertEqual([here[key] for key in keys], [7, 0.5, True, 8])
        self.assertEqual([own[key] for key in keys], [12, 0.8, False, None])
        for name, result, has_ratio in [("SpAtten", here, False), ("SpAtten", own, True),
                                        ("xavier_nx_dense_tensor", here, True)]:
            (row,) = [row for row in result["baselines"] if row["name"] == name]
            self.assertEqual(row["energy_ratio"] is not None, has_ratio)
        self.vp("compare", SMALL, "--no-dense", *self.PEAK, *point, "--out", "compare.json")
        (of_scenario,) = json.loads((self.path / "compare.json").read_text())
        self.assertEqual(of_scenario["baselines"], here["baselines"])
        self.assertEqual([of_scenario[key] for key in keys], [here[key] for key in keys])

    def test_a_firmware_of_ones_own_is_2(self):
        firmware = pathlib.Path(shutil.which(EXECUTABLE)).resolve().parent / "firmware" / "network.elf"
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here", "--firmware", firmware)
        for arguments in [["here"], [SMALL, "--set", f"run.firmware={firmware}"]]:
            with self.subTest(arguments):
                done = self.vp("compare", *arguments, expect=2)
                self.assertIn("found run.firmware", done.stderr)
                self.assertNotIn("simulating", done.stderr)

    def test_a_run_that_failed_is_1(self):
        self.vp("run", SMALL, "--out", "stopped", "--set", "run.time_limit_s=1e-5", expect=1)
        self.assertFalse(self.summary("stopped")["passed"])
        done = self.vp("compare", "stopped", "--out", "compare.json", expect=1)
        self.assertIn("the run failed or was stopped", done.stderr)
        self.assertFalse((self.path / "compare.json").exists())

    def test_bad_input_is_2(self):
        (self.path / "empty").mkdir()
        (self.path / "odd").mkdir()
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here")
        for name in ["network.json", "summary.json", "parameters.json"]:
            self.write(f"odd/{name}", (self.path / "here" / name).read_bytes())
        for arguments in [["absent.yaml"], ["empty"], [], ["here", "--out", "/dev/null/x"]]:
            with self.subTest(arguments):
                self.vp("compare", *arguments, expect=2)
        for name, text in [("summary.json", "{}"), ("summary.json", "["), ("network.json", "{}"),
                           ("parameters.json", "{}")]:
            with self.subTest(name):
                before = (self.path / "odd" / name).read_bytes()
                self.write(f"odd/{name}", text)
                done = self.vp("compare", "odd", expect=2)
                self.assertIn(name, done.stderr)
                self.write(f"odd/{name}", before)


    def test_what_is_no_run(self):
        (self.path / "empty").mkdir()
        self.write("file", "x")
        (self.path / "odd").mkdir()
        self.write("odd/summary.json", '{\n"passed": yes}')
        for name, words in [("absent", "there is no such directory"), ("file", "is a file"), ("empty", "has no summary.json")]:
            self.assertEqual(self.vp("report", name, expect=2).stderr, f"error: {name}: {words}; expected the directory of a run\n")
        for command in ["report", "compare"]:
            self.assertEqual(self.vp(command, "odd", expect=2).stderr,
                             "error: odd/summary.json: is not JSON (line 2): invalid literal; expected a file that a run left\n")

    def test_a_scenario_that_records_tensors(self):
        text = SMALL.read_text() + "\nrecord: {tensors: true}\n"
        self.vp("compare", "--no-dense", self.write("records.yaml", text), "--set", "run.fidelity=fast")

    def test_files_that_cannot_be_reached(self):
        for name in ["x" * 300, "loop/x"]:
            if name == "loop/x":
                (self.path / "loop").symlink_to("loop")
            done = self.vp("compare", name, expect=2)
            self.assertRegex(done.stderr, rf"^error: {name}: cannot be read: ")

    def test_names_that_are_not_utf8(self):
        name = os.fsdecode(b"o\xff")
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", name)
        self.vp("compare", name, "--out", "compare.json")
        (result,) = json.loads((self.path / "compare.json").read_text())
        self.assertEqual(result["directory"], "o\ufffd")

    def test_nobody_need_read_the_progress(self):
        for target in ["&-", "/dev/full"]:
            done = subprocess.run(["sh", "-c", f'"$0" compare "$1" --no-dense --out compare.json 2>{target}', EXECUTABLE,
                                   SMALL], cwd=self.path, capture_output=True)
            self.assertEqual(done.returncode, 0, target)
            self.assertTrue(json.loads((self.path / "compare.json").read_text()))

    def test_a_disk_that_is_full_leaves_the_old_file(self):
        self.vp("run", SMALL, "--quiet", "--no-data", "--out", "here")
        self.vp("compare", "here", "--out", "compare.json")
        old = (self.path / "compare.json").read_bytes()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        done = self.vp("compare", "here", "--out", "compare.json", expect=1, preexec_fn=limit)
        self.assertIn("error: compare.json: cannot be written", done.stderr)
        self.assertEqual((self.path / "compare.json").read_bytes(), old)
        self.assertEqual({file.name for file in self.path.iterdir()}, {"compare.json", "here"})
        self.vp("compare", "here", "--out", "/dev/full", expect=1)


class Bench(CommandLine):
    def test_of_a_scenario(self):
        self.vp("bench", SMALL, "--out", "bench.json", "--append", "history.jsonl")
        self.vp("bench", SMALL, "--out", "bench.json", "--append", "history.jsonl")
        result = json.loads((self.path / "bench.json").read_text())
        entry = result["workloads"]["encoder_128x64"]
        for kind in ["cycle", "fast", "cycle_no_data", "fast_no_data"]:
            self.assertGreater(entry[kind]["host_seconds"], 0)
        self.assertGreater(entry["native_seconds"], 0)
        self.assertEqual(len((self.path / "history.jsonl").read_text().splitlines()), 2)

    def test_failures_are_told(self):
        self.write("bench.json", "old")
        done = self.vp("bench", SMALL, expect=2)
        self.assertIn("bench.json: is there already, and is no file that this command has made", done.stderr)
        self.write("bench.json", "")
        done = self.vp("bench", SMALL, "--append", "/nonexistent/x", expect=2)
        self.assertIn("/nonexistent/x: cannot be written", done.stderr)
        self.vp("bench", SMALL, "--set", "soc.pe.operand_vectors=16", expect=2)
        self.assertEqual((self.path / "bench.json").read_text(), "")
        small = ["--set", "network.tokens=8"]
        done = self.vp("bench", SMALL, *small, "--set", "run.time_limit_s=1e-6", expect=1)
        self.assertIn("error: measurements that failed: 4\n", done.stderr)
        done = self.vp("bench", SMALL, *small, "--out", "/dev/full", expect=1)
        self.assertIn("error: /dev/full: cannot be written", done.stderr)
        self.assertNotIn("results in", done.stdout)

    def test_signature_repeats_itself(self):
        self.assertEqual(self.vp("bench", "--signature").stdout, self.vp("bench", "--signature").stdout)

    def test_bad_input_is_2(self):
        self.vp("bench", "absent.yaml", expect=2)


if __name__ == "__main__":
    unittest.main()
