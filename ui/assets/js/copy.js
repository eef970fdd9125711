// Copying to the clipboard, also where the page has no secure origin.

import { say } from "./say.js";

const saidMillis = 1_200;

/** Copies; false where the browser does not let it. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Copies, and says so on the button. */
export async function copyFrom(button, text) {
  button.dataset.said ??= button.textContent;
  const done = await copyText(text);
  button.textContent = done ? say("Copied") : say("Not allowed");
  setTimeout(() => { button.textContent = button.dataset.said; }, saidMillis);
}

/** A text as one word of a shell. */
export const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
