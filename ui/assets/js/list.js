// A page with a list: its links change the address and what is drawn, not the document, so
// that the place on the page stays.
import { runFrom } from "./ask.js";
import { wirePage } from "./page.js";

const find = document.getElementById("find");
const typedMillis = 150;

const { load } = wirePage();

document.addEventListener("click", (e) => {
  const button = e.target.closest("button[data-run]");
  if (button) runFrom(button, button.dataset.run, document.getElementById("said"));
  const link = e.target.closest("a[data-go]");
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.button) return;
  e.preventDefault();
  history.pushState(null, "", link.href);
  load();
});
addEventListener("popstate", () => {
  find.value = new URLSearchParams(location.search).get("find") ?? "";
  load();
});

let typed = 0;
find.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => {
    const query = new URLSearchParams(location.search);
    if (find.value) query.set("find", find.value);
    else query.delete("find");
    history.replaceState(null, "", location.pathname + (query.size ? "?" + query : ""));
    load();
  }, typedMillis);
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea")) return;
  e.preventDefault();
  find.focus();
  find.select();
});
