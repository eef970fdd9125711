// Tarn's own state: its log goes on by itself until somebody stops it; what is there stays.
import { wirePage } from "./page.js";
import { say } from "./say.js";

const tailMillis = 1_000;
const usageMillis = 15_000;
const linesMax = 500;
const tail = document.getElementById("tail");
const { load } = wirePage();

let tailing = true;
let asking = false;

function take(fresh) {
  const body = document.querySelector("#lines tbody");
  const last = Number(body.querySelector("[data-line]")?.dataset.line ?? 0);
  const rows = [...fresh.querySelectorAll("[data-line]")].filter((tr) => Number(tr.dataset.line) > last);
  body.prepend(...rows.map((tr) => document.importNode(tr, true)));
  while (body.rows.length > linesMax) body.rows[body.rows.length - 1].remove();
  if (body.rows.length) document.querySelector("#log .nothing")?.remove();
}

function ask() {
  if (!tailing || asking || document.hidden) return;
  asking = true;
  const request = new XMLHttpRequest();
  request.open("GET", "/status/log" + location.search);
  request.responseType = "document";
  request.onloadend = () => {
    asking = false;
    if (tailing && request.status === 200 && request.response) take(request.response);
  };
  request.send();
}

tail.addEventListener("click", () => {
  tailing = !tailing;
  tail.setAttribute("aria-pressed", String(tailing));
  tail.textContent = tailing ? say("Pause") : say("Live tail");
  ask();
});
setInterval(ask, tailMillis);
setInterval(() => { if (!document.hidden && document.documentElement.dataset.live === "live") load(); }, usageMillis);
