// Dead letters, each with its next step: most can be sent again, as they were or mended, after a dialog has
// said what that means. Text from data is only ever set as text.
import { faultOf } from "./answer.js";
import { ask, el, fillBox, rowsOf } from "./ask.js";
import { asideOf, recordPath } from "./aside.js";
import { say } from "./say.js";
import { literal } from "./statements.js";

const againMillis = 5_000; // while there is none: letters are counted some seconds before they land

const $ = (id) => document.getElementById(id);
const none = (value) => value === null || value === undefined;
/** A piece that a source found: it never was a record of the topic. */
export const found = (row) => none(row.offset);
const placeOf = (topic, partition, offset) => (none(offset) ? topic : `${topic} ${partition}/${offset}`);

/** A link to where a letter was sent. */
function sentTo(topic, partition, offset) {
  const place = placeOf(topic, partition, offset);
  if (none(offset)) return el("span", "mono", place);
  const a = el("a", "mono", place);
  a.href = recordPath({ topic, partition, offset });
  return a;
}

/**
 * Fills the box of dead letters, and lets them be sent again.
 * @param {string[][]} columns as asideOf takes them
 * @param {(row: object) => string} hint what else may be done; of one that only that helps, refuse says so
 * @param {(row: object) => boolean} refuse
 * @returns what reads them again
 */
export function wireLetters(box, columns, hint, refuse) {
  let letters = new Map();
  const step = (row) => {
    const td = el("td", "wrap next");
    if (!none(row.replayed)) {
      td.append(el("span", "done", say("Sent again:") + " "), sentTo(row.topic, row.to_partition, row.to_offset));
      return td;
    }
    const text = hint(row);
    if (text) td.append(el("span", "hint", text));
    if (!none(row.letter) && !refuse(row)) {
      const button = td.appendChild(el("button", "quiet", say("Send again…")));
      button.type = "button";
      button.dataset.letter = row.letter;
      button.setAttribute("aria-label", say("Send letter %s again…", row.letter));
    }
    if (!none(row.value)) {
      const copy = td.appendChild(el("button", "quiet", say("Copy")));
      copy.type = "button";
      copy.dataset.copy = String(row.value);
      copy.setAttribute("aria-label", say("Copy the value"));
    }
    return td;
  };
  const show = (answer) => {
    letters = new Map(rowsOf(answer).map((row) => [String(row.letter), row]));
    return asideOf(answer, columns, say("None. What cannot be read is shown here, with the reason."), step);
  };
  const read = () => fillBox(box, box.dataset.dead, show);
  setInterval(() => {
    if (letters.size === 0 && !document.hidden && document.documentElement.dataset.live === "live" && !box.hasAttribute("aria-busy")) read();
  }, againMillis);
  box.addEventListener("click", (e) => {
    const row = letters.get(e.target.closest("button")?.dataset.letter);
    if (row) open(row);
  });

  const dialog = $("replay");
  let row;
  let given; // the value as the browser writes it, of whose ends of lines it knows one kind
  const value = () => $("replay-value").value;
  const statement = () => `REPLAY DEAD LETTER ${row.letter}` + (value() === given ? "" : ` AS ${literal(value())}`);
  const draw = () => {
    $("replay-sql").textContent = statement();
    $("replay-yes").disabled = false;
  };
  const open = (one) => {
    row = one;
    $("replay-which").textContent = placeOf(row.topic, row.partition, row.offset);
    $("replay-why").textContent = row.error;
    $("replay-found").hidden = !found(row);
    $("replay-value").value = String(row.value ?? "");
    given = value();
    $("replay-said").replaceChildren();
    draw();
    dialog.showModal();
    $("replay-value").focus();
    $("replay-value").setSelectionRange(0, 0);
  };
  const send = async () => {
    $("replay-yes").disabled = true;
    $("replay-said").replaceChildren(say("Sending…"));
    const answer = await ask(statement());
    $("replay-yes").disabled = false;
    if (answer.error) {
      $("replay-said").replaceChildren(faultOf(answer.error, ""));
      return;
    }
    const sent = rowsOf(answer)[0];
    const said = el("p", "done", (sent.repeated ? say("It had been sent again before:") : say("Sent again:")) + " ");
    said.append(sentTo(sent.topic, sent.partition, sent.offset));
    dialog.close();
    $("said").replaceChildren(said);
    await read();
    box.querySelector(".aside")?.focus();
  };
  $("replay-value").addEventListener("input", draw);
  $("replay-no").addEventListener("click", () => dialog.close());
  $("replay-yes").addEventListener("click", send);
  return read;
}
