# SPDX-License-Identifier: Apache-2.0
"""Profile and coverage of firmware: sums, against tools of others, and that they move nothing.

BUTTERFLY_VP: the executable. BVP_FIRMWARE_DIR: the directory of the firmware's ELF files."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ["BUTTERFLY_VP"]
FIRMWARE = pathlib.Path(os.environ["BVP_FIRMWARE_DIR"])


class Profile(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name)

    def vp(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=600)
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done

    def test_a_run(self):
        printed = self.vp("run", "encoder_128x64", "--out", "with", "--profile").stdout
        self.vp("run", "encoder_128x64", "--out", "without", "--quiet")
        runs = {name: json.loads((self.path / name / "summary.json").read_text()) for name in ("with", "without")}
        for key in ("cycles", "energy_j", "cpu_instructions", "regions"):
            self.assertEqual(runs["with"].get(key), runs["without"].get(key), key)
        profile = json.loads((self.path / "with" / "profile.json").read_text())
        self.assertIn("profile.json", runs["with"]["files"])
        self.assertFalse((self.path / "without" / "profile.json").exists())
        total = profile["total"]
        statistics = json.loads((self.path / "with" / "statistics.json").read_text())
        text = json.dumps(statistics)
        self.assertIn("instruction", text)
        # The CPU may be some instructions further than the end of the run.
        self.assertAlmostEqual(total["cycles"] + total["asleep_cycles"], runs["with"]["cycles"], delta=10100)
        for key in ("cycles", "instructions"):
            self.assertAlmostEqual(sum(row["self"][key] for row in profile["functions"]), total[key], delta=200)
        self.assertAlmostEqual(sum(row["energy_share"] for row in profile["functions"]), 1, places=6)
        names = {row["name"] for row in profile["functions"]}
        self.assertLessEqual({"main", "network_run", "trap_vector"} & names, names)
        self.assertIn("network_run", names)
        self.assertIn("network_run", printed)
        folded = [line.rsplit(" ", 1) for line in (self.path / "with" / "profile.folded").read_text().splitlines()]
        self.assertAlmostEqual(sum(int(count) for _, count in folded), total["cycles"] + total["asleep_cycles"], delta=500)
        stacks = [stack for stack, _ in folded]
        self.assertTrue(any(re.search(r"(^|;)main;(.*;)?network_run", stack) for stack in stacks), stacks[:20])

    def test_the_trace(self):
        """Functions nest in the trace, accesses have the names of registers, and nothing moves."""
        for fidelity in ("cycle", "fast"):
            self.vp("run", "encoder_128x64", "--out", "both", "--profile", "--trace", "--fidelity", fidelity)
            self.vp("run", "encoder_128x64", "--out", "plain", "--trace", "--quiet", "--fidelity", fidelity)
            runs = {name: json.loads((self.path / name / "summary.json").read_text()) for name in ("both", "plain")}
            self.assertEqual(runs["both"]["cycles"], runs["plain"]["cycles"])
            self.assertEqual(runs["both"]["energy_j"], runs["plain"]["energy_j"])
            self.assertEqual(runs["both"]["trace_events_dropped"], 0)
            tracks = {}
            for name in runs:
                events = json.loads((self.path / name / "trace.json").read_text())["traceEvents"]
                threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
                tracks[name] = collections.defaultdict(list)
                for event in events:
                    if event["ph"] == "X":
                        begin = round(1000 * event["ts"])
                        tracks[name][threads[event["pid"], event["tid"]]].append(
                            (begin, begin + round(1000 * event["dur"]), event["name"]))
            self.assertFalse({"firmware", "registers"} & set(tracks["plain"]))
            functions, accesses = tracks["both"]["firmware"], tracks["both"]["registers"]
            # The order in the file is that in which a stack holds them.
            stack, parents = [], collections.Counter()
            for begin, end, name in functions:
                while stack and stack[-1][1] <= begin:
                    stack.pop()
                if stack:
                    self.assertLessEqual(end, stack[-1][1], (name, stack))
                    parents[stack[-1][2], name] += 1
                stack.append((begin, end, name))
            names = collections.Counter(name for _, _, name in functions)
            self.assertEqual(names["main"], 1)
            self.assertTrue(any(inner == "network_run" for _, inner in parents), parents)
            # Each call of the profile is a slice, up to the end of the run.
            calls = {row["name"]: row["calls"] for row in json.loads((self.path / "both" / "profile.json").read_text())["functions"]}
            for name in ("main", "network_run", "sequencer_doorbell"):
                self.assertEqual(names[name], calls[name], name)
            main = next(slice for slice in functions if slice[2] == "main")
            # The doorbells: as many as commands, each within the function that rings it.
            bells = [access for access in accesses if access[2] == "write sequencer.TAIL"]
            rings = [function for function in functions if function[2] == "sequencer_doorbell"]
            self.assertEqual(len(bells), len(rings))
            for (begin, end, _), (enter, leave, _) in zip(bells, rings):
                self.assertTrue(enter <= begin < end <= leave, (begin, end, enter, leave))
                self.assertTrue(main[0] < begin < main[1])
            self.assertTrue(all(a[1] <= b[0] for a, b in zip(accesses, accesses[1:])))
            shutil.rmtree(self.path / "both")
            shutil.rmtree(self.path / "plain")

    def test_sums_of_a_bare_program(self):
        """Instructions and cycles are those that the run reports; nothing moves."""
        program = FIRMWARE / "examples" / "dma_copy.elf"
        done = self.vp("run", "--bare", "--firmware", program, "--profile", "--out", "made")
        plain = self.vp("run", "--bare", "--firmware", program)
        self.assertEqual(done.stdout, plain.stdout)
        counted = re.search(r"(\d+) cycles, (\d+) instructions", plain.stderr)
        self.assertIn(counted[0], done.stderr)
        profile = json.loads((self.path / "made" / "profile.json").read_text())
        total = profile["total"]
        self.assertGreaterEqual(total["instructions"], int(counted[2]))
        self.assertAlmostEqual(total["instructions"], int(counted[2]), delta=10100)
        self.assertGreater(total["asleep_cycles"], 100)
        self.vp("run", "--bare", "--firmware", program, "--profile", "--out", "made", "--quiet")
        (self.path / "made" / "profile.json").write_text("mine\n")
        self.vp("run", "--bare", "--firmware", program, "--profile", "--out", "made", expect=2)
        self.assertEqual((self.path / "made" / "profile.json").read_text(), "mine\n")

    def test_coverage(self):
        program = FIRMWARE / "examples" / "recovery.elf"
        self.vp("run", "--bare", "--firmware", program, "--coverage", "a.info", "--quiet")
        found = collections.defaultdict(dict)
        functions = {}
        for line in (self.path / "a.info").read_text().splitlines():
            kind, _, value = line.partition(":")
            if kind == "SF":
                file = value
            elif kind == "DA":
                number, count = value.split(",")
                found[file][int(number)] = int(count)
            elif kind == "FNDA":
                count, name = value.split(",")
                functions[name] = int(count)
        self.assertEqual(functions["main"], 1)
        source = next(file for file in found if file.endswith("recovery.c"))
        self.assertTrue(pathlib.Path(source).is_file())
        # Lines that binutils knows, and no others.
        dump = subprocess.run(["riscv64-unknown-elf-objdump", "--dwarf=decodedline", program], capture_output=True, text=True,
                              check=True).stdout
        known = set()
        for line in dump.splitlines():
            words = line.split()
            if len(words) >= 4 and words[0] == "recovery.c" and words[1].isdigit() and words[2].startswith("0x") and words[-1] == "x":
                known.add(int(words[1]))
        self.assertEqual(set(found[source]), known)
        # What prints has run; what is left out has not.
        text = pathlib.Path(source).read_text().splitlines()
        ran = [number for number, count in found[source].items() if count > 0]
        self.assertTrue(any("printf" in text[number - 1] for number in ran))
        self.vp("run", "--bare", "--firmware", program, "--coverage", "a.info", "--quiet")  # replaces its own
        if shutil.which("genhtml"):
            done = subprocess.run(["genhtml", "a.info", "--output-directory", "html"], cwd=self.path, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            hit = sum(count > 0 for lines in found.values() for count in lines.values())
            self.assertRegex(done.stdout, rf"lines\.*: [\d.]+% \({hit} of {sum(map(len, found.values()))} lines\)")

    def test_log_of_registers(self):
        """What is written into the UART is the text, and the log moves nothing."""
        program = FIRMWARE / "examples" / "dma_copy.elf"
        plain = self.vp("run", "--bare", "--firmware", program)
        done = self.vp("run", "--bare", "--firmware", program, "--log", "registers,traps", "--log-file", "a.log")
        self.assertEqual((done.stdout, done.stderr), (plain.stdout, plain.stderr))
        lines = [line.split(" ", 2) for line in (self.path / "a.log").read_text().splitlines()]
        times = [float(line[0]) for line in lines]
        self.assertEqual(times, sorted(times))
        sent = [int(found[1], 16) for line in lines if (found := re.match(r"uart\.\w+ = (0x[0-9a-f]+)( \([^)]*\))? by ", line[2]))
                and line[1] == "write" and "THR" in line[2]]
        self.assertEqual("".join(map(chr, sent)), plain.stdout)
        kinds = collections.Counter(line[1] for line in lines)
        # The driver sleeps with interrupts disabled, and asks the controller itself.
        self.assertEqual((kinds["awake"], kinds["interrupt"], kinds["trap"]), (1, 0, 0))
        timer = self.vp("run", "--bare", "--firmware", FIRMWARE / "examples" / "timer.elf", "--log", "traps", "--quiet").stderr
        interrupts = len(re.findall(r"^\S+ interrupt timer, at 0x\w+ \(", timer, re.MULTILINE))
        self.assertEqual(interrupts, len(re.findall(r"^\S+ return to 0x", timer, re.MULTILINE)))
        self.assertTrue(any(line[1] == "write" and line[2].startswith("sequencer.TAIL = 0x1 by 0x") for line in lines))
        self.assertTrue(any("sequencer_doorbell" in line[2] for line in lines))
        few = self.vp("run", "--bare", "--firmware", program, "--log", "registers", "--log-modules", "sequencer").stderr
        modules = {line.split()[2].split(".")[0] for line in few.splitlines() if re.match(r"[\d.]+ (read|write) ", line)}
        self.assertEqual(modules, {"sequencer"})

    def test_log_of_traps(self):
        done = self.vp("run", "--bare", "--firmware", FIRMWARE / "examples" / "recovery.elf", "--log", "traps", "--quiet")
        self.assertRegex(done.stderr, r"\d+\.\d{9} trap load access fault \(mcause 5\), mtval 0x30000000, at 0x\w+ \(\w+\+0x\w+\)")

    def test_log_of_instructions(self):
        """Each is what binutils finds at the address."""
        program = FIRMWARE / "hello.elf"
        self.vp("run", "--bare", "--firmware", program, "--log", "instructions", "--log-file", "a.log", "--quiet")
        dump = subprocess.run(["riscv64-unknown-elf-objdump", "-d", program], capture_output=True, text=True, check=True).stdout
        known = {int(address, 16): bits for address, bits in re.findall(r"^\s*([0-9a-f]+):\t([0-9a-f]+)\s", dump, re.MULTILINE)}
        count = 0
        for line in (self.path / "a.log").read_text().splitlines():
            _, kind, address, *_, bits = line.split()
            self.assertEqual(kind, "instruction")
            self.assertEqual(known[int(address, 16)], bits, line)
            count += 1
        self.assertGreater(count, 1000)
        main = re.search(r"^([0-9a-f]+) <main>:", dump, re.MULTILINE)[1]
        self.vp("run", "--bare", "--firmware", program, "--log", "instructions", "--log-file", "b.log", "--quiet",
                "--log-range", f"0x{main}-0x{int(main, 16) + 3:x}")
        self.assertRegex((self.path / "b.log").read_text(), rf"^\S+ instruction 0x0*{main.lstrip('0')} \(main\+0x0\) [0-9a-f]+\n")

    def test_what_is_refused(self):
        program = FIRMWARE / "hello.elf"
        (self.path / "mine").write_text("mine\n")
        self.assertIn("is there already", self.vp("run", "--bare", "--firmware", program, "--coverage", "mine", expect=2).stderr)
        self.assertEqual((self.path / "mine").read_text(), "mine\n")
        self.assertIn("no --gdb", self.vp("run", "--bare", "--firmware", program, "--profile", "--gdb", "0", expect=2).stderr)
        for options, text in ((("--log", "all"), "all not in"), (("--log", "registers", "--log-modules", "urt"), "found 'urt'"),
                              (("--log", "traps", "--log-file", "mine"), "is there already"),
                              (("--log", "traps", "--log-range", "5"), "expected two addresses"), (("--log-file", "x"), "--log")):
            self.assertIn(text, self.vp("run", "--bare", "--firmware", program, *options, expect=2).stderr)
        self.assertEqual((self.path / "mine").read_text(), "mine\n")
        shutil.copy(program, self.path / "bare.elf")
        subprocess.run(["riscv64-unknown-elf-strip", "bare.elf"], cwd=self.path, check=True)
        self.assertIn("no table of lines", self.vp("run", "--bare", "--firmware", "bare.elf", "--coverage", "a.info", expect=2).stderr)
        self.vp("run", "--bare", "--firmware", "bare.elf", "--profile", "--quiet")


if __name__ == "__main__":
    unittest.main()
