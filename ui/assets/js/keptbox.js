// The box of what was run and what was saved.
import { el } from "./answer.js";
import { forget, historyList, save, savedList, unsave } from "./kept.js";
import { inWords } from "./request.js";
import { many, say } from "./say.js";

const $ = (id) => document.getElementById(id);
const lineChars = 300;

/** @param {{text: () => string, choose: (text: string) => void, note: (text: string, bad?: boolean) => void}} page */
export function wireKept({ text, choose, note }) {
  const box = $("kept");
  let list = "history";

  const facts = (e) => (list === "saved" ? "" : `${new Date(e.at).toLocaleString(document.documentElement.lang)} · ` + (e.error ? say("refused: %s", e.error) : many(e.rows ?? 0, "%s row in %s", "%s rows in %s", inWords(e.ms ?? 0))));
  const item = (e) => {
    const li = el("li");
    const pick = el("button", "kept-text");
    pick.type = "button";
    if (e.name) pick.append(el("b", "", e.name));
    pick.append(el("span", "mono", e.text.length > lineChars ? e.text.slice(0, lineChars) + "…" : e.text));
    if (facts(e)) pick.append(el("small", e.error ? "bad" : "dim", facts(e)));
    pick.onclick = () => { box.close(); choose(e.text); };
    li.append(pick);
    if (e.name) {
      const remove = el("button", "quiet", say("Delete"));
      remove.type = "button";
      remove.setAttribute("aria-label", say("Delete %s", e.name));
      remove.onclick = () => { unsave(e.name); draw(); };
      li.append(remove);
    }
    return li;
  };
  const draw = () => {
    for (const b of box.querySelectorAll("[data-list]")) b.setAttribute("aria-pressed", String(b.dataset.list === list));
    $("forget").hidden = list !== "history";
    const want = $("kept-find").value.toLowerCase();
    const all = list === "saved" ? savedList() : historyList();
    const found = all.filter((e) => `${e.name ?? ""} ${e.text}`.toLowerCase().includes(want));
    const nothing = all.length > 0 ? say("None holds that.") : list === "saved" ? say("Nothing is saved yet: Save keeps what the editor holds.") : say("Nothing has run yet.");
    $("kept-list").replaceChildren(...(found.length > 0 ? found.map(item) : [el("li", "nothing", nothing)]));
  };
  const show = (which) => {
    list = which;
    $("kept-find").value = "";
    draw();
    if (!box.open) box.showModal();
    $("kept-find").focus();
  };

  $("open-history").addEventListener("click", () => show("history"));
  $("open-saved").addEventListener("click", () => show("saved"));
  $("kept-find").addEventListener("input", draw);
  $("kept-close").addEventListener("click", () => box.close());
  $("forget").addEventListener("click", () => { forget(); draw(); });
  box.addEventListener("click", (e) => {
    const which = e.target.closest("[data-list]")?.dataset.list;
    if (which) show(which);
    else if (e.target === box) box.close(); // beside it
  });

  const naming = $("naming");
  $("save").addEventListener("click", () => {
    if (!text().trim()) { note(say("There is nothing to save."), true); return; }
    $("name").value = "";
    naming.showModal();
  });
  $("name").addEventListener("keydown", (e) => {
    if (e.key !== "Enter") return;
    e.preventDefault(); // or the button that has the focus next is pressed
    keep();
  });
  $("name-save").addEventListener("click", () => keep());
  $("name-close").addEventListener("click", () => naming.close());
  function keep() {
    const name = $("name").value.trim();
    if (!name) { $("name").focus(); return; }
    const why = save(name, text());
    naming.close();
    note(why || say("Saved as %s, in this browser.", name), Boolean(why));
  }
}
