// Marks that turn the direction of text, U+202E above all, make a name look like another. Wherever the page shows
// text, they are written out; editors, which show them by themselves, and values of forms stay as they are.
const marks = /[\u202a-\u202e\u2066-\u2069]/g;
const kept = "textarea, option, script, style, .cm-editor";

function writeOut(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data.search(marks) >= 0 && !node.parentElement?.closest(kept)) node.data = node.data.replace(marks, (m) => `‹U+${m.codePointAt(0).toString(16).toUpperCase()}›`);
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) writeOut(texts.currentNode);
}

/** Writes out what is there, and whatever comes, before it is painted. */
export function wireMarks() {
  writeOut(document.body);
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") writeOut(change.target);
      else change.addedNodes.forEach(writeOut);
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}
