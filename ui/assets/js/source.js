// One source, and the form that makes the file of another. Text from data is only ever set as text.
import { faultOf } from "./answer.js";
import { ask, el, rowsOf, runFrom } from "./ask.js";
import { copyFrom, quoted } from "./copy.js";
import { wirePage } from "./page.js";
import { found, wireLetters } from "./replay.js";
import { say } from "./say.js";
import { literal, quotedName } from "./statements.js";

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
  else if (button?.dataset.check) check(button, button.dataset.check, $("said"));
  else if (button?.dataset.ask === "end") $("end").showModal();
  else if (button?.dataset.run) runFrom(button, button.dataset.run, $("said"));
});

// What a check found, each with the statement for the source that mends it.
const nothing = () => el("p", "done", say("Nothing to mend."));
function findingOf(f) {
  const li = el("li", f.level === "error" ? "fatal" : "");
  const about = f.table_name ?? f.key;
  if (about) li.append(el("b", "mono", about));
  li.append(el("span", "", f.finding));
  if (f.hint) li.append(el("span", "hint", f.hint));
  if (f.mend) {
    const copy = el("button", "quiet", say("Copy"));
    copy.type = "button";
    copy.addEventListener("click", () => copyFrom(copy, f.mend));
    li.append(el("code", "mono", f.mend), copy);
  }
  return li;
}
async function check(button, statement, said) {
  button.disabled = true;
  said.replaceChildren(say("Looking at the source…"));
  const answer = await ask(statement);
  button.disabled = false;
  const list = el("ul", "findings");
  if (!answer.error) list.append(...rowsOf(answer).map(findingOf));
  said.replaceChildren(answer.error ? faultOf(answer.error, "") : list.children.length ? list : nothing());
}

const end = $("end");
$("end-no")?.addEventListener("click", () => end.close());
$("end-yes")?.addEventListener("click", async (e) => {
  if (await runFrom(e.currentTarget, $("end-sql").textContent, $("end-said"))) location.assign("/sources");
});

// The form: what it makes is shown as it is typed, and written when somebody presses for it. The statement
// has a line for each key, so that the line of a fault tells its field.
const form = document.querySelector(".form");
const filled = () => [...form.querySelectorAll("[data-key]")].filter((input) => input.value.trim());
const nameOf = () => $("add-name").value.trim();
function file() {
  const config = { "connector.class": form.dataset.class };
  for (const input of filled()) config[input.dataset.key] = input.value.trim();
  return JSON.stringify({ name: nameOf(), config }, null, 2) + "\n";
}
function statement(verb = "CREATE") {
  const keys = [["connector.class", form.dataset.class], ...filled().map((input) => [input.dataset.key, input.value.trim()])];
  return `${verb} CONNECTOR ${quotedName(nameOf())} WITH (\n${keys.map(([k, v]) => `  ${literal(k)} = ${literal(v)}`).join(",\n")}\n)`;
}
function draw() {
  const name = nameOf();
  $("add-file").replaceChildren(`connectors/${name.replace(/[^\w.-]/gu, "_") || "name"}.json`);
  $("add-json").textContent = file();
  const missing = [...form.querySelectorAll("input")].filter((i) => i.required && !i.value.trim()).map((i) => i.dataset.key ?? "name");
  const taken = JSON.parse(form.dataset.names).includes(name);
  $("add-missing").textContent = missing.length ? say("Still to say: %s.", missing.join(", ")) : /[/\n]/.test(name) ? say("A name has no slash.") : taken ? say("There is a source of that name.") : "";
  for (const id of ["add-copy", "add-cli", "add-sql", "add-make", "add-test"]) if ($(id)) $(id).disabled = missing.length > 0;
}

// What is wrong is said beside its field, and in the footer where it is of none.
function forget(input) {
  input.removeAttribute("aria-invalid");
  input.setAttribute("aria-describedby", `${input.id}-doc`);
  $(`${input.id}-wrong`)?.remove();
}
function wrong(fault) {
  const input = fault.line === 1 ? $("add-name") : filled()[fault.line - 3];
  if (!input) return faultOf(fault, "");
  const text = el("small", "wrong", fault.hint ? `${fault.message} (${fault.hint})` : fault.message);
  text.id = `${input.id}-wrong`;
  input.after(text);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", `${text.id} ${input.id}-doc`);
  input.focus();
  return el("p", "hint", say("Nothing was written: see %s.", input.dataset.key ?? "name"));
}
async function make() {
  $("add-make").disabled = true;
  for (const input of form.querySelectorAll("input")) forget(input);
  $("add-said").replaceChildren(say("Writing…"));
  const answer = await ask(statement());
  $("add-make").disabled = false;
  if (answer.error) {
    $("add-said").replaceChildren(wrong(answer.error));
    return;
  }
  const found = rowsOf(answer);
  const done = el("p", "done", say("Written: %s.", found[0].file) + " ");
  const a = done.appendChild(el("a", "", say("Show %s", nameOf())));
  a.href = "/sources/" + encodeURIComponent(nameOf());
  $("add-said").replaceChildren(done, ...found.filter((f) => f.finding).map((f) => el("p", "hint", f.finding)));
}
if (form) {
  form.addEventListener("input", (e) => { forget(e.target); draw(); });
  $("add-copy").addEventListener("click", (e) => copyFrom(e.currentTarget, file()));
  $("add-sql").addEventListener("click", (e) => copyFrom(e.currentTarget, statement()));
  $("add-cli").addEventListener("click", (e) => copyFrom(e.currentTarget, `cd ${quoted(form.dataset.project)} && mkdir -p connectors && (set -C; printf %s ${quoted(file())} > ${quoted($("add-file").textContent)})`));
  $("add-make")?.addEventListener("click", make);
  $("add-test").addEventListener("click", (e) => check(e.currentTarget, statement("CHECK"), $("add-said")));
  form.addEventListener("keydown", (e) => { if (e.key === "Enter" && $("add-make") && !$("add-make").disabled) make(); });
  draw();
}
