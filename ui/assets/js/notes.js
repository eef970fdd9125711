// The notes of EXPLAIN ROW OF in the reader's language. SQL is answered in English; a note that is not known here stays so.
import { say } from "./say.js";

const notes = [
  [/^a view$/, () => say("a view")],
  [/^filled by pipeline (.+)$/, (name) => say("filled by pipeline %s", name)],
  [/^made of (\d+) events?$/, (n) => (n === "1" ? say("made of one event") : say("made of %s events", n))],
  [/^computed again from them it is the same$/, () => say("computed again from them it is the same")],
  [/^(\d+) came too late, and (?:is|are) not in it$/, (n) => say("came too late, and not in it: %s", n)],
  [/^the first (\d+) are shown$/, (n) => say("the first %s of them are shown", n)],
  [/^records that are in system\.dead_letter are left out$/, () => say("records that are in system.dead_letter are left out")],
  [/^the mirror of topic (.+): it is what event (\d+) says$/, (topic, n) => say("the mirror of topic %s: it is what event %s says", topic, n)],
  [/^every event of topic (.+) that lands is a row$/, (topic) => say("every event of topic %s that lands is a row", topic)],
  [/^made the row what it is$/, () => say("made the row what it is")],
  [/^an earlier event of its key$/, () => say("an earlier event of its key")],
  [/^came too late for the window: not in the row$/, () => say("came too late for the window: not in the row")],
  [/^bronze does not have it yet$/, () => say("bronze does not have it yet")],
  [/^in the log$/, () => say("in the log")],
  [/^no longer in the log: bronze has it$/, () => say("no longer in the log: bronze has it")],
  [/^the topic is not there any more$/, () => say("the topic is not there any more")],
];

function partOf(text) {
  for (const [pattern, said] of notes) {
    const m = pattern.exec(text);
    if (m) return said(...m.slice(1));
  }
  return text;
}

/** A note as the reader reads it. */
export const noteOf = (text) => String(text).split("; ").map(partOf).join("; ");
