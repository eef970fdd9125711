// Beside the grid: the profile of a column, which is asked for when somebody opens it, the whole of a
// value, or a row.
import { el, faultOf, isNumber, pretty, textOf } from "./answer.js";
import { copyFrom } from "./copy.js";
import { tableRead, wayBack } from "./origin.js";
import { askAll, Refused } from "./request.js";
import { count, decimal, many, say } from "./say.js";
import { isTime, short } from "./scale.js";
import { isQuery } from "./statements.js";

const $ = (id) => document.getElementById(id);
const bins = 24;
const topMax = 8;
const valueChars = 100_000;

/** The column's statement as a table of one column, c: by its place, for names may be the same or hostile. */
function within(answer, column) {
  const aliases = answer.rows.columns.map((_, i) => (i === column ? "c" : `c${i}`));
  return `(\n${answer.statement}\n) AS answer(${aliases.join(", ")})`;
}

const comparable = (type) => !/\[|^(struct|map|union)/i.test(type);

async function profile(answer, column, signal) {
  const { type } = answer.rows.columns[column];
  const from = within(answer, column);
  const number = isNumber(type);
  const time = isTime(type);
  const more = comparable(type) ? `count(DISTINCT c), min(c)::VARCHAR, max(c)::VARCHAR${number ? ", avg(c)::DOUBLE, stddev_samp(c)::DOUBLE, median(c)::DOUBLE" : ""}` : "NULL, NULL, NULL";
  const [[all, filled, distinct, low, high, mean, deviation, median]] = (await askAll(`SELECT count(*), count(c), ${more} FROM ${from}`, signal)).rows;
  const out = { all, nulls: all - filled, distinct, low, high, mean, deviation, median, type };
  if (filled === 0 || !comparable(type)) return out;
  if (!number && !time || distinct <= topMax) {
    out.top = (await askAll(`SELECT c::VARCHAR, count(*) AS n FROM ${from} WHERE c IS NOT NULL GROUP BY c ORDER BY n DESC, c LIMIT ${topMax}`, signal)).rows;
    if (out.top[0][1] === 1 && filled > topMax) out.top = null; // each is there once: none comes before the others
    return out;
  }
  const value = number ? "c::DOUBLE" : "epoch(c::TIMESTAMP)";
  const edges = (await askAll(`SELECT min(v), max(v) FROM (SELECT ${value} AS v FROM ${from}) WHERE isfinite(v)`, signal)).rows[0];
  if (edges[0] === null || edges[0] === edges[1]) return out;
  const rows = (await askAll(`SELECT least(${bins - 1}, floor((v - lo) / (hi - lo) * ${bins}))::INTEGER AS bin, count(*) AS n FROM (SELECT ${value} AS v FROM ${from}), (SELECT ${edges[0]}::DOUBLE AS lo, ${edges[1]}::DOUBLE AS hi) WHERE isfinite(v) AND v BETWEEN lo AND hi GROUP BY bin ORDER BY bin`, signal)).rows;
  out.histogram = Array(bins).fill(0);
  for (const [bin, n] of rows) out.histogram[bin] = n;
  out.edges = edges;
  return out;
}

const share = (n, all) => (all > 0 ? `${count(n)} (${decimal(n / all * 100, n > 0 && n < all / 100 ? 2 : 0)} %)` : "0");
const exact = (v) => v.toLocaleString(document.documentElement.lang, { maximumSignificantDigits: 7 });

function factsOf(p) {
  const list = el("dl", "profile");
  const fact = (label, value) => { if (value !== null && value !== undefined && value !== "") { const d = el("div"); d.append(el("dt", "", label), el("dd", "mono", String(value))); list.append(d); } };
  fact(say("rows"), count(p.all));
  fact(say("nulls"), share(p.nulls, p.all));
  fact(say("distinct"), p.distinct === null ? "" : share(p.distinct, p.all));
  fact(say("least"), p.low);
  fact(say("most"), p.high);
  if (typeof p.mean === "number") fact(say("mean"), exact(p.mean));
  if (typeof p.median === "number") fact(say("median"), exact(p.median));
  if (typeof p.deviation === "number") fact(say("deviation"), exact(p.deviation));
  return list;
}

function barsOf(histogram, low, high) {
  const box = el("figure", "histogram");
  const most = Math.max(...histogram);
  const bars = box.appendChild(el("div", "bins"));
  bars.setAttribute("role", "img");
  bars.setAttribute("aria-label", say("How the values are spread from %s to %s", low, high));
  for (const n of histogram) {
    const bar = bars.appendChild(el("i"));
    bar.style.height = `${n === 0 ? 0 : Math.max(2, n / most * 100)}%`;
    bar.title = many(n, "%s row", "%s rows");
  }
  const caption = box.appendChild(el("figcaption", "mono dim"));
  caption.append(el("span", "", low), el("span", "", high));
  return box;
}

function topOf(top, all) {
  const list = el("ol", "top-values");
  for (const [value, n] of top) {
    const item = list.appendChild(el("li"));
    item.append(el("span", "mono" + (value === "" ? " null" : ""), value === "" ? "''" : value), el("small", "mono", share(n, all)));
    item.style.setProperty("--share", `${n / all * 100}%`);
  }
  return list;
}

function valueBox(value) {
  const text = pretty(value);
  const box = el("pre", "mono value" + (value === null ? " null" : ""), text.length > valueChars ? text.slice(0, valueChars) + "…" : text === "" ? "''" : text);
  box.tabIndex = 0;
  return box;
}

export function wirePanel() {
  let asking = null;
  const show = (name, type, ...nodes) => {
    asking?.abort();
    asking = null;
    $("panel-name").textContent = name;
    $("panel-type").textContent = type;
    $("panel-type").hidden = !type;
    $("panel-body").replaceChildren(...nodes);
    $("panel").hidden = false;
  };
  const close = () => {
    asking?.abort();
    asking = null;
    $("panel").hidden = true;
  };
  $("panel-close").addEventListener("click", close);

  return {
    close,
    open: () => !$("panel").hidden,
    async column(answer, c) {
      const { name, type } = answer.rows.columns[c];
      if (!isQuery(answer.statement)) {
        show(name, type, el("p", "nothing", say("Only the columns of a query have a profile.")));
        return;
      }
      show(name, type, el("p", "nothing", say("Counting…")));
      const mine = asking = new AbortController();
      let nodes;
      try {
        const p = await profile(answer, c, mine.signal);
        nodes = [factsOf(p)];
        if (p.histogram) nodes.push(barsOf(p.histogram, isTime(type) ? p.low : short(Number(p.edges[0])), isTime(type) ? p.high : short(Number(p.edges[1]))));
        if (p.top) nodes.push(topOf(p.top, p.all));
        if (!answer.rows.cut && answer.state === "done" && p.all !== answer.rows.count) nodes.push(el("p", "dim", say("Its tables have moved on since the answer: this is of now.")));
      } catch (e) {
        if (mine.signal.aborted) return;
        if (!(e instanceof Refused)) throw e;
        nodes = [faultOf(e.fault)];
      }
      if (asking === mine) $("panel-body").replaceChildren(...nodes);
    },
    cell(answer, row, c) {
      const value = answer.rows.row(row)?.[c];
      const copy = el("button", "", say("Copy"));
      copy.type = "button";
      copy.onclick = () => copyFrom(copy, textOf(value));
      show(say("%s, row %s", answer.rows.columns[c].name, count(row + 1)), answer.rows.columns[c].type, valueBox(value), copy);
    },
    row(answer, row) {
      const values = answer.rows.row(row) ?? [];
      const list = el("dl", "whole-row");
      answer.rows.columns.forEach((c, i) => {
        const d = list.appendChild(el("div"));
        const dd = el("dd");
        dd.append(valueBox(values[i]));
        d.append(el("dt", "", c.name), dd);
      });
      const of = tableRead(answer.statement);
      show(say("Row %s", count(row + 1)), "", ...(of ? [wayBack(of, answer.rows.columns, values, say("Where does it come from?"))] : []), list);
    },
  };
}
