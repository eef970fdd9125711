// The command palette: Ctrl+K, some letters, Enter. It goes to pages and to whatever Home knows of,
// copies what connects to a door, and switches theme and language. Names are only ever set as text.
import { copyText } from "./copy.js";
import { many, say } from "./say.js";

const $ = (id) => document.getElementById(id);
const shownMax = 40; // lines; more letters find the others
const namesMax = 10_000;
const kindPoints = 50; // points that a text is better by than its kind with it
const freshMillis = 5_000;

const dialog = $("palette");
const find = $("palette-find");
const list = $("palette-list");
let names = []; // of the things, from Home's twin
let askedAt = -Infinity;
let found = [];
let at = 0;

const go = (href) => () => location.assign(href);
const query = (path, values) => path + "?" + new URLSearchParams(values);
const places = {
  source: (n) => "/sources/" + encodeURIComponent(n.name),
  topic: (n) => query("/topics", { topic: n.name }),
  table: (n) => (n.view ? "/#" + new URLSearchParams({ show: n.name }) : "/lake/" + encodeURIComponent(n.name)),
};
const kinds = { source: say("source"), topic: say("topic"), table: say("table"), view: say("view"), pipeline: say("pipeline") };

// What there is without asking: pages, theme, language.
function fixed() {
  const pages = [...document.querySelectorAll(".top nav a")].map((a) => ({ text: a.textContent.trim(), kind: say("page"), act: go(a.getAttribute("href")) }));
  const themes = ["auto", "dark", "light"].map((theme) => ({
    text: $("theme").dataset[theme], kind: say("setting"), act: () => document.dispatchEvent(new CustomEvent("tarn:theme", { detail: theme })),
  }));
  return [...pages, ...themes, { text: $("language").ariaLabel, kind: say("setting"), act: () => $("language").click() }];
}

function namesOf(state) {
  const hasSources = document.querySelector('.top nav a[href="/sources"]') !== null;
  const nodes = state.nodes.slice(0, namesMax).filter((n) => n.kind !== "source" || hasSources).map((n) => {
    const kind = n.kind === "source" || n.kind === "topic" ? n.kind : "table";
    return { text: n.name, kind: kinds[n.view ? "view" : kind], act: go(places[kind](n)) };
  });
  const pipelines = state.pipelines.slice(0, namesMax).map((p) => ({ text: p.name, kind: kinds.pipeline, act: go("/pipelines/" + encodeURIComponent(p.name)) }));
  const doors = state.doors.flatMap((d) => d.connect.map((c) => ({ text: c, name: d.name, kind: say("copy, %s", d.name), act: () => copyText(c) })));
  return [...nodes, ...pipelines, ...doors];
}

async function ask() {
  if (performance.now() - askedAt < freshMillis) return;
  askedAt = performance.now();
  try {
    const answer = await fetch("/api/home");
    if (answer.ok) names = namesOf(await answer.json());
  } catch { /* offline is said elsewhere: the pages are still there */ }
  if (dialog.open) show();
}

// How well letters fit a text: all of them, in order; better at the beginnings of words and in one piece.
// -Infinity is not at all.
function fit(text, letters) {
  const whole = text.indexOf(letters);
  if (whole >= 0) return 1000 - Math.min(whole, 100) - Math.min(text.length, 200) / 10 + (whole === 0 || /[^a-z0-9]/.test(text[whole - 1]) ? 200 : 0);
  let points = 0;
  let from = 0;
  for (const letter of letters) {
    if (letter === " ") continue;
    const next = text.indexOf(letter, from);
    if (next < 0) return -Infinity;
    if (next === from) points += 3;
    else if (/[^a-z0-9]/.test(text[next - 1])) points += 5;
    from = next + 1;
  }
  return points - Math.min(text.length, 200) / 10;
}

function matches() {
  const letters = find.value.trim().toLowerCase();
  const all = [...fixed(), ...names];
  if (letters === "") return all;
  return all.map((one) => ({ one, points: Math.max(fit(one.text.toLowerCase(), letters), fit(`${one.kind} ${one.text}`.toLowerCase(), letters) - kindPoints) }))
    .filter((f) => f.points > -Infinity).sort((a, b) => b.points - a.points).map((f) => f.one);
}

function line(one, i) {
  const li = document.createElement("li");
  li.id = "palette-" + i;
  li.setAttribute("role", "option");
  const text = document.createElement("span");
  const kind = document.createElement("span");
  text.textContent = one.text;
  text.className = "what";
  kind.textContent = one.kind;
  kind.className = "dim";
  li.append(text, kind);
  li.addEventListener("click", () => take(i));
  return li;
}

function show() {
  const all = matches();
  found = all.slice(0, shownMax);
  list.replaceChildren(...found.map(line));
  const left = all.length - found.length;
  $("palette-count").textContent = found.length === 0 ? say("Nothing has these letters.") : left > 0 ? many(left, "and %s more: write more letters", "and %s more: write more letters") : many(found.length, "%s line", "%s lines");
  mark(Math.min(at, Math.max(0, found.length - 1)));
}

function mark(i) {
  at = i;
  for (const [n, li] of [...list.children].entries()) li.setAttribute("aria-selected", String(n === at));
  const chosen = list.children[at];
  if (chosen) find.setAttribute("aria-activedescendant", chosen.id);
  else find.removeAttribute("aria-activedescendant");
  chosen?.scrollIntoView({ block: "nearest" });
}

function take(i) {
  const one = found[i];
  if (!one) return;
  dialog.close();
  one.act();
}

function open() {
  if (dialog.open) {
    dialog.close();
    return;
  }
  find.value = "";
  at = 0;
  dialog.showModal();
  show();
  ask();
}

find.addEventListener("input", () => { at = 0; show(); ask(); });
find.addEventListener("keydown", (e) => {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
  if (e.key === "Enter") take(at);
  else if (e.key in steps && found.length) mark(Math.abs(steps[e.key]) === 1 ? (at + steps[e.key] + found.length) % found.length : Math.max(0, Math.min(found.length - 1, at + steps[e.key])));
  else return;
  e.preventDefault();
});
dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); }); // beside it
$("palette-open").addEventListener("click", open);
document.addEventListener("keydown", (e) => {
  if (e.key.toLowerCase() !== "k" || !(e.ctrlKey || e.metaKey) || e.shiftKey || e.altKey) return;
  e.preventDefault();
  e.stopPropagation(); // an editor has a use of its own for it
  open();
}, true);
