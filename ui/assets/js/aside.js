// What was left aside: late rows and dead letters, each with the way to its record. Text from data is
// only ever set as text.
import { textOf } from "./answer.js";
import { el, rowsOf } from "./ask.js";
import { say } from "./say.js";

const cellChars = 400;
const moment = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/; // in UTC; a cell's title has its fraction

/** The address of a record in its topic; "" where the log has no such place. */
export function recordPath(row) {
  if (row.offset === null || row.offset === undefined) return "";
  return "/topics?" + new URLSearchParams({ topic: row.topic, partition: row.partition ?? 0, from: row.offset });
}

function cell(value, className) {
  const td = el("td", className);
  if (value === null || value === undefined) td.append(el("span", "null", "null"));
  else {
    const text = textOf(value).replace(moment, "$1 $2");
    td.textContent = text.length > cellChars ? text.slice(0, cellChars) + "…" : text;
    td.title = textOf(value).slice(0, cellChars);
  }
  return td;
}

function record(row) {
  const th = el("th", "mono");
  th.scope = "row";
  const path = recordPath(row);
  const place = path ? `${row.topic} ${row.partition}/${row.offset}` : row.topic;
  if (!path) th.textContent = place;
  else {
    const a = th.appendChild(el("a", "", place));
    a.href = path;
    a.title = say("Show the record in its topic");
  }
  return th;
}

/**
 * The table of an answer: records first, then columns.
 * @param {[string, string, string?][]} columns their heads, names and classes
 * @param {string} none what is said of no rows
 * @param {(row: object) => HTMLElement|null} [act] what may be done with a row
 */
export function asideOf(answer, columns, none, act) {
  const rows = rowsOf(answer);
  if (rows.length === 0) return el("p", "nothing", none);
  const box = el("div", "aside scroll");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", say("Records"));
  const table = box.appendChild(el("table"));
  const head = table.createTHead().insertRow();
  for (const text of [say("Record"), ...columns.map((c) => c[0]), ...(act ? [say("Next step")] : [])]) {
    const th = head.appendChild(el("th", "", text));
    th.scope = "col";
  }
  const body = table.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    tr.append(record(row), ...columns.map(([, name, className]) => cell(row[name], className ?? "mono")));
    if (act) tr.append(act(row));
  }
  return box;
}
