// The ticks of a pipeline: a bar for each, and what they were. Text from data is only ever set as text.
import { el, rowsOf, svgOf } from "./ask.js";
import { tableOf } from "./answer.js";
import { count, decimal, say } from "./say.js";

const barsMax = 60;
const height = 56;
const step = 12;

const number = (n) => (Number.isInteger(n) ? count(n) : decimal(n, 1));

/** The picture of an answer of system.ticks, the newest first, with its table below. */
export function ticksOf(answer) {
  const rows = rowsOf(answer).slice(0, barsMax).reverse();
  const box = el("div", "ticks");
  if (rows.length === 0) {
    box.append(el("p", "nothing", say("No tick yet: they are told when the table is committed, and land some seconds later.")));
    return box;
  }
  const most = Math.max(1, ...rows.map((r) => Number(r.rows)));
  const slowest = Math.max(...rows.map((r) => Number(r.tick_ms)));
  const sum = rows.reduce((n, r) => n + Number(r.rows), 0);
  const svg = svgOf("svg");
  svg.setAttribute("viewBox", `0 0 ${barsMax * step} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const first = barsMax - rows.length;
  rows.forEach((r, i) => {
    const high = Math.max(1, (Number(r.rows) / most) * (height - 2));
    const bar = svgOf("rect");
    for (const [k, v] of Object.entries({ x: (first + i) * step + 1, y: height - high, width: step - 2, height: high })) bar.setAttribute(k, v);
    if (Number(r.dead) > 0 || Number(r.late) > 0) bar.setAttribute("class", "some");
    svg.append(bar);
  });
  box.append(svg, el("p", "dim", say("%s rows in the last %s, %s at most in one; the slowest took %s ms a tick", number(sum), rows.length, number(most), number(slowest))));
  const more = box.appendChild(el("details"));
  more.id = "ticks-table";
  more.append(el("summary", "", say("As a table")), tableOf(answer));
  return box;
}
