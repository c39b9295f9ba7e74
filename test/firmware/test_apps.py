#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The firmware's applications on the virtual SoC: what they print, how the run ends, and bad ELF files."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ["BUTTERFLY_VP"]
FIRMWARE = pathlib.Path(os.environ["BVP_FIRMWARE_DIR"])
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
        self.assertEqual(self.summary()["firmware_exit_code"], 0)

    def test_network_reports_its_tasks(self):
        printed = self.application("network", 0)
        for line in ("butterfly-vp firmware: network runtime", "task 1/", "network done: "):
            self.assertIn(line, printed)

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
