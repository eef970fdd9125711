// One picture of an answer: a line, bars or points. It is drawn of the rows that have come, in the page's
// own colours; what it leaves out it says.
import { el, isNumber, textOf } from "./answer.js";
import { svgOf } from "./ask.js";
import { many, say } from "./say.js";
import { isTime, numberOf, short, shortTime, ticksOf } from "./scale.js";

const rowsMax = 200_000; // that are looked at
const pointsMax = 4_000; // of scattered points; more are thinned out
const barsMax = 60;
const seriesMax = 8;
const sampled = 500; // rows that tell whether a column has few values
const labelChars = 14;
const size = { width: 960, height: 400, left: 64, right: 32, top: 14, bottom: 46 };

const kinds = ["line", "bar", "scatter"];
const measures = (rows) => rows.columns.filter((c) => isNumber(c.type)).map((c) => c.name);

/** Whether there is something to draw. */
export const chartable = (rows) => measures(rows).length > 0;

const few = (rows, column) => {
  const at = rows.columns.indexOf(column);
  const seen = new Set();
  for (let i = 0; i < Math.min(rows.count, sampled) && seen.size <= seriesMax; i++) seen.add(textOf(rows.row(i)[at]));
  return seen.size <= seriesMax;
};

/** What is drawn at first: over time a line, over names bars, over numbers points. */
function first(rows) {
  const { columns } = rows;
  const time = columns.find((c) => isTime(c.type));
  const name = columns.find((c) => !isNumber(c.type) && !isTime(c.type));
  const numbers = measures(rows);
  const x = time ?? name ?? columns[0];
  const y = numbers.find((n) => n !== x.name) ?? numbers[0];
  return { kind: time ? "line" : name ? "bar" : numbers.length > 1 ? "scatter" : "bar", x: x.name, y, by: time && name && few(rows, name) ? name.name : "" };
}

/** What is drawn, of what was asked for and of what there is. */
function chosen(answer) {
  const { columns } = answer.rows;
  const has = (n) => columns.some((c) => c.name === n);
  const want = answer.chart ?? {};
  const usual = first(answer.rows);
  const asked = has(want.x) && has(want.y);
  answer.chart = { kind: kinds.includes(want.kind) ? want.kind : usual.kind, x: has(want.x) ? want.x : usual.x, y: has(want.y) ? want.y : usual.y, by: has(want.by) ? want.by : asked ? "" : usual.by };
  return answer.chart;
}

/** Fills the place of the chart's choices. */
export function chartControls(box, answer, changed) {
  const on = answer.view === "chart" && answer.rows.columns && chartable(answer.rows);
  box.hidden = !on;
  if (!on) { box.replaceChildren(); delete box.dataset.of; return; }
  const chart = chosen(answer);
  const now = `${answer.id} ${JSON.stringify(chart)}`;
  if (box.dataset.of === now) return;
  box.dataset.of = now;
  const names = answer.rows.columns.map((c) => c.name);
  const field = (key, label, options) => {
    const select = el("select");
    select.setAttribute("aria-label", label);
    select.dataset.key = key;
    select.append(...options.map(([value, text]) => { const o = el("option", "", text); o.value = value; o.selected = value === chart[key]; return o; }));
    select.onchange = () => {
      answer.chart = { ...chart, [key]: select.value };
      changed();
      box.querySelector(`[data-key="${key}"]`)?.focus();
    };
    const wrap = el("label", "field");
    wrap.append(el("span", "", label), select);
    return wrap;
  };
  box.replaceChildren(
    field("kind", say("Chart"), [["line", say("line")], ["bar", say("bars")], ["scatter", say("points")]]), field("x", say("across"), names.map((n) => [n, n])),
    field("y", say("up"), measures(answer.rows).map((n) => [n, n])), field("by", say("a colour for each"), [["", say("nothing")], ...names.map((n) => [n, n])]),
  );
}

/** The rows as {x, text, y, by}, and what was left out. */
function points(rows, chart) {
  const at = (name) => rows.columns.findIndex((c) => c.name === name);
  const [x, y, by] = [at(chart.x), at(chart.y), chart.by ? at(chart.by) : -1];
  const type = rows.columns[x].type;
  const numeric = isNumber(type) || isTime(type);
  const out = [];
  const most = Math.min(rows.count, rowsMax);
  for (let i = 0; i < most; i++) {
    const row = rows.row(i);
    const value = { x: numeric ? numberOf(row[x], type) : i, text: textOf(row[x]), y: numberOf(row[y], ""), by: by < 0 ? "" : textOf(row[by]) };
    if (Number.isFinite(value.y) && Number.isFinite(value.x)) out.push(value);
  }
  const left = [];
  if (rows.count > most) left.push(many(most, "of the first %s row", "of the first %s rows"));
  if (most - out.length > 0) left.push(many(most - out.length, "%s row without a value left out", "%s rows without a value left out"));
  return { all: out, numeric, time: isTime(type), left };
}

/** Values by series, the largest first; the rest is told. */
function series(all, left) {
  const by = new Map();
  for (const p of all) {
    if (!by.has(p.by)) by.set(p.by, []);
    by.get(p.by).push(p);
  }
  const list = [...by].map(([name, of]) => ({ name, of })).sort((a, b) => b.of.length - a.of.length);
  if (list.length > seriesMax) left.push(say("%s of %s colours", seriesMax, list.length));
  return list.slice(0, seriesMax);
}

function thinned(list, most) {
  if (list.length <= most) return list;
  const step = list.length / most;
  return Array.from({ length: most }, (_, i) => list[Math.floor(i * step)]);
}

/** A line keeps, of each of the picture's columns, its least and its most. */
function outline(list, low, high) {
  const columns = size.width - size.left - size.right;
  if (list.length <= 2 * columns) return list;
  const ends = new Map();
  for (const p of list) {
    const c = Math.floor((p.x - low) / (high - low || 1) * columns);
    const e = ends.get(c);
    if (!e) ends.set(c, { low: p, high: p });
    else if (p.y < e.low.y) e.low = p;
    else if (p.y > e.high.y) e.high = p;
  }
  return [...ends.values()].flatMap(({ low: a, high: b }) => (a === b ? [a] : a.x <= b.x ? [a, b] : [b, a]));
}

function svg(name, attributes = {}, text) {
  const e = svgOf(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}

/** The frame: axes with round places, and the ways from values to places. */
function frame(picture, { lowX, highX, lowY, highY, time, bars }) {
  const right = size.width - size.right;
  const bottom = size.height - size.bottom;
  const atX = (v) => size.left + (highX > lowX ? (v - lowX) / (highX - lowX) : 0.5) * (right - size.left);
  const atY = (v) => bottom - (highY > lowY ? (v - lowY) / (highY - lowY) : 0.5) * (bottom - size.top);
  for (const v of ticksOf(lowY, highY, 6)) {
    const y = atY(v).toFixed(1);
    picture.append(svg("path", { d: `M${size.left} ${y}H${right}`, class: v === 0 ? "axis" : "rule" }), svg("text", { x: size.left - 8, y: Number(y) + 4, class: "up" }, short(v)));
  }
  if (!bars) {
    for (const v of ticksOf(lowX, highX, Math.max(2, Math.floor(size.width / 120)), time)) {
      const x = atX(v).toFixed(1);
      picture.append(svg("path", { d: `M${x} ${bottom}v5`, class: "axis" }), svg("text", { x, y: bottom + 18, class: "across" }, time ? shortTime(v, highX - lowX) : short(v)));
    }
  }
  picture.append(svg("path", { d: `M${size.left} ${bottom}H${right}`, class: "axis" }));
  return { atX, atY, bottom, right };
}

const extent = (list, of) => list.reduce(([low, high], p) => [Math.min(low, of(p)), Math.max(high, of(p))], [Infinity, -Infinity]);

/** Room around what is drawn, and zero where it is near. */
function around([low, high]) {
  if (low > 0 && low < (high - low) * 2) low = 0;
  if (high < 0 && -high < (high - low) * 2) high = 0;
  const pad = (high - low) * 0.04 || Math.abs(high) * 0.1 || 1;
  return [low === 0 ? 0 : low - pad, high === 0 ? 0 : high + pad];
}

function drawLines(picture, list, time, ordered) {
  for (const s of list) if (ordered) s.of.sort((a, b) => a.x - b.x);
  const all = list.flatMap((s) => s.of);
  const [lowX, highX] = extent(all, (p) => p.x);
  const [lowY, highY] = around(extent(all, (p) => p.y));
  const f = frame(picture, { lowX, highX, lowY, highY, time });
  list.forEach((s, i) => {
    const way = outline(s.of, lowX, highX);
    const d = way.map((p, n) => `${n ? "L" : "M"}${f.atX(p.x).toFixed(1)} ${f.atY(p.y).toFixed(1)}`).join("");
    picture.append(svg("path", { d: way.length === 1 ? d + "h.01" : d, class: `line s${i}` + (way.length === 1 ? " dot" : "") }));
  });
  return { ...f, marks: all };
}

function drawPoints(picture, list, time, left) {
  const most = Math.ceil(pointsMax / list.length);
  for (const s of list) {
    if (s.of.length > most) left.push(say("one point of %s%s", Math.round(s.of.length / most), s.name && ` (${s.name})`));
    s.of = thinned(s.of, most);
  }
  const all = list.flatMap((s) => s.of);
  const [lowX, highX] = time ? extent(all, (p) => p.x) : around(extent(all, (p) => p.x));
  const [lowY, highY] = around(extent(all, (p) => p.y));
  const f = frame(picture, { lowX, highX, lowY, highY, time });
  list.forEach((s, i) => {
    const d = s.of.map((p) => `M${f.atX(p.x).toFixed(1)} ${f.atY(p.y).toFixed(1)}h.01`).join("");
    picture.append(svg("path", { d, class: `points s${i}` }));
  });
  return { ...f, marks: all };
}

function drawBars(picture, list, left, time) {
  const [from, to] = time ? extent(list.flatMap((s) => s.of), (p) => p.x) : [0, 0];
  if (time) for (const p of list.flatMap((s) => s.of)) p.text = shortTime(p.x, to - from);
  const names = [...new Set(list.flatMap((s) => s.of.map((p) => p.text)))];
  const shown = names.slice(0, barsMax);
  if (names.length > barsMax) left.push(say("the first %s of %s bars", barsMax, names.length));
  const place = new Map(shown.map((n, i) => [n, i]));
  let summed = false;
  const sums = list.map((s) => {
    const by = new Map();
    for (const p of s.of) {
      if (!place.has(p.text)) continue;
      summed ||= by.has(p.text);
      by.set(p.text, (by.get(p.text) ?? 0) + p.y);
    }
    return { name: s.name, by };
  });
  if (summed) left.push(say("rows of the same bar are added"));
  const [lowY, highY] = around(extent(sums.flatMap((s) => [...s.by.values(), 0]), (v) => v));
  const f = frame(picture, { lowX: 0, highX: shown.length, lowY, highY, bars: true });
  const step = (f.right - size.left) / shown.length;
  const width = Math.max(1, Math.min(64, step * 0.8) / sums.length);
  const marks = [];
  sums.forEach((s, i) => {
    for (const [name, value] of s.by) {
      const middle = f.atX(place.get(name) + 0.5);
      const x = middle + (i - sums.length / 2) * width;
      const [top, bottom] = [f.atY(Math.max(0, value)), f.atY(Math.min(0, value))];
      picture.append(svg("rect", { x: x.toFixed(1), y: top.toFixed(1), width: Math.max(0.5, width - 1).toFixed(1), height: Math.max(0.5, bottom - top).toFixed(1), class: `bar s${i}` }));
      marks.push({ x: place.get(name) + 0.5, text: name, y: value, by: s.name });
    }
  });
  const every = Math.ceil(shown.length * Math.min(labelChars, Math.max(...shown.map((n) => n.length))) * 7 / (f.right - size.left));
  shown.forEach((n, i) => {
    if (i % every === 0) picture.append(svg("text", { x: f.atX(i + 0.5).toFixed(1), y: f.bottom + 18, class: "across" }, n.length > labelChars ? n.slice(0, labelChars - 1) + "…" : n));
  });
  return { ...f, marks };
}

/** The chart of an answer. */
export function chartOf(answer) {
  const chart = chosen(answer);
  // Drawn as wide as it is shown, so that its words have their size.
  size.width = Math.max(320, (document.getElementById("answer")?.clientWidth ?? 0) - 24);
  size.height = size.width < 600 ? 280 : 400;
  const { all, numeric, time, left } = points(answer.rows, chart);
  const box = el("figure", "chart");
  if (all.length === 0) {
    box.append(el("p", "nothing", say("There is nothing to draw: no row has a number in %s and a value in %s.", chart.y, chart.x)));
    return box;
  }
  const list = series(all, left);
  const picture = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, role: "img" });
  let drawn;
  if (chart.kind === "bar") drawn = drawBars(picture, list, left, time);
  else if (chart.kind === "line") drawn = drawLines(picture, list, time, numeric);
  else drawn = drawPoints(picture, list, time, left);
  const [low, high] = extent(drawn.marks, (p) => p.y);
  const words = say("%s over %s: %s from %s to %s", chart.y, chart.x, many(drawn.marks.length, "%s value", "%s values"), short(low), short(high));
  picture.setAttribute("aria-label", words);
  picture.append(svg("text", { x: (size.left + drawn.right) / 2, y: size.height - 6, class: "name" }, chart.x));
  const head = el("p", "chart-head");
  const read = el("span", "mono", chart.y);
  head.append(read);
  if (chart.by) head.append(...list.map((s, i) => el("span", `key s${i}`, s.name || "''")));
  nearest(picture, drawn, read, chart);
  box.append(head, picture, el("figcaption", "dim", words + (left.length ? `; ${left.join("; ")}` : "") + "."));
  return box;
}

/** Says the value that is nearest to the pointer. */
function nearest(picture, { marks, atX, atY }, read, chart) {
  const dot = picture.appendChild(svg("circle", { r: 5, class: "here", visibility: "hidden" }));
  picture.addEventListener("pointermove", (e) => {
    const to = picture.getScreenCTM()?.inverse();
    if (!to) return;
    const at = new DOMPoint(e.clientX, e.clientY).matrixTransform(to);
    let best = null;
    let least = Infinity;
    for (const p of marks) {
      const d = Math.abs(atX(p.x) - at.x) * 4 + Math.abs(atY(p.y) - at.y);
      if (d < least) [best, least] = [p, d];
    }
    if (!best) return;
    dot.setAttribute("cx", atX(best.x));
    dot.setAttribute("cy", atY(best.y));
    dot.setAttribute("visibility", "visible");
    read.textContent = `${chart.x} ${best.text}  ${chart.y} ${best.y}${best.by ? "  " + best.by : ""}`;
  });
  picture.addEventListener("pointerleave", () => { dot.setAttribute("visibility", "hidden"); read.textContent = chart.y; });
}
