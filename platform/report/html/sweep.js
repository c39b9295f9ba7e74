// SWEEP: what analysis_json() makes: {name, objectives, minimise, axes: [{name, values, numeric}],
// points: [{point, values, objectives, feasible, front, limited_by}], effects, sentences}

const points = SWEEP.points.filter((point) => point.objectives.length === SWEEP.objectives.length);
const basePoint = points.find((point) => point.point === 0);
const varying = SWEEP.axes.map((axis, index) => ({ ...axis, index })).filter((axis) => axis.values.length > 1);
const short = (name) => name.split("+").map((key) => key.split(".").pop()).join("+");
const figure = (value) => Number(value.toPrecision(4)).toString();
const design = (point) => point.point === 0 ? "the base" : varying.map((axis) => `${short(axis.name)} ${point.values[axis.index]}`).join(", ");
const better = (a, b, i) => SWEEP.minimise[i] ? a - b : b - a;
const objectiveAxis = (i) => ({ type: "value", name: SWEEP.objectives[i], nameLocation: "middle", nameGap: 30, scale: true,
  axisLabel: { formatter: (value) => value.toExponential(1) } });

function answer() {
  return section("answer", SWEEP.name, `${points.length} points with all objectives, ${points.filter((p) => p.front).length} on the Pareto front.`,
    element("ul", {}, ...SWEEP.sentences.map((sentence) => element("li", {}, sentence))));
}

/** Two objectives against each other; the front is a line, the base has a mark of its own. */
function scatter(a, b) {
  const place = (point) => ({ value: [point.objectives[a], point.objectives[b]], point });
  const front = points.filter((p) => p.front).sort((p, q) => p.objectives[a] - q.objectives[a]);
  const label = `${SWEEP.objectives[b]} against ${SWEEP.objectives[a]}`;
  return chart(`front-${a}-${b}`, label, {
    ...base, grid: { ...grid, left: 90 }, legend: { top: 0 }, xAxis: objectiveAxis(a), yAxis: { ...objectiveAxis(b), nameGap: 60 },
    tooltip: { formatter: (p) => escaped(`point ${p.data.point.point}: ${design(p.data.point)}; ${SWEEP.objectives[a]} ${figure(p.data.value[0])}, `
      + `${SWEEP.objectives[b]} ${figure(p.data.value[1])}`) },
    series: [
      { name: "points", type: "scatter", symbolSize: 5, itemStyle: { opacity: .5 }, data: points.filter((p) => !p.front && p.feasible).map(place) },
      { name: "break a constraint", type: "scatter", symbolSize: 4, itemStyle: { opacity: .35 }, data: points.filter((p) => !p.feasible && p.point !== 0).map(place), color: COLORS[5] },
      { name: "Pareto front", type: SWEEP.objectives.length === 2 ? "line" : "scatter", step: "end", symbolSize: 8, data: front.map(place), color: COLORS[1] },
      { name: "base", type: "scatter", symbol: "diamond", symbolSize: 14, data: basePoint ? [place(basePoint)] : [], color: COLORS[4] },
    ],
  }, 420);
}

function fronts() {
  const pairs = [];
  for (let a = 0; a < SWEEP.objectives.length; ++a) for (let b = a + 1; b < SWEEP.objectives.length; ++b) pairs.push(scatter(a, b));
  if (pairs.length === 0) return null;
  return section("front", "Pareto front", "No other point is at least as good as one on the front in every objective and better in one.",
    element("div", { class: "two" }, ...pairs));
}

/** What an axis does to an objective: one at a time from the base, and over all points. */
function effects() {
  const parts = SWEEP.effects.map((list, i) => {
    const known = list.filter((effect) => effect.least !== null && effect.largest > effect.least);
    const rows = table(["axis", "of the variance", "least, over the base", "at", "largest, over the base", "at"],
      list.map((effect) => [effect.axis, percent(effect.variance_share), effect.least === null ? "-" : effect.least.toFixed(3), effect.least_value || "-",
        effect.largest === null ? "-" : effect.largest.toFixed(3), effect.largest_value || "-"]));
    if (known.length === 0) return element("div", {}, element("h3", {}, SWEEP.objectives[i]), rows);
    const names = known.map((effect) => short(effect.axis)).reverse();
    const bar = (side) => known.map((effect) => effect[side] - 1).reverse();
    return element("div", {}, chart(`effect-${i}`, `${SWEEP.objectives[i]} with one axis changed, over that of the base`, {
      ...base, grid: { left: 150, right: 40, top: 40, bottom: 50 }, legend: { top: 0 },
      xAxis: { type: "value", name: SWEEP.objectives[i], nameLocation: "middle", nameGap: 28, axisLabel: { formatter: (v) => (v + 1).toFixed(2) } },
      yAxis: { type: "category", data: names },
      tooltip: { valueFormatter: (value) => `${(value + 1).toFixed(3)} times the base` },
      series: [{ name: "least", type: "bar", stack: "all", data: bar("least") }, { name: "largest", type: "bar", stack: "all", data: bar("largest") }],
    }, 110 + 34 * known.length), rows);
  });
  return section("effects", "What each axis does", "Bars: one axis changed from the base, the others as in it. Share of the variance: what the axis explains by itself over all points.",
    element("div", { class: "two" }, ...parts));
}

function parallel() {
  if (varying.length < 2) return null;
  const last = varying.length;
  return section("parallel", "All points", "One line a point, from axis to axis; the darker, the better in the first objective.", chart("parallel-chart", "parallel coordinates of all points", {
    ...base, parallel: { left: 60, right: 90, top: 60, bottom: 30 },
    parallelAxis: [...varying.map((axis, dim) => ({ dim, name: short(axis.name), type: "category", data: axis.values, axisLabel: { width: 90, overflow: "truncate" } })),
      { dim: last, name: SWEEP.objectives[0], type: "value", scale: true, axisLabel: { formatter: (value) => value.toExponential(1) } }],
    visualMap: { show: false, dimension: last, min: Math.min(...points.map((p) => p.objectives[0])), max: Math.max(...points.map((p) => p.objectives[0])),
      inRange: { color: SWEEP.minimise[0] ? ["#123f5e", "#c9d8e3"] : ["#c9d8e3", "#123f5e"] } },
    series: [{ type: "parallel", lineStyle: { width: 1, opacity: .45 }, data: points.filter((p) => p.point !== 0 && p.feasible).map((p) => [...varying.map((axis) => p.values[axis.index]), p.objectives[0]]) }],
  }, 420));
}

/** The best first objective for each pair of values of the two axes that matter most. */
function heat() {
  if (varying.length < 2) return null;
  const order = (SWEEP.effects[0] || []).map((effect) => varying.find((axis) => axis.name === effect.axis)).filter((axis) => axis);
  const [x, y] = [order[0], order[1]];
  const best = new Map();
  for (const point of points) {
    if (point.point === 0 || !point.feasible) continue;
    const key = `${x.values.indexOf(point.values[x.index])},${y.values.indexOf(point.values[y.index])}`;
    if (!best.has(key) || better(point.objectives[0], best.get(key), 0) < 0) best.set(key, point.objectives[0]);
  }
  const data = [...best].map(([key, value]) => [...key.split(",").map(Number), value]);
  const values = data.map((cell) => cell[2]);
  return section("heat", "Two axes", `The best ${SWEEP.objectives[0]} for each pair of values, whatever the other axes.`, chart("heat-chart", `best ${SWEEP.objectives[0]} over ${x.name} and ${y.name}`, {
    ...base, grid: { left: 110, right: 120, top: 30, bottom: 60 }, xAxis: { type: "category", name: short(x.name), nameLocation: "middle", nameGap: 30, data: x.values },
    yAxis: { type: "category", name: short(y.name), data: y.values }, tooltip: { formatter: (p) => escaped(`${x.values[p.data[0]]}, ${y.values[p.data[1]]}: ${figure(p.data[2])}`) },
    visualMap: { min: Math.min(...values), max: Math.max(...values), right: 0, top: "middle", formatter: (value) => value.toExponential(1),
      inRange: { color: SWEEP.minimise[0] ? ["#123f5e", "#e8eff4"] : ["#e8eff4", "#123f5e"] } },
    series: [{ type: "heatmap", data, label: { show: data.length <= 64, formatter: (p) => figure(p.data[2]) } }],
  }, 420));
}

/** All points; a heading sorts by its column, the field keeps the rows that contain its text. */
function pointsTable() {
  const heading = ["point", ...SWEEP.objectives, ...(basePoint ? ["over the base"] : []), ...varying.map((axis) => short(axis.name)), "busiest", "front", "constraints"];
  const all = points.map((point) => [point.point, ...point.objectives, ...(basePoint ? [point.objectives[0] / basePoint.objectives[0]] : []),
    ...varying.map((axis) => { const value = point.values[axis.index]; return value === null ? "base" : value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value; }),
    point.limited_by ?? "-", point.front ? "front" : "", point.feasible ? "met" : "broken"]);
  const shown = (cell) => typeof cell === "number" && !Number.isInteger(cell) ? figure(cell) : String(cell);
  let column = 1, falling = !SWEEP.minimise[0];
  const place = element("div", { id: "rows" });
  const field = element("input", { type: "search", "aria-label": "Rows that contain", placeholder: "rows that contain ..." });
  const draw = () => {
    const text = field.value.toLowerCase();
    const rows = all.filter((row) => row.some((cell) => shown(cell).toLowerCase().includes(text)))
      .sort((a, b) => (falling ? -1 : 1) * (typeof a[column] === "number" && typeof b[column] === "number" ? a[column] - b[column] : String(a[column]).localeCompare(String(b[column]))));
    const node = table(heading, rows.map((row) => row.map(shown)));
    node.querySelectorAll("th").forEach((cell, i) => {
      const button = element("button", { type: "button" }, cell.textContent + (i === column ? (falling ? " \u25bc" : " \u25b2") : ""));
      button.addEventListener("click", () => { falling = i === column ? !falling : false; column = i; draw(); });
      cell.replaceChildren(button);
    });
    place.replaceChildren(node);
  };
  field.addEventListener("input", draw);
  draw();
  return section("points", "Points", "A heading sorts. Only axes that vary are shown.", field, place);
}

const parts = [answer(), fronts(), effects(), heat(), parallel(), pointsTable()].filter((part) => part);
document.getElementById("main").replaceChildren(...parts);
document.title = SWEEP.name;
document.getElementById("contents").replaceChildren(...parts.map((part) => element("a", { href: `#${part.id}` }, part.id === "answer" ? "Answer" : part.querySelector("h2").textContent)));
drawCharts();
measureHeader();
