#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gdb on the virtual SoC: by Debian's gdb-multiarch, and by packets of our own where that must be exact."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

EXECUTABLE = os.environ["BUTTERFLY_VP"]
FIRMWARE = pathlib.Path(os.environ["BVP_FIRMWARE_DIR"])
SCENARIO = pathlib.Path(__file__).resolve().parents[2] / "scenarios" / "encoder_128x64.yaml"
SCRATCHPAD = 0x40000000
GDB = shutil.which("gdb-multiarch")


class Session:
    """A run that waits for gdb."""

    def __init__(self, test, firmware, *options):
        self.directory = tempfile.TemporaryDirectory()
        test.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)
        self.errors = self.path / "stderr"
        arguments = ["run", SCENARIO, "--firmware", FIRMWARE / f"{firmware}.elf", "--out", self.path / "run", "--quiet",
                     "--set", "verify.enabled=false", *options]
        with open(self.errors, "w") as stream:
            self.process = subprocess.Popen([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=stream)
        test.addCleanup(self.stop)
        self.port = None
        for _ in range(600):
            found = re.search(r"target remote localhost:(\d+)", self.errors.read_text())
            if found:
                self.port = int(found[1])
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        test.assertIsNotNone(self.port, self.errors.read_text())

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait(self, seconds=120):
        return self.process.wait(seconds)

    def summary(self):
        return json.loads((self.path / "run" / "summary.json").read_text())


def figures(firmware, *options):
    """The summary of the same run without gdb."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([EXECUTABLE, "run", str(SCENARIO), "--firmware", str(FIRMWARE / f"{firmware}.elf"), "--out",
                        directory + "/run", "--quiet", "--set", "verify.enabled=false", *options],
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        return json.loads(pathlib.Path(directory, "run", "summary.json").read_text())


class Packets:
    """The remote protocol, one packet at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.data = b""

    def send(self, content):
        self.socket.sendall(b"$%s#%02x" % (content.encode(), sum(content.encode()) % 256))

    def receive(self):
        while True:
            found = re.search(rb"\$([^#]*)#..", self.data, re.S)
            if found:
                self.data = self.data[found.end():]
                return found[1].decode("latin-1")
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.data += more

    def ask(self, content):
        self.send(content)
        return self.receive()

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def monitor(self, command):
        self.send("qRcmd," + command.encode().hex())
        text = ""
        while True:
            answer = self.receive()
            if not answer.startswith("O") or answer == "OK":
                return text
            text += bytes.fromhex(answer[1:]).decode()


def symbols(firmware):
    listing = subprocess.run(["riscv64-unknown-elf-nm", str(FIRMWARE / f"{firmware}.elf")], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    return {name: int(address, 16) for address, _, name in (line.split() for line in listing.splitlines()
                                                            if len(line.split()) == 3)}


class SameFigures(unittest.TestCase):
    def check(self, firmware, act, fidelity="cycle"):
        options = ["--set", "run.data=true", "--fidelity", fidelity]
        session = Session(self, firmware, "--gdb", "0", *options)
        gdb = Packets(session.port)
        act(gdb)
        self.assertEqual(session.wait(), 0, session.errors.read_text())
        with_gdb, without = session.summary(), figures(firmware, *options)
        for key in ("cycles", "cpu_instructions", "firmware_exit_code"):
            self.assertEqual(with_gdb[key], without[key], key)
        self.assertEqual(with_gdb["layers"], without["layers"])

    def go_to_the_end(self, gdb, stops=None):
        count = 0
        while True:
            answer = gdb.ask("vCont;c")
            if answer.startswith("W"):
                self.assertEqual(answer, "W00")
                break
            count += 1
        if stops is not None:
            self.assertEqual(count, stops)
        return count

    def test_continue_at_once(self):
        self.check("network", self.go_to_the_end)

    def test_a_thousand_steps(self):
        def act(gdb):
            for _ in range(1000):
                before = gdb.register(32)
                self.assertEqual(gdb.ask("vCont;s:1"), "T05thread:1;")
                self.assertNotEqual(gdb.register(32), before)
            self.go_to_the_end(gdb)
        self.check("hello", act)

    def test_a_breakpoint_in_every_interrupt(self):
        for fidelity in ("cycle", "fast"):
            with self.subTest(fidelity=fidelity):
                def act(gdb):
                    self.assertEqual(gdb.ask(f"Z0,{symbols('network')['trap_vector']:x},2"), "OK")
                    self.assertGreater(self.go_to_the_end(gdb), 3)
                self.check("network", act, fidelity)

    def test_what_runs(self):
        """A breakpoint while a kernel runs: who has which command, what a PE does, the kernel."""
        for fidelity in ("cycle", "fast"):
            def act(gdb, fidelity=fidelity):
                at = symbols("network")["sequencer_doorbell"]
                gdb.ask(f"Z1,{at:x},2")
                for _ in range(100):
                    self.assertTrue(gdb.ask("vCont;c").startswith("T05"))
                    runs = re.search(r"^array, tag 0x\w+: running", gdb.monitor("commands"), re.MULTILINE)
                    if runs and (fidelity == "fast" or "segment" in gdb.monitor("pe 1 2")):
                        break
                else:
                    self.fail("no kernel runs at any doorbell")
                commands = gdb.monitor("commands")
                self.assertEqual(commands, gdb.monitor("outstanding"))
                self.assertIn("tokens of semaphores:", commands)
                kernel = gdb.monitor("kernel")
                self.assertRegex(kernel, r"^image at 0x8\w+, \d+ bytes\nkernel for 32 lanes, 4 x 4 PEs: \d+ instructions")
                pe = gdb.monitor("pe 1 2")
                self.assertRegex(pe, r"cal: \d+ issue slots used")
                waiting = [int(number) for number in re.findall(r"^\S+: segment (\d+) ", pe, re.MULTILINE)]
                running = re.findall(r"^segment (\d+) runs: (.*)$", pe, re.MULTILINE)
                self.assertEqual([int(number) for number, _ in running], waiting)
                if fidelity == "cycle":
                    self.assertNotEqual(waiting, [])
                for number, code in running:
                    body = re.search(rf"^segment {number} .*\n((?:  .*\n)+)", kernel, re.MULTILINE)[1]
                    listed = [line.strip() for line in body.splitlines() if not line.startswith("  stream")]
                    self.assertEqual(code.split("; "), listed)
                gdb.ask(f"z1,{at:x},2")
                self.go_to_the_end(gdb, 0)
            with self.subTest(fidelity):
                self.check("network", act, fidelity)

    def test_watchpoints(self):
        def act(gdb):
            destination = 0x80000000 + 0x100000 + 8192
            self.assertEqual(gdb.ask(f"Z2,{destination + 4096:x},8"), "OK")
            # The CPU is about to clear it.
            self.assertEqual(gdb.ask("vCont;c"), f"T05thread:1;watch:{destination + 4096:x};")
            # The DMA has written it.
            note = gdb.ask("vCont;c")
            self.assertEqual(note[0], "O")
            self.assertIn(f"dma has written {destination + 4096:#x} at", bytes.fromhex(note[1:]).decode())
            self.assertEqual(gdb.receive(), "T05thread:1;")
            self.assertIn("asleep in WFI", gdb.monitor("time"))
            self.assertIn("DMA channel 0, tag 0x1: running", gdb.monitor("outstanding"))
            written = gdb.ask(f"m{destination + 4096:x},8")
            self.assertEqual(written, gdb.ask(f"m{destination - 8192 + 4096:x},8"))
            self.assertNotEqual(written, "0" * 16)
            self.assertEqual(gdb.ask(f"z2,{destination + 4096:x},8"), "OK")
            self.go_to_the_end(gdb, 0)
        self.check("hello", act)

    def test_watchpoints_on_what_pes_write(self):
        size = 1 << 20  # the first megabyte of the scratchpad

        def act(gdb):
            self.assertEqual(gdb.ask(f"Z2,{SCRATCHPAD:x},{size:x}"), "OK")
            found = None
            for _ in range(2000):
                note = gdb.ask("vCont;c")
                self.assertEqual(note[0], "O", note)
                text = bytes.fromhex(note[1:]).decode()
                self.assertEqual(gdb.receive(), "T05thread:1;")
                match = re.search(r"(\w+|PE \(\d, \d\)|a PE) has written 0x([0-9a-f]+) at", text)
                self.assertIsNotNone(match, text)
                if "PE" in match[1]:
                    found = {"who": match[1], "at": int(match[2], 16)}
                    break
            self.assertIsNotNone(found)
            self.assertNotEqual(gdb.ask(f"m{found['at']:x},40"), "0" * 128)
            self.assertEqual(gdb.ask(f"z2,{SCRATCHPAD:x},{size:x}"), "OK")
            # The same place alone: what comes next is another write to it, or the end.
            self.assertEqual(gdb.ask(f"Z2,{found['at']:x},8"), "OK")
            answer = gdb.ask("vCont;c")
            if answer[0] == "O":
                self.assertIn(f"has written {found['at']:#x} at", bytes.fromhex(answer[1:]).decode())
                gdb.receive()
            self.assertEqual(gdb.ask(f"z2,{found['at']:x},8"), "OK")
            if answer[0] != "W":
                self.go_to_the_end(gdb, 0)
            seen.append(found["who"])

        seen = []
        for fidelity in ("cycle", "fast"):
            with self.subTest(fidelity):
                self.check("network", act, fidelity)
        self.assertRegex(seen[0], r"PE \(\d, \d\)")


class Conversation(unittest.TestCase):
    def test_registers_memory_devices(self):
        session = Session(self, "hello", "--gdb", "0")
        gdb = Packets(session.port)
        self.assertEqual(gdb.ask("?"), "T05thread:1;")
        self.assertEqual(gdb.register(32), symbols("hello")["_start"])
        self.assertEqual(gdb.register(128 + 0x301) >> 62, 2)                 # misa
        self.assertEqual(gdb.ask(f"p{128 + 0x180:x}"), "E02")                # satp: there is none
        self.assertEqual(gdb.ask("m0,4"), "E0e")
        self.assertEqual(gdb.ask("m1000000000000000,4"), "E0e")
        self.assertEqual(len(gdb.ask("m10010000,4")), 8)                      # a register of the sequencer
        self.assertEqual(gdb.ask("M10010000,4:01000000"), "E0e")
        time_before = gdb.monitor("time")
        time.sleep(0.3)
        self.assertEqual(gdb.monitor("time"), time_before)
        self.assertIn("cycle 0", time_before)
        for command in ("help", "statistics cpu.", "outstanding", "commands", "pe 0 0", "pe 9 9", "kernel", "waiting", "what", ""):
            self.assertTrue(gdb.monitor(command).endswith("\n"), command)
        self.assertIn("cpu.instruction 0 instructions", gdb.monitor("statistics cpu."))
        gdb.send("k")
        self.assertEqual(session.wait(), 1)
        self.assertIn("ended by gdb", session.summary()["failure"])

    def test_interrupt_while_it_runs_and_sleeps(self):
        session = Session(self, "spin", "--gdb", "0", "--set", "run.time_limit_s=100")
        gdb = Packets(session.port)
        gdb.send("vCont;c")
        time.sleep(1)
        gdb.socket.sendall(b"\x03")
        self.assertEqual(gdb.receive(), "T02thread:1;")
        self.assertEqual(gdb.ask("vCont;s:1"), "T05thread:1;")
        # An interrupt of the host ends the run, also while it is stopped.
        session.process.send_signal(signal.SIGINT)
        self.assertEqual(session.wait(10), -signal.SIGINT)
        self.assertIn("interrupted after", session.summary()["failure"])

    def test_attach_later_lose_the_connection_and_come_back(self):
        session = Session(self, "spin", "--gdb-attach", "0", "--set", "run.time_limit_s=100")
        time.sleep(0.5)
        gdb = Packets(session.port)
        self.assertEqual(gdb.ask("?"), "T05thread:1;")
        where = gdb.register(32)
        self.assertEqual(gdb.ask(f"Z0,{where:x},2"), "OK")
        gdb.socket.close()
        time.sleep(0.3)
        gdb = Packets(session.port)
        self.assertEqual(gdb.register(32), where)
        self.assertEqual(gdb.ask("D"), "OK")
        time.sleep(0.3)
        gdb = Packets(session.port)
        self.assertEqual(gdb.ask("?"), "T05thread:1;")
        gdb.send("k")
        self.assertEqual(session.wait(), 1)

    def test_a_halt_stops_before_the_end(self):
        session = Session(self, "lost", "--gdb", "0")
        gdb = Packets(session.port)
        answer = gdb.ask("vCont;c")
        self.assertRegex(answer, "^T(04|0b)thread:1;$")
        self.assertEqual(gdb.ask("vCont;c"), "X0b")
        self.assertEqual(session.wait(), 1)

    def test_exit_code(self):
        session = Session(self, "illegal", "--gdb", "0")
        self.assertEqual(Packets(session.port).ask("vCont;c"), "W03")
        self.assertEqual(session.wait(), 1)
        self.assertIn("(main+", session.summary()["failure"])

    def test_random_bytes(self):
        session = Session(self, "hello", "--gdb", "0")
        for bytes_sent in (b"\x00" * 100000, b"$" * 1000, b"$m" + b"0" * 100000 + b"#00", b"$vCont;#", os.urandom(10000)):
            connection = socket.create_connection(("127.0.0.1", session.port), 10)
            connection.sendall(bytes_sent)
            connection.close()
        time.sleep(0.5)
        gdb = Packets(session.port)
        self.assertRegex(gdb.ask("?"), "^T")
        gdb.send("k")
        self.assertEqual(session.wait(), 1)

    def test_mistakes(self):
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        busy = str(taken.getsockname()[1])
        for options, message in (
                (["--gdb", busy], f"--gdb {busy}: port {busy} of 127.0.0.1 is in use; expected one that is free, or 0"),
                (["--gdb", "70000"], "--gdb 70000: expected a port from 1 to 65535, or 0 for any that is free"),
                (["--gdb-attach", "-1"], "--gdb-attach -1: expected a port"),
                (["--gdb", "x"], "--gdb x: expected a port"),
                (["--gdb", "0", "--gdb-attach", "0"], "--gdb-attach")):
            done = subprocess.run([EXECUTABLE, "run", str(SCENARIO), *options], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(message, done.stdout)


@unittest.skipIf(GDB is None, "gdb-multiarch is not installed (scripts/test installs it)")
class DebiansGdb(unittest.TestCase):
    def gdb(self, session, *commands):
        arguments = [GDB, "-nx", "-batch", "-ex", "set pagination off", "-ex", "set remotetimeout 60", "-ex",
                     f"target remote localhost:{session.port}", *(part for c in commands for part in ("-ex", c)),
                     str(FIRMWARE / "hello.elf")]
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        return done.stdout

    def test_a_session(self):
        session = Session(self, "hello", "--gdb", "0")
        destination = 0x80000000 + 0x100000 + 8192
        text = self.gdb(session, "break sequencer_init", "continue", "print/x ring", "finish",
                        # A command in the ring, before the doorbell.
                        "tbreak sequencer_wait", "continue", "x/2xw 0x80000000", "info registers mstatus pc",
                        f"watch *(unsigned long*){destination + 8:#x}", "continue", "monitor time", "delete",
                        "break interrupt_controller_dispatch", "continue", "break on_interrupt", "continue", "stepi", "print $mcause",
                        "backtrace", "delete", "detach")
        self.assertIn("Breakpoint 1, sequencer_init", text)
        self.assertIn("= 0x80000000", text)
        self.assertIn("Hardware watchpoint", text)
        self.assertIn("watchpoint: dma has written 0x80102008", text)
        self.assertIn("simulated time", text)
        self.assertRegex(text, r"Breakpoint \d+, .*on_interrupt \(")
        self.assertRegex(text, r"(?s)on_interrupt \(.*interrupt_controller_dispatch .*sequencer_wait .* main \(")
        self.assertIn("[Inferior 1 (Remote target) detached]", text)
        session.wait()
        self.assertEqual(session.summary()["firmware_exit_code"], 0)
        self.assertEqual(session.summary()["cycles"], figures("hello")["cycles"])

    def test_detach_and_reconnect(self):
        session = Session(self, "hello", "--gdb", "0")
        self.assertIn("Breakpoint 1, main", self.gdb(session, "break main", "continue", "disconnect"))
        text = self.gdb(session, "where", "continue")
        self.assertIn("main ()", text)
        self.assertIn("exited normally", text)
        self.assertEqual(session.wait(), 0)
        self.assertEqual(session.summary()["cycles"], figures("hello")["cycles"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
