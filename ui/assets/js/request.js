// Asking /api/sql, as any client does.
import { parse } from "./answer.js";
import { decimal, say } from "./say.js";

/** What kept an answer from coming: {code, message, hint, line, column}. */
export class Refused extends Error {
  constructor(fault) {
    super(fault.message);
    this.fault = fault;
  }
}

export const unreachable = { code: "unavailable", message: say("Tarn does not answer."), hint: say("is it running? start it with tarn up") };

/** The fault of an answer that is not Tarn's words. */
export const wordless = (answer) => ({ code: String(answer.status), message: say("Tarn answered %s %s", answer.status, answer.statusText), hint: say("see its log") });

export const halved = { code: "unavailable", message: say("The answer is not whole: Tarn ended it early."), hint: say("see its log") };

/** The answer as it comes; a refusal is thrown. */
export async function send(statement, accept, signal) {
  let answer;
  try {
    answer = await fetch("/api/sql", { method: "POST", body: statement, signal, headers: { Accept: accept, "Content-Type": "text/plain; charset=utf-8" } });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Refused(unreachable);
  }
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => "");
  let fault;
  try {
    fault = parse(text).error;
  } catch { /* not Tarn's words */ }
  throw new Refused(fault ?? wordless(answer));
}

/** A small answer, whole. */
export async function askAll(statement, signal) {
  const answer = await send(statement, "application/json", signal);
  let content;
  try {
    content = parse(await answer.text());
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Refused(halved);
  }
  if (content.error) throw new Refused(content.error);
  return content;
}

/** How long something took, in words. */
export const inWords = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${decimal(ms / 1000, 1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`);
export const sized = (bytes) => (bytes < 1024 ? `${bytes} B` : bytes < 1 << 20 ? `${decimal(bytes / 1024, 1)} KB` : `${decimal(bytes / (1 << 20), 1)} MB`);
