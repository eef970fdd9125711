// A dialog that changes something by a statement, which it shows before somebody presses for it.
import { faultOf } from "./answer.js";
import { ask } from "./ask.js";
import { say } from "./say.js";

const $ = (id) => document.getElementById(id);

/**
 * Wires a dialog.
 * @param {string} id of the dialog; its statement is shown in id-sql, and what came of it is said in id-said
 * @param {() => string} statement "" while something is missing
 * @param {(answer: object) => void} done after it has closed
 * @returns {{open: () => void, run: (statement: string) => void}}
 */
export function wireChange(id, statement, done) {
  const dialog = $(id);
  const yes = dialog.querySelector("[data-yes]");
  const draw = () => {
    $(`${id}-sql`).textContent = statement() || "…";
    yes.disabled = !statement();
  };
  const run = async (text) => {
    if (!text || dialog.ariaBusy === "true") return;
    dialog.ariaBusy = "true";
    $(`${id}-said`).replaceChildren(text + " …");
    const answer = await ask(text);
    dialog.ariaBusy = null;
    $(`${id}-said`).replaceChildren(...(answer.error ? [faultOf(answer.error, "")] : []));
    if (answer.error) return;
    dialog.close();
    done(answer);
  };
  dialog.addEventListener("input", draw);
  dialog.addEventListener("change", draw);
  dialog.querySelector("[data-no]").addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => run(statement()));
  dialog.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || !e.target.matches("input, select")) return;
    e.preventDefault();
    run(statement());
  });
  return {
    run,
    open() {
      $(`${id}-said`).replaceChildren();
      draw();
      dialog.showModal();
    },
  };
}
