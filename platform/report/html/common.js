// SPDX-License-Identifier: Apache-2.0
"use strict";
// What the pages share: texts, elements, tables, charts.

const COLORS = ["#22628f", "#d1803c", "#4d8f4a", "#9a5ba5", "#b8433f", "#7a8794", "#b59a2a", "#3aa0a0", "#c06c98", "#5c6bb0"];
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
/** An error that is not finite is null in JSON. */
const exponential = (error) => (error === null ? "not finite" : error.toExponential(2));
const sum = (values) => values.reduce((a, b) => a + b, 0);

/** Text in markup: ECharts takes what a formatter returns for HTML. */
const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function table(heading, rows) {
  // Paper is narrow: a line of text may break anywhere there, but not in a short name.
  const kind = (cell) => typeof cell !== "string" || !/[a-z]{3}/i.test(cell) ? {} : { class: /^\S{1,16}$/.test(cell) ? "text short" : "text" };
  const line = (cells, tag) => element("tr", {}, ...cells.map((cell) => element(tag, tag === "th" ? { scope: "col" } : kind(cell), String(cell))));
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

/** Formats what a tooltip shows: `value` is in `scale` of `unit`. */
const shown = (scale, unit) => ({ valueFormatter: (value) => si(value * scale, unit) });

/** A value axis whose last tick does not lie on its neighbour: `max` in four equal steps. */
const quarters = (max, unit) => ({ type: "value", min: 0, max, interval: max / 4, axisLabel: { formatter: (v) => si(v, unit) } });

/** Bars that lie, one a name: names of any length can be read. Series: [{name, scale, unit, values}], an axis each. */
function lyingBars(id, label, names, series) {
  const place = (i) => (series.length === 1 ? { left: 210, right: 140 } : { left: i === 0 ? 210 : "66%", width: i === 0 ? "28%" : "22%" });
  return chart(id, label, {
    ...base, title: { text: label, left: 0, top: 0, textStyle: { fontSize: 13, fontWeight: "normal" } },
    grid: series.map((s, i) => ({ ...place(i), top: 34, bottom: 45 })), tooltip: {},
    xAxis: series.map((s, i) => ({ type: "value", gridIndex: i, name: `${s.name}, ${s.axis}`, nameLocation: "middle", nameGap: 28, splitNumber: 4 })),
    yAxis: series.map((s, i) => ({ type: "category", gridIndex: i, inverse: true, data: names,
      axisLabel: i === 0 ? { interval: 0, width: 195, overflow: "breakAll", lineHeight: 13 } : { show: false } })),
    series: series.map((s, i) => ({ name: s.name, type: "bar", xAxisIndex: i, yAxisIndex: i, barMaxWidth: 26, data: s.values,
      tooltip: shown(s.scale, s.unit), label: { show: true, position: "right", formatter: (p) => s.text?.[p.dataIndex] ?? si(p.value * s.scale, s.unit) } })),
  }, 100 + (series.length === 1 ? 30 : 46) * Math.max(2, names.length));
}

const grid = { left: 70, right: 70, top: 45, bottom: 55 };
const base = { color: COLORS, animation: false, textStyle: { fontFamily: "system-ui, sans-serif" } };

/** Draws all charts, whose places are in the document by now. */
function drawCharts() {
  for (const entry of charts) {
    entry.instance = echarts.init(entry.node, null, { renderer: "svg" });
    try {
      entry.instance.setOption(entry.option);
    } catch (error) {
      entry.node.append(element("p", {}, `This chart cannot be drawn (${error.message}).`));
    }
    entry.height = entry.instance.getHeight();
  }
  document.body.dataset.charts = String(charts.length);
}

window.addEventListener("error", (event) => { document.body.dataset.error = event.message; });

/** The header hides what lies under it: headings that are jumped to must clear it. */
function measureHeader() {
  document.documentElement.style.setProperty("--header", `${document.querySelector("header").offsetHeight}px`);
}
let printing = false;
window.addEventListener("resize", () => {
  if (printing) return;
  for (const { instance } of charts) instance.resize();
  measureHeader();
});

/** Paper has a width of its own: charts are laid out for A4, and the page's style scales them to what there is. */
const paperWidth = 680;
let closed = [];
window.addEventListener("beforeprint", () => {
  printing = true;
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const node of closed) node.open = true;
  for (const { node, instance, height } of charts) {
    instance.resize({ width: paperWidth, height });
    instance.getZr().flush();  // there will be no other frame before the print
    node.querySelector("svg").setAttribute("viewBox", `0 0 ${paperWidth} ${height}`);
  }
});
window.addEventListener("afterprint", () => {
  printing = false;
  for (const node of closed) node.open = false;
  for (const { node, instance } of charts) {
    node.querySelector("svg").removeAttribute("viewBox");
    instance.resize({ width: "auto", height: "auto" });
  }
});
