// The page: values that move, parts that are fetched anew, and the chosen node. Text from
// data is only ever set as text.
import { copyFrom } from "./copy.js";
import { follow } from "./live.js";
import { wireSQL } from "./sql.js";

const root = document.documentElement;
const $ = (id) => document.getElementById(id);
const refreshMillis = 1_000; // at most one fetch of the parts in
const factsMillis = 2_000;
const longValue = 60; // characters; a longer fact has a line of its own

const sql = wireSQL();

// Values: data-v names an element's text; @class and @d its attribute.
let places = new Map();
function index() {
  places = new Map();
  for (const el of document.querySelectorAll("[data-v]")) {
    const name = el.dataset.v;
    if (!places.has(name)) places.set(name, []);
    places.get(name).push(el);
  }
}

function apply(set) {
  for (const [full, text] of Object.entries(set)) {
    const [name, attribute] = full.split("@");
    for (const el of places.get(name) ?? []) {
      if (attribute === "class" || attribute === "d") el.setAttribute(attribute, text);
      else if (!attribute && el.textContent !== text) el.textContent = text;
    }
  }
}

// Parts: when their shape has changed, the server draws them anew. A document that XHR
// parses runs no scripts, and its nodes move over without becoming text in between.
let refreshing = false;
let refreshed = 0;
let wanted = root.dataset.shape;
function refresh() {
  if (refreshing || wanted === root.dataset.shape) return;
  refreshing = true;
  setTimeout(() => {
    const request = new XMLHttpRequest();
    request.open("GET", "/");
    request.responseType = "document";
    request.onloadend = () => {
      refreshing = false;
      refreshed = Date.now();
      const fresh = request.response;
      if (request.status === 200 && fresh) swap(fresh);
    };
    request.send();
  }, Math.max(0, refreshed + refreshMillis - Date.now()));
}

function focusPath() {
  const el = document.activeElement;
  if (!el?.closest?.("[data-part]")) return "";
  for (const name of ["node", "flow", "copy", "sql"]) {
    if (el.dataset[name]) return `${el.tagName.toLowerCase()}[data-${name}="${CSS.escape(el.dataset[name])}"]`;
  }
  return "";
}

function swap(fresh) {
  const focus = focusPath();
  const scrolled = new Map([...document.querySelectorAll(".graph, .flow-table")].map((el) => [el.className, el.scrollLeft]));
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!next) continue;
    for (const open of part.querySelectorAll("details[id][open]")) next.querySelector("#" + open.id)?.setAttribute("open", "");
    part.replaceWith(document.importNode(next, true));
  }
  root.dataset.shape = fresh.documentElement.dataset.shape;
  for (const [name, left] of scrolled) {
    const el = document.getElementsByClassName(name)[0];
    if (el) el.scrollLeft = left;
  }
  index();
  mark();
  document.dispatchEvent(new Event("tarn:refreshed"));
  if (focus) document.querySelector(focus)?.focus({ preventScroll: true });
}

// Live or not, in words.
function say(state) {
  if ($("live").dataset.state === state) return;
  $("live").dataset.state = root.dataset.live = state;
  $("live-text").textContent = state;
  const offline = state === "offline";
  $("offline").hidden = !offline;
  $("offline").textContent = offline ? `Tarn does not answer. The figures are of ${document.querySelector("time")?.textContent} UTC. Trying again…` : "";
}

follow(({ state, event }) => {
  say(state);
  if (!event) return;
  if (event.build !== root.dataset.build) {
    location.reload(); // another Tarn has started; the statement is kept by sql.js
    return;
  }
  apply(event.set);
  wanted = event.shape;
  refresh();
});

// The chosen node: its facts from the JSON twin, its newest rows through the SQL box.
let chosen = "";
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
  const focus = document.querySelector(`[data-node="${CSS.escape(chosen)}"]`);
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
  const el = e.target.closest("[data-node], [data-copy], [data-sql], #facts-close, #facts-rows");
  if (!el) return;
  if (el.dataset.node) choose(el.dataset.node, true);
  else if (el.dataset.copy) copyFrom(el, el.dataset.copy);
  else if (el.dataset.sql) { sql.set(el.dataset.sql); sql.run(); }
  else if (el.id === "facts-close") unchoose();
  else choose(chosen, true);
});
document.addEventListener("keydown", (e) => {
  if (e.target.matches("g[data-node]") && (e.key === "Enter" || e.key === " ")) {
    e.preventDefault();
    choose(e.target.dataset.node, true);
  }
});

// A link to a node fills the box; it runs nothing by itself.
async function chooseFromLink() {
  const name = new URLSearchParams(location.hash.slice(1)).get("show");
  const node = name && await nodeOf((n) => n.name === name);
  if (node) choose(node.key, false);
}

index();
chooseFromLink();
