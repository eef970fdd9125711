// Where pipelines are written: Check tells of each statement what it would do and shows some rows of
// its SELECT; Apply runs them in order. Faults are marked at their place.
import { faultOf, offsetOf, tableOf } from "./answer.js";
import { ask, el } from "./ask.js";
import { openEditor } from "./code.js";
import { columns, functions } from "./complete.js";
import { copyFrom, quoted } from "./copy.js";
import { unreachable } from "./request.js";
import { say } from "./say.js";
import { stepsOf } from "./steps.js";

const keptText = "tarn.write." + location.pathname;

/** The line and the column of an offset. */
function placeOf(text, at) {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return say("line %s, column %s", line, [...before.slice(before.lastIndexOf("\n") + 1)].length + 1);
}

export function wireEditor() {
  const $ = (id) => document.getElementById(id);
  const first = $("text").value;
  let turn = 0;

  const keep = () => { try { sessionStorage.setItem(keptText, editor.text()); } catch { /* storage is off */ } };
  const forget = () => { try { sessionStorage.removeItem(keptText); } catch { /* storage is off */ } };
  const kept = () => { try { return sessionStorage.getItem(keptText); } catch { return null; /* storage is off */ } };
  const editor = openEditor($("editor"), { text: kept() ?? first, label: $("text").ariaLabel, onRun: () => check(), onChange: keep, columns, functions });

  // A fault with its place in the script; mark shows it there, too.
  const shown = (fault, at, script, mark) => {
    if (mark && at >= 0 && editor.text() === script) {
      editor.mark(Math.min(at, script.length - 1), at + (/^[\p{L}\p{N}_$]+/u.exec(script.slice(at))?.[0].length ?? 1));
      editor.focus();
    }
    return faultOf(fault, at >= 0 ? placeOf(script, at) : "");
  };
  const shiftedOf = (asked, fault) => {
    const at = offsetOf(asked.sql, fault.line, fault.column);
    return at < 0 ? -1 : at + asked.shift;
  };

  const takeApart = async (script) => {
    try {
      const answer = await fetch("/api/pipelines/statements", { method: "POST", body: script, headers: { "Content-Type": "text/plain; charset=utf-8" } });
      const content = await answer.json();
      return content.error ? { fault: content.error } : content;
    } catch {
      return { fault: unreachable };
    }
  };

  // begin reads the script; null where there is nothing to go on with.
  const begin = async () => {
    const mine = ++turn;
    const script = editor.text();
    $("status").textContent = say("reading…");
    const { statements, fault } = await takeApart(script);
    if (mine !== turn) return null;
    if (fault) {
      $("checked").replaceChildren(shown(fault, offsetOf(script, fault.line, fault.column), script, true));
      $("status").textContent = "";
      return null;
    }
    if (statements.length === 0) {
      $("checked").replaceChildren(faultOf({ code: "invalid", message: say("There is no statement."), hint: say("write one, or press Start again") }, ""));
      $("status").textContent = "";
      return null;
    }
    return { mine, script, statements };
  };

  const card = (s, i, count) => {
    const box = el("section", "one");
    const head = box.appendChild(el("h3", "", count > 1 ? `${i + 1}. ${s.verb || s.text.split(/\s+/, 2).join(" ")}` : s.verb || say("Statement")));
    if (s.pipeline) head.append(" ", el("span", "mono", s.pipeline));
    return box;
  };

  const preview = async (box, s, script, first) => {
    if (s.fault) {
      box.append(shown(s.fault, offsetOf(script, s.fault.line, s.fault.column), script, first));
      return false;
    }
    if (!s.explain) {
      box.append(el("p", "hint", s.topic ? say("Says how a topic is read; it is judged when it is applied.") : say("Not run here: Apply runs it.")));
      if (s.topic) {
        const a = box.appendChild(el("p")).appendChild(el("a", "", say("The records of %s", s.topic)));
        a.href = "/topics?" + new URLSearchParams({ topic: s.topic });
      }
      return true;
    }
    const told = await ask(s.explain.sql);
    if (told.error) {
      box.append(shown(told.error, shiftedOf(s.explain, told.error), script, first));
      return false;
    }
    const steps = box.appendChild(el("div", "steps scroll"));
    steps.tabIndex = 0;
    steps.setAttribute("role", "region");
    steps.setAttribute("aria-label", say("Steps"));
    steps.append(stepsOf(told));
    const sample = await ask(s.sample.sql);
    const rows = box.appendChild(el("div", "sample"));
    rows.append(el("h4", "", say("Sample")));
    if (sample.error) rows.append(el("p", "hint", say("Not shown: a sample is a query, and reads tables alone (%s).", sample.error.message.split("\n")[0])));
    else rows.append(tableOf(sample));
    return true;
  };

  const check = async () => {
    const begun = await begin();
    if (!begun) return;
    const { mine, script, statements } = begun;
    $("checked").replaceChildren();
    let wrong = 0;
    for (const [i, s] of statements.entries()) {
      $("status").textContent = say("checking %s of %s…", i + 1, statements.length);
      const box = card(s, i, statements.length);
      $("checked").append(box);
      if (!await preview(box, s, script, wrong === 0)) wrong++;
      if (mine !== turn) return;
    }
    $("status").textContent = wrong ? say("%s of %s refused", wrong, statements.length) : statements.length === 1 ? say("it can be applied") : say("all %s can be applied, one after the other", statements.length);
  };

  const apply = async () => {
    const begun = await begin();
    if (!begun) return;
    const { mine, script, statements } = begun;
    $("checked").replaceChildren();
    for (const [i, s] of statements.entries()) {
      $("status").textContent = say("applying %s of %s…", i + 1, statements.length);
      const box = card(s, i, statements.length);
      $("checked").append(box);
      const answer = await ask(s.text);
      if (answer.error) {
        box.append(shown(answer.error, shiftedOf({ sql: s.text, shift: s.from }, answer.error), script, true));
        if (mine === turn) $("status").textContent = i === 0 ? say("nothing was changed") : say("the first %s were applied, the others were not", i);
        return;
      }
      const done = box.appendChild(el("p", "done", say("Done.") + " "));
      if (s.pipeline) {
        const a = done.appendChild(el("a", "", say("Show %s", s.pipeline)));
        a.href = "/pipelines/" + encodeURIComponent(s.pipeline);
      }
    }
    forget();
    if (mine === turn) $("status").textContent = say("applied");
  };

  $("check").addEventListener("click", check);
  $("apply").addEventListener("click", apply);
  $("first").addEventListener("click", () => {
    editor.set(first);
    editor.focus();
    forget();
  });
  $("copy-cli").addEventListener("click", (e) => copyFrom(e.currentTarget, `tarn sql ${quoted(editor.text())}`));
  $("copy-curl").addEventListener("click", (e) => copyFrom(e.currentTarget, `curl -sS ${location.origin}/api/sql --data-raw ${quoted(editor.text())}`));
}
