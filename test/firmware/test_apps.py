#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The firmware's applications on the virtual SoC: what they print, how the run ends, and bad ELF files."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

EXECUTABLE = os.environ["BUTTERFLY_VP"]
FIRMWARE = pathlib.Path(os.environ["BVP_FIRMWARE_DIR"])
PROGRAMS = pathlib.Path(os.environ["BVP_PROGRAMS_DIR"])
SOURCES = pathlib.Path(__file__).resolve().parent / "programs"
SCENARIO = pathlib.Path(__file__).resolve().parents[2] / "scenarios" / "encoder_128x64.yaml"


class Applications(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def run_firmware(self, elf, expect, *options):
        """Runs an ELF; returns everything printed."""
        arguments = ["run", SCENARIO, "--firmware", elf, "--out", self.path / "run", *options]
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, timeout=300, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.assertEqual(done.returncode, expect, done.stdout[-3000:])
        return done.stdout

    def application(self, name, expect, *options):
        return self.run_firmware(FIRMWARE / f"{name}.elf", expect, *options)

    def summary(self):
        return json.loads((self.path / "run" / "summary.json").read_text())

    def test_hello_copies_by_dma(self):
        printed = self.application("hello", 0, "--set", "verify.enabled=false")
        self.assertIn("hello from RV64", printed)
        self.assertIn("copied 8192 bytes by DMA", printed)
        summary = self.summary()
        self.assertEqual(summary["firmware_exit_code"], 0)
        # It has run no kernel of the network, so its cycles are those of no layer.
        self.assertEqual(summary["layers"], [])
        self.assertEqual(summary["outside_of_layers"]["cycles"], summary["cycles"])

    def test_network_reports_its_tasks(self):
        printed = self.application("network", 0)
        lines = [r"butterfly-vp firmware: network runtime", r"5 tasks, 2 layers, ring of \d+ commands",
                 r"network done: \d+ cycles"]
        places = [re.search("^" + line, printed, re.M) for line in lines]
        self.assertNotIn(None, places, printed)
        self.assertEqual([place.start() for place in places], sorted(place.start() for place in places))
        # Each task is in one line. Those that were reported after the end of the network share the last one.
        tasks = [(int(first), int(last or first)) for first, last in
                 re.findall(r"^tasks? (\d+)(?:/5 \S.*| to (\d+)) done at cycle \d+$", printed, re.M)]
        self.assertEqual([task for first, last in tasks for task in range(first, last + 1)], [1, 2, 3, 4, 5], printed)
        cycles = [int(c) for c in re.findall(r"done at cycle (\d+)", printed)]
        self.assertEqual(cycles, sorted(cycles))
        self.assertLess(cycles[-1], self.summary()["cycles"])

    def test_text_does_not_hold_the_accelerator_up(self):
        # What is sent when the network is done is less than 200 characters, of 24 cycles each.
        self.application("network", 0)
        talking = self.summary()
        done = re.search(r"network done: (\d+) cycles", (self.path / "run" / "uart.log").read_text())
        self.assertLess(talking["cycles"] - int(done[1]), 4800)

    def test_programs_that_check_the_platform(self):
        # Those that print "NAME: right" where they find what they expect.
        programs = [source.stem for source in SOURCES.glob("*.c*")
                    if f'"{source.stem.replace("_", " ")}: right' in source.read_text()]
        self.assertGreaterEqual(len(programs), 3)
        for program in programs:
            for fidelity in ("cycle", "fast"):
                with self.subTest(program=program, fidelity=fidelity):
                    printed = self.run_firmware(PROGRAMS / f"{program}.elf", 0, "--set", "verify.enabled=false",
                                                "--fidelity", fidelity)
                    self.assertIn(program.replace("_", " ") + ": right", printed)

    def test_examples(self):
        expected = {"hello": r"^hello from RV64, cycle \d+\n$", "dma_copy": r"^copied: 8192 bytes in \d+ cycles\n$",
                    "interrupts": r"^interrupt: \d+ cycles, \d+ instructions\npolling: \d+ cycles, \d+ instructions\n$",
                    "timer": r"^4 beats in 200 ticks\nslept for 25 us: (24[89]|25[012])\d\d cycles\n$",
                    "recovery": r"^boot RAM: there, 0x30000000: missing\nsequencer: error 1: a command's opcode (.|\n)*"
                                r"\nthe sequencer works again\n$",
                    "one_kernel": r"^launch: \d+ cycles\n0 of 16384 values are wrong\n$"}
        # compiled_layer has a network of its own in the DRAM: test/cli/test_kernels.py runs it.
        self.assertEqual(sorted([*expected, "compiled_layer"]), sorted(elf.stem for elf in (FIRMWARE / "examples").glob("*.elf")))
        for name, text in expected.items():
            with self.subTest(name):
                self.run_firmware(FIRMWARE / "examples" / f"{name}.elf", 0, "--set", "verify.enabled=false")
                self.assertRegex((self.path / "run" / "uart.log").read_text(), text)

    def test_input_of_the_uart(self):
        """The file is an input of the run, and text without a newline is ended before errors."""
        line = self.path / "line"
        line.write_text("hello\n")
        printed = self.run_firmware(PROGRAMS / "aborts.elf", 1, "--uart-input", f"file:{line}")
        self.assertIn(str(line), [entry["path"] for entry in self.summary()["inputs"]])
        self.assertIn("\naborted at", printed)

    def test_a_firmware_that_nothing_can_wake(self):
        for fidelity in ("cycle", "fast"):
            printed = self.run_firmware(PROGRAMS / "sleeps.elf", 1, "--fidelity", fidelity)
            self.assertRegex(printed, r"going to sleep\n(.|\n)*who waits:\nCPU: asleep in WFI, enabled interrupts: timer\n")
            self.assertIn("error: nothing can happen any more: the CPU sleeps in WFI at pc 0x", printed)
            self.assertLess(self.summary()["cycles"], 20000)

    def test_marks_beyond_what_is_recorded(self):
        printed = self.run_firmware(PROGRAMS / "marks.elf", 0, "--set", "verify.enabled=false")
        self.assertIn("more than 1024 regions of interest", printed)
        self.assertNotIn("task 4294967296", printed)
        summary = self.summary()
        self.assertEqual(len(summary["regions"]), 1024)
        self.assertEqual({row["times"] for row in summary["regions"]}, {2})
        self.assertEqual(summary["regions_dropped"], 2 * (3000 - 1024))
        self.assertLess((self.path / "run" / "summary.json").stat().st_size, 1 << 20)

    def test_uart_log_can_be_followed(self):
        arguments = ["run", SCENARIO, "--firmware", FIRMWARE / "spin.elf", "--out", self.path / "run", "--quiet",
                     "--set", "verify.enabled=false", "--set", "run.time_limit_s=10"]
        process = subprocess.Popen([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # Until the run is over its files lie in a directory of their own within that of the run.
            def texts():
                return [file.read_text() for file in (self.path / "run").rglob("*") if file.is_file()]
            for _ in range(600):
                if "spinning\n" in texts():
                    break
                time.sleep(0.1)
            self.assertIsNone(process.poll())
            self.assertIn("spinning\n", texts())
        finally:
            process.kill()
            process.wait()

    def test_a_boot_ram_without_room_for_the_stack_is_refused(self):
        setting = "soc.boot_ram.size_bytes=65536"
        printed = self.application("network", 2, "--set", setting)
        needed = re.search(r"needs (\d+) bytes of boot RAM, there are 65536 \(raise soc.boot_ram.size_bytes to (\d+)\)",
                           printed)
        self.assertGreater(int(needed[1]), 65536 + 4096)
        self.application("network", 0, "--set", f"soc.boot_ram.size_bytes={needed[2]}")
        needed = needed[0]
        done = subprocess.run([EXECUTABLE, "validate", str(SCENARIO), "--set", setting], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn(needed, done.stdout)

    def test_regions_of_interest(self):
        self.application("regions", 0, "--set", "verify.enabled=false")
        summary = self.summary()
        outer, inner, last = summary["regions"]
        self.assertEqual([row["region"] for row in (outer, inner, last)], [1, 2, 0xffffffff])
        self.assertEqual([row["times"] for row in (outer, inner, last)], [3, 3, 1])
        self.assertEqual([row["ended"] for row in (outer, inner, last)], [True, True, False])
        # A thousand rounds and a hundred of four instructions or more, three times; 5,000 rounds lie outside.
        self.assertGreater(outer["cpu_instructions"], 3 * 1100 * 4)
        self.assertLess(outer["cpu_instructions"], 3 * 1100 * 10)
        self.assertAlmostEqual(inner["cpu_instructions"] * 11 / outer["cpu_instructions"], 1, delta=0.1)
        self.assertGreater(outer["cycles"], outer["cpu_instructions"])
        self.assertLess(outer["cycles"], outer["cpu_instructions"] + 1000)
        self.assertEqual(outer["dram_bytes"], 0)
        power = outer["energy_j"] / outer["time_s"]
        self.assertAlmostEqual(power / (summary["energy_j"] / summary["time_s"]), 1, delta=0.05)

    def test_traps_are_named(self):
        for name, text in (("wild_jump", "instruction access fault (mcause 1) at pc 0x000000003ead0000"),
                           ("bad_load", "load access fault (mcause 5)"),
                           ("illegal", "illegal instruction (mcause 2)")):
            with self.subTest(name):
                printed = self.application(name, 1)
                self.assertIn("trap: " + text, printed)
                self.assertIn("exit code 3", printed)
                self.assertEqual(self.summary()["firmware_exit_code"], 3)

    def test_a_handler_recovers_from_a_bad_load(self):
        self.assertIn("recovered from: load access fault at 0x30000008", self.application("bad_load", 1))

    def test_firmware_without_a_trap_vector_is_stopped(self):
        printed = self.application("lost", 1)
        self.assertIn("instruction access fault", printed)
        self.assertIn("3eae0000", printed)

    def test_a_corrupt_command_is_reported_to_the_driver(self):
        printed = self.application("bad_command", 1)
        self.assertIn("sequencer: error 1: a command's opcode is unknown", printed)
        self.assertIn("exit code 4", printed)

    def test_power_states(self):
        printed = self.application("power", 0, "--trace", "--vcd")
        self.assertEqual(printed.count("the network has run"), 2)
        waking = {name: int(re.search(name + r": awake again after (\d+) cycles", printed)[1])
                  for name in ("clock off", "retention")}
        self.assertLess(waking["clock off"], 200)
        self.assertGreater(waking["retention"], 5000)
        summary = self.summary()
        self.assertTrue(summary["verification"]["bit_exact"])
        counters = json.loads((self.path / "run" / "statistics.json").read_text())
        cycles = {name: sum(block[name] for key, block in counters.items() if re.fullmatch(r"pe\d+", key))
                  for name in ("active_cycle", "idle_cycle", "gated_cycle", "retention_cycle")}
        self.assertEqual(sum(cycles.values()), 16 * summary["cycles"])
        self.assertAlmostEqual(cycles["gated_cycle"] / 16, 50000, delta=2000)
        self.assertAlmostEqual(cycles["retention_cycle"] / 16, 55000, delta=2000)
        self.assertEqual({name: count for name, count in cycles.items()},
                         {f"{state}_cycle": count for state, count in summary["power_state_cycles"].items()})
        trace = json.loads((self.path / "run" / "trace.json").read_text())["traceEvents"]
        track = [(e["pid"], e["tid"]) for e in trace if e["name"] == "thread_name" and e["args"]["name"] == "power state"][0]
        states = [e for e in trace if e["ph"] == "X" and (e["pid"], e["tid"]) == track]
        self.assertEqual([e["name"] for e in states], ["on", "clock off", "on", "retention", "on"])
        self.assertAlmostEqual(states[1]["dur"], cycles["gated_cycle"] / 16 / 1e3, delta=0.01)
        waveform = (self.path / "run" / "signals.vcd").read_text()
        code = re.search(r"\$var wire +8 +(\S+) +array_power", waveform)[1]
        self.assertEqual([int(value, 2) for value in re.findall(rf"^b([01]+) {code}$", waveform, re.M)], [0, 1, 0, 2, 0])
        fast = self.application("power", 0, "--fidelity", "fast")
        self.assertEqual(fast.count("awake again"), 2)

    def test_sleep_saves_energy(self):
        for profile in ("silicon", "textbook"):
            with self.subTest(profile):
                slept, awake = {}, {}
                for app, into in (("power", slept), ("awake", awake)):
                    self.application(app, 0, "--set", f"energy.profile={profile}", "--set", "record.power_window_s=1e-6")
                    into.update(self.summary())
                self.assertGreater(slept["cycles"], awake["cycles"])  # waking takes time
                self.assertLess(slept["energy_j"], awake["energy_j"])
                for summary in (slept, awake):
                    self.assertAlmostEqual(sum(summary["energy_by_power_state_j"].values()) / summary["energy_j"], 1, delta=1e-9)
                states, cycles = slept["energy_by_power_state_j"], slept["power_state_cycles"]
                for state in ("idle", "gated", "retention"):
                    self.assertGreater(states[state], 0)
                self.assertEqual(awake["energy_by_power_state_j"]["gated"], 0)
                per_cycle = {state: states[state] / cycles[state] for state in cycles}
                self.assertLessEqual(per_cycle["gated"], per_cycle["idle"] * (1 + 1e-9))
                self.assertLess(per_cycle["retention"], 0.3 * per_cycle["gated"])
                # The energy that sleep saves equals the energy of these cycles when the array is awake.
                saved = sum(cycles[state] * (per_cycle["idle"] - per_cycle[state]) for state in ("gated", "retention"))
                longer = (slept["cycles"] - awake["cycles"]) * 16 * per_cycle["idle"]
                of_array = [sum(s["energy_by_component_j"][c] for c in ("pe", "mesh")) for s in (awake, slept)]
                self.assertAlmostEqual((of_array[0] - of_array[1]) / (saved - longer), 1, delta=0.02)

    def test_an_array_without_a_clock_refuses_kernels(self):
        for fidelity in ("cycle", "fast"):
            printed = self.application("asleep", 1, "--fidelity", fidelity)
            self.assertIn("while the array is not on", printed)
            self.assertRegex(printed, r"sequencer: error 1[23]: a PE refused")
            self.assertIn("exit code 4", printed)

    def test_a_clock_that_goes_ends_the_run(self):
        for fidelity in ("cycle", "fast"):
            printed = self.application("pull_clock", 1, "--fidelity", fidelity, "--set", "run.time_limit_s=0.01")
            self.assertNotIn("\nit ran", printed)
            self.assertRegex(printed, r"sequencer: error 1[234]: a PE")
            self.assertIn("exit code 4", printed)

    def test_endless_firmware_meets_the_time_limit(self):
        printed = self.application("spin", 1, "--set", "run.time_limit_s=0.0005")
        self.assertIn("spinning", printed)
        self.assertIn("run.time_limit_s", printed)

    def test_bad_elf_files_are_refused(self):
        good = (FIRMWARE / "hello.elf").read_bytes()
        wrong_machine = bytearray(good)
        wrong_machine[18] = 62
        wild_headers = bytearray(good)
        wild_headers[32:40] = b"\xff" * 8
        files = {"empty": b"", "text": b"not an ELF\n", "short": good[:40], "cut": good[:0x1800],
                 "machine": bytes(wrong_machine), "headers": bytes(wild_headers)}
        for name, content in files.items():
            with self.subTest(name):
                elf = self.path / f"{name}.elf"
                elf.write_bytes(content)
                self.assertIn(f"{name}.elf", self.run_firmware(elf, 2))
        self.assertIn("missing.elf", self.run_firmware(self.path / "missing.elf", 2))


if __name__ == "__main__":
    unittest.main()
