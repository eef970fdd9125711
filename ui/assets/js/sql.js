// The box that runs SQL: it posts to /api/sql as any client does.
import { faultOf, offsetOf, snapshotsOf, tableOf } from "./answer.js";
import { ask } from "./ask.js";
import { copyFrom, quoted } from "./copy.js";
import { paint } from "./paint.js";
import { count, decimal, many, say } from "./say.js";

const tickMillis = 500;
const keptText = "tarn.sql";

/** @returns {{set: (text: string) => void, run: () => void}} */
export function wireSQL() {
  const $ = (id) => document.getElementById(id);
  const text = $("text");
  let running = null;

  const repaint = (wrong) => paint($("paint"), text.value, wrong);
  const keep = () => { try { sessionStorage.setItem(keptText, text.value); } catch { /* storage is off */ } };
  try { text.value = sessionStorage.getItem(keptText) ?? text.value; } catch { /* storage is off */ }

  // Set goes through the browser's own editing, so that Ctrl+Z brings back what was typed.
  const set = (value) => {
    if (text.value === value) return;
    const back = document.activeElement;
    text.focus({ preventScroll: true });
    text.select();
    if (!document.execCommand("insertText", false, value)) text.value = value;
    if (back !== text) back?.focus?.({ preventScroll: true });
    keep();
    repaint();
  };

  const chosenText = () => {
    const { selectionStart: from, selectionEnd: to, value } = text;
    return document.activeElement === text && to > from ? { statement: value.slice(from, to), from } : { statement: value, from: 0 };
  };

  const show = (statusText, ...nodes) => {
    $("status").replaceChildren(statusText);
    $("answer").replaceChildren(...nodes.filter(Boolean));
  };

  const refused = (fault, statement, from, took) => {
    const place = fault.line ? say("line %s, column %s", fault.line, fault.column || 1) : "";
    const at = offsetOf(statement, fault.line, fault.column);
    if (at >= 0 && text.value.slice(from, from + statement.length) === statement) {
      repaint(from + at);
      text.setSelectionRange(from + at, from + at);
    }
    show(say("refused after %s", took()), faultOf(fault, place));
  };

  const answered = (content, statement, from, took) => {
    if (content.error) {
      refused(content.error, statement, from, took);
      return;
    }
    const n = content.rows.length;
    show(many(n, "%s row in %s", "%s rows in %s", content.stats?.ms === undefined ? took() : count(content.stats.ms) + " ms"), tableOf(content));
    const snapshots = snapshotsOf(content.stats?.snapshots);
    if (snapshots) $("status").append(snapshots);
  };

  const run = async () => {
    const { statement, from } = chosenText();
    if (statement.trim() === "") {
      show("", faultOf({ code: "invalid", message: say("There is no statement."), hint: say("write one, or choose a node of the flow") }, ""));
      return;
    }
    running?.abort();
    const mine = running = new AbortController();
    const began = performance.now();
    const took = () => { const ms = performance.now() - began; return ms < 1000 ? `${Math.round(ms)} ms` : `${decimal(ms / 1000, 1)} s`; };
    repaint();
    $("cancel").hidden = false;
    $("answer").setAttribute("aria-busy", "true");
    $("status").textContent = say("running…");
    $("cancel").textContent = say("Cancel");
    const tick = setInterval(() => { $("cancel").textContent = say("Cancel, %s", took()); }, tickMillis);
    try {
      answered(await ask(statement, mine.signal), statement, from, took);
    } catch (e) {
      if (e.name !== "AbortError") throw e;
      if (running !== mine) return; // another run has taken its place
      show(say("canceled after %s", took()), Object.assign(document.createElement("p"), { className: "nothing", textContent: say("Canceled. Tarn stopped reading.") }));
    } finally {
      clearInterval(tick);
      if (running === mine) {
        running = null;
        $("cancel").hidden = true;
        $("answer").removeAttribute("aria-busy");
      }
    }
  };

  text.addEventListener("input", () => { keep(); repaint(); });
  $("run").addEventListener("click", run);
  $("cancel").addEventListener("click", () => running?.abort());
  $("copy-cli").addEventListener("click", (e) => copyFrom(e.currentTarget, `tarn sql ${quoted(text.value)}`));
  $("copy-curl").addEventListener("click", (e) => copyFrom(e.currentTarget, `curl -sS ${location.origin}/api/sql --data-raw ${quoted(text.value)}`));
  document.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target === text) {
      e.preventDefault();
      run();
    } else if (e.key === "Escape" && running) {
      running.abort();
    } else if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.matches("textarea, input")) {
      e.preventDefault();
      text.focus();
    }
  });
  // What was never touched follows the first example, which changes when views appear.
  const example = () => document.querySelector("[data-sql]")?.dataset.sql;
  let first = example();
  document.addEventListener("tarn:refreshed", () => {
    const next = example();
    if (text.value === first && next && document.activeElement !== text) {
      text.value = next;
      repaint();
    }
    first = next;
  });
  repaint();
  return { set, run };
}
