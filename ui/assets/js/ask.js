// One statement and its answer: through /api/sql, as any client asks.
import { el, faultOf } from "./answer.js";
import { askAll, Refused } from "./request.js";
import { say } from "./say.js";

/**
 * All of an answer, or why there is none. What the signal ends is thrown.
 * @returns {Promise<{columns?: {name: string, type: string}[], rows?: any[][], stats?: object, error?: {code: string, message: string, hint?: string, line?: number, column?: number}}>}
 */
export async function ask(statement, signal) {
  try {
    return await askAll(statement, signal);
  } catch (e) {
    if (e instanceof Refused) return { error: e.fault };
    throw e;
  }
}

export { el };

/** The rows of an answer by the names of its columns. */
export const rowsOf = (answer) => answer.rows.map((r) => Object.fromEntries(answer.columns.map((c, i) => [c.name, r[i]])));

/** Fills a box with what a statement answers, or with why it does not. */
export async function fillBox(box, statement, show) {
  box.setAttribute("aria-busy", "true");
  const answer = await ask(statement);
  box.removeAttribute("aria-busy");
  box.replaceChildren(answer.error ? faultOf(answer.error, "") : show(answer));
  return !answer.error;
}

/** An element of SVG, in the namespace of the page's own pictures. */
export const svgOf = (name) => document.createElementNS(document.querySelector("svg").namespaceURI, name);

/** Runs a statement that somebody pressed for, and says what came of it. */
export async function runFrom(button, statement, said) {
  button.disabled = true;
  said.replaceChildren(statement + " …");
  const answer = await ask(statement);
  button.disabled = false;
  said.replaceChildren(answer.error ? faultOf(answer.error, "") : el("p", "done", say("Done: %s", statement)));
  return !answer.error;
}
