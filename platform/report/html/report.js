// SPDX-License-Identifier: Apache-2.0
"use strict";
// RUNS: [{directory, summary, network, parameters: {key: {value, unit, source, ...}}, power: {column: [...]}}]

const COLORS = ["#22628f", "#d1803c", "#4d8f4a", "#9a5ba5", "#b8433f", "#7a8794", "#b59a2a", "#3aa0a0", "#c06c98", "#5c6bb0"];
const UNITS = ["load", "cal", "flow", "store"];
const charts = [];

/** 0.0032 -> "3.2 m" + unit. */
function si(value, unit) {
  if (value === null || value === undefined) return "-";
  const prefixes = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "\u00b5"], [1e-9, "n"]];
  const found = prefixes.find(([factor]) => Math.abs(value) >= factor) || (value === 0 ? [1, ""] : [1e-12, "p"]);
  return `${Number((value / found[0]).toPrecision(4))} ${found[1]}${unit}`;
}
const percent = (share) => (share === null || share === undefined ? "-" : `${(100 * share).toFixed(1)} %`);
const grouped = (value) => value.toLocaleString("en-US");
const sum = (values) => values.reduce((a, b) => a + b, 0);

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function table(heading, rows) {
  const line = (cells, tag) => element("tr", {}, ...cells.map((cell) =>
    element(tag, tag === "th" ? { scope: "col" } : typeof cell === "string" && /[a-z]{3}/i.test(cell) ? { class: "text" } : {},
      String(cell))));
  return element("div", { class: "scroll", tabindex: "0" }, element("table", {},
    element("thead", {}, line(heading, "th")), element("tbody", {}, ...rows.map((row) => line(row, "td")))));
}

function section(id, title, text, ...children) {
  const node = element("section", { id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title));
  if (text) node.append(element("p", {}, text));
  node.append(...children);
  return node;
}

/** A chart that is drawn when its place is in the document. `label` says what it shows to those who cannot see it. */
function chart(id, label, option, height) {
  const node = element("div", { class: "chart", id, role: "img", "aria-label": label });
  if (height) node.style.height = `${height}px`;
  charts.push({ node, option });
  return node;
}

function details(title, ...children) {
  return element("details", {}, element("summary", {}, title), ...children);
}

const grid = { left: 70, right: 70, top: 45, bottom: 55 };
const base = { color: COLORS, animation: false, textStyle: { fontFamily: "system-ui, sans-serif" } };

function cards(run) {
  const s = run.summary;
  const entries = [
    ["time_s", "time", si(s.time_s, "s"), s.time_s], ["cycles", "cycles", grouped(s.cycles), s.cycles],
    ["energy_j", `energy, profile ${s.energy_profile}`, si(s.energy_j, "J"), s.energy_j],
    ["average_power_w", "average power", si(s.average_power_w, "W"), s.average_power_w],
    ["peak_power_w", "peak power", si(s.peak_power_w, "W"), s.peak_power_w],
    ["flops_per_s", `arithmetic, ${percent(s.peak_fraction)} of peak`, si(s.flops_per_s, "FLOP/s"), s.flops_per_s],
    ["dram_bytes", "DRAM traffic", si(s.dram_bytes, "B"), s.dram_bytes],
    ["utilisation.cal", "Cal issue slots used in kernels", percent(s.utilisation.cal), s.utilisation.cal],
    ["verification.relative_error", s.verification.checked ? (s.verification.bit_exact ? "error; every bit as the reference"
      : "error; bits differ from the reference") : "not verified",
    s.verification.checked ? s.verification.relative_error.toExponential(2) : "-", s.verification.relative_error],
    ["fidelity", "fidelity", s.fidelity, s.fidelity],
  ];
  return section("headline", run.summary.scenario, s.passed ? "" : `Failed: ${s.failure}`, element("div", { class: "cards" },
    ...entries.map(([key, label, text, value]) => element("div", { class: "card", "data-key": key, "data-value": String(value) },
      element("b", {}, text), element("span", {}, label)))));
}

function comparison() {
  const first = RUNS[0].summary;
  const names = RUNS.map((run) => run.directory);
  const rows = RUNS.map((run) => [run.directory, si(run.summary.time_s, "s"), (first.time_s / run.summary.time_s).toFixed(2),
    si(run.summary.energy_j, "J"), (first.energy_j / run.summary.energy_j).toFixed(2), si(run.summary.dram_bytes, "B"),
    percent(run.summary.utilisation.cal), percent(run.summary.peak_fraction)]);
  return section("runs", "Runs side by side", `Ratios are against ${names[0]}.`,
    chart("runs-chart", "Time and energy of all runs", {
      ...base, grid, legend: { top: 5 }, tooltip: {}, xAxis: { type: "category", data: names },
      yAxis: [{ type: "value", name: "ms" }, { type: "value", name: "mJ", splitLine: { show: false } }],
      series: [{ name: "time", type: "bar", data: RUNS.map((run) => 1e3 * run.summary.time_s) },
        { name: "energy", type: "bar", yAxisIndex: 1, data: RUNS.map((run) => 1e3 * run.summary.energy_j) }],
    }), table(["run", "time", "speed", "energy", "efficiency", "DRAM", "Cal", "of peak"], rows));
}

function layers(run) {
  const list = run.summary.layers;
  return section("layers", "Layers", "From the completion of a layer's first kernel to that of its last; transfers of the next one overlap.",
    chart("layers-chart", "Time and energy of each layer", {
      ...base, grid, legend: { top: 5 }, tooltip: { trigger: "axis" },
      xAxis: { type: "category", data: list.map((l) => `${l.index} ${l.mixing}`), axisLabel: { rotate: list.length > 8 ? 45 : 0 } },
      yAxis: [{ type: "value", name: "ms" }, { type: "value", name: "mJ", splitLine: { show: false } }],
      series: [{ name: "time", type: "bar", data: list.map((l) => 1e3 * l.time_s) },
        { name: "energy", type: "bar", yAxisIndex: 1, data: list.map((l) => 1e3 * l.energy_j) }],
    }), details("Figures", table(["layer", "projections", "FFN", "cycles", "energy", "DRAM", "load", "cal", "flow", "store", "error"],
      list.map((l) => [`${l.index} ${l.mixing}`, l.projections, l.ffn, grouped(l.cycles), si(l.energy_j, "J"), si(l.dram_bytes, "B"),
        ...UNITS.map((u) => percent(l.utilisation[u])), l.relative_error === null ? "-" : l.relative_error.toExponential(2)]))));
}

function energy(run) {
  const components = Object.entries(run.summary.energy_by_component_j).sort((a, b) => b[1] - a[1]);
  const kernels = Object.entries(run.summary.energy_by_kernel_j).sort((a, b) => b[1] - a[1]).slice(0, 12).reverse();
  return section("energy", "Energy", "By component, and the kernels with the most of it.", element("div", { class: "two" },
    chart("energy-components", "Energy by component", {
      ...base, tooltip: { valueFormatter: (v) => si(v, "J") },
      series: [{ type: "pie", radius: ["35%", "65%"], data: components.map(([name, value]) => ({ name, value })),
        label: { formatter: "{b} {d} %" } }],
    }), chart("energy-kernels", "Kernels with the most energy", {
      ...base, grid: { ...grid, left: 190 }, tooltip: { valueFormatter: (v) => si(v, "J") }, xAxis: { type: "value", name: "mJ" },
      yAxis: { type: "category", data: kernels.map(([name]) => name), axisLabel: { width: 180, overflow: "truncate" } },
      series: [{ type: "bar", data: kernels.map(([, value]) => 1e3 * value) }],
    })));
}

function stalls(run) {
  const reasons = [...new Set(UNITS.flatMap((u) => Object.keys(run.summary.unit_cycles[u])))]
    .sort((a, b) => (b === "issue") - (a === "issue"));
  const share = (unit, reason) => {
    const cycles = run.summary.unit_cycles[unit];
    return 100 * (cycles[reason] || 0) / Math.max(1, sum(Object.values(cycles)));
  };
  return section("stalls", "What the units did", "All cycles of all PEs, from the start to the end of the run: issue slots used, and why the others were not.",
    chart("stalls-chart", "Share of cycles by reason, for each unit", {
      ...base, grid: { ...grid, bottom: 90 }, legend: { bottom: 5 }, tooltip: { trigger: "axis", valueFormatter: (v) => `${v.toFixed(1)} %` },
      xAxis: { type: "category", data: UNITS }, yAxis: { type: "value", name: "%", max: 100 },
      series: reasons.map((reason) => ({ name: reason, type: "bar", stack: "all", data: UNITS.map((unit) => share(unit, reason)) })),
    }), details("Figures", table(["reason", ...UNITS], reasons.map((reason) => [reason, ...UNITS.map((u) => `${share(u, reason).toFixed(2)} %`)]))));
}

function kernels(run) {
  const list = [...run.summary.kernels].sort((a, b) => b.cycles - a.cycles);
  const top = list.slice(0, 16).reverse();
  return section("kernels", "Kernels", "Utilisation is issue slots used over the cycles with the kernel on the array.",
    chart("kernels-chart", "Utilisation of Cal in the longest kernels", {
      ...base, grid: { ...grid, left: 210 }, tooltip: { valueFormatter: (v) => `${v.toFixed(1)} %` },
      xAxis: { type: "value", name: "Cal %", max: 100 },
      yAxis: { type: "category", data: top.map((k) => k.name), axisLabel: { width: 200, overflow: "truncate" } },
      series: [{ type: "bar", data: top.map((k) => 100 * k.utilisation.cal) }],
    }, 120 + 20 * top.length), details("All kernels", table(["kernel", "launches", "cycles", "energy", ...UNITS],
      list.map((k) => [k.name, grouped(k.launches), grouped(k.cycles), si(k.energy_j, "J"), ...UNITS.map((u) => percent(k.utilisation[u]))]))));
}

function roofline(run) {
  const value = (key) => run.parameters[key].value;
  const bandwidth = 2 * value("soc.dram.channels") * value("soc.dram.bus_bytes") * value("soc.dram.clock_hz");
  const peak = run.summary.peak_flops_per_s;
  const points = run.summary.layers.filter((l) => l.dram_bytes > 0 && l.flops > 0)
    .map((l) => ({ name: `layer ${l.index} ${l.mixing}`, value: [l.flops / l.dram_bytes, l.flops / l.time_s] }));
  const edge = peak / bandwidth;
  const low = Math.min(1, ...points.map((p) => p.value[0] / 2)), high = Math.max(10 * edge, ...points.map((p) => 2 * p.value[0]));
  return section("roofline", "Roofline", `Layers under the array's peak (${si(peak, "FLOP/s")}, fused multiply-adds) and the DRAM's (${si(bandwidth, "B/s")}). Butterflies reach at most 75 % of the peak.`,
    chart("roofline-chart", "Layers in the roofline of array and DRAM", {
      ...base, grid, tooltip: { formatter: (p) => (p.name ? `${p.name}<br>${si(p.value[0], "FLOP/B")}<br>${si(p.value[1], "FLOP/s")}` : "") },
      xAxis: { type: "log", name: "FLOP/B", min: low, max: high, nameLocation: "middle", nameGap: 28, axisLabel: { formatter: (v) => Number(v.toPrecision(2)) } },
      yAxis: { type: "log", name: "FLOP/s", axisLabel: { formatter: (v) => si(v, "") } },
      series: [{ type: "line", symbol: "none", data: [[low, bandwidth * low], [edge, peak], [high, peak]] },
        { type: "scatter", symbolSize: 11, data: points }],
    }));
}

function heat(id, label, columns, rows, data, unit) {
  return chart(id, label, {
    ...base, grid: { left: 50, right: 30, top: 20, bottom: 80 }, tooltip: { formatter: (p) => `(${p.value[0]}, ${p.value[1]}): ${grouped(p.value[2])} ${unit}` },
    xAxis: { type: "category", data: columns, name: "x" }, yAxis: { type: "category", data: rows, inverse: true, name: "y" },
    visualMap: { min: 0, max: Math.max(1, ...data.map((d) => d[2])), calculable: true, orient: "horizontal", left: "center", bottom: 5,
      inRange: { color: ["#f2f6fa", "#8fb7d3", "#22628f", "#12344d"] } },
    series: [{ type: "heatmap", data, label: { show: data.length <= 64, formatter: (p) => si(p.value[2], "") } }],
  });
}

function array(run) {
  const map = run.summary.array;
  const columns = [...Array(map.columns).keys()].map(String), rows = [...Array(map.rows).keys()].map(String);
  const pes = map.cal_issue.map((issue, i) => [i % map.columns, Math.floor(i / map.columns), issue]);
  const charts = [heat("pe-map", "Issue slots used by Cal in each PE", columns, rows, pes, "issue slots of Cal")];
  if (map.links.length > 0) {
    // A link lies between its router and the one it leads to.
    const across = [...Array(2 * map.columns - 1).keys()].map((i) => (i % 2 ? "" : String(i / 2)));
    const down = [...Array(2 * map.rows - 1).keys()].map((i) => (i % 2 ? "" : String(i / 2)));
    const cells = new Map();
    for (const link of map.links) {
      const key = `${link.x + link.to_x},${link.y + link.to_y}`;
      cells.set(key, (cells.get(key) || 0) + link.vectors);
    }
    charts.push(heat("link-map", "Vectors over the links of the mesh", across, down,
      [...cells].map(([key, vectors]) => [...key.split(",").map(Number), vectors]), "vectors, both ways"));
  }
  return section("array", "Array", run.summary.fidelity === "fast" ? "Issue slots of Cal; in fast, one PE stands for all and links are not followed."
    : "Issue slots of Cal in each PE, and vectors over each link (a cell between two PEs).", element("div", { class: "two" }, ...charts));
}

/** At most `limit` windows: neighbours become one, with the mean of their rates. */
function coarser(columns, limit) {
  const count = columns.begin_s.length, size = Math.ceil(count / limit), result = {};
  const length = columns.end_s.map((end, i) => end - columns.begin_s[i]);
  for (const [name, values] of Object.entries(columns)) {
    result[name] = [];
    for (let i = 0; i < count; i += size) {
      const end = Math.min(count, i + size), span = columns.end_s[end - 1] - columns.begin_s[i];
      let mean = 0;
      for (let k = i; k < end; ++k) mean += values[k] * length[k] / span;
      result[name].push(name === "begin_s" ? columns.begin_s[i] : name === "end_s" ? columns.end_s[end - 1] : mean);
    }
  }
  return result;
}

function power(run) {
  if (!run.power) return section("power", "Power over time", "Not recorded (record.power_window_s).");
  const windows = coarser(run.power, 600);
  const time = windows.begin_s.map((t) => (1e3 * t).toFixed(3));
  const components = Object.keys(windows).filter((name) => name.endsWith("_w") && name !== "total_w");
  const axes = { grid: { ...grid, bottom: 70 }, legend: { top: 5 }, dataZoom: [{ type: "slider", height: 16, bottom: 5 }],
    xAxis: { type: "category", data: time, name: "ms" } };
  const line = (name, values, more) => ({ name, type: "line", step: "end", symbol: "none", data: values, ...more });
  return section("power", "Power over time", `Windows of ${si(windows.end_s[0] - windows.begin_s[0], "s")}; the area is the energy.`,
    chart("power-chart", "Power by component over time", { ...base, ...axes, yAxis: { type: "value", name: "W" },
      tooltip: { trigger: "axis", valueFormatter: (v) => si(v, "W") },
      series: components.map((name) => ({ name: name.slice(0, -2), type: "bar", stack: "power", barCategoryGap: 0, data: windows[name] })) }),
    chart("traffic-chart", "DRAM traffic and utilisation of Cal over time", { ...base, ...axes,
      tooltip: { trigger: "axis", valueFormatter: (v) => v.toFixed(2) },
      yAxis: [{ type: "value", name: "GB/s" }, { type: "value", name: "Cal %", max: 100, splitLine: { show: false } }],
      series: [line("DRAM read", windows.dram_read_bytes_per_s.map((v) => v / 1e9)),
        line("DRAM write", windows.dram_written_bytes_per_s.map((v) => v / 1e9)),
        line("Cal", windows.cal_utilisation.map((v) => 100 * v), { yAxisIndex: 1 })] }, 280));
}

function plan(run) {
  const tasks = run.summary.plan.tasks, half = run.parameters["soc.scratchpad.size_bytes"].value / 2;
  const names = tasks.map((t) => t.name);
  return section("plan", "Plan and memory", "What each task keeps in a half of the scratchpad while its tiles pass.",
    chart("memory-chart", "Scratchpad bytes of each task", {
      ...base, grid: { ...grid, bottom: 110 }, legend: { top: 5 }, tooltip: { trigger: "axis", valueFormatter: (v) => si(v, "B") },
      xAxis: { type: "category", data: names, axisLabel: { rotate: 40, width: 150, overflow: "truncate" } },
      yAxis: { type: "value", name: "bytes", max: half, axisLabel: { formatter: (v) => si(v, "B") } },
      series: [{ name: "buffers", type: "bar", stack: "half", data: tasks.map((t) => t.buffer_bytes) },
        { name: "weights", type: "bar", stack: "half", data: tasks.map((t) => t.weight_bytes) }],
    }), details("Tasks", table(["task", "tiles", "rows", "buffers", "weights", "DRAM in", "DRAM out", "cycles expected"],
      tasks.map((t) => [t.name, grouped(t.tiles), grouped(t.tile_rows), si(t.buffer_bytes, "B"), si(t.weight_bytes, "B"),
        si(t.dram_read_bytes, "B"), si(t.dram_written_bytes, "B"), grouped(t.predicted_cycles)]))),
    details("Kernels", table(["kernel", "mapping", "instructions", "cycles a launch, expected"],
      run.summary.plan.kernels.map((k) => [k.name, k.mapping, k.instructions, grouped(k.predicted_launch_cycles)]))));
}

function parameters(run) {
  return section("parameters", "Parameters", "Every value with its source and the confidence in it; given: where this run's scenario sets it.",
    details("All parameters", table(["key", "value", "unit", "source", "confidence", "given"],
      Object.entries(run.parameters).map(([key, p]) => [key, String(p.value), p.unit, p.source, p.confidence, p.given || ""]))));
}

function show(run) {
  for (const { instance } of charts) if (instance) instance.dispose();
  charts.length = 0;
  const main = document.getElementById("main");
  const parts = [cards(run), ...(RUNS.length > 1 ? [comparison()] : []), layers(run), energy(run), stalls(run), kernels(run),
    roofline(run), array(run), power(run), plan(run), parameters(run)];
  main.replaceChildren(...parts);
  document.getElementById("contents").replaceChildren(...parts.map((part) =>
    element("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)));
  for (const entry of charts) {
    entry.instance = echarts.init(entry.node, null, { renderer: "svg" });
    entry.instance.setOption(entry.option);
  }
  document.body.dataset.charts = String(charts.length);
}

window.addEventListener("error", (event) => { document.body.dataset.error = event.message; });
window.addEventListener("resize", () => { for (const { instance } of charts) instance.resize(); });
window.addEventListener("beforeprint", () => { for (const { instance } of charts) instance.resize({ width: 680 }); });
window.addEventListener("afterprint", () => { for (const { instance } of charts) instance.resize({ width: "auto" }); });

const select = document.getElementById("run");
select.append(...RUNS.map((run, i) => element("option", { value: String(i) }, run.directory)));
select.addEventListener("change", () => show(RUNS[Number(select.value)]));
show(RUNS[0]);
