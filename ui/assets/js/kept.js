// What was run and what was saved, in this browser alone.

import { say } from "./say.js";

const historyMax = 100;
const savedMax = 100;
const textMax = 20_000; // characters of one statement
const allMax = 1_000_000; // of a list

function load(name) {
  try {
    const list = JSON.parse(localStorage.getItem(name) ?? "[]");
    return Array.isArray(list) ? list.filter((e) => typeof e?.text === "string") : [];
  } catch {
    return []; // storage is off, or holds what nobody knows
  }
}

/** The newest first, no more than may be kept. @returns whether it is */
function store(name, list, most) {
  list.length = Math.min(list.length, most);
  try {
    let text = JSON.stringify(list);
    while (text.length > allMax) {
      list.pop();
      text = JSON.stringify(list);
    }
    localStorage.setItem(name, text);
    return true;
  } catch {
    return false;
  }
}

const history = "tarn.sql.history";
const saved = "tarn.sql.saved";

/** What was run: {text, at, ms, rows, error}. The same text again moves up. */
export const historyList = () => load(history);
export function remember(entry) {
  if (entry.text.length <= textMax) store(history, [entry, ...load(history).filter((e) => e.text !== entry.text)], historyMax);
}
export const forget = () => store(history, [], 0);

/** What was saved: {name, text, at}. */
export const savedList = () => load(saved);
/** @returns {string} why it is not saved, or "" */
export function save(name, text) {
  const others = load(saved).filter((e) => e.name !== name);
  if (text.length > textMax) return say("Not saved: more than %s characters are not kept.", textMax);
  if (others.length >= savedMax) return say("Not saved: there are %s already. Delete one.", savedMax);
  return store(saved, [{ name, text, at: Date.now() }, ...others], savedMax) ? "" : say("Not saved: this browser keeps nothing for the page.");
}
export const unsave = (name) => store(saved, load(saved).filter((e) => e.name !== name), savedMax);
