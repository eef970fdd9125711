// The page SQL: an editor, its runs and what they answered. The address holds the statement and the
// chart; a link never runs what it brings. Text from data is only ever set as text.
import { offsetOf } from "./answer.js";
import { chartControls, chartOf, chartable } from "./chart.js";
import { copyFrom, quoted } from "./copy.js";
import { openEditor } from "./code.js";
import { columns, functions } from "./complete.js";
import { download, fetchFile, formats } from "./export.js";
import { wireKept } from "./keptbox.js";
import { remember } from "./kept.js";
import { wirePage } from "./page.js";
import { wirePanel } from "./panel.js";
import { askAll, inWords, Refused, sized } from "./request.js";
import { wireResults } from "./results.js";
import { Answer, runAll } from "./run.js";
import { count, many, say } from "./say.js";
import { changeOf, isQuery, statementsOf, takesAway, verbOf } from "./statements.js";

const $ = (id) => document.getElementById(id);
const statementsMax = 50; // of one run
const linkMax = 32_000; // characters of a statement in the address
const typedMillis = 300;
const tickMillis = 200;
const keptText = "tarn.sql";
const changesNamed = 6;

const fromAddress = () => new URLSearchParams(location.hash.slice(1));

let running = null; // {abort, answers}
let exporting = null;
let typed = 0; // the timer that waits for the end of typing

wirePage();

function keptBefore() {
  try {
    return sessionStorage.getItem(keptText);
  } catch {
    return null; // storage is off
  }
}
const firstText = () => fromAddress().get("q") ?? keptBefore() ?? $("text").value;

/** Says what a link has brought. */
function fromLink() {
  linkedText = editor.text();
  const all = statementsOf(linkedText);
  const changes = [...new Set(all.map((s) => changeOf(s.text)).filter(Boolean))];
  const said = many(all.length, "From a link: %s statement.", "From a link: %s statements.");
  note(`${said} ${changes.length > 0 ? say("It changes things: %s.", changes.slice(0, changesNamed).join(", ") + (changes.length > changesNamed ? ", …" : "")) : say("It only reads.")} ${say("Read it, then run it.")}`, changes.length > 0);
}

const editor = openEditor($("editor"), { text: firstText(), label: say("SQL statements"), onRun: () => run(), onChange: changed, columns, functions });
$("text").remove();
let linkedText = null; // as a link brought it, until somebody edits it or lets it run
if (fromAddress().has("q") && keptBefore() !== editor.text()) fromLink();

const panel = wirePanel();
const results = wireResults({
  chartOf: (answer) => chartOf(answer, () => keepAddress()),
  onColumn: (answer, column) => panel.column(answer, column),
  onCell: (answer, row, column) => panel.cell(answer, row, column),
  onRow: (answer, row) => panel.row(answer, row),
  chosen: tools,
});

function note(text, bad = false) {
  $("note").textContent = text;
  $("note").classList.toggle("bad", bad);
}

// The address follows what is typed and chosen.
function changed() {
  if (editor.text() === linkedText) return;
  linkedText = null;
  try { sessionStorage.setItem(keptText, editor.text()); } catch { /* storage is off */ }
  clearTimeout(typed);
  typed = setTimeout(keepAddress, typedMillis);
}

function address() {
  const text = editor.text();
  const state = new URLSearchParams();
  if (text.length > linkMax) return null;
  if (text.trim()) state.set("q", text);
  const answer = results.chosen();
  if (answer?.view === "chart" && answer.chart) for (const [name, value] of Object.entries(answer.chart)) if (value) state.set(name, value);
  return location.pathname + (state.size ? "#" + state : "");
}
function keepAddress() {
  const now = address();
  if (now) history.replaceState(null, "", now);
}
addEventListener("hashchange", () => {
  const linked = fromAddress().get("q");
  if (linked === null || linked === editor.text()) return;
  linkedText = linked;
  editor.set(linked);
  fromLink();
});

// Running.
function wanted() {
  const chosen = editor.chosen();
  const all = editor.text();
  return statementsOf(chosen?.text ?? all).map((s) => {
    const from = s.from + (chosen?.from ?? 0);
    const above = all.slice(0, from).split("\n");
    return { text: s.text, from, above: [above.at(-1), above.length - 1] };
  });
}

/** The statement that the caret is in, or the one before it. */
function current() {
  const all = wanted();
  const at = editor.at();
  return all.findLast((s) => s.from <= at) ?? all[0];
}

async function run(statements = wanted()) {
  if (statements.length === 0) { note(say("There is no statement."), true); return; }
  if (statements.length > statementsMax) { note(say("%s statements are more than the %s of one run.", statements.length, statementsMax), true); return; }
  const away = linkedText === null ? [] : statements.filter((s) => takesAway(s.text));
  if (away.length > 0) { askFirst(away, statements); return; }
  running?.abort.abort();
  panel.close();
  note("");
  const mine = running = { abort: new AbortController(), answers: statements.map((s) => new Answer(s)) };
  const linked = fromAddress();
  if (linked.get("kind")) for (const a of mine.answers) [a.view, a.chart] = ["chart", { kind: linked.get("kind"), x: linked.get("x"), y: linked.get("y"), by: linked.get("by") }];
  $("begin").hidden = true;
  $("results").hidden = false;
  results.begin(mine.answers);
  busy(true);
  const tick = setInterval(results.refresh, tickMillis);
  const began = performance.now();
  try {
    await runAll(mine.answers, mine.abort.signal, (answer) => { if (running === mine) results.changed(answer); });
    if (running !== mine) return; // another run has taken its place
  } finally {
    clearInterval(tick);
    if (running === mine) {
      running = null;
      busy(false);
    }
  }
  results.refresh();
  const failed = mine.answers.find((a) => a.state === "failed");
  if (failed) showPlace(failed);
  const rows = mine.answers.reduce((n, a) => n + a.rows.count, 0);
  remember({ text: statements.map((s) => s.text).join(";\n"), at: Date.now(), ms: Math.round(performance.now() - began), rows, error: failed?.fault.message.slice(0, 200) ?? "" });
}

/** Asks once before what a link has brought takes anything away. */
function askFirst(away, statements) {
  $("sure-text").textContent = away.map((s) => s.text).join(";\n");
  $("sure-yes").onclick = () => {
    $("sure").close();
    linkedText = null;
    run(statements);
  };
  $("sure").showModal();
}
$("sure-no").addEventListener("click", () => $("sure").close());

/** Marks where a statement is wrong, if its text is still there. */
function showPlace({ statement, from, fault }) {
  const at = offsetOf(statement, fault.line, fault.column);
  if (at < 0 || editor.text().slice(from, from + statement.length) !== statement) return;
  const word = statement.slice(at).match(/^(?:[\p{L}\p{N}_$]+|"[^"]*"|'[^']*'|[^\s])/u)?.[0] ?? " ";
  editor.mark(from + Math.min(at, statement.length - 1), from + Math.min(at, statement.length - 1) + word.length);
  editor.focus();
}

function busy(on) {
  $("cancel").hidden = !on;
  $("run").textContent = on ? say("Run anew") : say("Run");
}
function cancel() {
  running?.abort.abort();
  exporting?.abort();
}

function explain() {
  const one = current();
  if (!one) { note(say("There is no statement."), true); return; }
  const words = verbOf(one.text) === "EXPLAIN" ? "" : "EXPLAIN ";
  run([{ text: words + one.text, from: one.from - words.length, above: [one.above[0].slice(words.length), one.above[1]] }]);
}

// What can be done with the chosen answer.
function tools(answer) {
  const whole = answer.rows.columns && answer.state !== "failed";
  $("views").hidden = !(whole && answer.rows.count > 0 && chartable(answer.rows));
  for (const b of $("views").querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.dataset.view === answer.view));
  $("exports").hidden = !whole || !isQuery(answer.statement) && answer.rows.count === 0;
  chartControls($("chart-tools"), answer, () => { results.refresh(); keepAddress(); });
}

$("views").addEventListener("click", (e) => {
  const view = e.target.closest("button")?.dataset.view;
  const answer = results.chosen();
  if (!view || !answer) return;
  answer.view = view;
  results.refresh();
  keepAddress();
});

async function exportAs(name) {
  const answer = results.chosen();
  if (!answer) return;
  exporting?.abort();
  const mine = exporting = new AbortController();
  const began = performance.now();
  $("cancel").hidden = false;
  note(say("%s: asking…", name));
  try {
    const blob = await fetchFile(answer.statement, formats[name], mine.signal, (bytes) => { if (exporting === mine) note(say("%s: %s so far…", name, sized(bytes))); });
    download(blob, `tarn-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${formats[name].end}`);
    note(say("%s: %s in %s", name, sized(blob.size), inWords(performance.now() - began)));
  } catch (e) {
    if (exporting !== mine) return;
    const fault = e instanceof Refused ? e.fault : null;
    note(mine.signal.aborted ? say("%s: canceled", name) : `${name}: ${fault?.message ?? say("it did not come whole")}${fault?.hint ? "; " + fault.hint : ""}`, !mine.signal.aborted);
  } finally {
    if (exporting === mine) {
      exporting = null;
      $("cancel").hidden = !running;
    }
  }
}

$("exports").addEventListener("click", (e) => {
  const name = e.target.closest("button")?.dataset.export;
  if (name) exportAs(name);
});

// Buttons and keys.
$("run").addEventListener("click", () => run());
$("cancel").addEventListener("click", cancel);
$("explain").addEventListener("click", explain);
$("share").addEventListener("click", (e) => {
  const path = address();
  if (path) copyFrom(e.currentTarget, location.origin + path);
  else note(say("More than %s characters do not fit a link.", count(linkMax)), true);
});
$("copy-cli").addEventListener("click", (e) => copyFrom(e.currentTarget, `tarn sql ${quoted(current()?.text ?? "")}`));
$("copy-curl").addEventListener("click", (e) => copyFrom(e.currentTarget, `curl -sS ${location.origin}/api/sql -H 'Accept: text/csv' --data-raw ${quoted(current()?.text ?? "")}`));
document.addEventListener("click", (e) => {
  const example = e.target.closest("[data-sql]");
  if (!example) return;
  editor.set(example.dataset.sql);
  editor.focus();
});
wireKept({ text: () => editor.text(), choose(text) { editor.set(text); editor.focus(); }, note });

document.addEventListener("keydown", (e) => {
  if (e.defaultPrevented) return;
  if (e.key === "Escape" && (running || exporting)) cancel();
  else if (e.key === "Escape" && panel.open()) { panel.close(); results.focus(); }
  else if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.matches("input, textarea, select, #editor")) {
    e.preventDefault();
    editor.focus();
  }
});
editor.focus();
