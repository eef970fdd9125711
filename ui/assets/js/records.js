// The records of a topic: the address says which, a live tail adds new ones on top, and what is
// there stays when the tail stops.
import { wirePage } from "./page.js";
import { many, say } from "./say.js";
import { wireTopic } from "./topic.js";

const $ = (id) => document.getElementById(id);
const tail = $("tail");
const records = $("records");
const tailMillis = 1_000;
const rowsMax = 500;

const { load } = wirePage();
wireTopic(load);

function go(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  location.assign(location.pathname + "?" + query);
}

const fields = { from: $("from"), find: $("holds"), partition: $("partition") };
for (const [name, el] of Object.entries(fields)) {
  el?.addEventListener("change", () => {
    // Places of one partition, or of what held another text, are none of the next answer.
    const from = name !== "from" && /^<?\d+:/.test(fields.from.value) ? "" : fields.from.value.trim();
    go({ from, [name]: el.value.trim() });
  });
}

// Rows open and close.
document.addEventListener("click", (e) => {
  const button = e.target.closest("tbody button.name");
  if (!button) return;
  const more = button.closest("tbody").querySelector(".more");
  more.hidden = !more.hidden;
  button.setAttribute("aria-expanded", String(!more.hidden));
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea, select")) return;
  e.preventDefault();
  fields.find.focus();
  fields.find.select();
});

// The tail.
let tailing = false;
let from = tail?.dataset.from ?? "";
let timer = 0;

function take(fresh) {
  const next = fresh.getElementById("tail")?.dataset.from;
  if (!next) return;
  from = next;
  const have = new Set([...records.tBodies].map((b) => b.dataset.record));
  const bodies = [...(fresh.getElementById("records")?.tBodies ?? [])].filter((b) => !have.has(b.dataset.record));
  for (const body of bodies) records.insertBefore(document.importNode(body, true), records.tBodies[0] ?? null);
  while (records.tBodies.length > rowsMax) records.tBodies[records.tBodies.length - 1].remove();
  if (bodies.length === 0) return;
  records.hidden = false;
  $("none").hidden = true;
  $("count").textContent = many(records.tBodies.length, "%s record", "%s records");
}

function ask() {
  if (!tailing) return;
  if (document.hidden) {
    timer = setTimeout(ask, tailMillis);
    return;
  }
  const query = new URLSearchParams(location.search);
  query.set("from", from);
  const request = new XMLHttpRequest();
  request.open("GET", location.pathname + "?" + query);
  request.responseType = "document";
  request.onloadend = () => {
    if (tailing && request.status === 200 && request.response) take(request.response);
    if (tailing) timer = setTimeout(ask, tailMillis);
  };
  request.send();
}

function follow(on) {
  tailing = on;
  tail.setAttribute("aria-pressed", String(on));
  tail.textContent = on ? say("Pause") : say("Live tail");
  for (const el of Object.values(fields)) if (el) el.disabled = on;
  clearTimeout(timer);
  const query = new URLSearchParams(location.search);
  if (on) query.set("tail", "1");
  else query.delete("tail");
  history.replaceState(null, "", location.pathname + "?" + query);
  if (on) ask();
}
tail.addEventListener("click", () => follow(!tailing));
if (new URLSearchParams(location.search).get("tail") && !tail.disabled) follow(true);
