// One source, and the form that makes the file of another. Text from data is only ever set as text.
import { el, fillBox, runFrom } from "./ask.js";
import { asideOf } from "./aside.js";
import { copyFrom, quoted } from "./copy.js";
import { wirePage } from "./page.js";
import { say } from "./say.js";

const $ = (id) => document.getElementById(id);

wirePage();

// Dead letters, each with the next step: which is the source's, for what it fills takes no record of another.
const columns = [[say("At"), "at"], [say("Error"), "error", "wrap"], [say("Where"), "key", "mono cut"], [say("Value"), "value", "mono cut"]];
function step(row) {
  const td = el("td", "wrap");
  const files = row.offset === null || row.offset === undefined;
  td.append(el("span", "hint", files ? say("Mend the line in a new file of the directory: it is read as any other.") : say("Mend the row in the source: its next change comes by itself.")));
  if (row.value !== null && row.value !== undefined) {
    const copy = td.appendChild(el("button", "quiet", say("Copy")));
    copy.type = "button";
    copy.dataset.copy = String(row.value);
    copy.setAttribute("aria-label", say("Copy the value"));
  }
  return td;
}
const dead = document.querySelector("[data-dead]");
const readDead = () => fillBox(dead, dead.dataset.dead, (a) => asideOf(a, columns, say("None. What cannot be read is shown here, with the reason."), step));
if (dead) readDead();
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
