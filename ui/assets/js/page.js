// What every page does: values that move, parts that are fetched anew, copying. Text from
// data is only ever set as text.
import { wireMarks } from "./marks.js";
import { copyFrom } from "./copy.js";
import { follow } from "./live.js";
import { say } from "./say.js";

const root = document.documentElement;
const $ = (id) => document.getElementById(id);
const refreshMillis = 1_000; // at most one fetch of the parts in, unless somebody asks for more

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

// Parts: when their shape has changed, or the address, the server draws them anew. A document
// that XHR parses runs no scripts, and its nodes move over without becoming text in between.
let loading = false;
let again = false;
let waiting = 0;
let refreshed = 0;
let wanted = root.dataset.shape;
function load() {
  again = loading;
  if (loading) return;
  loading = true;
  const request = new XMLHttpRequest();
  request.open("GET", location.pathname + location.search);
  request.responseType = "document";
  request.onloadend = () => {
    loading = false;
    refreshed = Date.now();
    const fresh = request.response;
    if (again) load();
    else if (request.status === 200 && fresh) swap(fresh);
  };
  request.send();
}

function refresh() {
  if (waiting || wanted === root.dataset.shape) return;
  waiting = setTimeout(() => {
    waiting = 0;
    load();
  }, Math.max(0, refreshed + refreshMillis - Date.now()));
}

function focusPath() {
  const el = document.activeElement;
  const part = el?.closest?.("[data-part]");
  if (!part) return "";
  for (const name of ["node", "flow", "copy", "sql", "fill", "go", "ask", "run", "again", "edit"]) {
    if (el.dataset[name]) return `[data-part="${part.dataset.part}"] ${el.tagName.toLowerCase()}[data-${name}="${CSS.escape(el.dataset[name])}"]`;
  }
  return "";
}

function swap(fresh) {
  if (fresh.documentElement.lang !== root.lang) {
    location.reload(); // the reader has chosen another language, in another tab
    return;
  }
  const focus = focusPath();
  const scrolled = new Map([...document.querySelectorAll(".graph, .flow-table, .list, .pipe-list")].map((el) => [el.className, [el.scrollLeft, el.scrollTop]]));
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!next) continue;
    for (const open of part.querySelectorAll("details[id][open]")) next.querySelector("#" + open.id)?.setAttribute("open", "");
    part.replaceWith(document.importNode(next, true));
  }
  root.dataset.shape = fresh.documentElement.dataset.shape;
  for (const [name, [left, top]] of scrolled) {
    const el = document.getElementsByClassName(name)[0];
    if (el) [el.scrollLeft, el.scrollTop] = [left, top];
  }
  index();
  document.dispatchEvent(new Event("tarn:refreshed"));
  if (focus) document.querySelector(focus)?.focus({ preventScroll: true });
}

// Live or not, in words.
const states = { connecting: say("connecting"), live: say("live"), offline: say("offline") };
function tell(state) {
  if ($("live").dataset.state === state) return;
  $("live").dataset.state = root.dataset.live = state;
  $("live-text").textContent = states[state] ?? state;
  const offline = state === "offline";
  $("offline").hidden = !offline;
  $("offline").textContent = offline ? say("Tarn does not answer. The figures are of %s UTC. Trying again…", document.querySelector('time[data-v="at"]')?.textContent) : "";
}

/** Makes the page live. @returns {{load: () => void}} that draws the parts of another address */
export function wirePage() {
  wireMarks();
  follow(({ state, event }) => {
    tell(state);
    if (!event) return;
    if (event.build !== root.dataset.build) {
      location.reload(); // another Tarn has started; the statement is kept by sql.js
      return;
    }
    apply(event.set);
    wanted = event.shape;
    refresh();
  });
  document.addEventListener("click", (e) => {
    const el = e.target.closest("[data-copy]");
    if (el) copyFrom(el, el.dataset.copy);
  });
  index();
  // What is cut off of the navigation comes into sight: the page that this is, and whatever has the focus.
  const inSight = (link) => link?.scrollIntoView({ inline: "center", block: "nearest", behavior: "instant" });
  const nav = document.querySelector(".top nav");
  nav.addEventListener("focusin", (e) => inSight(e.target));
  inSight(nav.querySelector("[aria-current]"));
  return { load };
}
