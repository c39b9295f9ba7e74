# SPDX-License-Identifier: Apache-2.0
"""The HTML report in headless Chromium: charts are drawn, nothing fails, figures are those of summary.json."""
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]
SMALL = TREE / "scenarios" / "encoder_128x64.yaml"
CHROMIUM = shutil.which("chromium")


class Page(html.parser.HTMLParser):
    """Cards, charts with the number of shapes within each, and the attributes of the body."""

    def __init__(self, text):
        super().__init__()
        self.cards, self.charts, self.body, self.chart, self.depth = {}, {}, {}, None, 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "body":
            self.body = attrs
        if "data-key" in attrs:
            self.cards[attrs["data-key"]] = attrs["data-value"]
        if attrs.get("class") == "chart":
            self.chart = attrs["id"]
            self.charts[self.chart] = 0
        if tag == "section":
            self.chart = None
        if tag in ("path", "text", "polyline", "circle", "rect") and self.chart:
            self.charts[self.chart] += 1


@unittest.skipIf(CHROMIUM is None, "there is no Chromium: run scripts/setup")
class Report(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)

    def vp(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def open(self, file, *options):
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={self.path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=10000",
             "--window-size=1366,768", *options, "--dump-dom", file.as_uri()],
            capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(re.findall(r".*CONSOLE.*", done.stderr), [])
        return Page(done.stdout)

    def check(self, page, directory, charts):
        summary = json.loads((self.path / directory / "summary.json").read_text())
        self.assertNotIn("data-error", page.body)
        self.assertEqual(set(page.charts), charts)
        self.assertEqual(page.body["data-charts"], str(len(charts)))
        for chart, shapes in page.charts.items():
            self.assertGreater(shapes, 5, chart)
        self.assertGreater(len(page.cards), 8)
        for key, shown in page.cards.items():
            value = summary
            for part in key.split("."):
                value = value[part]
            self.assertEqual(type(value)(shown) if value is not None else "null", value if value is not None else shown, key)

    CHARTS = {"layers-chart", "energy-components", "energy-kernels", "stalls-chart", "kernels-chart", "roofline-chart",
              "pe-map", "power-chart", "traffic-chart", "memory-chart"}

    def test_one_run(self):
        self.vp("run", SMALL, "--quiet", "--out", "run")
        self.vp("report", "run")
        file = self.path / "run" / "report.html"
        text = file.read_text()
        self.assertNotRegex(text, r'(src|href)="(https?:)?//')
        self.check(self.open(file), "run", self.CHARTS | {"link-map"})
        # Half a laptop's screen.
        self.check(self.open(file, "--window-size=683,768"), "run", self.CHARTS | {"link-map"})

    def test_several_runs(self):
        self.vp("run", SMALL, "--quiet", "--out", "a")
        self.vp("run", SMALL, "--quiet", "--out", "b", "--fidelity", "fast", "--set", "record.power_window_s=0")
        self.vp("report", "a", "b", "--out", "both.html")
        self.check(self.open(self.path / "both.html"), "a", self.CHARTS | {"link-map", "runs-chart"})
        self.vp("report", "b", "a", "--out", "both.html")
        self.check(self.open(self.path / "both.html"), "b", (self.CHARTS | {"runs-chart"}) - {"power-chart", "traffic-chart"})

    def test_names_with_markup(self):
        name = "a <b> & \"c' <script>"
        self.vp("run", SMALL, "--quiet", "--out", name)
        self.vp("report", name, "--out", "report.html")
        self.check(self.open(self.path / "report.html"), name, self.CHARTS | {"link-map"})

    def test_bad_input_is_2(self):
        self.vp("report", "absent", expect=2)
        self.vp("run", SMALL, "--quiet", "--out", "run")
        for name, text in [("power.csv", "a,b\n1\n"), ("power.csv", "a\nx\n"), ("network.json", "{"), ("summary.json", "{}")]:
            (self.path / "run" / name).write_text(text)
            self.assertIn(name, self.vp("report", "run", expect=2).stderr)


if __name__ == "__main__":
    unittest.main()
