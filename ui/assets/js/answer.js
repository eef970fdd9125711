// The answer of /api/sql as a table. Values are text, whatever they hold.

import { count, many, say } from "./say.js";

const firstRows = 200;
const moreRows = 500;
const cellChars = 2_000;

// A whole number that JavaScript would round is put into quotes before it is parsed: 64-bit values and
// snapshot ids are shown as they are. Texts are gone through in pieces: one pattern for a whole text runs
// out of stack where it has millions of escapes.
const piece = /(?:\\.[^"\\]*){1,999}|"|-?\d[\d.eE+-]{15,}/g;
const rounded = /^-?\d{16,}$/;
export function parse(text) {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  let inText = false;
  return JSON.parse(text.replace(piece, (p) => {
    if (p === '"') inText = !inText;
    return !inText && rounded.test(p) ? `"${p}"` : p;
  }));
}

const numeric = /^(?!interval)(u?(tiny|small|big|huge)?int|u?int|long|float|double|decimal|numeric|real)/i;
export const isNumber = (type) => numeric.test(type) && !type.includes("[");

/** What a cell shows of a value. */
export function textOf(value) {
  if (value === null || value === undefined) return "null";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A value as a person reads it: what is JSON is indented. */
export function pretty(value) {
  const text = textOf(value);
  if (typeof value === "object" && value !== null) return JSON.stringify(value, null, 2);
  if (!/^\s*[[{]/.test(text) || /[^.\d]\d{16}/.test(text)) return text; // a long number would be rounded
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** An element with its class and its text. */
export function el(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function cell(value, type) {
  const td = el("td", isNumber(type) ? "n" : "");
  if (value === null || value === undefined) {
    td.append(el("span", "null", "null"));
    return td;
  }
  const text = textOf(value);
  if (text === "") td.append(el("span", "null", "''"));
  else td.textContent = text.length > cellChars ? text.slice(0, cellChars) + "…" : text;
  return td;
}

function addRows(body, answer, act, from, count) {
  for (const row of answer.rows.slice(from, from + count)) {
    const tr = document.createElement("tr");
    if (act) tr.appendChild(el("td", "act")).append(act.of(row));
    tr.append(...answer.columns.map((c, i) => cell(row[i], c.type)));
    body.append(tr);
  }
  return Math.min(from + count, answer.rows.length);
}

/**
 * The table of an answer, which grows by a button.
 * @param {{head: string, of: (row: any[]) => HTMLElement}} [act] what may be done with a row, before its values
 */
export function tableOf(answer, act) {
  const box = el("div", "rows scroll");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", say("Result"));
  const table = box.appendChild(el("table"));
  const head = table.createTHead().insertRow();
  if (act) head.append(Object.assign(el("th", "", act.head), { scope: "col" }));
  for (const c of answer.columns) {
    const th = el("th", isNumber(c.type) ? "n" : "");
    th.scope = "col";
    th.append(el("span", "", c.name), el("small", "", c.type));
    head.append(th);
  }
  const body = table.createTBody();
  let shown = addRows(body, answer, act, 0, firstRows);
  if (answer.rows.length === 0) box.append(el("p", "nothing", say("No rows.")));
  if (shown < answer.rows.length) {
    const more = el("button", "more");
    more.type = "button";
    const label = () => { more.textContent = say("Show %s more of %s", count(Math.min(moreRows, answer.rows.length - shown)), count(answer.rows.length - shown)); };
    more.onclick = () => {
      shown = addRows(body, answer, act, shown, moreRows);
      if (shown === answer.rows.length) more.remove();
      else label();
    };
    label();
    box.append(more);
  }
  table.addEventListener("click", (e) => {
    if (getSelection()?.isCollapsed) e.target.closest("td:not(.act)")?.classList.toggle("whole");
  });
  return box;
}

/** The fault of a refusal: where, what, what to do. */
export function faultOf(fault, place) {
  const box = el("div", "fault");
  box.setAttribute("role", "alert");
  const first = el("p");
  first.append(el("span", "pill pill-bad", fault.code || say("error")));
  if (place) first.append(el("span", "place mono", place));
  box.append(first, el("p", "message mono", fault.message));
  if (fault.hint) box.append(el("p", "hint", fault.hint));
  return box;
}

/** Which snapshots an answer was read from. */
export function snapshotsOf(snapshots) {
  const names = Object.keys(snapshots ?? {}).sort();
  if (names.length === 0) return null;
  const box = el("details", "snapshots");
  box.append(el("summary", "", many(names.length, "%s snapshot", "%s snapshots")));
  const list = box.appendChild(el("ul"));
  for (const name of names) list.append(el("li", "mono", say("%s at %s", name, snapshots[name])));
  return box;
}

/** The offset of a line and a column, both from 1, in text; -1 for none. */
export function offsetOf(text, line, column) {
  const lines = text.split("\n");
  if (!line || line > lines.length) return -1;
  const before = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  return before + [...lines[line - 1]].slice(0, Math.max(0, (column || 1) - 1)).join("").length;
}
