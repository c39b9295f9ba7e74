# SPDX-License-Identifier: Apache-2.0
"""What the executable shows on terminals of all kinds, and in pipes. BUTTERFLY_VP names the executable."""
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]
REWRITE = "\r\x1b[K"


def on_terminal(arguments, columns, directory, program=EXECUTABLE, expect=0, **environment):
    """@return what the command wrote to a terminal of so many columns; its lines end with CR LF"""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    # COLUMNS would say something else; the terminal itself knows better.
    child = subprocess.Popen([program, *map(str, arguments)], cwd=directory, stdin=slave, stdout=slave, stderr=slave,
                             env={"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "17", **environment})
    os.close(slave)
    output = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the last one has closed it
            break
        if not part:
            break
        output += part
    os.close(master)
    if child.wait() != expect:
        raise AssertionError(output.decode(errors="replace")[-2000:])
    return output.decode()


def progress_of(output):
    """What the progress line showed, in order, with the text of the firmware that came before each."""
    shown = []
    so_far = ""
    for part in output.split(REWRITE)[1:]:
        if part and "\n" not in part:
            shown.append((so_far, part))
        else:  # what the progress line made room for
            so_far += part
    return shown


class Terminal(unittest.TestCase):
    MAIN = ["run", TREE / "scenarios" / "encoder_1024x512.yaml", "--set", "verify.enabled=false"]

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def check_progress(self, output, columns):
        shown = [text for _, text in progress_of(output)]
        self.assertGreater(len(shown), 3, output)
        for text in shown:
            self.assertLess(len(text), columns, text)
        percents = [int(match[1]) for match in (re.match(r" *(\d+) %", text) for text in shown) if match]
        self.assertGreater(len(percents), 2)
        self.assertEqual(percents, sorted(percents))
        self.assertGreater(percents[-1], 60)
        # No other control sequence, and nothing left behind.
        self.assertNotIn("\x1b", output.replace(REWRITE, ""))
        self.assertEqual(re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]", output), [])
        return shown

    def table_of(self, output):
        """The lines from the run's figures on."""
        lines = output.replace("\r\n", "\n").split("\n")
        begin = next(i for i, line in enumerate(lines) if line.startswith("  scenario"))
        return lines[begin:]

    def test_widths(self):
        for columns in [40, 80, 200]:
            with self.subTest(columns):
                output = on_terminal([*self.MAIN, "--out", self.path / str(columns)], columns, self.path)
                shown = self.check_progress(output, columns)
                self.assertRegex("\n".join(shown), r"left, task \d/5 \S")
                table = self.table_of(output)
                if columns >= 80:
                    self.assertLessEqual(len(table), 54)
                    for line in table[:-2]:  # the last ones name the directory
                        self.assertLessEqual(len(line), columns)
                if columns == 200:
                    self.assertIn("layers.0.fft_sum .. layers.1.attention.value", "\n".join(shown))
                    self.assertRegex("\n".join(table), r"layer\.kernel +launches .* load +cal +flow +store +steady")

    def test_the_task_that_runs_is_named_from_the_beginning(self):
        output = on_terminal([*self.MAIN, "--out", "here"], 120, self.path)
        shown = progress_of(output)
        self.assertNotIn("done at cycle", shown[0][0], "nothing was shown before the first task had ended")
        ended = 0
        for before, text in shown:
            for number in re.findall(r"task (\d)/5 \S.* done at cycle", before):
                ended = int(number)
            running = re.search(r"task (\d)/5", text)
            if running and ended < 5:
                self.assertGreater(int(running[1]), ended, (ended, text))

    def test_dumb_terminals_get_text_alone(self):
        for name in ["dumb", ""]:
            output = on_terminal([*self.MAIN, "--out", "here"], 80, self.path, TERM=name)
            self.assertNotIn("\x1b", output)
            self.assertNotIn("\r", output.replace("\r\n", "\n"))

    def test_no_colours(self):
        for environment in [{"NO_COLOR": "1"}, {}]:
            output = on_terminal([*self.MAIN, "--out", "here"], 80, self.path, **environment)
            self.assertIsNone(re.search(r"\x1b\[[0-9;]*m", output))

    def pipe(self, *arguments, **environment):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_pipes(self):
        done = self.pipe(*self.MAIN, "--out", "here")
        for text in [done.stdout, done.stderr]:
            self.assertIsNone(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text))
        lines = done.stdout.splitlines()
        begin = next(i for i, line in enumerate(lines) if line.startswith("  scenario"))
        self.assertLessEqual(max(map(len, lines[begin:])), 80)
        wide = self.pipe(*self.MAIN, "--out", "here", COLUMNS="160").stdout
        self.assertGreater(max(map(len, wide.splitlines())), 80)
        self.assertRegex(wide, r", \d[\d.]* [kMGT]?lane op/s")

    def test_long_names_of_tasks_are_told_apart(self):
        bert = ["bert_base", "--set", "network.variant=hybrid", "--set", "network.tokens=64", "--set",
                "network.attention_layers=12", "--no-data", "--fidelity", "fast", "--out", "here"]
        done = self.pipe("run", *bert)
        plan = json.loads((self.path / "here" / "summary.json").read_text())["plan"]["tasks"]
        names = [task["name"] for task in plan]
        printed = re.findall(r"(?m)^task \d+/\d+ (.*) done at cycle", done.stdout)
        self.assertEqual(len(set(printed)), len(names))
        self.assertGreater(max(map(len, names)), 47)
        for name, text in zip(names, printed):
            begin, cut, end = (name, "", "") if len(name) < 48 else text.rpartition("...")
            self.assertEqual(begin + cut + end, text)
            self.assertTrue(name.startswith(begin) and name.endswith(end), text)
            self.assertEqual(len(text), min(len(name), 47))

    def test_long_runs_in_pipes_say_now_and_then_how_far_they_are(self):
        done = self.pipe("run", TREE / "scenarios" / "bert_base.yaml", "--set", "network.variant=butterfly", "--set",
                         "verify.enabled=false", "--out", "here")
        lines = done.stderr.splitlines()
        self.assertGreater(len(lines), 0)
        for line in lines:
            self.assertRegex(line, r"^ *\d+ %, (\d+ \S+ left, )?task \d+/\d+ \S.*, \d+\.\d+ ms simulated$|^\S")
        self.assertIn("%", done.stderr)

    def test_all_kernels_on_demand(self):
        bert = ["run", TREE / "scenarios" / "bert_base.yaml", "--set", "network.variant=hybrid", "--set",
                "network.tokens=64", "--fidelity", "fast", "--no-data", "--out", "here"]
        table = self.table_of(on_terminal(bert, 80, self.path))
        self.assertLessEqual(len(table), 54)
        self.assertIn("*.ffn.up", "\n".join(table))
        table = self.table_of(on_terminal([*bert, "--kernels"], 80, self.path))
        self.assertNotIn("others", "\n".join(table))
        for layer in range(12):
            self.assertIn(f"{layer}.ffn.up", "\n".join(table))
        self.assertLessEqual(max(map(len, table[:-2])), 80)

    def test_digits_line_up(self):
        table = self.table_of(on_terminal([*self.MAIN, "--out", "here"], 80, self.path))
        begin = next(i for i, line in enumerate(table) if "component" in line)
        rows = [line for line in table[begin + 2:begin + 6]]
        points = {match.start() for line in rows for match in [re.search(r"\.\d{3}", line)]}
        self.assertEqual(len(points), 1, rows)


class Build(unittest.TestCase):
    """scripts/build with a build tool of our own in its place."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name) / "a tree"
        for name in ["scripts", "bin"]:
            (self.path / name).mkdir(parents=True)
        shutil.copy(TREE / "scripts" / "build", self.path / "scripts" / "build")

    def tool(self, end):
        """Prints as Ninja does."""
        cmake = self.path / "bin" / "cmake"
        cmake.write_text('#!/bin/sh\n[ "$1" = --build ] || exit 0\n'
                         f'for i in 1 2 3 4; do echo "[$i/4] Building file $i"; done\n{end}\n')
        cmake.chmod(0o755)
        return {"PATH": f"{self.path / 'bin'}:{os.environ['PATH']}"}

    def test_a_line_that_is_written_again_on_a_terminal(self):
        output = on_terminal([], 80, self.path, self.path / "scripts" / "build", **self.tool("exit 0"))
        shown = [part.strip() for part in output.split(REWRITE)]
        self.assertEqual(shown[1:], ["25 %, step 1 of 4", "50 %, step 2 of 4", "75 %, step 3 of 4", "100 %, step 4 of 4", ""])
        output = on_terminal([], 80, self.path, self.path / "scripts" / "build", **{**self.tool("exit 0"), "TERM": "dumb"})
        self.assertNotIn("\x1b", output)

    def test_a_line_now_and_then_in_a_pipe(self):
        waiting = self.tool("sleep 16; echo '[4/4] the last one'")
        done = subprocess.run([self.path / "scripts" / "build"], env={**os.environ, **waiting}, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertEqual(done.stderr, "Building (release); the log is in build/release.log\n100 %, step 4 of 4\n")

    def test_failures_are_shown(self):
        failing = self.tool("echo 'x.cpp:1: error: no'; exit 3")
        done = subprocess.run([self.path / "scripts" / "build"], env={**os.environ, **failing}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("x.cpp:1: error: no", done.stderr)
        self.assertIn("[4/4] Building file 4", (self.path / "build" / "release.log").read_text())

    def test_help_and_unknown_options_do_nothing(self):
        for script in (TREE / "scripts").iterdir():
            if script.is_file():
                shutil.copy(script, self.path / "scripts")
            elif script.name != "__pycache__":
                shutil.copytree(script, self.path / "scripts" / script.name)
        for name in ["apt-get", "dpkg-query", "npm", "cmake", "clang-format", "run-clang-tidy", "find"]:
            tool = self.path / "bin" / name
            tool.write_text(f'#!/bin/sh\ntouch "{self.path}/started"\n')
            tool.chmod(0o755)
        environment = {**os.environ, "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
        scripts = [script for script in sorted((self.path / "scripts").iterdir())
                   if script.is_file() and os.access(script, os.X_OK)]
        self.assertGreater(len(scripts), 8)
        files = set(self.path.rglob("*"))
        for script in scripts:
            for option, code in [("--help", 0), ("-h", 0), ("--no-such-option", 2)]:
                # Options of `run` are those of the executable, which must be built to know them.
                if script.name == "run" and code == 2:
                    continue
                with self.subTest(script=script.name, option=option):
                    done = subprocess.run([script, option], env=environment, capture_output=True, text=True)
                    self.assertEqual(done.returncode, code, done.stderr)
                    self.assertIn(f"{script.name} ", done.stdout if code == 0 else done.stderr)
                    self.assertEqual(set(self.path.rglob("*")), files)


if __name__ == "__main__":
    unittest.main()
