// SPDX-License-Identifier: Apache-2.0
"use strict";
// RUNS: [{directory, summary, network, parameters: {key: {value, unit, source, ...}}, prices, power: {column: [...]}}]
// FIGURES: [{key, label, unit}], of summary.json, that have a card of their own

const UNITS = ["load", "cal", "flow", "store"];

/** The operating point and the price of DRAM transfers are named where they are not the profile's own. */
function profile(run) {
  const s = run.summary, dram = run.parameters["energy.dram_pj_per_bit"].value;
  return s.energy_profile + (s.energy_scaled ? ` at ${s.energy_technology_nm} nm, ${s.energy_voltage} V` : "") +
    (dram > 0 ? `, DRAM transfers at ${dram} pJ/bit` : "");
}

const title = (run) => `${run.summary.scenario} (${run.directory})`;
const powerWindow = (run) => run.parameters["record.power_window_s"].value;

function datasetCards(d) {
  if (!d) return [];
  const same = d.agreement === null ? "not verified" : `${percent(d.agreement)} as in fp32`;
  return [
    ["dataset.accuracy", `accuracy on ${grouped(d.samples)} samples, ${same}`, percent(d.accuracy), d.accuracy],
    ["dataset.time_per_sample_s", "time for a sample", si(d.time_per_sample_s, "s"), d.time_per_sample_s],
    ["dataset.energy_per_sample_j", "energy for a sample", si(d.energy_per_sample_j, "J"), d.energy_per_sample_j],
  ];
}

/** What stands below the title of a run that has not gone as it should. */
function remark(s) {
  if (!s.passed) return `Failed: ${s.failure}`;
  const rows = s.reliability.rows_left_out;
  if (rows.length === 0) return "";
  return `Rows of PEs left out: ${rows.join(", ")}${s.reliability.degraded ? "; degraded, with the kernels for fewer rows" : ""}`;
}

function cards(run) {
  const s = run.summary;
  const entries = [
    ["time_s", "time", si(s.time_s, "s"), s.time_s], ["cycles", "cycles", grouped(s.cycles), s.cycles],
    ["energy_j", `energy with DRAM, profile ${profile(run)}`, si(s.energy_j, "J"), s.energy_j],
    ["average_power_w", "average power", si(s.average_power_w, "W"), s.average_power_w],
    ["peak_power_w", s.peak_power_w === null ? "peak power, not recorded" : `peak power, over windows of ${si(powerWindow(run), "s")}`, si(s.peak_power_w, "W"), s.peak_power_w],
    ["flops_per_s", `arithmetic, ${percent(s.peak_fraction)} of peak`, si(s.flops_per_s, "FLOP/s"), s.flops_per_s],
    ["dram_bytes", "DRAM traffic", si(s.dram_bytes, "B"), s.dram_bytes],
    ["utilisation.cal", "Cal issue slots used, of all cycles of the run", percent(s.utilisation.cal), s.utilisation.cal],
    ["utilisation_kernels.cal", "Cal issue slots used, of cycles with a kernel", percent(s.utilisation_kernels.cal), s.utilisation_kernels.cal],
    ["no_kernel_fraction", "of all cycles without a kernel on the array", percent(s.no_kernel_fraction), s.no_kernel_fraction],
    ["limited_by.share", s.limited_by === null ? "what limits, not known" : `what limits: ${s.limited_by.sentence}`, s.limited_by === null ? "-" : percent(s.limited_by.share), s.limited_by === null ? "-" : s.limited_by.share],
    ["verification.relative_error", s.verification.checked ? (s.verification.bit_exact ? "error; every bit as the reference"
      : "error; bits differ from the reference") : "not verified",
    s.verification.checked ? exponential(s.verification.relative_error) : "-", s.verification.relative_error],
    ...datasetCards(s.dataset),
    ...FIGURES.map(({ key, label, unit }) => [key, label, s[key] === null ? "-" : unit === "1" ? percent(s[key]) : si(s[key], unit), s[key]]),
    ["area_mm2", "area, estimated", `${Number(s.area_mm2.toPrecision(4))} mm\u00b2`, s.area_mm2],
    ["fidelity", "fidelity", s.fidelity, s.fidelity],
  ];
  return section("headline", title(run), remark(s), element("div", { class: "cards" },
    ...entries.map(([key, label, text, value]) => element("div", { class: "card", "data-key": key, "data-value": String(value) },
      element("b", {}, text), element("span", {}, label)))));
}

/** Whether times and energies of two runs can be compared. */
const sameWork = (a, b) => a.summary.passed && b.summary.passed && a.summary.inferences === b.summary.inferences &&
  JSON.stringify(a.network) === JSON.stringify(b.network);

function comparison() {
  const first = RUNS[0];
  const ratio = (run, key) => (sameWork(first, run) ? (first.summary[key] / run.summary[key]).toFixed(2) : "-");
  const rows = RUNS.map((run) => {
    const s = run.summary, n = run.network;
    const what = [run.directory, `${grouped(n.layers.length)} layers of ${grouped(n.hidden)}`, grouped(n.tokens), grouped(n.batch * s.inferences), profile(run)];
    return [...what, ...(s.passed ? [si(s.time_s, "s"), ratio(run, "time_s"), si(s.energy_j, "J"), ratio(run, "energy_j"), si(s.dram_bytes, "B"),
      percent(s.utilisation.cal), percent(s.peak_fraction)] : ["failed", "-", "-", "-", "-", "-", "-"])];
  });
  // Time and energy up to a failure say nothing.
  const bars = (name, axis, unit, key) => ({ name, axis, scale: 1e-3, unit, values: RUNS.map((run) => (run.summary.passed ? 1e3 * run.summary[key] : 0)),
    text: RUNS.map((run) => (run.summary.passed ? undefined : "failed")) });
  return section("runs", "Runs side by side",
    `Ratios are ${first.directory} over the run, above 1 where the run takes less; only between runs of the same network and as many inferences.`,
    lyingBars("runs-chart", "Time and energy of all runs", RUNS.map((run) => run.directory),
      [bars("time", "ms", "s", "time_s"), bars("energy", "mJ", "J", "energy_j")]),
    table(["run", "network", "tokens", "sequences", "profile", "time", "speed-up", "energy", "energy ratio", "DRAM", "Cal, of all cycles", "of peak"], rows));
}

function layers(run) {
  const outside = run.summary.outside_of_layers;
  const list = run.summary.layers.map((l) => ({ ...l, name: `${l.index} ${l.mixing}` }));
  if (outside) list.push({ ...outside, name: "(outside of the layers)", projections: "-", ffn: "-", relative_error: null });
  return section("layers", "Layers", "The time up to the completion of a kernel, from that of the kernel before it, counts to the layer of the kernel, and with it all energy and traffic of that time. What comes after the last kernel counts as that kernel; embedding and classifier head lie outside of the layers. The rows add up to the run.",
    chart("layers-chart", "Time and energy of each layer", {
      ...base, grid, legend: { top: 5 }, tooltip: { trigger: "axis" },
      xAxis: { type: "category", data: list.map((l) => l.name), axisLabel: { rotate: list.length > 8 ? 45 : 0 } },
      yAxis: [{ type: "value", name: "ms" }, { type: "value", name: "mJ", splitLine: { show: false } }],
      series: [{ name: "time", type: "bar", barMaxWidth: 60, data: list.map((l) => 1e3 * l.time_s), tooltip: shown(1e-3, "s") },
        { name: "energy", type: "bar", barMaxWidth: 60, yAxisIndex: 1, data: list.map((l) => 1e3 * l.energy_j), tooltip: shown(1e-3, "J") }],
    }), details("Figures", table(["layer", "projections", "FFN", "cycles", "time", "energy", "DRAM", "load", "cal", "flow", "store", "error"],
      list.map((l) => [l.name, l.projections, l.ffn, grouped(l.cycles), si(l.time_s, "s"), si(l.energy_j, "J"), si(l.dram_bytes, "B"),
        ...UNITS.map((u) => percent(l.utilisation[u])), l.relative_error === null ? (run.summary.verification.checked && l.index !== undefined ? exponential(null) : "-") : exponential(l.relative_error)]))));
}

const STATES = { active: "array active: a kernel on the PE", idle: "array idle: no kernel, clocked", gated: "array gated: no clock",
  retention: "array in retention", rest_of_soc: "rest of the SoC" };

function energy(run) {
  const s = run.summary, share = (joules) => percent(joules / s.energy_j);
  const components = Object.entries(s.energy_by_component_j).sort((a, b) => b[1] - a[1]);
  const kernels = Object.entries(s.energy_by_kernel_j).sort((a, b) => b[1] - a[1]);
  const actions = components.flatMap(([component]) => Object.entries(s.energy_by_action_j[component])
    .sort((a, b) => b[1] - a[1]).map(([action, joules]) => [component, action, joules]));
  const bars = (id, label, list) => lyingBars(id, label, list.map(([name]) => name), [{ name: "energy", axis: "mJ", scale: 1e-3, unit: "J",
    values: list.map(([, joules]) => 1e3 * joules), text: list.map(([, joules]) => `${si(joules, "J")}, ${share(joules)}`) }]);
  return section("energy", "Energy", `By component, by action of the DRAM, and the kernels with the most of it. Profile ${profile(run)}: ${run.prices.description}.`,
    bars("energy-components", "Energy by component", components),
    bars("energy-dram", "Energy of the DRAM by action; standby is its background",
      Object.entries(s.energy_by_action_j.dram).sort((a, b) => b[1] - a[1])),
    bars("energy-kernels", "Kernels with the most energy", kernels.slice(0, 12)),
    details("Energy by component and action", table(["component", "action", "energy", "share"],
      actions.filter(([, , joules]) => joules > 0).map(([component, action, joules]) => [component, action, si(joules, "J"), share(joules)]))),
    details("Energy by power state of the array", table(["state", "cycles of all PEs", "energy", "share"],
      Object.entries(STATES).map(([state, text]) => [text, state in s.power_state_cycles ? grouped(s.power_state_cycles[state]) : "-",
        si(s.energy_by_power_state_j[state], "J"), share(s.energy_by_power_state_j[state])]))),
    details("Energy by kernel", table(["kernel", "energy", "share"], kernels.map(([name, joules]) => [name, si(joules, "J"), share(joules)]))),
    details("Prices with sources", table(["component", "action", "one costs", "source", "confidence"], [
      ...run.prices.actions.map((p) => [p.component, p.name, si(p.picojoules * 1e-12, "J"), p.source, p.confidence]),
      ...run.prices.background.map((p) => [p.component, p.name, si(p.watts, "W"), p.source, p.confidence])])));
}

function area(run) {
  const s = run.summary, components = Object.entries(s.area_by_component_mm2).sort((a, b) => b[1] - a[1]);
  return section("area", "Area", `An estimate at ${run.prices.area_technology_nm} nm for comparing configurations: wires between the blocks, pads and test logic are left out.`,
    lyingBars("area-chart", "Area by component", components.map(([name]) => name), [{ name: "area", axis: "mm\u00b2", scale: 1, unit: "mm\u00b2",
      values: components.map(([, mm2]) => mm2), text: components.map(([, mm2]) => `${mm2.toFixed(2)} mm\u00b2`) }]),
    details("Parts with sources", table(["component", "part", "mm\u00b2", "source", "confidence"],
      run.prices.area.map((p) => [p.component, p.name, p.mm2.toFixed(4), p.source, p.confidence]))));
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
  return section("kernels", "Kernels", "Utilisation is issue slots used over the cycles with the kernel on the array. Energy is that of all the time since the kernel before completed, with waiting, filling and transfers.",
    chart("kernels-chart", "Utilisation of Cal in the longest kernels", {
      ...base, grid: { ...grid, left: 210 }, tooltip: { valueFormatter: (v) => `${v.toFixed(1)} %` },
      xAxis: { type: "value", name: "Cal %", max: 100 },
      yAxis: { type: "category", data: top.map((k) => k.name), axisLabel: { width: 200, overflow: "truncate" } },
      series: [{ type: "bar", data: top.map((k) => 100 * k.utilisation.cal) }],
    }, 120 + 20 * top.length), details("All kernels", table(["kernel", "launches", "cycles on the array", "energy, waits included", ...UNITS],
      list.map((k) => [k.name, grouped(k.launches), grouped(k.cycles), si(k.energy_j, "J"), ...UNITS.map((u) => percent(k.utilisation[u]))]))));
}

function roofline(run) {
  const value = (key) => run.parameters[key].value;
  // Runs of an earlier version have no such parameter: their DRAM was DDR4.
  const transfers = run.parameters["soc.dram.transfers_per_clock"]?.value ?? 2;
  const bandwidth = transfers * value("soc.dram.channels") * value("soc.dram.bus_bytes") * value("soc.dram.clock_hz");
  const peak = run.summary.peak_flops_per_s;
  const points = run.summary.layers.filter((l) => l.dram_bytes > 0 && l.flops > 0)
    .map((l) => ({ name: `layer ${l.index} ${l.mixing}`, value: [l.flops / l.dram_bytes, l.flops / l.time_s] }));
  const edge = peak / bandwidth;
  const low = Math.min(1, ...points.map((p) => p.value[0] / 2)), high = Math.max(10 * edge, ...points.map((p) => 2 * p.value[0]));
  return section("roofline", "Roofline", `Layers under the array's peak (${si(peak, "FLOP/s")}, fused multiply-adds) and the DRAM's (${si(bandwidth, "B/s")}). Butterflies in pairs reach at most 75 % of the peak.`,
    chart("roofline-chart", "Layers in the roofline of array and DRAM", {
      ...base, grid, tooltip: { formatter: (p) => (p.name ? `${escaped(p.name)}<br>${si(p.value[0], "FLOP/B")}<br>${si(p.value[1], "FLOP/s")}` : "") },
      xAxis: { type: "log", name: "FLOP/B", min: low, max: high, nameLocation: "middle", nameGap: 28, axisLabel: { formatter: (v) => Number(v.toPrecision(2)) } },
      yAxis: { type: "log", name: "FLOP/s", axisLabel: { formatter: (v) => si(v, "") } },
      series: [{ type: "line", symbol: "none", data: [[low, bandwidth * low], [edge, peak], [high, peak]] },
        { type: "scatter", symbolSize: 11, data: points }],
    }), details("Figures", table(["layer", "FLOP/B", "FLOP/s", "bound by", "of the bound"], points.map((p) => {
      const bound = Math.min(peak, bandwidth * p.value[0]);
      return [p.name, p.value[0].toPrecision(4), si(p.value[1], "FLOP/s"), bound === peak ? "array" : "DRAM", percent(p.value[1] / bound)];
    }))));
}

function heat(id, label, columns, rows, data, unit) {
  return chart(id, label, {
    ...base, grid: { left: 50, right: 30, top: 20, bottom: 80 }, tooltip: { formatter: (p) => escaped(`(${p.value[0]}, ${p.value[1]}): ${grouped(p.value[2])} ${unit}`) },
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
  if (map.cal_issue.length < map.rows * map.columns) {
    return section("array", "Array", `Cal used ${grouped(map.cal_issue[0])} issue slots in all ${map.rows * map.columns} PEs together. They were simulated in lockstep (fidelity fast): there are no figures of one PE or link.`);
  }
  const charts = [heat("pe-map", "Issue slots used by Cal in each PE", columns, rows, pes, "issue slots of Cal")];
  if (map.links.length > 0) {
    // A link lies between its router and the one it leads to.
    const across = [...Array(2 * map.columns - 1).keys()].map((i) => (i % 2 ? "" : String(i / 2)));
    const down = [...Array(2 * map.rows - 1).keys()].map((i) => (i % 2 ? "" : String(i / 2)));
    const cells = new Map();
    for (const link of map.links) {
      // A skip link passes two cells, each with half of its vectors.
      const passed = Math.max(Math.abs(link.to_x - link.x), Math.abs(link.to_y - link.y));
      for (let i = 0; i < passed; ++i) {
        const between = (from, to) => 2 * from + (2 * i + 1) * (to - from) / passed;
        const key = `${between(link.x, link.to_x)},${between(link.y, link.to_y)}`;
        cells.set(key, (cells.get(key) || 0) + link.vectors / passed);
      }
    }
    charts.push(heat("link-map", "Vectors over the links of the mesh", across, down,
      [...cells].map(([key, vectors]) => [...key.split(",").map(Number), vectors]), "vectors, both ways"));
  }
  return section("array", "Array", "Issue slots of Cal in each PE, and vectors over each link (a cell between two PEs; half of a skip link's vectors in each of the two cells that it passes).", element("div", { class: "two" }, ...charts),
    details("Issue slots of Cal by PE", table(["PE at x, y", "issue slots"], pes.map(([x, y, issue]) => [`PE ${x}, ${y}`, grouped(issue)]))),
    ...(map.links.length > 0 ? [details("Links", table(["link from x, y to x, y", "vectors", "cycles waited"],
      map.links.map((l) => [`from ${l.x}, ${l.y} to ${l.to_x}, ${l.to_y}`, grouped(l.vectors), grouped(l.stall_cycles)])))] : []));
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

/** Begins of windows in the unit of the run's time, with digits enough to tell them apart. */
function timeLabels(windows) {
  const [factor, unit] = [[1, "s"], [1e-3, "ms"], [1e-6, "\u00b5s"]].find(([f]) => windows.end_s.at(-1) >= f) || [1e-9, "ns"];
  const digits = Math.max(0, 1 - Math.floor(Math.log10((windows.end_s[0] - windows.begin_s[0]) / factor)));
  return { unit, labels: windows.begin_s.map((t) => (t / factor).toFixed(digits)) };
}

function power(run) {
  if (!run.power) return section("power", "Power over time", "Not recorded (record.power_window_s).");
  const windows = coarser(run.power, 600);
  const time = timeLabels(windows);
  const components = Object.keys(windows).filter((name) => name.endsWith("_w") && name !== "total_w");
  const few = coarser(run.power, 50);
  const axes = { grid: { ...grid, bottom: 85 }, legend: { top: 5 }, dataZoom: [{ type: "slider", height: 16, bottom: 5 }],
    xAxis: { type: "category", data: time.labels, name: time.unit, nameLocation: "middle", nameGap: 26 } };
  const line = (name, values, more) => ({ name, type: "line", step: "end", symbol: "none", data: values, ...more });
  return section("power", "Power over time", `Windows of ${si(windows.end_s[0] - windows.begin_s[0], "s")}; the area is the energy.`,
    chart("power-chart", "Power by component over time", { ...base, ...axes, yAxis: { type: "value", name: "W" },
      tooltip: { trigger: "axis", valueFormatter: (v) => si(v, "W") },
      series: components.map((name) => ({ name: name.slice(0, -2), type: "bar", stack: "power", barCategoryGap: 0, data: windows[name] })) }),
    chart("traffic-chart", "DRAM traffic and utilisation of the units over time", { ...base, ...axes, tooltip: { trigger: "axis" },
      yAxis: [{ type: "value", name: "GB/s" }, { type: "value", name: "%", max: 100, splitLine: { show: false } }],
      series: [...["read", "written"].map((way) => line(`DRAM ${way}`, windows[`dram_${way}_bytes_per_s`].map((v) => v / 1e9), { tooltip: shown(1e9, "B/s") })),
        ...UNITS.map((unit) => line(unit, windows[`${unit}_utilisation`].map((v) => 100 * v),
          { yAxisIndex: 1, tooltip: { valueFormatter: (v) => `${v.toFixed(1)} %` } }))] }, 300),
    details("Figures, of longer windows", table(["from", "to", "total", ...components.map((name) => name.slice(0, -2)), "DRAM read", "DRAM written", ...UNITS],
      few.begin_s.map((begin, i) => [si(begin, "s"), si(few.end_s[i], "s"), si(few.total_w[i], "W"), ...components.map((name) => si(few[name][i], "W")),
        si(few.dram_read_bytes_per_s[i], "B/s"), si(few.dram_written_bytes_per_s[i], "B/s"), ...UNITS.map((unit) => percent(few[`${unit}_utilisation`][i]))]))));
}

function plan(run) {
  const tasks = run.summary.plan.tasks, half = run.parameters["soc.scratchpad.size_bytes"].value / 2;
  const names = tasks.map((t) => t.name);
  return section("plan", "Plan and memory", "What each task keeps in a half of the scratchpad while its tiles pass.",
    chart("memory-chart", "Scratchpad bytes of each task", {
      ...base, grid: { ...grid, bottom: 110 }, legend: { top: 5 }, tooltip: { trigger: "axis", valueFormatter: (v) => si(v, "B") },
      xAxis: { type: "category", data: names, axisLabel: { rotate: 40, width: 150, overflow: "truncate" } },
      yAxis: quarters(half, "B"),
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

/** A part of the page; where its data are of no use, a part that says so: the others are shown all the same. */
function part(make, run) {
  const before = charts.length;
  try {
    return make(run);
  } catch (error) {
    charts.length = before;
    return section(make.name === "cards" ? "headline" : make.name, `This part cannot be shown: ${make.name}`,
      `The run's files have values that it cannot draw (${error.message}).`);
  }
}

function show(run) {
  for (const { instance } of charts) if (instance) instance.dispose();
  charts.length = 0;
  const main = document.getElementById("main");
  const parts = [cards, ...(RUNS.length > 1 ? [comparison] : []), layers, energy, area, stalls, kernels, roofline, array, power, plan,
    parameters].map((make) => part(make, run));
  main.replaceChildren(...parts);
  document.title = title(run);
  document.getElementById("contents").replaceChildren(...parts.map((part) =>
    element("a", { href: `#${part.id}` }, part.id === "headline" ? "Headline" : part.querySelector("h2").textContent)));
  drawCharts();
}

const select = document.getElementById("run");
select.append(...RUNS.map((run, i) => element("option", { value: String(i) }, run.directory)));
select.addEventListener("change", () => {
  show(RUNS[Number(select.value)]);
  measureHeader();
});
show(RUNS[0]);
measureHeader();
