// One table: its rows, what two snapshots differ in, and upkeep on demand. What is read or done is a statement,
// and goes through /api/sql. Text from data is only ever set as text.
import { isNumber, tableOf, textOf } from "./answer.js";
import { ask, el, fillBox, runFrom } from "./ask.js";
import { wayBack } from "./origin.js";
import { wirePage } from "./page.js";
import { count, many, say } from "./say.js";

const $ = (id) => document.getElementById(id);
const againMillis = 5_000;
const cellChars = 200;

const { load } = wirePage();

// Snapshots and files go on coming.
setInterval(() => {
  const moves = document.querySelector('[data-part="past"], [data-part="files"], [data-part="schemas"]');
  if (moves && !document.hidden && document.documentElement.dataset.live === "live" && getSelection()?.isCollapsed !== false) load();
}, againMillis);

const rows = document.querySelector("[data-rows]");
// Where a row comes from is told of the newest snapshot.
const showRows = (answer) => {
  const { of } = rows.dataset;
  const way = (row) => {
    const button = wayBack(of, answer.columns, row, say("Show"));
    button.className = "quiet";
    return button;
  };
  return tableOf(answer, of && { head: say("Origin"), of: way });
};
const readRows = () => fillBox(rows, rows.dataset.rows, showRows);
if (rows) readRows();

// The rows that differ: a line each, with what each column was and is.
const shown = (value) => {
  if (value === null || value === undefined) return el("span", "null", "null");
  const text = textOf(value);
  return el("span", "", text.length > cellChars ? text.slice(0, cellChars) + "…" : text);
};
const kinds = { added: ["+", say("added")], removed: ["−", say("removed")], changed: ["±", say("changed")] };

function kindCell(kind) {
  const th = el("th", "kind");
  th.scope = "row";
  const [sign, word] = kinds[kind] ?? ["", kind];
  const mark = th.appendChild(el("span", "sign mono", sign));
  mark.setAttribute("aria-hidden", "true");
  th.append(el("span", "", word));
  return th;
}

function valueCell(kind, before, after) {
  const td = el("td", "mono");
  if (kind === "added") td.append(shown(after));
  else if (kind === "removed") td.append(shown(before));
  else if (before === after || JSON.stringify(before) === JSON.stringify(after)) {
    td.className += " same";
    td.append(shown(after));
  } else {
    const was = td.appendChild(el("del"));
    was.append(shown(before));
    td.append(" ");
    const is = td.appendChild(el("ins"));
    is.append(shown(after));
  }
  return td;
}

function diffTable(answer, keys, columns) {
  if (answer.rows.length === 0) return el("p", "nothing", say("No row differs."));
  const box = el("div", "rows scroll differ");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", say("Rows that differ"));
  const table = box.appendChild(el("table"));
  const head = table.createTHead().insertRow();
  for (const name of [say("Change"), ...keys, ...columns]) {
    const th = head.appendChild(el("th", "", name));
    th.scope = "col";
  }
  const body = table.createTBody();
  for (const row of answer.rows) {
    const tr = body.insertRow();
    tr.className = "diff-" + (kinds[row[0]] ? row[0] : "other");
    tr.append(kindCell(row[0]));
    for (let i = 1; i <= keys.length; i++) {
      const td = tr.appendChild(el("td", isNumber(answer.columns[i].type) ? "mono key n" : "mono key"));
      td.append(shown(row[i]));
    }
    for (let i = 0; i < columns.length; i++) tr.append(valueCell(row[0], row[keys.length + 1 + 2 * i], row[keys.length + 2 + 2 * i]));
  }
  return box;
}

function countsOf(answer) {
  const [added, removed, changed] = answer.rows[0].map(Number);
  const p = el("p", "counts");
  for (const [kind, text] of [["added", many(added, "%s row added", "%s rows added")], ["removed", many(removed, "%s row removed", "%s rows removed")], ["changed", many(changed, "%s row changed", "%s rows changed")]]) p.append(el("span", "diff-" + kind, text));
  return [p, added + removed + changed];
}

const diff = document.querySelector("[data-diff]");
async function readDiff() {
  const counts = $("counts");
  diff.replaceChildren(el("p", "nothing", say("Reading…")));
  const keys = JSON.parse(diff.dataset.keys);
  const columns = JSON.parse(diff.dataset.columns);
  if (!await fillBox(diff, diff.dataset.diff, (a) => diffTable(a, keys, columns))) return;
  const answer = await ask(counts.dataset.counts);
  if (answer.error) return; // the rows are there; what they are of, nobody counted
  const [p, all] = countsOf(answer);
  const most = Number(diff.dataset.most);
  if (all > most) p.append(el("span", "dim", say("the first %s are shown", count(most))));
  counts.replaceChildren(p);
}
if (diff?.dataset.now === "true") readDiff();

const address = (from, to) => {
  const query = new URLSearchParams({ show: "snapshots" });
  if (from) query.set("from", from);
  if (to) query.set("to", to);
  return `${location.pathname}?${query}#diff`;
};

document.addEventListener("click", (e) => {
  const button = e.target.closest("button");
  if (!button) return;
  if (button.id === "compare") location.assign(address($("from").value, $("to").value));
  else if (button.id === "read-diff") readDiff();
  else if (button.dataset.again === "rows") readRows();
  else if (button.dataset.run) runFrom(button, button.dataset.run, $("said")).then(load);
  else if (button.dataset.try) {
    const said = $("said");
    said.replaceChildren(button.dataset.try + " …");
    fillBox(said, button.dataset.try, (a) => {
      const box = el("div", "tried");
      box.append(el("p", "", button.dataset.try), tableOf(a));
      return box;
    });
  }
});
