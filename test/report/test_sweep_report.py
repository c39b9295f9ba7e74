# SPDX-License-Identifier: Apache-2.0
"""The page of `butterfly-vp sweep report` in headless Chromium: charts are drawn, nothing fails, figures are those of the
store, the table sorts and filters; also with 1,000 points. BUTTERFLY_VP names the executable."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from browser import Browser

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
SMALL = str(pathlib.Path(__file__).resolve().parents[2] / "scenarios" / "encoder_128x64.yaml")
CHROMIUM = shutil.which("chromium")

PAGE = """({
  error: document.body.dataset.error || null, title: document.title,
  sentences: [...document.querySelectorAll("#answer li")].map((node) => node.textContent),
  charts: Object.fromEntries(charts.map(({node, instance}) => [node.id, {
    shapes: node.querySelectorAll("path, text, polyline, circle, rect").length, label: node.getAttribute("aria-label"),
    failed: node.textContent.includes("cannot be drawn"),
    series: instance.getOption().series.map((series) => ({name: series.name, data: series.data.map((d) => d.value || d)})) }])),
  rows: [...document.querySelectorAll("#rows tr")].map((row) => [...row.children].map((cell) => cell.textContent)),
  spill: document.documentElement.scrollWidth - document.documentElement.clientWidth })"""


@unittest.skipIf(CHROMIUM is None, "there is no Chromium: run scripts/setup")
class SweepReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.addClassCleanup(profile.cleanup)
        cls.browser = Browser(CHROMIUM, profile.name)
        cls.addClassCleanup(cls.browser.close)
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.path = pathlib.Path(directory.name)
        cls.vp("sweep", SMALL, "--fidelity", "fast", "--no-data", "--out", "s", "soc.dma.outstanding=2,4,8",
               "soc.scratchpad.size_bytes=2^19..2^22", "--constraint", "cycles < 1e9")

    @classmethod
    def vp(cls, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=cls.path, capture_output=True, text=True, timeout=600)
        if done.returncode != expect:
            raise AssertionError(done.stdout + done.stderr)
        return done

    def open(self, directory, *arguments):
        file = self.path / f"{directory}.html"
        self.vp("sweep", "report", directory, "--out", file, *arguments)
        self.browser.errors.clear()
        self.browser.open(file.as_uri())
        page = self.browser.evaluate(PAGE)
        self.assertEqual(self.browser.errors, [])
        self.assertIsNone(page["error"])
        self.assertLessEqual(page["spill"], 0)
        for name, chart in page["charts"].items():
            self.assertGreater(chart["shapes"], 5, name)
            self.assertTrue(chart["label"], name)
            self.assertFalse(chart["failed"], name)
        return page

    def stored(self, directory):
        connection = sqlite3.connect(self.path / directory / "sweep.sqlite")
        rows = connection.execute("SELECT point, figures FROM point_results WHERE outcome = 'done'").fetchall()
        connection.close()
        return {point: json.loads(figures) for point, figures in rows}

    def test_figures_are_those_of_the_store(self):
        page = self.open("s")
        stored = self.stored("s")
        self.assertEqual(page["title"], "encoder_128x64")
        self.assertTrue({"front-0-1", "heat-chart", "parallel-chart"} <= set(page["charts"]), page["charts"].keys())
        drawn = [tuple(value) for series in page["charts"]["front-0-1"]["series"] for value in series["data"]]
        # The base has a mark of its own beside its place among the points.
        self.assertEqual(set(drawn), {(figures["time_s"], figures["energy_j"]) for figures in stored.values()})
        self.assertLessEqual(len(drawn), len(stored) + 1)
        front = {tuple(value) for series in page["charts"]["front-0-1"]["series"] if series["name"] == "Pareto front"
                 for value in series["data"]}
        every = set(drawn)
        self.assertEqual(front, {p for p in every if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in every)})
        self.assertEqual(len(page["rows"]), 1 + len(stored))
        self.assertTrue(any("least time_s" in sentence for sentence in page["sentences"]))

    def test_the_table_sorts_and_filters(self):
        self.open("s")
        column = "[...document.querySelectorAll('#rows tr')].slice(1).map((row) => Number(row.children[2].textContent))"
        click = "document.querySelectorAll('#rows th button')[2].click()"
        self.browser.evaluate(click)
        rising = self.browser.evaluate(column)
        self.browser.evaluate(click)
        falling = self.browser.evaluate(column)
        self.assertEqual(rising, sorted(rising))
        self.assertEqual(falling, sorted(falling, reverse=True))
        self.browser.evaluate("(() => { const field = document.querySelector('#points input'); field.value = '524288';"
                              "field.dispatchEvent(new Event('input')); })()")
        self.assertEqual(len(self.browser.evaluate(column)), 3)

    def test_some_of_the_points(self):
        page = self.open("s", "--where", "soc.dma.outstanding == 4")
        self.assertEqual(len(page["rows"]), 1 + 4 + 1)

    def test_a_thousand_points(self):
        """The store is filled with points that were not simulated: what is looked at is the page."""
        shutil.copytree(self.path / "s", self.path / "large")
        connection = sqlite3.connect(self.path / "large" / "sweep.sqlite")
        figures = json.loads(connection.execute("SELECT figures FROM results").fetchone()[0])
        for point in range(1000, 2000):
            figures["time_s"], figures["energy_j"] = 1e-5 * (1 + point % 37), 1e-4 * (1 + point % 41)
            connection.execute("INSERT INTO results VALUES(?, 0, '', ?, 1, 0, '', '')", (f"key {point}", json.dumps(figures)))
            connection.execute("INSERT INTO points VALUES(?, ?, ?, 0, '', 'f', '[]')",
                               (point, json.dumps({"soc.dma.outstanding": str(2 ** (point % 5)),
                                                   "soc.scratchpad.size_bytes": str(2 ** (18 + point % 7))}), f"key {point}"))
        connection.commit()
        connection.close()
        page = self.open("large")
        self.assertEqual(len(page["rows"]), 1 + len(self.stored("large")))

    def test_only_its_own_page_is_replaced(self):
        (self.path / "mine.html").write_text("mine")
        self.vp("sweep", "report", "s", "--out", self.path / "mine.html", expect=2)
        self.assertEqual((self.path / "mine.html").read_text(), "mine")
        self.vp("sweep", "report", "s")
        self.vp("sweep", "report", "s")
        self.assertTrue((self.path / "s" / "report.html").is_file())


if __name__ == "__main__":
    unittest.main()
