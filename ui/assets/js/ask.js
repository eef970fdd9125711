// One statement and its answer: through /api/sql, as any client asks.
import { el, faultOf, parse } from "./answer.js";
import { say } from "./say.js";

export const unreachable = { code: "unavailable", message: say("Tarn does not answer."), hint: say("is it running? start it with tarn up") };

/** The fault of an answer that is not Tarn's words. */
export const wordless = (answer) => ({ code: String(answer.status), message: say("Tarn answered %s %s", answer.status, answer.statusText), hint: say("see its log") });

/** Sends a statement, and reads all of its answer; throws where there is none. */
export async function post(statement, signal) {
  const answer = await fetch("/api/sql", {
    method: "POST", body: statement, signal,
    headers: { Accept: "application/json", "Content-Type": "text/plain; charset=utf-8" },
  });
  const body = await answer.text();
  try {
    return parse(body);
  } catch {
    return { error: answer.ok ? { ...wordless(answer), message: say("The answer is not whole: Tarn ended it early.") } : wordless(answer) };
  }
}

/** @returns {Promise<{columns?: {name: string, type: string}[], rows?: any[][], stats?: object, error?: {code: string, message: string, hint?: string, line?: number, column?: number}}>} */
export async function ask(statement) {
  try {
    return await post(statement);
  } catch {
    return { error: unreachable };
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
