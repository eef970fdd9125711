// Where a row comes from: the steps that EXPLAIN ROW OF answers, from the row to the records of topics. The address
// holds what is asked. Text from data is only ever set as text.
import { el, faultOf, pretty } from "./answer.js";
import { recordPath } from "./aside.js";
import { ask, rowsOf } from "./ask.js";
import { copyFrom, quoted } from "./copy.js";
import { noteOf } from "./notes.js";
import { wirePage } from "./page.js";
import { many, say } from "./say.js";

const $ = (id) => document.getElementById(id);
const valueChars = 4_000;

wirePage();

const asked = () => ({ of: $("row-table").value.trim(), where: $("row-where").value.trim() });
const statementOf = ({ of, where }) => `EXPLAIN ROW OF ${of} WHERE ${where}`;

const titles = { gold: say("Gold"), silver: say("Silver"), bronze: say("Bronze"), topic: say("Topic") };
const hrefOf = (r) => (r.layer === "topic" ? `/topics?${new URLSearchParams({ topic: r.name })}` : `/lake/${encodeURIComponent(r.name)}`);

function valueOf(r) {
  const short = String(r.value);
  const more = el("details", "row-value");
  more.append(el("summary", "mono", short.length > 160 ? short.slice(0, 160) + "…" : short));
  const whole = el("pre", "mono", pretty(short).slice(0, valueChars));
  whole.tabIndex = 0;
  more.append(whole);
  return more;
}

// One thing that the row is made of: a row of a table, or a record.
function thingOf(r) {
  const li = el("li", "thing" + (/^(came too late|an earlier)/.test(r.note ?? "") ? " beside" : ""));
  const head = li.appendChild(el("p", "thing-head"));
  if (r.offset !== null) {
    const at = r.partition === null ? say("event %s", r.offset) : say("partition %s, offset %s", r.partition, r.offset);
    if (r.layer === "topic" && r.note === "in the log") {
      const a = head.appendChild(el("a", "mono", at));
      a.href = recordPath({ ...r, topic: r.name });
    } else head.append(el("span", "mono", at));
  }
  if (r.key !== null) head.append(el("span", "mono dim", String(r.key)));
  if (r.note !== null) head.append(el("span", "thing-note", noteOf(r.note)));
  if (r.value !== null) li.append(valueOf(r));
  return li;
}

function stepsOf(rows) {
  const list = el("ol", "row-steps");
  let group = null;
  for (const r of rows) {
    const key = `${r.step} ${r.layer} ${r.name}`;
    if (group?.key !== key) {
      const li = list.appendChild(el("li", "row-step k-" + (titles[r.layer] ? r.layer : "other")));
      const head = li.appendChild(el("h3"));
      head.append(el("span", "pill k-" + r.layer, titles[r.layer] ?? r.layer), " ");
      const a = head.appendChild(el("a", "mono", r.name));
      a.href = hrefOf(r);
      const count = head.appendChild(el("small", "dim"));
      group = { key, count, things: li.appendChild(el("ul")) };
    }
    group.things.append(thingOf(r));
    group.count.textContent = group.things.children.length > 1 ? " " + (r.layer === "topic" ? many(group.things.children.length, "%s record", "%s records") : many(group.things.children.length, "%s row", "%s rows")) : "";
  }
  return list;
}

let turn = 0;
async function walk() {
  const mine = ++turn;
  const box = $("row-steps");
  if (!asked().of || !asked().where) {
    box.removeAttribute("aria-busy");
    if (asked().of) box.replaceChildren(el("p", "nothing", say("Say which row: a condition that is true of it alone.")));
    return;
  }
  box.setAttribute("aria-busy", "true");
  box.replaceChildren(el("p", "nothing", say("Walking back…")));
  const answer = await ask(statementOf(asked()));
  if (mine !== turn) return;
  box.removeAttribute("aria-busy");
  box.replaceChildren(answer.error ? faultOf(answer.error, "") : stepsOf(rowsOf(answer)));
}

$("row-form").addEventListener("submit", (e) => {
  e.preventDefault();
  history.pushState(null, "", `?${new URLSearchParams(asked())}`);
  walk();
});
$("row-where").addEventListener("keydown", (e) => {
  if (e.key !== "Enter" || e.shiftKey) return;
  e.preventDefault();
  $("row-form").requestSubmit();
});
addEventListener("popstate", () => {
  const q = new URLSearchParams(location.search);
  $("row-table").value = q.get("of") ?? "";
  $("row-where").value = q.get("where") ?? "";
  walk();
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea, select")) return;
  e.preventDefault();
  $("row-where").focus();
});
document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-as]");
  if (!button) return;
  const sql = statementOf(asked());
  const texts = { sql, cli: `tarn sql ${quoted(sql)}`, curl: `curl -sS ${location.origin}/api/sql --data-raw ${quoted(sql)}` };
  copyFrom(button, texts[button.dataset.as]);
});

walk();
