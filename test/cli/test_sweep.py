# SPDX-License-Identifier: Apache-2.0
"""butterfly-vp sweep: points, refusals, workers that die, interruption, resumption, export. BUTTERFLY_VP names the
executable. With BVP_NIGHTLY=1 the tests that kill a sweep use 1,000 points instead of some dozens."""
import csv
import io
import json
import math
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
import urllib.error
import urllib.request

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

    def test_formulas_that_do_not_go_with_the_first_result(self):
        for option, formula, expected in [
                ("--constraint", "utilisation.ca > 5", "constraint 'utilisation.ca > 5': the runs have no figure "
                                                       "'utilisation.ca', did you mean 'utilisation.cal'?"),
                ("--minimise", "busy.nonsense", "objective 'busy.nonsense': the runs have no figure 'busy.nonsense'"),
                ("--minimise", "limited_by.resource", "objective 'limited_by.resource': "),
                ("--constraint", "busy.cpu < 'x'", "constraint 'busy.cpu < 'x'': <: found the word 'x'")]:
            done = self.vp("sweep", SMALL, *FAST, "--jobs", "2", "--out", f"s{abs(hash(formula))}", option, formula,
                           "soc.dma.outstanding=4,8,16,32", expect=2)
            self.assertIn(expected, done.stderr)

    def test_constraints_over_figures_that_are_not_there(self):
        self.sweep("soc.dma.outstanding=4,8", "--constraint", "verification.relative_error < 1")
        shown = self.vp("sweep", "show", "s").stdout
        self.assertNotIn("The least", shown)

    def test_profiles_of_different_machines_are_told(self):
        self.sweep("soc.array.lanes=8,32")
        self.assertIn("'silicon_simd8'", self.vp("sweep", "show", "s").stdout)

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


class Workloads(Sweep):
    FILE = f"""
base: {SMALL}
set: {{run.fidelity: fast, run.data: false}}
workloads:
  - scenario: [{SMALL}, text_classifier]
  - {{key: compiler.method, values: [improved, published]}}
axes:
  - {{key: soc.dma.outstanding, values: [2, 8, 16, 32]}}
  - {{key: soc.scratchpad.banks, values: [8, 16]}}
objectives: [{{minimise: time_s}}, {{minimise: energy_j}}]
"""

    def means(self, directory):
        """Design -> geometric means of time and energy, from the points."""
        sums = {}
        for row in self.table(directory)[1:]:
            design = (row["soc.dma.outstanding"], row["soc.scratchpad.banks"])
            sums.setdefault(design, []).append((float(row["time_s"]), float(row["energy_j"])))
        for points in sums.values():
            self.assertEqual(len(points), 4)
        return {design: tuple(math.prod(each) ** 0.25 for each in zip(*points)) for design, points in sums.items()}

    def test_designs_are_judged_by_means_over_workloads(self):
        (self.path / "study.yaml").write_text(self.FILE)
        self.vp("sweep", "study.yaml", "--jobs", "2", "--out", "s", "--quiet")
        means = self.means("s")
        self.assertEqual(len(means), 1 + 4 * 2)  # the base is on all workloads, too
        base = means[("", "")]
        shown = self.vp("sweep", "show", "s", env={**os.environ, "COLUMNS": "200"}).stdout
        best = min(value[0] for design, value in means.items() if design != ("", ""))
        first = shown.splitlines()[1].split()
        self.assertEqual(first[1], f"{best:.4g}")
        self.assertEqual(first[3], f"{best / base[0]:.3f}")
        self.assertEqual([line.split()[1] for line in shown.splitlines() if line.split()[:1] == ["base"]],
                         [f"{base[0]:.4g}"])
        # All points of the front's designs and of the base are confirmed.
        self.vp("sweep", "confirm", "s", "--jobs", "2", "--quiet")
        self.assertEqual(self.query("SELECT count(*) % 4 FROM confirmations"), [(0,)])
        self.assertIn("points of the front were run again", self.vp("sweep", "show", "s").stdout)

    def test_a_search_finds_what_the_grid_has(self):
        (self.path / "study.yaml").write_text(
            self.FILE + "sampling: {method: nsga2, points: 8, population: 8, seed: 1}\n")
        self.vp("sweep", "study.yaml", "--jobs", "2", "--out", "s", "--quiet")
        self.assertIn("points ended", self.vp("sweep", "status", "s").stdout)
        means = self.means("s")
        self.assertIn(("", ""), means)
        numbers = [int(row["point"]) for row in self.table("s")]
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertEqual(len(numbers), 1 + 4 * len(means))
        self.vp("sweep", "study.yaml", "--jobs", "2", "--out", "s", "--quiet", "--resume")
        self.assertEqual(self.means("s"), means)


class Served(Sweep):
    def test_the_page_follows_the_sweep(self):
        self.sweep("soc.dma.outstanding=4,8")
        with subprocess.Popen([EXECUTABLE, "sweep", "serve", "s", "--refresh", "7"], cwd=self.path, text=True,
                              stdout=subprocess.PIPE) as server:
            try:
                line = server.stdout.readline()
                url = re.match(r"http://127\.0\.0\.1:\d+/", line).group(0)

                def get(path="", **headers):
                    request = urllib.request.Request(url + path, headers=headers)
                    try:
                        with urllib.request.urlopen(request, timeout=60) as answer:
                            return answer.status, answer.read().decode()
                    except urllib.error.HTTPError as error:
                        with error:
                            return error.code, error.read().decode()

                status, page = get()
                self.assertEqual(status, 200)
                self.assertIn('<meta http-equiv="refresh" content="7">', page)
                self.vp("sweep", "report", "s")
                self.assertEqual(page.replace('<meta http-equiv="refresh" content="7">', ""),
                                 (self.path / "s" / "report.html").read_text())
                self.assertEqual(get("other")[0], 404)
                self.assertEqual(get(Host="evil.example")[0], 403)
                # Further points are on it without a new start.
                self.vp("sweep", SMALL, *FAST, "soc.dma.outstanding=16,32", "--out", "t")
                (self.path / "s" / "sweep.sqlite").write_bytes((self.path / "t" / "sweep.sqlite").read_bytes())
                self.assertNotEqual(get()[1], page)
            finally:
                server.terminate()
        self.assertIn("there is no sweep here", self.vp("sweep", "serve", "nothing", expect=2).stderr)


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

    def test_constraints_over_estimates_that_no_point_meets(self):
        message = self.refuse(SMALL, "soc.array.lanes=8,16", "soc.array.rows=2,4", "--constraint",
                              "estimate.area_mm2 < 5")
        found = re.search(r"no point meets them: of 4 points 'estimate.area_mm2 < 5' excludes 4; the nearest is point 1 "
                          r"\(soc.array.lanes=8, soc.array.rows=2\): estimate.area_mm2 is ([0-9.]+)", message)
        self.assertTrue(found, message)
        self.assertGreater(float(found.group(1)), 5)
        # One that some points meet is none.
        self.vp("sweep", SMALL, *FAST, "soc.array.lanes=8,16", "--constraint",
                f"estimate.area_mm2 < {float(found.group(1)) + 20}", "--dry-run")

    def test_an_axis_without_effect_is_warned_about(self):
        done = self.vp("sweep", SMALL, *FAST, "soc.dram.standard+soc.dram.channels=ddr4_3200:2,ddr4_3200:4",
                       "name=a,b", "--dry-run")
        self.assertIn("no figure depends on name: the axis has no effect", done.stderr)
        self.assertNotIn("soc.dram", done.stderr)

    def test_the_shipped_studies_are_valid(self):
        studies = sorted((TREE / "scenarios" / "studies").glob("*.yaml"))
        done = self.vp("validate", *studies)
        self.assertEqual(len(re.findall(r": valid, a sweep of [0-9]+ points and the base$", done.stdout, re.M)), len(studies))

    def test_files_are_validated(self):
        good, bad, none = self.path / "good.yaml", self.path / "bad.yaml", self.path / "none.yaml"
        axes = "axes:\n  - {key: soc.dma.outstanding, values: [4, 8]}\n"
        good.write_text(f"base: {SMALL}\n{axes}workloads:\n  - {{key: compiler.method, values: [improved, published]}}\n")
        bad.write_text(f"base: {SMALL}\naxes:\n  - {{key: soc.dma.outstandin, values: [4]}}\n")
        none.write_text(f"base: {SMALL}\n{axes}constraints: [estimate.area_mm2 < 1]\n")
        self.assertIn("good.yaml: valid, a sweep of 6 points and the base", self.vp("validate", good).stdout)
        done = self.vp("validate", good, bad, none, SMALL, expect=2)
        self.assertIn("bad.yaml:3:5: ", done.stderr)
        self.assertIn("did you mean 'soc.dma.outstanding'", done.stderr)
        self.assertIn("none.yaml: constraints: no point meets them", done.stderr)
        self.assertIn("encoder_128x64.yaml: valid", done.stdout)

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
                         ["grid", "random", "latin_hypercube", "sobol", "nsga2", "gaco"])


class Search(Sweep):
    AXES = ["soc.dma.outstanding=1,2,4,8", "soc.array.lanes=4,8,16,32", "soc.scratchpad.size_bytes=2^18..2^21"]
    SEARCH = [*AXES, "--minimise", "time_s", "--minimise", "area_mm2", "--sampling", "nsga2", "--points", "24",
              "--population", "8"]

    def points(self, directory="s"):
        return self.query("SELECT point, axis_values, key, outcome FROM points ORDER BY point", directory)

    def test_a_search_runs_each_design_once_and_repeats(self):
        done = self.sweep(*self.SEARCH)
        self.assertIn("25 points: 25 done", done.stdout)
        points = self.points()
        self.assertEqual([row[0] for row in points], list(range(25)))
        self.assertEqual(len({row[1] for row in points}), 25)
        self.assertEqual(self.query("SELECT count(*), max(runs) FROM results"), [(25, 1)])
        self.vp("sweep", SMALL, *FAST, "--jobs", "1", "--out", "t", *self.SEARCH)
        self.assertEqual(points, self.points("t"))
        self.vp("sweep", SMALL, *FAST, "--out", "u", *self.SEARCH, "--seed", "2")
        self.assertNotEqual(points, self.points("u"))
        # The grid has the same points and more.
        self.vp("sweep", SMALL, *FAST, *self.AXES, "--minimise", "time_s", "--minimise", "area_mm2", "--out", "grid",
                "--reuse", "s")
        shown = self.vp("sweep", "show", "s", "--against", "grid").stdout
        share = float(re.search(r"front has ([\d.]+) % of the\s+hypervolume", shown).group(1))
        self.assertGreater(share, 80)
        self.assertLessEqual(share, 100)
        self.assertIn("100.00 %", self.vp("sweep", "show", "grid", "--against", "grid").stdout)
        self.vp("sweep", SMALL, *FAST, *self.AXES, "--out", "other", "--reuse", "grid")
        self.assertIn("equal objectives", self.vp("sweep", "show", "s", "--against", "other", expect=2).stderr)

    def test_a_search_that_was_killed_goes_on_to_the_same_end(self):
        self.sweep(*self.SEARCH)
        expected = self.points()
        for at in (1, 7, 13, 20):
            process = subprocess.Popen([EXECUTABLE, "sweep", SMALL, *FAST, "--jobs", "2", "--out", "t", *self.SEARCH,
                                        "--resume", "--quiet"], cwd=self.path, start_new_session=True,
                                       stderr=subprocess.DEVNULL)
            limit = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < limit:
                try:
                    if self.query("SELECT count(*) FROM points", "t")[0][0] > at:
                        break
                except sqlite3.Error:
                    pass
                time.sleep(0.01)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.vp("sweep", SMALL, *FAST, "--out", "t", *self.SEARCH, "--resume")
        self.assertEqual(expected, self.points("t"))
        self.assertEqual(self.query("SELECT max(runs) FROM results", "t"), [(1,)])
        # Nothing is left to do.
        self.assertIn("; 0 computed", self.vp("sweep", SMALL, *FAST, "--out", "t", *self.SEARCH, "--resume").stdout)

    def test_other_results_make_another_search(self):
        """A failure that is run again and does not fail changes what follows; results are not computed again."""
        self.sweep(*self.SEARCH)
        expected = self.points()
        connection = sqlite3.connect(self.path / "s" / "sweep.sqlite")
        connection.execute("UPDATE points SET axis_values = json_set(axis_values, '$.\"soc.array.lanes\"', '64') "
                           "WHERE point = 10")
        connection.commit()
        connection.close()
        self.assertIn("; 0 computed", self.sweep(*self.SEARCH, "--resume").stdout)
        self.assertEqual(expected, self.points())

    def test_excluded_and_refused_designs_are_not_simulated(self):
        self.sweep(*self.AXES, "soc.pe.operand_vectors=16,256", "--minimise", "time_s", "--minimise", "area_mm2",
                   "--sampling", "nsga2", "--points", "40", "--population", "8", "--constraint",
                   "estimate.area_mm2 < 8")
        outcomes = dict(self.query("SELECT name, count(*) FROM points JOIN outcomes USING(outcome) GROUP BY name"))
        self.assertEqual(sum(outcomes.values()), 41)
        self.assertGreater(outcomes["excluded"], 0)
        self.assertEqual(self.query("SELECT count(*) FROM results JOIN points USING(key) WHERE points.outcome = 5"), [(0,)])

    def test_one_objective_and_ranges(self):
        self.sweep("soc.array.clock_hz=5e8..1e9", "soc.dma.outstanding=1..8", "--minimise", "energy_j*time_s",
                   "--sampling", "gaco", "--points", "20", "--population", "5")
        rows = self.table()[1:]
        self.assertEqual(len(rows), 20)
        self.assertTrue(all(5e8 <= float(row["soc.array.clock_hz"]) <= 1e9 for row in rows))
        self.assertGreater(len({row["soc.array.clock_hz"] for row in rows}), 10)
        self.assertLessEqual({int(row["soc.dma.outstanding"]) for row in rows}, set(range(1, 9)))

    def test_a_small_space_ends_before_its_budget(self):
        done = self.sweep("soc.dma.outstanding=4,8", "--sampling", "nsga2", "--points", "50", "--population", "8")
        self.assertIn("3 points: 3 done", done.stdout)

    def test_time_as_the_budget(self):
        begin = time.monotonic()
        self.sweep("soc.array.clock_hz=5e8..1e9", "soc.dma.outstanding=1..8", "--sampling", "nsga2", "--minutes", "0.02",
                   "--population", "8")
        self.assertLess(time.monotonic() - begin, 60)
        self.assertGreater(self.query("SELECT count(*) FROM points")[0][0], 8)
        self.assertIn("points ended", self.vp("sweep", "status", "s").stdout)

    def test_settings_that_are_none(self):
        one = ["--minimise", "time_s"]
        two = [*one, "--minimise", "energy_j"]
        for arguments, expected in (
                (["--sampling", "nsga2", *two], "sampling.points: found none, expected 1 to"),
                (["--sampling", "nsga2", "--points", "0", *two], "sampling.points: found 0, expected 1 to"),
                (["--sampling", "nsga2", "--points", "40", "--population", "10", *two],
                 "sampling.population: found 10, expected a multiple of 4, at least 8"),
                (["--sampling", "nsga2", "--points", "40", "--population", "4", *two], "at least 8"),
                (["--sampling", "nsga2", "--points", "12", "--population", "16", *two], "at most the 12 points"),
                (["--sampling", "gaco", "--points", "40", "--population", "3", *one], "at least 4"),
                (["--sampling", "nsga2", "--minutes", "0", *two], "sampling.minutes: found 0"),
                (["--sampling", "nsga2", "--points", "40", *one], "objectives: found 1, expected 2 to 3"),
                (["--sampling", "nsga2", "--points", "40", *two, "--minimise", "area_mm2", "--minimise", "cycles"],
                 "objectives: found 4, expected 2 to 3"),
                (["--sampling", "gaco", "--points", "40", *two], "objectives: found 2, expected 1"),
                (["--sampling", "random", "--points", "40", "--population", "8"], "is for a search"),
                (["--minutes", "3"], "is for a search"),
        ):
            with self.subTest(arguments):
                message = self.vp("sweep", SMALL, "soc.dma.outstanding=4,8", "--out", "s", *arguments, expect=2).stderr
                self.assertIn(expected, message)
                self.assertFalse((self.path / "s").exists())
        self.assertIn("every axis has one value", self.vp("sweep", SMALL, "soc.dma.outstanding=4", "--sampling", "nsga2",
                                                          "--points", "40", expect=2).stderr)


class Confirmed(Sweep):
    AXES = ["soc.array.lanes=8,16,32", "soc.dma.outstanding=2,8", "--minimise", "time_s", "--minimise", "area_mm2"]

    def test_the_front_is_run_again_in_cycle(self):
        self.sweep(*self.AXES)
        done = self.vp("sweep", "confirm", "s", "--jobs", "2")
        rows = self.query("SELECT point, json_extract(figures, '$.cycles'), json_extract(figures, '$.time_s') "
                          "FROM confirmations JOIN results USING(key) ORDER BY point")
        self.assertEqual(rows[0][0], 0, "the base is a mark to compare with")
        shown = self.vp("sweep", "show", "s").stdout
        table = self.table()
        before = {int(row["point"]): float(row["time_s"]) for row in table}
        # The points are those of the front, and their figures those of runs by themselves.
        front = {0 if name == "base" else int(name) for name in re.findall(r"^ +(\d+|base) .* \*(?: |$)", shown, re.MULTILINE)}
        self.assertEqual({row[0] for row in rows}, front | {0})
        command = next(row["host_command"] for row in table if int(row["point"]) == rows[-1][0]).split()
        command[command.index("run.fidelity=fast")] = "run.fidelity=cycle"
        self.vp(*command[1:], "--out", "alone", "--quiet")
        self.assertEqual(rows[-1][1], json.loads((self.path / "alone" / "summary.json").read_text())["cycles"])
        # What is said is what the store has.
        differences = {point: abs(time / before[point] - 1) for point, _, time in rows}
        mean, most = sum(differences.values()) / len(differences), max(differences.values())
        text = " ".join(done.stdout.split())
        self.assertIn(f"In cycle time_s differs by {100 * mean:.2f} % on average and by {100 * most:.2f} % at most, at point "
                      f"{max(differences, key=differences.get)}", text)
        self.assertIn("In cycle area_mm2 does not differ.", text)
        self.assertIn("the rank correlation (Spearman) is 1.000", text)
        self.assertIn(f"{len(front)} of {len(front)} points of the front were run again; all of these stay on it", text)
        self.assertIn("In cycle time_s differs", " ".join(shown.split()))
        self.assertIn("In cycle time_s differs",
                      pathlib.Path(self.path, self.vp("sweep", "report", "s").stdout.strip()).read_text())
        self.assertIn(f"0 points run again in cycle, {len(rows)} were there", self.vp("sweep", "confirm", "s").stdout)
        # The sweep goes on as before.
        self.assertIn("; 0 computed", self.sweep(*self.AXES, "--resume").stdout)

    def test_a_point_that_leaves_the_front(self):
        self.sweep(*self.AXES)
        self.vp("sweep", "confirm", "s", "--top", "6", "--quiet")
        self.assertEqual(self.query("SELECT count(*) FROM confirmations"), [(7,)])
        # As if the fastest point took ten times as long.
        connection = sqlite3.connect(self.path / "s" / "sweep.sqlite")
        fastest, key, time_s = connection.execute(
            "SELECT point, key, json_extract(figures, '$.time_s') AS t FROM confirmations JOIN results USING(key) "
            "WHERE point > 0 ORDER BY t, json_extract(figures, '$.area_mm2')").fetchone()
        connection.execute("UPDATE results SET figures = json_set(figures, '$.time_s', ?) WHERE key = ?",
                           (10 * time_s, key))
        connection.commit()
        connection.close()
        shown = " ".join(self.vp("sweep", "show", "s").stdout.split())
        self.assertRegex(shown, rf"of these leave it: (\d+ \(\d+ is better\), )*{fastest} \(")
        correlation = float(re.search(r"In cycle time_s .*? is (-?[\d.]+)\. In", shown).group(1))
        self.assertLess(correlation, 1)

    def test_what_cannot_be_confirmed(self):
        self.assertIn("there is no sweep here", self.vp("sweep", "confirm", "s", expect=2).stderr)
        self.sweep("soc.dma.outstanding=4,8")
        self.assertIn("in the fidelity fast already", self.vp("sweep", "confirm", "s", "--fidelity", "fast", expect=2).stderr)
        for arguments in (["--fidelity", "exact"], ["--top", "0"], ["--top", "2", "--front"], ["--jobs", "0"]):
            self.vp("sweep", "confirm", "s", *arguments, expect=2)
        self.vp("sweep", SMALL, "--no-data", "run.fidelity=cycle,fast", "--out", "t")
        self.assertIn("run.fidelity is an axis", self.vp("sweep", "confirm", "t", expect=2).stderr)
        self.vp("sweep", SMALL, *FAST, "soc.dma.outstanding=4,8", "--constraint", "cycles < 1", "--out", "u")
        self.assertIn("nothing to confirm", " ".join(self.vp("sweep", "confirm", "u", expect=2).stderr.split()))


class Studies(Sweep):
    def test_shipped_studies_can_run_and_have_a_page(self):
        files = sorted((TREE / "scenarios" / "studies").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 5)
        index = (TREE / "docs" / "studies" / "README.md").read_text()
        for file in files:
            with self.subTest(file.stem):
                page = "design.md" if file.stem == "design_same_memory" else f"{file.stem}.md"
                self.assertTrue((TREE / "docs" / "studies" / page).is_file())
                self.assertIn(f"({page})", index)
                # Designs of a search may be refused.
                if "nsga2" in file.read_text():
                    continue
                done = self.vp("sweep", file, "--dry-run", "--jobs", "2")
                points, ready = (int(re.search(pattern, done.stdout).group(1))
                                 for pattern in (r"^(\d+) points with the base", r"(\d+) can run"))
                self.assertEqual(points, ready)
                self.assertEqual(done.stderr, "")


class Linked(Sweep):
    def test_keys_that_vary_together_are_shown_together(self):
        self.sweep("soc.array.rows+soc.array.columns=2:4,4:2,4:4")
        shown = self.vp("sweep", "show", "s").stdout
        self.assertIn("rows:columns", shown)
        for value in ("2:4", "4:2"):
            self.assertRegex(shown, rf"(?m) {value}$")
        self.assertRegex(shown, r"(?m) 4$")


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
