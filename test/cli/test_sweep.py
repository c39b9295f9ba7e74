# SPDX-License-Identifier: Apache-2.0
"""butterfly-vp sweep: points, refusals, workers that die, interruption, resumption, export. BUTTERFLY_VP names the
executable. With BVP_NIGHTLY=1 the tests that kill a sweep use 1,000 points instead of some dozens."""
import csv
import io
import json
import os
import pathlib
import pty
import random
import re
import select
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]
SMALL = str(TREE / "scenarios" / "encoder_128x64.yaml")
FAST = ["--fidelity", "fast", "--no-data"]
NIGHTLY = os.environ.get("BVP_NIGHTLY") == "1"


class Sweep(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def vp(self, *arguments, expect=0, timeout=600, **options):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              cwd=self.path, **options)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def sweep(self, *arguments, **options):
        return self.vp("sweep", SMALL, *FAST, "--jobs", "2", "--out", "s", *arguments, **options)

    def query(self, sql, directory="s"):
        # A copy of the connection's own: the sweep may be writing.
        connection = sqlite3.connect(self.path / directory / "sweep.sqlite", timeout=20)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def table(self, directory="s"):
        return list(csv.DictReader(io.StringIO(self.vp("sweep", "export", directory).stdout)))


class Points(Sweep):
    def test_a_point_has_the_figures_of_a_run_by_itself(self):
        self.sweep("soc.dma.outstanding=4,8", "soc.array.lanes=8..16:8")
        rows = self.table()
        self.assertEqual([row["point"] for row in rows], ["0", "1", "2", "3", "4"])
        self.assertEqual([(row["soc.dma.outstanding"], row["soc.array.lanes"]) for row in rows],
                         [("", ""), ("4", "8"), ("4", "16"), ("8", "8"), ("8", "16")])
        self.vp("run", SMALL, *FAST, "--set", "soc.dma.outstanding=4", "--set", "soc.array.lanes=16", "--quiet",
                "--out", "alone")
        alone = json.loads((self.path / "alone" / "summary.json").read_text())
        point = json.loads(self.vp("sweep", "export", "s", "--format", "json").stdout)["points"][2]["figures"]
        for own in ("scenario", "build", "inputs", "files", "host_run"):
            alone.pop(own)
        self.assertEqual(point, alone)
        for key in ("cycles", "energy_j", "area_mm2"):
            self.assertEqual(json.loads(rows[2][key]), alone[key])
        self.assertEqual(rows[2]["busy.dram.data_bus"], repr(alone["busy"]["dram.data_bus"]))
        # The command that the table gives runs the same point.
        command = rows[2]["host_command"].split()
        self.vp(*command[1:], "--out", "again", "--quiet")
        self.assertEqual(json.loads((self.path / "again" / "summary.json").read_text())["cycles"], alone["cycles"])

    def test_the_file_of_a_sweep(self):
        (self.path / "study.yaml").write_text(f"""
base: {SMALL}
set: {{run.fidelity: fast, run.data: false}}
axes:
  - {{key: soc.dma.outstanding, values: [4, 16]}}
  - {{key: soc.scratchpad.size_bytes, powers_of_two: {{from: 1048576, to: 4194304}}}}
  - linked: {{soc.array.rows: [2, 4], soc.array.columns: [2, 4]}}
constraints:
  - soc.dma.outstanding > 4 or soc.array.rows == 4
  - estimate.area_mm2 < 1000
objectives:
  - minimise: energy_j * time_s
""")
        done = self.vp("sweep", "study.yaml", "--jobs", "2")
        self.assertIn("3 excluded", done.stdout)
        rows = self.table("sweeps/study")
        self.assertEqual(len(rows), 1 + 2 * 3 * 2)
        self.assertEqual({row["outcome"] for row in rows}, {"done", "excluded"})
        for row in rows[1:]:
            self.assertEqual(row["outcome"] == "excluded",
                             row["soc.dma.outstanding"] == "4" and row["soc.array.rows"] == "2")
            self.assertEqual(row["soc.array.rows"], row["soc.array.columns"])

    def test_equal_points_run_once(self):
        # 16 random points of 4 different ones; the base is one of them.
        self.sweep("soc.dma.outstanding=4,8", "soc.dma.channels=1,2", "--sampling", "random", "--points", "16")
        self.assertEqual(self.query("SELECT count(*) FROM points"), [(17,)])
        self.assertLessEqual(self.query("SELECT count(*), max(runs) FROM results")[0][0], 5)
        self.assertEqual(self.query("SELECT max(runs) FROM results"), [(1,)])

    def test_results_of_another_sweep_are_taken_over(self):
        self.sweep("soc.dma.outstanding=4,8")
        done = self.vp("sweep", SMALL, *FAST, "soc.dma.outstanding=8,16", "--out", "t", "--reuse", "s")
        self.assertIn("1 computed", done.stdout)
        self.assertIn("2 taken over", done.stdout)
        self.assertEqual(self.query("SELECT key FROM points WHERE point = 2"),
                         self.query("SELECT key FROM points WHERE point = 1", "t"))

    def test_what_a_machine_cannot_be_is_refused_and_no_failure(self):
        done = self.sweep("soc.pe.operand_vectors=16,256")
        rows = self.table()
        self.assertEqual([row["outcome"] for row in rows], ["done", "refused", "done"])
        self.assertIn("the operand memory of 16 vectors is too small", rows[1]["reason"])
        self.assertIn("1 refused", done.stdout)

    def test_samples_are_even_and_the_same_on_every_host(self):
        for method in ("latin_hypercube", "sobol"):
            self.vp("sweep", SMALL, *FAST, "soc.array.clock_hz=5e8..1e9", "--sampling", method, "--points", "8",
                    "--out", method, "--seed", "3")
            values = [float(row["soc.array.clock_hz"]) for row in self.table(method)[1:]]
            # One value in each eighth of the range.
            strata = sorted(int((value - 5e8) / 5e8 * 8) for value in values)
            if method == "latin_hypercube":
                self.assertEqual(strata, list(range(8)))
            else:
                self.assertGreaterEqual(len(set(strata)), 6)


class Refused(Sweep):
    def refuse(self, *arguments):
        message = self.vp("sweep", *arguments, "--out", "s", expect=2).stderr
        self.assertFalse((self.path / "s").exists(), "something was written")
        return message

    def test_arguments(self):
        for axis, expected in {
                "soc.dma.outstandin=4": "did you mean 'soc.dma.outstanding'",
                "lanes=4,8": "did you mean 'soc.array.lanes'",
                "soc.dma.outstanding=": "expected at least one value",
                "soc.dma.outstanding=4,": "expected at least one value",
                "soc.dma.outstanding=4,x": "found 'x', expected an integer",
                "soc.dma.outstanding=4,4": "twice",
                "soc.dma.outstanding=8..4": "expected the lower end first",
                "soc.array.lanes=3": "power of two",
                "soc.dma.outstanding": "expected KEY=VALUES",
                "run.fidelity=fast,exact": "expected one of: cycle, fast",
                "scenario=encoder_128x64,nothing": "no shipped scenario",
                "soc.array.clock_hz=1e8..1e9": "a grid cannot take every number",
        }.items():
            with self.subTest(axis):
                message = self.refuse(SMALL, axis)
                self.assertIn(expected, message)
                self.assertIn(axis.split("=")[0], message)

    def test_too_many_points_and_formulas(self):
        self.assertIn("1000000", self.refuse(SMALL, "run.seed=1..50000", "soc.dma.outstanding=1..16",
                                             "soc.dma.setup_cycles=1..30"))
        for formula, expected in {
                "soc.dma.outstanding <": "found the end at column",
                "soc.dma.outstandin < 3": "did you mean 'soc.dma.outstanding'",
                "soc.dma.outstanding < 'a'": "expected a number",
                "(1 < 2": "expected ')'",
                "frobnicate(2) < 3": "there is no function",
                "soc.dma.outstanding < 1 and soc.dma.outstanding > 99": "no point meets them",
        }.items():
            with self.subTest(formula):
                self.assertIn(expected, self.refuse(SMALL, "soc.dma.outstanding=4,8", "--constraint", formula))

    def test_files(self):
        for text, place, expected in (
                (f"base: {SMALL}\naxes:\n  - {{key: soc.dma.outstandin, values: [4]}}\n", ":3:5: ", "did you mean"),
                (f"base: {SMALL}\naxis: []\naxes: []\n", ":2:1: ", "unknown key, did you mean 'axes'"),
                (f"base: {SMALL}\naxes:\n  - {{key: soc.dma.outstanding, values: []}}\n", ":3:5: ", "is empty"),
                (f"base: {SMALL}\naxes:\n  - {{key: soc.dma.outstanding}}\n", ":3:5: ", "expected one"),
                (f"base: {SMALL}\naxes:\n  - linked: {{soc.array.rows: [2, 4], soc.array.columns: [2]}}\n", ":3:",
                 "found 1 values, expected 2"),
                ("axes:\n  - {key: soc.dma.outstanding, values: [4]}\n", ": ", "expected the file or the name"),
                (f"base: {SMALL}\nsampling: {{method: gird}}\naxes: []\n", ":2:", "expected one of: grid"),
                (f"base: nowhere\naxes:\n  - {{key: soc.dma.outstanding, values: [4]}}\n", ":1:7: ", "nowhere"),
        ):
            with self.subTest(text):
                (self.path / "study.yaml").write_text(text)
                message = self.refuse("study.yaml")
                self.assertIn("study.yaml" + place, message)
                self.assertIn(expected, message)

    def test_directories(self):
        self.sweep("soc.dma.outstanding=4")
        self.assertIn("expected --resume", self.sweep("soc.dma.outstanding=4", expect=2).stderr)
        self.assertIn("other axes", self.sweep("soc.dma.outstanding=8", "--resume", expect=2).stderr)
        (self.path / "foreign").mkdir()
        (self.path / "foreign" / "sweep.sqlite").write_text("mine")
        for command in (["sweep", SMALL, "soc.dma.outstanding=4", "--out", "foreign"],
                        ["sweep", SMALL, "soc.dma.outstanding=4", "--out", "foreign", "--resume"],
                        ["sweep", "status", "foreign"], ["sweep", "export", "foreign"]):
            self.vp(*command, expect=2)
        self.assertEqual((self.path / "foreign" / "sweep.sqlite").read_text(), "mine")
        self.assertIn("there is no sweep here", self.vp("sweep", "status", ".", expect=2).stderr)

    def test_axes_without_effect_are_warned_about(self):
        self.assertIn("warning: ", self.sweep("soc.dma.outstanding=4").stderr)
        self.assertIn("no figure depends on record.trace_bytes",
                      self.vp("sweep", SMALL, *FAST, "record.trace_bytes=1000000,2000000", "--dry-run").stderr)


class DryRun(Sweep):
    def test_nothing_is_written_and_reasons_are_counted(self):
        done = self.sweep("soc.pe.operand_vectors=16,256,512", "soc.dma.outstanding=4,8", "--constraint",
                          "soc.pe.operand_vectors < 500", "--dry-run")
        self.assertFalse((self.path / "s").exists())
        self.assertIn("7 points with the base", done.stdout)
        self.assertIn("2 excluded by: soc.pe.operand_vectors < 500", done.stdout)
        self.assertIn("2 refused: ", done.stdout)
        self.assertRegex(done.stdout, r"about \d+ s with 2 jobs and .*B on disk")

    def test_schema(self):
        schema = json.loads(self.vp("sweep", "--schema").stdout)
        self.assertEqual(schema["properties"]["sampling"]["properties"]["method"]["enum"],
                         ["grid", "random", "latin_hypercube", "sobol"])


def workers_of(process):
    """Process ids of the workers of a sweep."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"PPid:\t{process.pid}\n" in (entry / "status").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


class Accidents(Sweep):
    def start(self, *arguments, **options):
        return subprocess.Popen([EXECUTABLE, "sweep", SMALL, *FAST, "--jobs", "2", "--out", "s", *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.path,
                                start_new_session=True, **options)

    def recorded(self):
        try:
            return self.query("SELECT count(*) FROM points")[0][0]
        except sqlite3.Error:
            return 0

    def wait_for_points(self, count, process):
        limit = time.monotonic() + 120
        while self.recorded() < count and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)

    def test_a_worker_that_is_killed_costs_its_point(self):
        process = self.start("run.seed=1..40")
        self.wait_for_points(3, process)
        victim = workers_of(process)[0]
        os.kill(victim, signal.SIGKILL)
        out, error = process.communicate(timeout=300)
        # It may have been between two points.
        crashed = self.query("SELECT count(*) FROM points WHERE outcome = 2")[0][0]
        self.assertEqual(process.returncode, 1 if crashed else 0, error)
        self.assertEqual(self.query("SELECT count(*) FROM points"), [(41,)])
        if crashed:
            self.assertIn("ended by signal 9", error)
            self.assertIn("repeat it by: butterfly-vp run", error)
            # Resuming keeps the failure; it is run again on request.
            self.sweep("run.seed=1..40", "--resume", expect=1)
            self.sweep("run.seed=1..40", "--retry-failed")
        self.assertEqual(self.query("SELECT count(*) FROM points WHERE outcome = 0"), [(41,)])

    def test_a_point_that_takes_too_long(self):
        done = self.vp("sweep", "bert_base", "--fidelity", "cycle", "--no-data", "run.seed=1,2", "--timeout", "0.2",
                       "--out", "s", expect=1)
        self.assertIn("took more than 0.2 s", done.stderr)
        self.assertEqual(self.query("SELECT count(*) FROM points WHERE outcome = 3"), [(3,)])

    def test_signals_end_it_within_a_second(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                process = self.start("run.seed=1..3000", *(["--resume"] if self.recorded() else []))
                self.wait_for_points(self.recorded() + 3, process)
                workers = workers_of(process)
                self.assertTrue(workers)
                begin = time.monotonic()
                os.killpg(process.pid, number)
                _, error = process.communicate(timeout=20)
                self.assertLess(time.monotonic() - begin, 1.5)
                self.assertEqual(process.returncode, -number, error)
                self.assertIn("go on with --resume", error)
                self.assertEqual(self.query("SELECT count(*) FROM points WHERE outcome <> 0"), [(0,)])
                for worker in workers:
                    self.assertFalse(pathlib.Path(f"/proc/{worker}/exe").exists())

    def test_kill_9_of_the_group_loses_and_repeats_nothing(self):
        points, kills = (1000, 10) if NIGHTLY else (60, 4)
        axis = f"run.seed=2..{points}"  # the base has seed 1
        chance = random.Random(19)
        known = set()
        for i in range(kills):
            process = self.start(axis, "--resume")
            # Anywhere between the first moment and a part of the rest.
            if i:
                self.wait_for_points(len(known) + chance.randrange(1, max(2, points // (kills + 2))), process)
            time.sleep(chance.random() * 0.1)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=20)
            if (self.path / "s" / "sweep.sqlite").exists() and self.recorded():
                now = {(point, text) for point, text in
                       self.query("SELECT point, finished FROM points JOIN results USING(key)")}
                self.assertLessEqual(known, now, "a recorded result was lost or run again")
                known = now
        self.sweep(axis, "--resume", timeout=1200)
        final = set(self.query("SELECT point, finished FROM points JOIN results USING(key)"))
        self.assertLessEqual(known, final)
        self.assertEqual(self.query("SELECT count(*), count(DISTINCT key) FROM points"), [(points, points)])
        self.assertEqual(self.query("SELECT count(*), sum(runs), sum(outcome) FROM results"), [(points, points, 0)])
        self.assertEqual(self.query("PRAGMA integrity_check"), [("ok",)])

    def test_two_sweeps_do_not_share_a_directory(self):
        process = self.start("run.seed=1..3000")
        self.wait_for_points(2, process)
        self.assertIn("another sweep is writing", self.sweep("run.seed=1..3000", "--resume", expect=2).stderr)
        # Looking at it is no disturbance.
        self.assertIn("of 3,001 points ended", self.vp("sweep", "status", "s").stdout)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


class Verified(Sweep):
    def test_verify_finds_a_changed_result(self):
        self.sweep("soc.dma.outstanding=4,8")
        self.assertIn("3 of 3 points were run again: 0 differ", self.vp("sweep", "verify", "s").stdout)
        connection = sqlite3.connect(self.path / "s" / "sweep.sqlite")
        connection.execute("UPDATE results SET figures = json_set(figures, '$.cycles', 1) WHERE key = "
                           "(SELECT key FROM points WHERE point = 2)")
        connection.commit()
        connection.close()
        self.assertIn("point 2: its figures differ", self.vp("sweep", "verify", "s", expect=1).stderr)

    def test_stores_from_strangers_end_in_an_error(self):
        self.sweep("soc.dma.outstanding=4,8")
        whole = (self.path / "s" / "sweep.sqlite").read_bytes()
        sets = [("definition", value) for value in
                ["", "[]", "{", '{"name": 1}', '{"name": "a"}', "[" * 100_000,
                 '{"name": "a", "axes": [{}], "constraints": [], "objectives": [], "sampling": {"points": 1}}',
                 '{"name": "a", "axes": [], "constraints": [], "objectives": [{}], "sampling": {"points": 1}}',
                 '{"name": "a", "axes": [], "constraints": [], "objectives": [], "sampling": {"points": -1}}']]
        changes = [("UPDATE sweep SET value = ? WHERE name = ?", (value, name)) for name, value in sets]
        changes += [("UPDATE points SET outcome = ?", (outcome,)) for outcome in [6, -1, 2**62]]
        for sql, values in changes:
            with self.subTest(sql, values=str(values)[:80]):
                (self.path / "s" / "sweep.sqlite").write_bytes(whole)
                connection = sqlite3.connect(self.path / "s" / "sweep.sqlite")
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.execute(sql, values)
                connection.commit()
                connection.close()
                for command in ["status", "show", "export", "report"]:
                    done = subprocess.run([EXECUTABLE, "sweep", command, "s"], capture_output=True, text=True,
                                          cwd=self.path, timeout=60)
                    self.assertIn(done.returncode, [1, 2], (command, done.stdout[-300:]))
                    self.assertIn("sweep.sqlite: ", done.stderr)

    def test_exports_are_equal_but_for_the_host(self):
        self.sweep("soc.dma.outstanding=4,8", "soc.pe.operand_vectors=16,256")
        self.vp("sweep", SMALL, *FAST, "--jobs", "1", "--out", "t", "soc.dma.outstanding=4,8",
                "soc.pe.operand_vectors=16,256")
        tables = [[[cell for name, cell in row.items() if not name.startswith("host_")] for row in self.table(name)]
                  for name in "st"]
        self.assertEqual(*tables)
        documents = []
        for name in "st":
            self.vp("sweep", "export", name, "--format", "json", "--out", name + ".json")
            document = json.loads((self.path / (name + ".json")).read_text())
            document.pop("host")
            for point in document["points"]:
                point.pop("host")
            documents.append(document)
        self.assertEqual(*documents)
        self.assertIn("there is such a file", self.vp("sweep", "export", "s", "--out", "t.json", expect=2).stderr)


class Progress(Sweep):
    def test_a_terminal_of_80_columns(self):
        primary, secondary = pty.openpty()
        process = subprocess.Popen([EXECUTABLE, "sweep", SMALL, *FAST, "--jobs", "2", "--out", "s", "run.seed=1..30"],
                                   stdout=subprocess.PIPE, stderr=secondary, cwd=self.path,
                                   env={**os.environ, "TERM": "xterm", "COLUMNS": "80"})
        os.close(secondary)
        text = b""
        while process.poll() is None or select.select([primary], [], [], 0)[0]:
            if select.select([primary], [], [], 0.1)[0]:
                try:
                    text += os.read(primary, 4096)
                except OSError:
                    break
        process.communicate()
        os.close(primary)
        self.assertEqual(process.returncode, 0)
        lines = [line for line in re.split(r"\r(?:\x1b\[K)?", text.decode()) if line.strip()]
        self.assertTrue(lines)
        for line in lines:
            self.assertLess(len(line), 80)
            self.assertRegex(line, r"^\d+/31 points")

    def test_a_pipe_gets_no_control_characters(self):
        done = self.sweep("run.seed=1..5")
        self.assertNotIn("\r", done.stderr)
        self.assertNotIn("\x1b", done.stderr)


if __name__ == "__main__":
    unittest.main()
