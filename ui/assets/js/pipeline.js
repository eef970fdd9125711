// One pipeline, and the writing of pipelines. Whatever changes something is a statement, and goes
// through /api/sql after somebody pressed for it. Text from data is only ever set as text.
import { fillBox, runFrom } from "./ask.js";
import { asideOf } from "./aside.js";
import { paintPage } from "./paint.js";
import { wirePage } from "./page.js";
import { wireLetters } from "./replay.js";
import { say } from "./say.js";
import { stepsOf } from "./steps.js";
import { ticksOf } from "./ticks.js";

const $ = (id) => document.getElementById(id);
const ticksMillis = 10_000;

wirePage();
if ($("editor")) import("./editor.js").then((m) => m.wireEditor()); // its parts are large

paintPage();

const late = [[say("At"), "at"], [say("Window"), "window_start"], [say("to"), "window_end"], [say("Watermark then"), "watermark"], [say("Value"), "value", "mono cut"]];
const dead = [[say("At"), "at"], [say("Error"), "error", "wrap"], [say("Refused by"), "reader", "wrap"], [say("Key"), "key", "mono cut"], [say("Value"), "value", "mono cut"]];
const boxes = {
  steps: [document.querySelector("[data-steps]"), stepsOf],
  ticks: [document.querySelector("[data-ticks]"), ticksOf],
  late: [document.querySelector("[data-late]"), (a) => asideOf(a, late, say("None. What comes too late for its window is shown here."))],
};
const letters = document.querySelector("[data-dead]");
const readLetters = letters && wireLetters(letters, dead, () => "", () => false);
async function read(name) {
  const [box, show] = boxes[name];
  if (!box) return;
  const open = box.querySelector("details[open]") !== null;
  await fillBox(box, box.dataset[name], show);
  if (open) box.querySelector("details")?.setAttribute("open", "");
}
(async () => { for (const name of Object.keys(boxes)) await read(name); await readLetters?.(); })(); // one query at a time
setInterval(() => {
  if (!document.hidden && document.documentElement.dataset.live === "live") read("ticks");
}, ticksMillis);

// Statements that somebody presses for.
document.addEventListener("click", (e) => {
  const button = e.target.closest("button");
  if (!button) return;
  if (button.dataset.run) runFrom(button, button.dataset.run, $("said"));
  else if (button.dataset.again === "dead") readLetters();
  else if (button.dataset.again) read(button.dataset.again);
  else if (button.dataset.ask === "drop") askDrop();
});

// A drop asks first: for the name.
const drop = $("drop");
function dropSQL() {
  const box = $("drop-table");
  return box.checked ? box.dataset.with : box.dataset.without;
}
function askDrop() {
  $("drop-name").value = "";
  $("drop-said").replaceChildren();
  judge();
  drop.showModal();
  $("drop-name").focus();
}
function judge() {
  $("drop-sql").textContent = dropSQL();
  $("drop-yes").disabled = $("drop-name").value.trim() !== drop.dataset.name;
}
if (drop) {
  $("drop-name").addEventListener("input", judge);
  $("drop-name").addEventListener("keydown", (e) => { if (e.key === "Enter" && !$("drop-yes").disabled) $("drop-yes").click(); });
  $("drop-table").addEventListener("change", judge);
  $("drop-no").addEventListener("click", () => drop.close());
  $("drop-yes").addEventListener("click", async (e) => {
    if (await runFrom(e.currentTarget, dropSQL(), $("drop-said"))) location.assign("/pipelines");
  });
}
