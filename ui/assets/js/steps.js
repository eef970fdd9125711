// The steps of a pipeline as EXPLAIN tells them, drawn as a graph: a column for each step from the
// topics on, lines between. Text from data is only ever set as text.
import { el, rowsOf, svgOf } from "./ask.js";
import { many, say } from "./say.js";


const kinds = { in: "read", op: "keep", table: "write" };
const kindOf = (step) => kinds[step.replace(/\d+$/, "")] ?? "keep";

// Ranks: a step stands behind all that it reads.
function ranked(steps) {
  const by = new Map(steps.map((s) => [s.step, s]));
  const rank = (s, depth) => {
    s.rank ??= depth > steps.length ? 0 : 1 + Math.max(-1, ...s.reads.map((r) => (by.get(r) ? rank(by.get(r), depth + 1) : -1)));
    return s.rank;
  };
  for (const s of steps) rank(s, 0);
  const last = Math.max(...steps.map((s) => s.rank));
  for (const s of steps) if (s.step === "table") s.rank = last;
  return last + 1;
}

function node(s) {
  const li = el("li", "step step-" + kindOf(s.step));
  li.dataset.step = s.step;
  const head = li.appendChild(el("p", "step-head"));
  head.append(el("b", "", { read: say("Input"), keep: say("State"), write: say("Output") }[kindOf(s.step)]), " ", el("code", "", s.step));
  if (s.reads.length) head.append(el("span", "dim", " " + say("reads %s", s.reads.join(", "))));
  li.append(el("p", "step-what", s.what));
  if (s.columns) {
    const more = li.appendChild(el("details"));
    const names = s.columns.split(", ");
    more.append(el("summary", "dim", many(names.length, "%s column", "%s columns")));
    more.append(el("p", "mono step-columns", s.columns));
  }
  return li;
}

function lines(box, svg, steps) {
  const at = box.getBoundingClientRect();
  const place = (name) => {
    const e = [...box.querySelectorAll(".step")].find((n) => n.dataset.step === name);
    if (!e) return null;
    const r = e.getBoundingClientRect();
    return { left: r.left - at.left, right: r.right - at.left, top: r.top - at.top, bottom: r.bottom - at.top };
  };
  const down = getComputedStyle(box).flexDirection === "column";
  svg.replaceChildren();
  for (const s of steps) {
    for (const from of s.reads) {
      const a = place(from), b = place(s.step);
      if (!a || !b) continue;
      const path = svgOf("path");
      const [x1, y1, x2, y2] = down ? [(a.left + a.right) / 2, a.bottom, (b.left + b.right) / 2, b.top] : [a.right, (a.top + a.bottom) / 2, b.left, (b.top + b.bottom) / 2];
      const mid = down ? (y1 + y2) / 2 : (x1 + x2) / 2;
      path.setAttribute("d", down ? `M${x1} ${y1}C${x1} ${mid} ${x2} ${mid} ${x2} ${y2}` : `M${x1} ${y1}C${mid} ${y1} ${mid} ${y2} ${x2} ${y2}`);
      path.setAttribute("class", "edge");
      svg.append(path);
    }
  }
}

/** The graph of an EXPLAIN's answer. */
export function stepsOf(answer) {
  const steps = rowsOf(answer).map((r) => ({ step: String(r.step), what: String(r.what ?? ""), columns: r.columns ?? "", reads: r.reads ? String(r.reads).split(", ") : [] }));
  if (steps.length === 0) return el("p", "nothing", say("No steps."));
  const count = ranked(steps);
  const box = el("div", "graph-steps");
  const svg = svgOf("svg");
  svg.setAttribute("aria-hidden", "true");
  box.append(svg);
  for (let rank = 0; rank < count; rank++) {
    const column = box.appendChild(el("ul", "rank"));
    for (const s of steps.filter((s) => s.rank === rank)) column.append(node(s));
  }
  new ResizeObserver(() => lines(box, svg, steps)).observe(box);
  for (const e of box.querySelectorAll("details")) e.addEventListener("toggle", () => lines(box, svg, steps));
  return box;
}
