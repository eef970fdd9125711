// Home: the chosen node and the SQL box. Text from data is only ever set as text.
import { wirePage } from "./page.js";
import { wireSQL } from "./sql.js";

const root = document.documentElement;
const $ = (id) => document.getElementById(id);
const factsMillis = 2_000;

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

// factsOf gets the facts of a node, drawn in the reader's language: by its key, or its name.
function factsOf(query) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("GET", "/facts?" + new URLSearchParams(query));
    request.responseType = "document";
    request.onloadend = () => done(request.status === 200 ? request.response?.querySelector("#facts[data-key]") : null); // offline is said elsewhere
    request.send();
  });
}

function showFacts(facts) {
  const open = document.activeElement?.closest("#facts") && document.activeElement.id;
  $("facts").replaceWith(document.importNode(facts, true));
  if (open) $(open)?.focus({ preventScroll: true });
}

async function choose(query, run) {
  chosen = query.node ?? "";
  mark();
  const facts = await factsOf(query);
  if (!facts || chosen !== (query.node ?? "")) return;
  chosen = facts.dataset.key;
  mark();
  showFacts(facts);
  history.replaceState(null, "", "#show=" + encodeURIComponent($("facts-name").textContent));
  sql.set(facts.dataset.query);
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
  const facts = await factsOf({ node: key });
  if (facts && chosen === key) showFacts(facts);
}, factsMillis);

document.addEventListener("click", (e) => {
  const el = e.target.closest("[data-node], [data-sql], [data-fill], #facts-close, #facts-rows");
  if (!el) return;
  if (el.dataset.node) { openedBy(el); choose({ node: el.dataset.node }, true); }
  else if (el.dataset.fill) { sql.set(el.dataset.fill); $("text").focus(); } // it makes something: a person runs it
  else if (el.dataset.sql) { sql.set(el.dataset.sql); sql.run(); }
  else if (el.id === "facts-close") unchoose();
  else choose({ node: chosen }, true);
});
document.addEventListener("keydown", (e) => {
  if (e.target.matches("g[data-node]") && (e.key === "Enter" || e.key === " ")) {
    e.preventDefault();
    openedBy(e.target);
    choose({ node: e.target.dataset.node }, true);
  }
});

// A link to a node fills the box; it runs nothing by itself. A table may appear after the page.
const linked = new URLSearchParams(location.hash.slice(1)).get("show");
document.addEventListener("tarn:refreshed", () => {
  mark();
  if (linked && !chosen && location.hash) choose({ name: linked }, false);
});
if (linked) choose({ name: linked }, false);
