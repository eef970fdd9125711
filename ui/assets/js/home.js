// Home: the chosen node and the SQL box. Text from data is only ever set as text.
import { wirePage } from "./page.js";
import { wireSQL } from "./sql.js";

const root = document.documentElement;
const $ = (id) => document.getElementById(id);
const factsMillis = 2_000;
const longValue = 60; // characters; a longer fact has a line of its own

const sql = wireSQL();
wirePage();

// The chosen node: its facts from the JSON twin, its newest rows through the SQL box.
let chosen = "";
let opener = ""; // what chose it, for the focus to go back to
function openedBy(el) {
  const part = el.closest("[data-part]")?.dataset.part;
  opener = `${part ? `[data-part="${part}"] ` : ""}${el.tagName}[data-node="${CSS.escape(el.dataset.node)}"]`;
}
function mark() {
  for (const el of document.querySelectorAll("[data-node]")) {
    if (el.dataset.node === chosen) el.setAttribute("aria-current", "true");
    else el.removeAttribute("aria-current");
  }
}

async function nodeOf(test) {
  try {
    const answer = await fetch("/api/home");
    return answer.ok ? (await answer.json()).nodes.find(test) : undefined;
  } catch {
    return undefined; // offline is said elsewhere
  }
}

function showFacts(node) {
  $("facts-name").textContent = node.name;
  $("facts-kind").textContent = node.view ? "view" : node.kind;
  $("facts-kind").className = "pill k-" + node.kind;
  $("facts-list").replaceChildren(...node.facts.map((f) => {
    const row = document.createElement("div");
    const label = document.createElement("dt");
    const value = document.createElement("dd");
    label.textContent = f.label;
    value.textContent = f.value;
    row.classList.toggle("long", f.value.length > longValue);
    row.classList.toggle("error", f.label === "Error");
    row.append(label, value);
    return row;
  }));
  $("facts").hidden = false;
}

async function choose(key, run) {
  chosen = key;
  mark();
  const node = await nodeOf((n) => n.key === key);
  if (!node || chosen !== key) return;
  showFacts(node);
  history.replaceState(null, "", "#show=" + encodeURIComponent(node.name));
  sql.set(node.query);
  if (run) sql.run();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("facts").scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
}

function unchoose() {
  const focus = document.querySelector(opener || `[data-node="${CSS.escape(chosen)}"]`);
  chosen = "";
  mark();
  $("facts").hidden = true;
  history.replaceState(null, "", location.pathname);
  focus?.focus({ preventScroll: true });
}

setInterval(async () => {
  const key = chosen;
  if (!key || document.hidden || root.dataset.live !== "live") return;
  const node = await nodeOf((n) => n.key === key);
  if (node && chosen === key) showFacts(node);
}, factsMillis);

document.addEventListener("click", (e) => {
  const el = e.target.closest("[data-node], [data-sql], [data-fill], #facts-close, #facts-rows");
  if (!el) return;
  if (el.dataset.node) { openedBy(el); choose(el.dataset.node, true); }
  else if (el.dataset.fill) { sql.set(el.dataset.fill); $("text").focus(); } // it makes something: a person runs it
  else if (el.dataset.sql) { sql.set(el.dataset.sql); sql.run(); }
  else if (el.id === "facts-close") unchoose();
  else choose(chosen, true);
});
document.addEventListener("keydown", (e) => {
  if (e.target.matches("g[data-node]") && (e.key === "Enter" || e.key === " ")) {
    e.preventDefault();
    openedBy(e.target);
    choose(e.target.dataset.node, true);
  }
});

// A link to a node fills the box; it runs nothing by itself.
async function chooseFromLink() {
  const name = new URLSearchParams(location.hash.slice(1)).get("show");
  const node = name && await nodeOf((n) => n.name === name);
  if (node) choose(node.key, false);
}

document.addEventListener("tarn:refreshed", mark);
chooseFromLink();
