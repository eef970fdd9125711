// What a run has answered: a tab for each statement, and of the chosen one its grid, its chart or its plan.
import { el, faultOf, snapshotsOf } from "./answer.js";
import { gridOf } from "./grid.js";
import { inWords } from "./request.js";
import { many, say } from "./say.js";
import { verbOf } from "./statements.js";

const $ = (id) => document.getElementById(id);
const titleChars = 40;
const messageChars = 300;

const titleOf = (statement) => {
  const line = statement.replace(/\s+/g, " ");
  return line.length > titleChars ? line.slice(0, titleChars) + "…" : line;
};

const marks = { waiting: "·", running: "…", done: "", failed: "!", canceled: "×" };

/** What there is to say of an answer. */
export function said(answer) {
  const { rows, state } = answer;
  const rowsOf = many(rows.count, "%s row", "%s rows");
  const took = inWords(answer.took);
  switch (state) {
    case "waiting": return say("waits for its turn");
    case "running": return rows.columns ? say("%s so far, %s", rowsOf, took) : say("running, %s", took);
    case "canceled": return say("canceled after %s", took) + (rows.count > 0 ? say("; there are %s", rowsOf) : "");
    case "failed": return say("refused after %s", took) + (rows.count > 0 ? say("; there are %s", rowsOf) : "");
  }
  const why = { rows: say("a page shows no more; an export has all"), bytes: say("the page's memory holds no more; an export has all"), answer: rows.error?.hint };
  if (rows.cut) return say("the first %s, %s: %s", rowsOf, took, why[rows.cut]);
  return many(rows.count, "%s row in %s", "%s rows in %s", rows.stats?.ms === undefined ? took : inWords(rows.stats.ms));
}

function planOf(rows) {
  const list = el("ol", "plan");
  for (let i = 0; i < rows.count; i++) {
    const line = String(rows.row(i)[0]);
    const depth = (line.length - line.trimStart().length) / 2;
    const [name, ...facts] = line.trim().split(" · ");
    const item = list.appendChild(el("li"));
    item.style.setProperty("--depth", depth);
    item.append(el("b", "mono", name.replaceAll("_", " ").toLowerCase()));
    for (const fact of facts) {
      const rowsOf = fact.match(/^estimated cardinality (.*)$/);
      item.append(rowsOf ? el("small", "dim", say("about %s", many(Number(rowsOf[1]), "%s row", "%s rows"))) : el("span", "mono", fact));
    }
  }
  return list;
}

/**
 * @param {{chartOf: (answer) => HTMLElement, onColumn: Function, onCell: Function, onRow: Function, chosen: (answer) => void}} told
 */
export function wireResults(told) {
  let answers = [];
  let chosen = null;
  let grid = null; // of the chosen answer
  let shown = ""; // what the answer's box holds
  let tabbed = ""; // and the row of tabs

  const tabs = () => {
    const now = answers.map((a) => a.id + a.state + (a === chosen)).join();
    if (now === tabbed) return;
    tabbed = now;
    const back = document.activeElement?.role === "tab";
    $("tabs").hidden = answers.length < 2;
    $("tabs").replaceChildren(...answers.map((a, i) => {
      const tab = el("button", `tab tab-${a.state}`, `${i + 1} ${titleOf(a.statement)}`);
      tab.type = "button";
      tab.id = `tab-${i}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-selected", String(a === chosen));
      tab.setAttribute("aria-controls", "answer");
      tab.tabIndex = a === chosen ? 0 : -1;
      tab.title = `${a.statement.slice(0, 2000)}\n${said(a)}`;
      if (marks[a.state]) tab.append(el("i", "", ` ${marks[a.state]}`));
      tab.onclick = () => choose(a);
      return tab;
    }));
    if (back) document.querySelector('#tabs [aria-selected="true"]')?.focus();
  };

  const body = () => {
    try {
      draw();
    } catch (e) {
      grid = null;
      const fault = { code: "internal", message: say("This answer cannot be shown: %s", String(e.message).slice(0, messageChars)), hint: say("export it: a file holds all of it") };
      $("answer").replaceChildren(faultOf(fault, ""));
    }
  };

  const draw = () => {
    const { rows, state, fault, view } = chosen;
    const isPlan = state === "done" && verbOf(chosen.statement) === "EXPLAIN" && rows.columns.length === 1;
    const isStatus = state === "done" && rows.count === 1 && rows.columns.length === 1 && rows.columns[0].name === "status";
    const now = [chosen.id, fault && "fault", isPlan && "plan", isStatus && "status", !rows.columns && state, rows.count === 0 && state, view, view === "chart" && JSON.stringify(chosen.chart) + state].join();
    if (now === shown && grid) { grid.refresh(); return; }
    if (now === shown) return;
    shown = now;
    grid = null;
    const nodes = [];
    if (fault) nodes.push(faultOf(fault, fault.line ? say("line %s, column %s", ...chosen.placed(fault)) : ""));
    if (isPlan) nodes.push(planOf(rows));
    else if (isStatus) nodes.push(el("p", "nothing", say("Done: %s", rows.row(0)[0])));
    else if (rows.columns && rows.count === 0 && state !== "running") nodes.push(el("p", "nothing", say("No rows. The columns are %s.", rows.columns.map((c) => `${c.name} ${c.type}`).join(", "))));
    else if (rows.columns && view === "chart") nodes.push(told.chartOf(chosen));
    else if (rows.columns && rows.count > 0) {
      const mine = chosen;
      grid = gridOf(rows, { label: say("Result"), onColumn: (c) => told.onColumn(mine, c), onCell: (r, c) => told.onCell(mine, r, c), onRow: (r) => told.onRow(mine, r) });
      nodes.push(grid.element);
    } else if (state === "running") nodes.push(waitingFor());
    else if (state === "canceled") nodes.push(el("p", "nothing", say("Canceled. Tarn stopped reading.")));
    else if (state === "waiting") nodes.push(el("p", "nothing", say("It has not run: one before it has not ended well.")));
    $("answer").replaceChildren(...nodes);
  };

  const waitingFor = () => {
    const box = el("div", "skeleton");
    box.setAttribute("aria-hidden", "true");
    for (let i = 0; i < 6; i++) box.append(el("i"));
    return box;
  };

  const refresh = () => {
    tabs();
    if (!chosen) return;
    $("answer").setAttribute("aria-busy", String(chosen.state === "running"));
    $("status").textContent = said(chosen);
    $("status").dataset.state = chosen.state;
    const snapshots = chosen.state === "done" && snapshotsOf(chosen.rows.stats?.snapshots);
    $("snapshots").replaceChildren(...(snapshots ? [snapshots] : []));
    body();
    told.chosen(chosen);
  };

  const choose = (answer) => {
    chosen = answer;
    refresh();
  };

  $("tabs").addEventListener("keydown", (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    choose(answers[(answers.indexOf(chosen) + step + answers.length) % answers.length]);
  });

  return {
    /** Shows another run in the place of the last. */
    begin(next) {
      for (const a of answers) a.rows.drop();
      answers = next;
      shown = "";
      choose(next[0]);
    },
    changed(answer) {
      if (answer.state === "running" && answer !== chosen && answer.rows.count === 0) chosen = answer;
      refresh();
    },
    refresh,
    chosen: () => chosen,
    focus: () => grid?.focus(),
  };
}
