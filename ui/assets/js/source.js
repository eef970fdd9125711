// One source, and the form that makes the file of another. Text from data is only ever set as text.
import { runFrom } from "./ask.js";
import { copyFrom, quoted } from "./copy.js";
import { wirePage } from "./page.js";
import { found, wireLetters } from "./replay.js";
import { say } from "./say.js";

const $ = (id) => document.getElementById(id);

wirePage();

// Dead letters: of a database only the source's own next change mends a row, for what it fills takes no record of another.
const columns = [[say("At"), "at"], [say("Error"), "error", "wrap"], [say("Refused by"), "reader", "wrap"], [say("Where"), "key", "mono cut"], [say("Value"), "value", "mono cut"]];
const dead = document.querySelector("[data-dead]");
const files = dead?.dataset.kind === "files";
const hint = (row) => (found(row) ? say("Mend the line in a new file of the directory: it is read as any other.") : files ? "" : say("Mend the row in the source: its next change comes by itself."));
const readDead = dead && wireLetters(dead, columns, hint, (row) => !files && !found(row));
readDead?.();
document.addEventListener("click", (e) => {
  const button = e.target.closest("button");
  if (button?.dataset.again) readDead();
  else if (button?.dataset.run) runFrom(button, button.dataset.run, $("said"));
});

// The form: what it makes is shown as it is typed.
const form = document.querySelector(".form");
function file() {
  const config = { "connector.class": form.dataset.class };
  for (const input of form.querySelectorAll("[data-key]")) if (input.value.trim()) config[input.dataset.key] = input.value.trim();
  return JSON.stringify({ name: $("add-name").value.trim(), config }, null, 2) + "\n";
}
function draw() {
  const name = $("add-name").value.trim();
  $("add-file").replaceChildren(`connectors/${name.replace(/[^\w.-]/g, "_") || "name"}.json`);
  $("add-json").textContent = file();
  const missing = [...form.querySelectorAll("input")].filter((i) => i.required && !i.value.trim()).map((i) => i.dataset.key ?? "name");
  const taken = JSON.parse(form.dataset.names).includes(name);
  $("add-missing").textContent = missing.length ? say("Still to say: %s.", missing.join(", ")) : /[/\n]/.test(name) ? say("A name has no slash.") : taken ? say("There is a source of that name.") : "";
  for (const id of ["add-copy", "add-cli"]) $(id).disabled = missing.length > 0;
}
if (form) {
  form.addEventListener("input", draw);
  $("add-copy").addEventListener("click", (e) => copyFrom(e.currentTarget, file()));
  $("add-cli").addEventListener("click", (e) => copyFrom(e.currentTarget, `cd ${quoted(form.dataset.project)} && mkdir -p connectors && (set -C; printf %s ${quoted(file())} > ${quoted($("add-file").textContent)})`));
  draw();
}
