# SPDX-License-Identifier: Apache-2.0
"""The HTML report in headless Chromium: charts are drawn, nothing fails, figures are those of summary.json."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy as np

from browser import Browser

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]
FIRMWARE = pathlib.Path(EXECUTABLE).resolve().parent / "firmware"
SMALL = TREE / "scenarios" / "encoder_128x64.yaml"
CHROMIUM = shutil.which("chromium")
UNITS = ["load", "cal", "flow", "store"]
PREFIXES = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1, "m": 1e-3, "\u00b5": 1e-6, "n": 1e-9, "p": 1e-12}

# What the page shows: texts, charts with the shapes drawn and their data.
PAGE = """({
  error: document.body.dataset.error || null,
  cards: [...document.querySelectorAll(".card")].map((card) => ({key: card.dataset.key, value: card.dataset.value,
    text: card.querySelector("b").innerText, label: card.querySelector("span").innerText})),
  charts: Object.fromEntries(charts.map(({node, instance}) => [node.id, {
    shapes: node.querySelectorAll("path, text, polyline, circle, rect").length,
    texts: [...node.querySelectorAll("text")].map((text) => text.textContent),
    label: node.getAttribute("aria-label"),
    width: node.querySelector("svg").getBoundingClientRect().right - node.getBoundingClientRect().left,
    room: node.getBoundingClientRect().width,
    names: [instance.getOption().xAxis, instance.getOption().yAxis].flat().map((axis) => axis && axis.data),
    series: instance.getOption().series.map((series) => ({name: series.name, data: series.data})) }])),
  headings: [...document.querySelectorAll("h2")].map((node) => node.innerText),
  tables: Object.fromEntries([...document.querySelectorAll("details")].map((node) => [
    `${node.closest("section").id}: ${node.querySelector("summary").textContent}`,
    [...node.querySelectorAll("tr")].map((row) => [...row.children].map((cell) => cell.textContent))])),
  spill: document.documentElement.scrollWidth - document.documentElement.clientWidth })"""

TOOLTIP = """(async () => {
  const entry = charts.find(({node}) => node.id === %s);
  entry.node.scrollIntoView();
  entry.instance.dispatchAction({type: "showTip", seriesIndex: %d, dataIndex: %d});
  await new Promise((done) => setTimeout(done, 100));
  return [...entry.node.children].slice(1).map((node) => node.innerText).join("\\n"); })()"""


def figure(text):
    """ "3.259 ms" -> 0.003259 """
    number, unit = re.match(r"([-\d.,]+(?:e[-+]?\d+)?) ?(\S*)", text).groups()
    value = float(number.replace(",", ""))
    if unit == "%":
        return value / 100
    if unit in ("", "mm\u00b2") or unit[0] not in PREFIXES or len(unit) == 1:
        return value
    return value * PREFIXES[unit[0]]


@unittest.skipIf(CHROMIUM is None, "there is no Chromium: run scripts/setup")
class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.addClassCleanup(directory.cleanup)
        cls.browser = Browser(CHROMIUM, directory.name)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)

    def vp(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def open(self, file, width=1366):
        self.browser.errors.clear()
        self.browser.open(file.as_uri(), width)
        page = self.browser.evaluate(PAGE)
        self.assertEqual(self.browser.errors, [])
        return page

    def tooltip(self, chart, series, index):
        return self.browser.evaluate(TOOLTIP % (json.dumps(chart), series, index))

    def summary(self, directory):
        return json.loads((self.path / directory / "summary.json").read_text())

    def check(self, page, directory, charts):
        summary = self.summary(directory)
        self.assertIsNone(page["error"])
        self.assertLessEqual(page["spill"], 0)
        self.assertEqual(set(page["charts"]), charts)
        for name, chart in page["charts"].items():
            self.assertGreater(chart["shapes"], 5, name)
            self.assertLess(chart["width"], chart["room"] + 1, name)
            self.assertTrue(chart["label"], name)
        self.assertGreater(len(page["cards"]), 9)
        for card in page["cards"]:
            key, value = card["key"], summary
            for part in key.split("."):
                value = value[part]
            if value is None:
                self.assertEqual((card["value"], card["text"]), ("null", "-"), key)
            elif isinstance(value, str):
                self.assertEqual((card["value"], card["text"]), (value, value), key)
            else:
                self.assertEqual(type(value)(card["value"]), value, key)
                # What is read, not only what is stored beside it.
                # Per cents have one decimal.
                self.assertAlmostEqual(figure(card["text"]), value, delta=max(5.1e-3 * abs(value), 5.1e-4), msg=key)
        self.check_figures(page, summary)

    def check_figures(self, page, summary):
        """Charts and tables against the summary."""
        def data(chart, series):
            return page["charts"][chart]["series"][series]["data"]

        def close(got, expected):
            self.assertEqual(len(got), len(expected))
            for a, b in zip(got, expected):
                self.assertAlmostEqual(a, b, delta=1e-9 * max(1e-12, abs(b)))

        def by_size(figures):
            return sorted(figures.items(), key=lambda item: -item[1])

        rows = summary["layers"] + ([summary["outside_of_layers"]] if summary["outside_of_layers"] else [])
        for series, key in enumerate(["time_s", "energy_j"]):
            close(data("layers-chart", series), [1e3 * row[key] for row in rows])
            self.assertAlmostEqual(sum(data("layers-chart", series)) / (1e3 * summary[key]), 1, delta=1e-9)
        self.assertEqual(len(page["tables"]["layers: Figures"]), 1 + len(rows))
        for chart, figures in [("energy-components", summary["energy_by_component_j"]), ("energy-kernels", summary["energy_by_kernel_j"]),
                               ("energy-dram", summary["energy_by_action_j"]["dram"])]:
            expected = by_size(figures)[:12]
            close(data(chart, 0), [1e3 * joules for _, joules in expected])
            self.assertIn([name for name, _ in expected], page["charts"][chart]["names"])
        close(data("area-chart", 0), [mm2 for _, mm2 in by_size(summary["area_by_component_mm2"])])
        for i, series in enumerate(page["charts"]["stalls-chart"]["series"]):
            close(data("stalls-chart", i), [100 * summary["unit_cycles"][unit].get(series["name"], 0) / sum(summary["unit_cycles"][unit].values())
                                            for unit in UNITS])
        points = [point["value"] for point in data("roofline-chart", 1)]
        close([y for _, y in points], [layer["flops"] / layer["time_s"] for layer in summary["layers"]])
        close([x for x, _ in points], [layer["flops"] / layer["dram_bytes"] for layer in summary["layers"]])
        close(data("memory-chart", 0), [task["buffer_bytes"] for task in summary["plan"]["tasks"]])
        if "link-map" in page["charts"]:
            self.assertEqual(sum(cell[2] for cell in data("link-map", 0)), sum(link["vectors"] for link in summary["array"]["links"]))

        tables = page["tables"]
        rows = tables["energy: Energy by component and action"][1:]
        self.assertAlmostEqual(sum(figure(row[2]) for row in rows) / summary["energy_j"], 1, delta=1e-3)
        rows = tables["energy: Energy by power state of the array"][1:]
        self.assertAlmostEqual(sum(figure(row[2]) for row in rows) / summary["energy_j"], 1, delta=1e-3)
        self.assertEqual(len(rows), 5)
        prices = {(row[0], row[1]): row for row in tables["energy: Prices with sources"][1:]}
        for component, actions in summary["energy_by_action_j"].items():
            for action in actions:
                self.assertGreater(len(prices[component, action][3]), 5)
                self.assertIn(prices[component, action][4], ("high", "mid", "low"))
        rows = tables["area: Parts with sources"][1:]
        self.assertAlmostEqual(sum(float(row[2]) for row in rows), summary["area_mm2"], delta=1e-2)
        rows = tables["roofline: Figures"][1:]
        for row, layer in zip(rows, summary["layers"]):
            self.assertAlmostEqual(figure(row[2]) / (layer["flops"] / layer["time_s"]), 1, delta=1e-3)
        if "pe-map" in page["charts"]:
            close([cell[2] for cell in data("pe-map", 0)], summary["array"]["cal_issue"])
            rows = tables["array: Issue slots of Cal by PE"][1:]
            self.assertEqual([int(row[1].replace(",", "")) for row in rows], summary["array"]["cal_issue"])
        else:
            self.assertEqual(summary["fidelity"], "fast")
        if "power-chart" in page["charts"]:
            rows = tables["power: Figures, of longer windows"][1:]
            joules = sum(figure(row[2]) * (figure(row[1]) - figure(row[0])) for row in rows)
            self.assertAlmostEqual(joules / summary["energy_j"], 1, delta=5e-3)

    CHARTS = {"layers-chart", "energy-components", "energy-dram", "energy-kernels", "area-chart", "stalls-chart", "kernels-chart",
              "roofline-chart", "pe-map", "power-chart", "traffic-chart", "memory-chart"}
    COMPARED = '[...document.querySelectorAll("#runs tr")].map((row) => [...row.children].map((cell) => cell.textContent))'

    def test_one_run(self):
        self.vp("run", SMALL, "--quiet", "--out", "run")
        self.vp("report", "run")
        file = self.path / "run" / "report.html"
        text = file.read_text()
        self.assertNotRegex(text, r'(src|href)="(https?:)?//')
        # Half a laptop's screen, and a laptop's.
        self.check(self.open(file, 683), "run", self.CHARTS | {"link-map"})
        self.check(self.open(file), "run", self.CHARTS | {"link-map"})
        self.check_tooltips("run")
        self.check_keyboard()
        self.check_print(self.path / "report.pdf", "run")

    def check_tooltips(self, directory):
        summary = self.summary(directory)

        def after(text, name):
            found = re.search(re.escape(name) + r"\s+(\S+ ?\S*)", text)
            self.assertIsNotNone(found, f"{name} in {text!r}")
            return figure(found[1])

        layer = summary["layers"][1]
        text = self.tooltip("layers-chart", 0, 1)
        self.assertAlmostEqual(after(text, "time") / layer["time_s"], 1, delta=1e-3)
        self.assertAlmostEqual(after(text, "energy") / layer["energy_j"], 1, delta=1e-3)
        for chart, figures in [("energy-components", summary["energy_by_component_j"]), ("energy-kernels", summary["energy_by_kernel_j"]),
                               ("energy-dram", summary["energy_by_action_j"]["dram"])]:
            name, joules = max(figures.items(), key=lambda item: item[1])
            self.assertAlmostEqual(after(self.tooltip(chart, 0, 0), name) / joules, 1, delta=1e-3)
        name, mm2 = max(summary["area_by_component_mm2"].items(), key=lambda item: item[1])
        self.assertAlmostEqual(after(self.tooltip("area-chart", 0, 0), name) / mm2, 1, delta=1e-3)
        text = self.tooltip("roofline-chart", 1, 0)
        self.assertIn("layer 0", text)
        self.assertIn("FLOP/s", text)
        self.assertIn(f"{summary['array']['cal_issue'][0]:,}", self.tooltip("pe-map", 0, 0))
        text = self.tooltip("memory-chart", 0, 0)
        self.assertAlmostEqual(after(text, "buffers") / summary["plan"]["tasks"][0]["buffer_bytes"], 1, delta=1e-3)
        text = self.tooltip("traffic-chart", 0, 0)
        self.assertIn("B/s", text)
        self.assertIn("%", text)
        self.assertRegex(self.tooltip("power-chart", 0, 0), r"pe\s+\S+ m?W")

    def check_keyboard(self):
        """Tab reaches every link, choice, summary and open table, with an outline; Enter opens and jumps."""
        self.browser.evaluate("window.scrollTo(0, 0), document.activeElement.blur()")
        expected = self.browser.evaluate("document.querySelectorAll('a, select, summary').length")
        state = """(() => { const node = document.activeElement, style = getComputedStyle(node);
          return {tag: node.tagName, text: node.textContent.slice(0, 40), outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 1,
            href: node.getAttribute("href")}; })()"""
        seen = []
        for _ in range(expected):
            self.browser.press("Tab")
            seen.append(self.browser.evaluate(state))
        self.assertEqual(seen[0]["text"], "To the content")
        for node in seen:
            self.assertIn(node["tag"], ("A", "SELECT", "SUMMARY"))
            self.assertTrue(node["outline"], node)
        self.assertEqual(seen[-1]["tag"], "SUMMARY")
        # The last one opens, and its table can be reached and scrolled.
        self.browser.press("Enter")
        self.assertTrue(self.browser.evaluate("document.activeElement.parentElement.open"))
        self.browser.press("Tab")
        self.assertEqual(self.browser.evaluate("document.activeElement.className"), "scroll")
        self.assertTrue(self.browser.evaluate(state)["outline"])

    def check_print(self, file, directory):
        """All charts whole, all tables filled, nothing wider than the page."""
        self.browser.pdf(file)
        info = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True).stdout
        self.assertRegex(info, r"Page size: +59[45].* x 84[12]")
        self.assertGreater(int(re.search(r"Pages: +(\d+)", info)[1]), 5)
        text = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout
        summary = self.summary(directory)
        for layer in summary["layers"]:
            self.assertIn(f"{layer['cycles']:,}", text)
        for words in ("Prices with sources", "fma_lane", "data sheet", "soc.dram.read_latency", "operand_memory",
                      "Power over time"):
            self.assertIn(words, text)
        for task in summary["plan"]["tasks"]:
            self.assertIn(f"{task['predicted_cycles']:,}", text)
        boxes = subprocess.run(["pdftotext", "-bbox", file, "-"], capture_output=True, text=True, check=True).stdout
        right = [float(x) for x in re.findall(r'xMax="([\d.]+)"', boxes)]
        self.assertLess(max(right), 595)
        # As the page lays charts out for paper, seen from within.
        # A browser prints right after the event, without another frame.
        cut = self.browser.evaluate("""(() => { window.dispatchEvent(new Event('beforeprint'));
          return charts.filter(({node}) => { const svg = node.querySelector("svg"), right = svg.getBoundingClientRect().right;
            return [...svg.querySelectorAll("text")].some((text) => text.getBoundingClientRect().right > right + 1); }).map(({node}) => node.id); })()""")
        self.assertEqual(cut, [])
        self.browser.call("Emulation.setEmulatedMedia", media="print")
        self.browser.call("Emulation.setDeviceMetricsOverride", width=640, height=900, deviceScaleFactor=1, mobile=False)
        page = self.browser.evaluate(PAGE)
        rows = self.browser.evaluate("[...document.querySelectorAll('details table')].map((t) => t.getBoundingClientRect().height)")
        self.assertGreater(min(rows), 10)
        self.assertLessEqual(page["spill"], 0)
        for name, chart in page["charts"].items():
            self.assertLess(chart["width"], chart["room"] + 1, name)
            inside = self.browser.evaluate(f"""(() => {{ const svg = document.querySelector("#{name} svg"), box = svg.getBoundingClientRect();
              return [...svg.querySelectorAll("text")].every((t) => t.getBoundingClientRect().right <= box.right + 1); }})()""")
            self.assertTrue(inside, name)
        self.browser.evaluate("window.dispatchEvent(new Event('afterprint'))")
        self.browser.call("Emulation.setEmulatedMedia", media="")
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('details[open]').length"), 1)  # the one that was open

    def test_several_runs(self):
        long_name = "b_run_with_a_long_name_that_says_what_differs_lanes_32_banks_16_window_0"
        self.vp("run", SMALL, "--quiet", "--out", "a")
        self.vp("run", SMALL, "--quiet", "--out", long_name, "--fidelity", "fast", "--set", "record.power_window_s=0")
        self.vp("run", SMALL, "--quiet", "--out", "c", "--set", "energy.voltage=0.6")
        self.vp("report", "a", long_name, "c", "--out", "all.html")
        page = self.open(self.path / "all.html")
        self.check(page, "a", self.CHARTS | {"link-map", "runs-chart"})
        chart = page["charts"]["runs-chart"]
        runs = [self.summary(name) for name in ("a", long_name, "c")]
        for series, key in enumerate(["time_s", "energy_j"]):
            for got, run in zip(chart["series"][series]["data"], runs):
                self.assertAlmostEqual(got, 1e3 * run[key], delta=1e-9)
        drawn = "".join(chart["texts"])
        for name in ("a", "c", long_name):
            self.assertIn(name, drawn)
        self.assertAlmostEqual(figure(self.tooltip("runs-chart", 1, 2).split("energy")[-1].split("c\n")[-1].strip().removeprefix("c").strip())
                               / runs[2]["energy_j"], 1, delta=1e-3)
        # Where a link leads to, the header does not cover.
        for index in range(len(page["headings"])):
            covered = self.browser.evaluate(f"""(async () => {{ document.querySelectorAll("nav a")[{index}].click();
              await new Promise((done) => setTimeout(done, 30));
              const section = document.querySelector(location.hash);
              return section.querySelector("h2").getBoundingClientRect().top - document.querySelector("header").getBoundingClientRect().bottom; }})()""")
            self.assertGreaterEqual(covered, 0, page["headings"][index])
        # Another run is chosen; its operating point is named.
        self.browser.evaluate("(select.value = '2', select.dispatchEvent(new Event('change')))")
        other = self.browser.evaluate(PAGE)
        self.check(other, "c", self.CHARTS | {"link-map", "runs-chart"})
        self.assertIn("silicon at 12 nm, 0.6 V", [card["label"] for card in other["cards"] if card["key"] == "energy_j"][0])
        self.vp("report", long_name, "a", "--out", "both.html")
        self.check(self.open(self.path / "both.html"), long_name, (self.CHARTS | {"runs-chart"}) - {"power-chart", "traffic-chart", "pe-map"})

    def test_runs_that_cannot_be_compared(self):
        self.vp("run", SMALL, "--quiet", "--out", "base")
        self.vp("run", SMALL, "--quiet", "--out", "failed", "--set", "run.time_limit_s=2e-5", expect=1)
        self.vp("run", SMALL, "--quiet", "--out", "longer", "--set", "network.tokens=256")
        self.vp("run", SMALL, "--quiet", "--out", "twice", "--firmware", FIRMWARE / "awake.elf")
        self.vp("run", SMALL, "--quiet", "--out", "slower", "--set", "soc.array.clock_hz=5e8", "--set", "energy.dram_pj_per_bit=8")
        self.vp("report", "base", "failed", "longer", "twice", "slower", "--out", "all.html")
        page = self.open(self.path / "all.html")
        self.assertIn("failed", page["charts"]["runs-chart"]["texts"])
        head, *rows = self.browser.evaluate(self.COMPARED)
        rows = {row[0]: dict(zip(head, row)) for row in rows}
        figures = ["time", "speed-up", "energy", "energy ratio", "DRAM", "Cal, of all cycles", "of peak"]
        self.assertEqual([rows["failed"][name] for name in figures], ["failed"] + 6 * ["-"])
        for name in ("longer", "twice"):
            self.assertEqual((rows[name]["speed-up"], rows[name]["energy ratio"]), ("-", "-"), name)
        self.assertEqual([rows["longer"]["network"], rows["longer"]["tokens"], rows["twice"]["sequences"]], ["2 layers of 64", "256", "2"])
        base, slower = self.summary("base"), self.summary("slower")
        self.assertAlmostEqual(float(rows["slower"]["speed-up"]), base["time_s"] / slower["time_s"], delta=6e-3)
        self.assertAlmostEqual(float(rows["slower"]["energy ratio"]), base["energy_j"] / slower["energy_j"], delta=6e-3)
        self.assertEqual(rows["slower"]["profile"], "silicon, DRAM transfers at 8 pJ/bit")
        self.vp("report", "failed", "base", "--out", "all.html")
        self.open(self.path / "all.html")
        self.assertEqual(self.browser.evaluate(self.COMPARED)[2][6], "-")

    def test_outside_of_the_layers(self):
        self.vp("run", SMALL, "--quiet", "--out", "run", "--set", "network.vocabulary=300", "--set", "network.classes=3",
                "--fidelity", "fast", "--set", "record.power_window_s=2e-7")
        self.vp("report", "run")
        page = self.open(self.path / "run" / "report.html")
        self.check(page, "run", self.CHARTS - {"pe-map"})
        self.assertIn("(outside of the layers)", page["charts"]["layers-chart"]["names"][0])
        self.assertIn("lockstep", self.browser.evaluate('document.querySelector("#array").textContent'))
        times = page["charts"]["power-chart"]["names"][0]
        self.assertEqual(len(set(times)), len(times))
        labels = {card["key"]: card["label"] for card in page["cards"]}
        self.assertEqual(labels["peak_power_w"], "peak power, over windows of 200 ns")
        self.assertEqual(labels["energy_j"], "energy with DRAM, profile silicon")
        self.assertRegex(page["headings"][0], r"\S+ \(run\)")

    def test_skip_links(self):
        self.vp("run", SMALL, "--quiet", "--out", "run", "--set", "soc.mesh.skip_links=true", "--set", "soc.array.rows=8",
                "--set", "soc.array.columns=8")
        self.vp("report", "run")
        page = self.open(self.path / "run" / "report.html")
        self.check(page, "run", self.CHARTS | {"link-map"})
        cells = {(x, y): vectors for x, y, vectors in page["charts"]["link-map"]["series"][0]["data"]}
        # A link's cell lies between two PEs, never on one.
        self.assertEqual({(x + y) % 2 for x, y in cells}, {1})
        links = {(link["x"], link["y"], link["to_x"], link["to_y"]): link["vectors"] for link in self.summary("run")["array"]["links"]}
        self.assertGreater(links[0, 0, 2, 0], 0)
        over = [links.get(link, 0) for link in [(0, 0, 1, 0), (1, 0, 0, 0)]] + [links.get(link, 0) / 2 for link in [(0, 0, 2, 0), (2, 0, 0, 0)]]
        self.assertEqual(cells[1, 0], sum(over))

    def test_names_with_markup(self):
        for name in ["a <b> & \"c' <script>", "x<!--<script>", "]]> & '\\u003c"]:
            with self.subTest(name):
                self.vp("run", SMALL, "--quiet", "--out", name)
                self.vp("report", name, "--out", "report.html")
                self.check(self.open(self.path / "report.html"), name, self.CHARTS | {"link-map"})
                self.assertEqual(self.browser.evaluate("select.textContent"), name)

    def test_an_error_that_is_not_finite(self):
        # Products of values as large as these go beyond fp16; JSON has no infinity.
        values = np.random.default_rng(1).uniform(-6e4, 6e4, (1, 128, 64)).astype("<f2")
        header = json.dumps({"input": {"dtype": "F16", "shape": [1, 128, 64], "data_offsets": [0, values.nbytes]}}).encode()
        (self.path / "large.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + values.tobytes())
        self.vp("run", SMALL, "--quiet", "--out", "run", "--set", "run.input=large.safetensors", expect=1)
        verification = self.summary("run")["verification"]
        self.assertEqual([verification["relative_error"], verification["row"]["error"], verification["end_to_end_row"]["error"]], [None] * 3)
        self.vp("report", "run")
        page = self.open(self.path / "run" / "report.html")
        self.assertIsNone(page["error"])
        self.assertEqual(set(page["charts"]), self.CHARTS | {"link-map"})
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('main > section').length"), 11)
        self.assertIn("Failed: ", self.browser.evaluate("document.querySelector('#headline').innerText"))
        self.assertEqual([card["text"] for card in page["cards"] if card["key"] == "verification.relative_error"], ["not finite"])

    def test_rows_of_pes_that_are_left_out(self):
        self.vp("run", SMALL, "--quiet", "--out", "run", "--set", "run.spare_images=true", "--set", "run.launch_limit=100000",
                "--set", "faults=[{kind: stuck_pe, unit: 6, count: 0}]")
        self.vp("report", "run")
        self.check(self.open(self.path / "run" / "report.html"), "run", self.CHARTS | {"link-map"})
        self.assertIn("Rows of PEs left out: 1; degraded", self.browser.evaluate("document.querySelector('#headline').innerText"))

    def test_texts_of_strangers_are_no_markup(self):
        self.vp("run", SMALL, "--quiet", "--out", "run")
        attack = "<img src=x onerror='window.attacked = true'><script>window.attacked = true</script>"

        def poisoned(value):
            if isinstance(value, dict):
                return {key: poisoned(entry) for key, entry in value.items()}
            if isinstance(value, list):
                return [poisoned(entry) for entry in value]
            return attack + value if isinstance(value, str) else value
        for name in ["summary.json", "network.json", "parameters.json", "prices.json"]:
            file = self.path / "run" / name
            data = json.loads(file.read_text())
            if name == "summary.json":
                for key in ["energy_by_kernel_j", "energy_by_layer_j"]:
                    data[key] = {attack + name: value for name, value in data[key].items()}
            file.write_text(json.dumps(poisoned(data)))
        self.vp("report", "run", "--out", "report.html")
        self.browser.errors.clear()
        page = self.open(self.path / "report.html")
        self.assertIsNone(page["error"])
        for chart in page["charts"]:
            for series in range(len(page["charts"][chart]["series"])):
                self.tooltip(chart, series, 0)
        self.assertIsNone(self.browser.evaluate("window.attacked || null"))
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('main img, main script').length"), 0)
        # What would be markup all the same could not run.
        self.browser.evaluate(f"document.querySelector('main').insertAdjacentHTML('beforeend', {json.dumps(attack)})")
        self.browser.evaluate("new Promise((done) => setTimeout(done, 200))")
        self.assertIsNone(self.browser.evaluate("window.attacked || null"))
        self.browser.errors.clear()

    def test_a_part_that_cannot_be_drawn_leaves_the_others(self):
        self.vp("run", SMALL, "--quiet", "--out", "run")
        self.vp("report", "run")
        self.open(self.path / "run" / "report.html")
        self.browser.evaluate("(RUNS[0].summary.plan.tasks = 3, RUNS[0].summary.layers[0].mixing = null, show(RUNS[0]))")
        titles = self.browser.evaluate("[...document.querySelectorAll('h2')].map((node) => node.innerText)")
        self.assertEqual(len(titles), 11)
        self.assertEqual([title for title in titles if "cannot be shown" in title], ["This part cannot be shown: plan"])

    def test_runs_of_one_name_are_told_apart(self):
        for lanes in (8, 16):
            self.vp("run", SMALL, "--quiet", "--no-data", "--out", f"lanes{lanes}/r", "--set", f"soc.array.lanes={lanes}")
        self.vp("report", "lanes8/r", "lanes16/r", "--out", "x.html")
        self.open(self.path / "x.html")
        names = "[...select.options].map((option) => option.textContent)"
        self.assertEqual(self.browser.evaluate(names), ["lanes8/r", "lanes16/r"])
        self.vp("report", "lanes8/r", "lanes8/r/", "--out", "x.html")
        self.open(self.path / "x.html")
        self.assertEqual(self.browser.evaluate(names), ["r (1)", "r (2)"])

    def test_bad_input_is_2(self):
        self.vp("report", "absent", expect=2)
        self.vp("run", SMALL, "--quiet", "--out", "run")
        for name, text in [("power.csv", "a,b\n1\n"), ("power.csv", ""), ("power.csv", "garbage\n"),
                           ("power.csv", (self.path / "run" / "power.csv").read_text().partition("\n")[0]), ("power.csv", "a\nx\n"), ("prices.json", "["), ("network.json", "{"), ("summary.json", "{}")]:
            (self.path / "run" / name).write_text(text)
            self.assertIn(name, self.vp("report", "run", expect=2).stderr)


if __name__ == "__main__":
    unittest.main()
