// Lab: what a step says to do is done when somebody presses for it, and the server says what it finds. Which steps
// were found done is kept in this browser. Text from data is only ever set as text.
import { faultOf, tableOf } from "./answer.js";
import { ask, el } from "./ask.js";
import { paintPage } from "./paint.js";
import { wirePage } from "./page.js";
import { unreachable, wordless } from "./request.js";
import { say } from "./say.js";

const $ = (id) => document.getElementById(id);
const keptName = "tarn.lab";
const againMillis = 4_000;
const soonMillis = 700;
const soonMax = 30; // looks after something was done, until it shows

const { load } = wirePage();

paintPage();

// Progress.
function kept() {
  try {
    const list = JSON.parse(localStorage.getItem(keptName) ?? "[]");
    return new Set(Array.isArray(list) ? list : []);
  } catch {
    return new Set(); // storage is off, or holds something else
  }
}
const done = kept();
function keep() {
  try {
    localStorage.setItem(keptName, JSON.stringify([...done]));
  } catch { /* as above: it lasts as long as the page */ }
}
function showProgress() {
  const steps = document.querySelectorAll(".tour li");
  let n = 0;
  for (const li of steps) {
    const is = done.has(li.dataset.id);
    li.classList.toggle("done", is);
    const word = li.querySelector("[data-done]");
    word.textContent = is ? word.dataset.done : "";
    if (is) n++;
  }
  $("lab-count").textContent = say("%s of %s done", n, steps.length);
}
showProgress();
addEventListener("storage", (e) => { // another tab went on
  if (e.key !== keptName) return;
  done.clear();
  for (const id of kept()) done.add(id);
  showProgress();
});
$("lab-again").addEventListener("click", () => {
  done.clear();
  keep();
  showProgress();
});

// The server looks: now and again until it finds the step done, more often after something was done here. What it says
// is put in place only when it says something else, so that readers of the screen hear it once.
let looking = false;
let wanted = false; // another look, as soon as this one is over
let soon = 0; // looks to come at short intervals
let timer = 0;
function tell(nodes) {
  const next = el("div");
  next.append(...nodes);
  $("found").removeAttribute("aria-busy");
  if (next.textContent !== $("found").textContent) $("found").replaceChildren(...next.childNodes);
}
function take(part) {
  tell([...document.importNode(part, true).childNodes]);
  if (part.dataset.done !== "true") return false;
  if (!done.has(part.dataset.step)) {
    done.add(part.dataset.step);
    keep();
    showProgress();
  }
  return true;
}
function look() {
  clearTimeout(timer);
  wanted = looking;
  if (looking) return;
  looking = true;
  const request = new XMLHttpRequest();
  request.open("GET", $("check").dataset.check);
  request.responseType = "document";
  request.onloadend = () => {
    looking = false;
    const part = request.status === 200 ? request.response?.querySelector("#found") : null;
    const is = part ? take(part) : tell([faultOf(request.status ? wordless(request) : unreachable, "")]);
    if (wanted) look();
    else if (!is) timer = setTimeout(() => { if (!document.hidden) look(); }, soon-- > 0 ? soonMillis : againMillis);
  };
  request.send();
}
const lookOn = () => { soon = soonMax; look(); };
look();
$("check").addEventListener("click", look);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });

// After a stop the page shows the process that runs now.
let offline = false;
new MutationObserver(() => {
  const state = document.documentElement.dataset.live;
  if (state === "live" && offline) { load(); lookOn(); }
  offline = state === "offline" || (offline && state !== "live");
}).observe(document.documentElement, { attributeFilter: ["data-live"] });

// What somebody presses for.
async function runStatement(button, box) {
  button.disabled = true;
  box.replaceChildren(el("p", "nothing", say("Running…")));
  const answer = await ask(button.dataset.sql);
  button.disabled = false;
  const query = answer.columns?.length > 0 && !(answer.columns.length === 1 && answer.columns[0].name === "status");
  box.replaceChildren(answer.error ? faultOf(answer.error, "") : query ? tableOf(answer) : el("p", "done", say("Done.")));
  if (!answer.error) lookOn();
}

async function postRecord(button, box) {
  button.disabled = true;
  box.replaceChildren(el("p", "nothing", say("Running…")));
  try {
    const answer = await fetch(button.dataset.to, { method: "POST", body: button.dataset.post, headers: { "Content-Type": "application/json" } });
    const body = await answer.json();
    box.replaceChildren(body.error ? faultOf(body.error, "") : el("p", "done", say("%s: on the disk, at offset %s.", answer.status, body.offset)));
    if (answer.ok) lookOn();
  } catch {
    box.replaceChildren(faultOf(unreachable, ""));
  }
  button.disabled = false;
}

async function turn(button) {
  const wish = button.getAttribute("aria-checked") === "true" ? "off" : "on";
  button.disabled = true;
  try {
    const answer = await fetch("/api/lab/faults/" + encodeURIComponent(button.dataset.fault), { method: "POST", body: wish });
    const body = await answer.json();
    if (body.error) $("fault-said").replaceChildren(faultOf(body.error, ""));
    else {
      $("fault-said").replaceChildren();
      for (const f of body.faults) document.querySelector(`[data-fault="${CSS.escape(f.name)}"]`)?.setAttribute("aria-checked", String(f.on));
      load();
      lookOn();
    }
  } catch {
    $("fault-said").replaceChildren(faultOf(unreachable, ""));
  }
  button.disabled = false;
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("button");
  if (!button) return;
  if (button.dataset.sql) runStatement(button, $(button.dataset.box));
  else if (button.dataset.post) postRecord(button, $(button.dataset.box));
  else if (button.dataset.fault) turn(button);
});

// What the tour is over stands in the address.
document.addEventListener("change", (e) => {
  const name = e.target.dataset?.name;
  if (!name) return;
  const query = new URLSearchParams(location.search);
  if (e.target.value) query.set(name, e.target.value);
  else query.delete(name);
  location.search = String(query);
});
