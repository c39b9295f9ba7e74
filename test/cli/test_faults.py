#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of a scenario, protection, codes, recovery and campaigns, by the executable."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ["BUTTERFLY_VP"]
PROGRAMS = pathlib.Path(os.environ["BVP_PROGRAMS_DIR"])
FIDELITIES = ("cycle", "fast")
DRAM = 0x80000000


class Faults(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)
        self.runs = 0

    def call(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, timeout=500, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout[-3000:])
        return done.stdout

    def run_with(self, *settings, expect=0, fidelity="cycle", scenario="encoder_128x64"):
        """Returns the summary and what was printed."""
        sets = [word for setting in settings for word in ("--set", setting)]
        self.runs += 1
        out = self.path / f"run{self.runs}"
        printed = self.call("run", scenario, "--out", out, "--fidelity", fidelity, *sets, expect=expect)
        return json.loads((out / "summary.json").read_text()), printed

    def test_protection_lets_the_network_through(self):
        (self.path / "topk.yaml").write_text(
            "network: {tokens: 128, hidden: 64, heads: 2, ffn: 128, batch: 2, layers: [{mixing: topk, block_tokens: 32, "
            "top_blocks: 2, projections: dense, ffn: dense}, {mixing: window, window: 16, projections: butterfly, ffn: "
            "butterfly}]}\n")
        for scenario in ("encoder_128x64", "text_classifier", "topk.yaml"):
            for fidelity in FIDELITIES:
                with self.subTest(scenario=scenario, fidelity=fidelity):
                    free, _ = self.run_with(fidelity=fidelity, scenario=scenario)
                    guarded, _ = self.run_with("run.protection=true", fidelity=fidelity, scenario=scenario)
                    self.assertEqual(guarded["reliability"]["protection_violations"], 0)
                    self.assertTrue(guarded["verification"]["bit_exact"])
                    # The windows are written before the first command, and each command has a check word.
                    statistics = json.loads((self.path / f"run{self.runs}" / "statistics.json").read_text())
                    commands = statistics["sequencer"]["command"]
                    self.assertGreater(commands, 10)
                    self.assertLess(guarded["cycles"], free["cycles"] + 8000 + 60 * commands)

    def test_a_corrupt_transfer_does_not_leave_the_windows(self):
        """Bits of addresses in the table of the network's steps, from which the runtime makes commands that are whole."""
        self.call("compile", "encoder_128x64", "--out", "compiled")
        manifest = json.loads((self.path / "compiled" / "manifest.json").read_text())
        memory = {part["address"]: (self.path / "compiled" / part["file"]).read_bytes() for part in manifest["memory"]}
        first, tables = next((begin, data) for begin, data in memory.items()
                             if begin <= manifest["descriptor"] < begin + len(data))
        header = tables[manifest["descriptor"] - first:]
        steps, step_bytes, registers = int.from_bytes(header[32:40], "little"), 192, 48
        for step, byte in ((0, 3), (1, 3), (1, 11)):  # of the source or the destination: 16 MB or more away
            address = steps + step * step_bytes + registers + byte - DRAM
            fault = f"faults=[{{kind: dram_bit_flip, address: {address}, bit: 2}}]"
            for fidelity in FIDELITIES:
                summary, printed = self.run_with(fault, "run.protection=true", "run.retries=1", "run.wait_limit_us=2000",
                                                 expect=1, fidelity=fidelity)
                # The bit has turned over for good, so that the second try ends as the first one does.
                self.assertEqual(summary["firmware_exit_code"], 4)
                self.assertGreaterEqual(summary["reliability"]["protection_violations"], 2)
                self.assertIn("protection: source", printed)
                self.assertIn("command: task", printed)
                coded, _ = self.run_with(fault, "soc.dram.ecc=secded", "run.protection=true", fidelity=fidelity)
                self.assertTrue(coded["verification"]["bit_exact"])

    def test_each_kind_is_met_and_overcome(self):
        guarded = ("soc.dram.ecc=secded", "soc.scratchpad.ecc=secded", "run.protection=true", "run.launch_limit=200000",
                   "run.dma_limit=200000", "run.wait_limit_us=1000", "run.retries=2")
        kinds = {"bus_error": "unit: 2, nth: 20", "dma_error": "nth: 2", "lost_completion": "nth: 2", "stuck_pe": "unit: 3",
                 "corrupt_image": "bit: 3", "corrupt_command": "nth: 3, bit: 500", "interrupt_dropped": "", "interrupt_late": "delay_s: 1e-5",
                 "interrupt_spurious": "time_s: 5e-6", "slow_dram": "count: 20"}
        for kind, keys in kinds.items():
            for fidelity in FIDELITIES:
                with self.subTest(kind=kind, fidelity=fidelity):
                    summary, printed = self.run_with(f"faults=[{{kind: {kind}, {keys}}}]".replace(", }", "}"), *guarded,
                                                     fidelity=fidelity)
                    self.assertGreater(summary["reliability"]["fault_hits"], 0)
                    self.assertTrue(summary["verification"]["bit_exact"])
                    if kind in ("bus_error", "dma_error", "lost_completion", "stuck_pe", "corrupt_image", "corrupt_command"):
                        self.assertGreater(summary["reliability"]["sequencer_errors"], 0)
                        self.assertIn("recovered: the network is run again", printed)
                        self.assertIn("command: task", printed)

    # Networks of both kinds of layers, in which PEs of all rows exchange vectors.
    DEAD_ROW_NETWORKS = {
        "butterfly": "network: {tokens: 128, hidden: 64, heads: 2, ffn: 128, layers: [{mixing: fft2d, projections: butterfly, ffn: butterfly}]}",
        "dense": "network: {tokens: 64, hidden: 64, heads: 2, ffn: 128, layers: [{mixing: attention, projections: dense, ffn: dense}]}",
        "topk": "network: {tokens: 128, hidden: 64, heads: 2, ffn: 128, layers: [{mixing: topk, block_tokens: 32, top_blocks: 2, "
                "projections: dense, ffn: butterfly}]}"}
    DUMP = ("run.spare_images=true", "run.launch_limit=100000", "record.tensors=true")

    def outputs(self):
        """The bytes of all tensors that the last run has left."""
        return (self.path / f"run{self.runs}" / "tensors.safetensors").read_bytes()

    def test_a_network_goes_on_without_a_dead_row(self):
        for name, text in self.DEAD_ROW_NETWORKS.items():
            (self.path / f"{name}.yaml").write_text(text + "\n")
            for fidelity in FIDELITIES:
                whole, _ = self.run_with(*self.DUMP, fidelity=fidelity, scenario=f"{name}.yaml")
                self.assertEqual(whole["reliability"]["rows_left_out"], [])
                self.assertFalse(whole["reliability"]["degraded"])
                right = self.outputs()
                for row in range(4):
                    with self.subTest(network=name, fidelity=fidelity, row=row):
                        fault = f"faults=[{{kind: stuck_pe, unit: {4 * row + (row + 2) % 4}, nth: 2, count: 0}}]"
                        summary, printed = self.run_with(fault, *self.DUMP, fidelity=fidelity, scenario=f"{name}.yaml")
                        self.assertEqual(summary["reliability"]["rows_left_out"], [row])
                        self.assertTrue(summary["reliability"]["degraded"])
                        self.assertTrue(summary["verification"]["bit_exact"])
                        self.assertEqual(self.outputs(), right)
                        self.assertIn(f"left out are the rows of PEs {row}; the network is run again with the images for fewer",
                                      printed)
                        self.assertRegex(printed, f"PEs at fault +row {row} of PEs is left out: degraded")
                        # The time that the first try has taken, up to the limit, is in that of the run.
                        self.assertGreater(summary["cycles"], whole["cycles"] + 100000)
                        self.assertTrue(any("(fewer rows)" in kernel["name"] for kernel in summary["kernels"]))

    def test_a_row_more_than_kernels_take_costs_no_speed(self):
        sets = (*self.DUMP, "soc.array.rows=3", "run.protection=true", "run.retries=1")
        whole, _ = self.run_with(*sets)
        right = self.outputs()
        for fidelity in FIDELITIES:
            summary, printed = self.run_with("faults=[{kind: stuck_pe, unit: 5, count: 0}]", *sets, fidelity=fidelity)
            self.assertEqual(printed.count("recovered: the network is run again"), 1)
            self.assertEqual(summary["reliability"]["rows_left_out"], [1])
            self.assertFalse(summary["reliability"]["degraded"])
            self.assertEqual(summary["reliability"]["protection_violations"], 0)
            self.assertEqual(self.outputs(), right)
            # Two rows of the three fail, one after the other: half of the kernels' rows is left.
            faults = "faults=[{kind: stuck_pe, unit: 5, count: 0}, {kind: stuck_pe, unit: 10, count: 0}]"
            summary, _ = self.run_with(faults, *sets, fidelity=fidelity)
            self.assertEqual(summary["reliability"]["rows_left_out"], [1, 2])
            self.assertTrue(summary["reliability"]["degraded"])
            self.assertEqual(self.outputs(), right)

    def test_rows_are_found_without_a_limit_of_launches(self):
        """The CPU stops waiting, and the launch that it stops names the row."""
        for fidelity in FIDELITIES:
            summary, _ = self.run_with("faults=[{kind: stuck_pe, unit: 6, count: 0}]", "run.wait_limit_us=300",
                                       "run.spare_images=true", fidelity=fidelity)
            self.assertEqual(summary["reliability"]["rows_left_out"], [1])
            self.assertTrue(summary["verification"]["bit_exact"])

    def test_too_few_rows_are_told(self):
        faults = "faults=[" + ", ".join(f"{{kind: stuck_pe, unit: {4 * row}, count: 0}}" for row in range(3)) + "]"
        summary, printed = self.run_with(faults, "run.launch_limit=100000", "run.spare_images=true", expect=1)
        self.assertEqual(summary["firmware_exit_code"], 4)
        self.assertIn("rows of PEs at fault: 0 1 2\n", printed)
        self.assertIn("a launch took longer than LAUNCH_LIMIT", printed)
        # An error that is about no PE leaves the array as it is.
        summary, _ = self.run_with("faults=[{kind: bus_error, unit: 2, nth: 20, count: 0}]", "run.spare_images=true",
                                   expect=1)
        self.assertEqual(summary["reliability"]["rows_left_out"], [])
        for command in ("run", "validate"):
            printed = self.call(command, "encoder_128x64", "--set", "run.spare_images=true", "--set", "soc.array.rows=1", expect=2)
            self.assertIn("run.spare_images", printed)
            self.assertIn("expected an array of at least 2 rows", printed)

    def test_a_campaign_has_degraded_runs(self):
        self.call("campaign", "encoder_128x64", "--faults", 8, "--seed", 2, "--jobs", 2, "--kind", "stuck_pe", "--out",
                  "campaign")
        arms = json.loads((self.path / "campaign" / "campaign.json").read_text())["arms"]
        for fidelity in FIDELITIES:
            guarded = arms[f"{fidelity}, guarded"]["total"]
            self.assertGreater(guarded["degraded"], 0, guarded)
            self.assertEqual(guarded["detected"] + guarded["hang"] + guarded["silent"] + guarded["broken"], 0, guarded)
            self.assertGreater(arms[f"{fidelity}, unguarded"]["total"]["hang"], 0)

    def test_without_guards_a_lost_completion_hangs(self):
        for fidelity in FIDELITIES:
            summary, _ = self.run_with("faults=[{kind: lost_completion}]", expect=1, fidelity=fidelity)
            self.assertEqual(summary["firmware_exit_code"], -1)

    def test_codes_correct_and_detect(self):
        # All of the input's first bytes, and of what lies behind it: some are read.
        for bits, outcome in ((1, "dram_ecc_corrected"), (2, "dram_ecc_detected")):
            faults = ", ".join(f"{{kind: dram_bit_flip, address: {a}, bits: {bits}}}" for a in range(0, 65536, 512))
            for fidelity in FIDELITIES:
                with self.subTest(bits=bits, fidelity=fidelity):
                    plain, _ = self.run_with(f"faults=[{faults}]", expect=1, fidelity=fidelity)
                    self.assertEqual(plain["reliability"][outcome], 0)
                    coded, _ = self.run_with(f"faults=[{faults}]", "soc.dram.ecc=secded", expect=bits - 1,
                                             fidelity=fidelity)
                    self.assertGreater(coded["reliability"][outcome], 0)
                    if bits == 1:
                        self.assertTrue(coded["verification"]["bit_exact"])

    def test_codes_cost_energy_and_time(self):
        plain, _ = self.run_with()
        coded, _ = self.run_with("soc.dram.ecc=secded", "soc.scratchpad.ecc=secded")
        # The default latency of four clocks can be hidden behind other work.
        slow, _ = self.run_with("soc.dram.ecc=secded", "soc.scratchpad.ecc=secded", "soc.dram.ecc_latency=400")
        self.assertGreater(slow["cycles"], plain["cycles"] + 400)
        for component in ("dram", "scratchpad"):
            ratio = coded["energy_by_component_j"][component] / plain["energy_by_component_j"][component]
            self.assertAlmostEqual(ratio, 72 / 64 * (1 if component == "scratchpad" else 1), delta=0.03)

    def test_mistakes_are_told(self):
        for fault, words in (("kind: bus_eror", "did you mean 'bus_error'"), ("kind: dram_bit_flip", "faults.0.address"),
                             ("kind: dram_bit_flip, address: 99999999999", "expected one below the memory's"),
                             ("kind: stuck_pe, unit: 999", "expected a PE of the array"),
                             ("kind: lost_completion, unit: 7", "expected a DMA channel"),
                             ("kind: bus_error, tim_s: 1", "did you mean"), ("kind: bus_error, nth: 0", "faults.0.nth")):
            with self.subTest(fault):
                printed = self.call("validate", "encoder_128x64", "--set", f"faults=[{{{fault}}}]", expect=2)
                self.assertIn(words, printed)
        self.assertIn("expected a list", self.call("validate", "encoder_128x64", "--set", "faults=3", expect=2))
        self.assertIn("as a whole", self.call("validate", "encoder_128x64", "--set", "faults.0.kind=x", expect=2))

    def test_a_campaign(self):
        arguments = ("campaign", "encoder_128x64", "--faults", 6, "--seed", 3, "--jobs", 2, "--out", "campaign")
        printed = self.call(*arguments)
        self.assertIn("24 runs", printed)
        first = json.loads((self.path / "campaign" / "campaign.json").read_text())
        self.assertEqual(sorted(first["arms"]),
                         ["cycle, guarded", "cycle, unguarded", "fast, guarded", "fast, unguarded"])
        for arm in first["arms"].values():
            self.assertEqual(sum(arm["total"].values()), 6)
            self.assertEqual(arm["total"]["broken"], 0)
        for row in first["rows"]:
            if "unguarded" not in row["arm"]:
                self.assertNotIn(row["effect"], ("hang",), row)
        # It goes on where it was, and the same seed draws the same faults.
        self.call(*arguments, "--resume")
        self.assertEqual(json.loads((self.path / "campaign" / "campaign.json").read_text()), first)
        printed = self.call("campaign", "encoder_128x64", "--set", "verify.enabled=false", expect=2)
        self.assertIn("not checked bit by bit", printed)
        self.assertIn("bus_error", self.call("campaign", "encoder_128x64", "--kind", "earthquake", expect=2))

    def test_guards_leave_no_silent_fault(self):
        """Of bits that turn over, in the memories and on the way, in places that are read."""
        kinds = ("dram_bit_flip", "scratchpad_bit_flip", "corrupt_image", "corrupt_command")
        self.call("campaign", "encoder_128x64", "--faults", 160, "--seed", 5, "--jobs", 2, "--out", "campaign", "--fidelity",
                  "fast", *(word for kind in kinds for word in ("--kind", kind)))
        arms = json.loads((self.path / "campaign" / "campaign.json").read_text())["arms"]
        guarded, free = arms["fast, guarded"], arms["fast, unguarded"]
        for effect in ("silent", "hang", "broken"):
            self.assertEqual(guarded["total"][effect], 0, guarded)
        self.assertGreater(free["total"]["silent"], 0)
        for kind in ("dram_bit_flip", "scratchpad_bit_flip"):
            self.assertGreater(guarded["kinds"][kind]["corrected"], 0, kind)
            self.assertGreater(free["kinds"][kind]["silent"], 0, kind)
        for kind in ("corrupt_image", "corrupt_command"):
            self.assertGreater(guarded["kinds"][kind]["recovered"], 0, kind)
            self.assertEqual(guarded["kinds"][kind]["masked"], 0, kind)

    def test_what_changes_on_its_way_is_refused(self):
        """An image always, a command with protection, also where nothing else would find it."""
        resident_words = 60 * 8  # of the header: nobody but the check sum looks at it
        for fidelity in FIDELITIES:
            summary, printed = self.run_with(f"faults=[{{kind: corrupt_image, bit: {resident_words}}}]", "run.retries=1",
                                             fidelity=fidelity)
            self.assertIn("error 24: the check sum of a kernel image is wrong", printed)
            self.assertRegex(printed, r"address 0x0*8\w+")
            self.assertIn("recovered: the network is run again", printed)
            self.assertTrue(summary["verification"]["bit_exact"])
            # Without a retry it is an error, and not a wrong result.
            summary, _ = self.run_with(f"faults=[{{kind: corrupt_image, bit: {resident_words}}}]", fidelity=fidelity, expect=1)
            self.assertEqual(summary["firmware_exit_code"], 4)
            for bit in (8 * 4, 8 * 8 + 3, 8 * 48, 48 * 8 + 32, 8 * 112):  # a semaphore, the tag, an address, the check word
                fault = f"faults=[{{kind: corrupt_command, nth: 5, bit: {bit}}}]"
                summary, printed = self.run_with(fault, "run.protection=true", "run.retries=1", fidelity=fidelity)
                self.assertIn("error 25: the check word of a command is wrong", printed)
                self.assertTrue(summary["verification"]["bit_exact"])

    @unittest.skipUnless(os.environ.get("BVP_NIGHTLY"), "takes minutes")
    def test_many_random_commands_with_protection(self):
        (self.path / "rounds").write_text("600\n")
        for fidelity in FIDELITIES:
            printed = self.call("run", "encoder_128x64", "--firmware", PROGRAMS / "protected_fuzz.elf", "--uart-input",
                                "file:rounds", "--set", "verify.enabled=false", "--fidelity", fidelity, "--out", "run")
            self.assertIn("protected fuzz: right", printed)


if __name__ == "__main__":
    unittest.main()
