#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs without a network: a small assembler program for each convention by which a program ends, prints and opens
files."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

EXECUTABLE = os.environ["BUTTERFLY_VP"]
PROGRAMS = pathlib.Path(os.environ["BVP_PROGRAMS_DIR"])
QEMU = shutil.which("qemu-system-riscv64")

SCRIPT = """ENTRY(_start)
SECTIONS {{
  . = {base:#x};
  .text : {{ *(.text) }}
  . = ALIGN(0x1000);
  .tohost : {{ *(.tohost) }}
  . = ALIGN(0x1000);
  .data : {{ *(.data) *(.bss) }}
}}
"""
HOST_WORDS = """
.section .tohost, "aw"
.align 6
.global tohost
tohost: .dword 0
.align 6
.global fromhost
fromhost: .dword 0
"""
# A semihosting call with the operation in a0 and its argument in a1.
CALL = """
.macro host operation
  li a0, \\operation
  .balign 16
  .option push
  .option norvc
  slli zero, zero, 31
  ebreak
  srai zero, zero, 7
  .option pop
.endm
"""
EXIT = """
exit:  # with the code in s11
  la a1, exit_block
  sd s11, 8(a1)
  host 0x18
  j .
.data
.align 3
exit_block: .dword 0x20026, 0
.text
"""


class Bare(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)

    def build(self, source, base=0x80000000, script=SCRIPT):
        (self.path / "p.S").write_text(".text\n.global _start\n" + source)
        (self.path / "p.ld").write_text(script.format(base=base))
        subprocess.run(["riscv64-unknown-elf-gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-nostdlib",
                        "-nostartfiles", "-static", "-Wl,--no-warn-rwx-segments", "-Tp.ld", "p.S", "-o", "p.elf"],
                       cwd=self.path, check=True)

    def run_program(self, *options):
        done = subprocess.run([EXECUTABLE, "run", "--bare", "--firmware", "p.elf", *options], cwd=self.path,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120)
        return done.returncode, done.stdout, done.stderr

    def check(self, source, code, text="", *options, **layout):
        self.build(source, **layout)
        returncode, printed, errors = self.run_program(*options)
        self.assertEqual(returncode, 0 if code == 0 else 1, errors)
        if code:
            self.assertIn(f"the program ended with exit code {code}\n", errors)
        self.assertEqual(printed, text)
        return errors

    def test_tohost(self):
        store = "_start: li t0, {}\n la t1, tohost\n sd t0, 0(t1)\n j .\n" + HOST_WORDS
        for base in (0x80000000, 0x20000000, 0x80400000):
            with self.subTest(base=base):
                self.check(store.format(1), 0, base=base)
                self.check(store.format(7 << 1 | 1), 7, base=base)

    def test_tohost_as_two_words(self):
        self.check("_start: li t0, 5\n la t1, tohost\n sw t0, 0(t1)\n sw zero, 4(t1)\n j .\n" + HOST_WORDS, 2)

    def test_system_calls_and_characters(self):
        errors = self.check("""
_start:
  la s0, tohost
  la s1, fromhost
  li t0, 0x0101000000000058   # device 1, command 1: 'X'
  sd t0, 0(s0)
1: ld t0, 0(s1)
  beqz t0, 1b
  sd zero, 0(s1)
  la t0, record
  sd t0, 0(s0)
1: ld t0, 0(s1)
  beqz t0, 1b
  la t0, record
  ld t1, 0(t0)                # what write() has returned
  li t2, 6
  bne t1, t2, bad
  li t0, 1
  sd t0, 0(s0)
  j .
bad: li t0, 3
  sd t0, 0(s0)
  j .
.data
.align 6
record: .dword 64, 1, text, 6
text: .ascii "hello\\n"
""" + HOST_WORDS, 0, "Xhello\n")
        cycles, instructions = (int(text.replace(",", "")) for text in
                                re.search(r"([\d,]+) cycles, ([\d,]+) instructions, ", errors).groups())
        # The CPU computes ahead of simulated time; what it does after the end does not count.
        self.assertLessEqual(instructions, cycles)

    def test_semihosting_text_and_exit(self):
        self.check(CALL + """
_start:
  la a1, letter
  host 3
  la a1, text
  host 4
  la a1, tty
  host 1
  la t0, block
  sd a0, 0(t0)
  mv a1, t0
  host 5
  mv s11, a0
  bnez a0, exit
  la a1, block
  host 9               # a terminal
  addi s11, a0, 40
  j exit
.data
.align 3
tty: .dword tty_name, 4, 3
block: .dword 0, again, 4
text: .asciz "ello "
again: .ascii "you\\n"
letter: .asciz "h"
tty_name: .asciz ":tt"
.text
""" + EXIT, 41, "hello you\n")

    FILES = CALL + """
_start:
  la a1, open_block
  host 1
  bltz a0, failed
  la t0, read_block
  sd a0, 0(t0)
  mv a1, t0
  host 0x0c            # length
  mv s1, a0
  la a1, read_block
  host 6
  mv s11, a0
  bnez a0, exit
  la a1, seek_block
  la t0, read_block
  ld t0, 0(t0)
  sd t0, 0(a1)
  host 0x0a
  mv s11, a0
  bnez a0, exit
  la a1, buffer
  host 4
  la a1, read_block
  host 2
  mv s11, s1
  j exit
failed:
  host 0x13
  mv s11, a0
  j exit
.data
.align 3
open_block: .dword name, {mode}, {length}
read_block: .dword 0, buffer, 6
seek_block: .dword 0, 0
buffer: .dword 0, 0
name: .asciz "{name}"
.text
""" + EXIT

    def files(self, name, code, text="", *options, mode=0):
        self.check(self.FILES.format(name=name, length=len(name), mode=mode), code, text, *options)

    def test_files_only_in_the_directory(self):
        granted = self.path / "granted"
        (granted / "sub").mkdir(parents=True)
        (granted / "in.txt").write_text("inside")
        (granted / "sub" / "in.txt").write_text("deeper")
        (self.path / "secret.txt").write_text("secret")
        (granted / "link.txt").symlink_to(self.path / "secret.txt")
        os.mkfifo(granted / "pipe")
        access = 13
        self.files("in.txt", 6, "inside", "--files", "granted")
        self.files("sub/in.txt", 6, "deeper", "--files", "granted")
        self.files("../granted/in.txt", 6, "inside", "--files", "granted")
        self.files("missing.txt", 2, "", "--files", "granted")
        for name in ("../secret.txt", str(self.path / "secret.txt"), "link.txt", "pipe", "sub", ".", "/etc/hostname"):
            with self.subTest(name=name):
                self.files(name, access, "", "--files", "granted")
        self.files("in.txt", access)                       # no directory is granted
        self.files("../new.txt", access, "", "--files", "granted", mode=4)
        self.assertFalse((self.path / "new.txt").exists())

    def test_simulated_time(self):
        self.check(CALL + """
_start:
  li t0, 20000000
1: addi t0, t0, -1
  bnez t0, 1b
  host 0x10            # centiseconds
  mv s11, a0
  j exit
""" + EXIT, 4)

    def test_an_ebreak_that_is_no_call_traps(self):
        self.check("""
_start:
  la t0, handler
  csrw mtvec, t0
  ebreak
  j .
.align 2
handler:
  csrr t0, mcause
  slli t0, t0, 1
  ori t0, t0, 1
  la t1, tohost
  sd t0, 0(t1)
  j .
""" + HOST_WORDS, 3)

    def test_messages_name_functions(self):
        self.build("_start: call wrong\n nop\n.type wrong, @function\nwrong: nop\n.word 0xffffffff\n.size wrong, .-wrong\n")
        returncode, _, errors = self.run_program()
        self.assertEqual(returncode, 1)
        self.assertRegex(errors, r"(?m)^error: the CPU halted: .* at pc 0x0*8000\w+ \(wrong\+0x2\)")
        self.assertRegex(errors, r"ra       0x8000\w+ \(_start\+0x\w+\)")
        self.build("_start: wfi\n j _start\n")
        returncode, _, errors = self.run_program("--set", "run.time_limit_s=0.001")
        self.assertEqual(returncode, 1)
        self.assertIn("CPU: asleep in WFI, enabled interrupts: none", errors)
        # Without symbols the numbers stay.
        subprocess.run(["riscv64-unknown-elf-strip", "p.elf"], cwd=self.path, check=True)
        returncode, _, errors = self.run_program("--set", "run.time_limit_s=0.001")
        self.assertIn("the CPU sleeps in WFI at pc 0x8000", errors)

    def test_mistakes(self):
        self.build("_start: j .\n")
        self.assertRegex(self.run_program("--files", "nowhere")[2],
                         "^error: nowhere: no such directory; expected one for the files of the program\n")
        self.assertEqual(self.run_program("--files", "nowhere")[0], 2)
        self.build("_start: j .\n.global tohost\n.set tohost, 0x10000000\n")
        returncode, _, errors = self.run_program()
        self.assertEqual(returncode, 2)
        self.assertIn("its symbol tohost is 0x10000000; expected an address in the boot RAM or the DRAM", errors)
        self.build("_start: j .\n.global tohost\n.align 3\ntohost: .dword 0\n")
        returncode, _, errors = self.run_program()
        self.assertEqual(returncode, 2)
        self.assertIn("on one page with its entry", errors)
        self.build("_start: j .\n", base=0x10000000)
        returncode, _, errors = self.run_program()
        self.assertEqual(returncode, 2)
        self.assertIn("is outside of the boot RAM and the DRAM", errors)
        done = subprocess.run([EXECUTABLE, "run", "--bare"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("expected --firmware ELF", done.stdout)


class Devices(unittest.TestCase):
    """CLINT, PLIC and UART by a program that knows nothing of this platform."""
    EXPECTED = """divisor latch: 3
fifos: 3
scratch: 90
looped: 76
looped modem lines: 15
software interrupt: 3
timer interrupt: 7
not before its time: 1
highest priority: 7
external pending at the threshold: 0
external interrupt: 11
claimed: 10
identification: 2
pending behind it: 0
received: olleh
fault of a store: 7
faults: 1
unchanged: 7
still locked: 153
mconfigptr: 0
standard devices: done
"""
    PROGRAM = PROGRAMS / "standard_devices_dram.elf"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)

    def run_it(self, *options, **more):
        more = {"stdin": subprocess.DEVNULL, **more} if "input" not in more else more
        return subprocess.run([EXECUTABLE, "run", "--bare", "--firmware", str(self.PROGRAM), *options], cwd=self.path,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, **more)

    def test_input_from_a_file(self):
        (self.path / "line").write_text("hello\n")
        runs = [self.run_it("--uart-input", "file:line") for _ in range(2)]
        for done in runs:
            self.assertEqual((done.returncode, done.stdout), (0, self.EXPECTED), done.stderr)
        self.assertEqual(runs[0].stderr, runs[1].stderr)
        self.assertRegex(runs[0].stderr, r"^\d+ cycles, \d+ instructions")

    def test_input_from_the_standard_input(self):
        done = self.run_it("--uart-input", "stdin", input="hello\n")
        self.assertEqual((done.returncode, done.stdout), (0, self.EXPECTED), done.stderr)

    def test_input_from_a_pipe_that_is_slow(self):
        process = subprocess.Popen([EXECUTABLE, "run", "--bare", "--firmware", str(self.PROGRAM), "--uart-input", "stdin"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        while b"pending behind" not in process.stdout.readline():
            pass
        time.sleep(0.5)
        printed, errors = process.communicate(b"hello\n", timeout=60)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn(b"received: olleh\n", printed)
        # While it waits for the sender, simulated time stands still.
        self.assertLess(int(re.search(rb"(\d+) cycles", errors)[1]), 1000000)

    def test_both_directions_over_tcp(self):
        process = subprocess.Popen([EXECUTABLE, "run", "--bare", "--firmware", str(self.PROGRAM), "--uart", "tcp:0"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        port = int(re.search(r"localhost:(\d+)", process.stderr.readline())[1])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"hello\n")
            received = b""
            while piece := connection.recv(4096):
                received += piece
        printed, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual((received.decode(), printed), (self.EXPECTED, ""))

    def test_without_input_nothing_can_wake_it(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing can happen any more: the CPU sleeps in WFI at pc 0x", done.stderr)
        self.assertIn("CPU: asleep in WFI, enabled interrupts: external", done.stderr)
        self.assertLess(int(re.search(r"(\d+) cycles", done.stderr)[1]), 1000000)
        # The line that the program has not ended is ended before the errors.
        self.assertEqual(self.run_it("--uart-input", "stdin", input="hel").returncode, 1)

    def test_options_are_checked(self):
        for options, error in [(["--uart-input", "smoke"], "--uart-input smoke: expected none, stdin or file:PATH"),
                               (["--uart-input", "file:missing"], "--uart-input file:missing: No such file"),
                               (["--uart-input", "file:."], "--uart-input file:.: a directory"),
                               (["--uart", "tcp:zero"], "--uart tcp:zero: expected a port from 1 to 65535"),
                               (["--uart", "tcp:0", "--uart-input", "stdin"], "expected none beside --uart tcp:0")]:
            done = self.run_it(*options)
            self.assertEqual(done.returncode, 2, options)
            self.assertIn(error, done.stderr)

    @unittest.skipUnless(QEMU, "qemu-system-riscv64 is not installed")
    def test_the_same_on_qemu(self):
        process = subprocess.Popen([QEMU, "-M", "virt", "-bios", "none", "-display", "none", "-monitor", "none", "-serial",
                                    "stdio", "-semihosting", "-device", f"loader,file={self.PROGRAM},cpu-num=0"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.kill)
        printed = b""
        while b"pending behind it: 0" not in printed:
            piece = process.stdout.readline()
            self.assertTrue(piece, printed)
            printed += piece
        printed += process.communicate(b"hello\n", timeout=60)[0]
        self.assertEqual(printed.decode().replace("\r", ""), self.EXPECTED)
        self.assertEqual(process.returncode, 0)


class Programs(unittest.TestCase):
    def run_program(self, name):
        return subprocess.run([EXECUTABLE, "run", "--bare", "--firmware", str(PROGRAMS / f"{name}.elf")], timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_constructors(self):
        for name, area in [("constructors", "*float*"), ("constructors_dram", "2.250")]:
            done = self.run_program(name)
            self.assertEqual((done.returncode, done.stdout), (0, f"first 1, second 2\narea {area}\nconstructors: right\n"
                                                                 "behind main\n"), done.stderr)

    def test_a_stack_overflow_is_named(self):
        done = self.run_program("stack_overflow")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"trap: stack overflow at pc 0x[0-9a-f]{16}: sp 0x000000001fff[0-9a-f]{4}, the stack is "
                                      r"0x20000000 to 0x20010000")
        self.assertIn("exit code 3", done.stderr)

    def test_abort(self):
        done = self.run_program("aborts")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r'the line goes onassertion "rand\(\) == -1" failed(.|\n)*\naborted at 0x[0-9a-f]{16}\n$')
        self.assertIn("exit code 5", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
