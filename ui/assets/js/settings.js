// What a person chose, kept in this browser: the theme, and the flow as graph or table. It
// runs before the page is drawn, so that nothing flashes, and holds no module syntax.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = (name, allowed) => {
    try {
      const value = localStorage.getItem("tarn." + name);
      return allowed.includes(value) ? value : "";
    } catch {
      return ""; // storage is off: choices last as long as the page
    }
  };
  const keep = (name, value) => {
    if (value) root.dataset[name] = value;
    else delete root.dataset[name];
    try {
      if (value) localStorage.setItem("tarn." + name, value);
      else localStorage.removeItem("tarn." + name);
    } catch { /* as above */ }
  };
  for (const [name, allowed] of [["theme", ["dark", "light"]], ["flow", ["graph", "table"]]]) {
    const value = kept(name, allowed);
    if (value) root.dataset[name] = value;
  }

  // The first step goes to what is not on the screen, so that each press shows.
  const nextTheme = () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const other = system === "dark" ? "light" : "dark";
    return { "": other, [other]: system, [system]: "" }[root.dataset.theme ?? ""];
  };
  const show = () => {
    const button = document.getElementById("theme");
    button.textContent = button.dataset[root.dataset.theme ?? "auto"];
    const narrow = matchMedia("(max-width: 760px)").matches;
    const flow = root.dataset.flow ?? (narrow ? "table" : "graph");
    for (const b of document.querySelectorAll("button[data-flow]")) b.setAttribute("aria-pressed", String(b.dataset.flow === flow));
  };
  // The language is kept by the server's cookie, so the address need not hold it; without one it does.
  const query = new URLSearchParams(location.search);
  if (query.has("lang") && document.cookie.includes("tarn_lang=" + root.lang)) {
    query.delete("lang");
    history.replaceState(null, "", location.pathname + (query.size ? "?" + query : "") + location.hash);
  }
  document.addEventListener("tarn:theme", (e) => {
    keep("theme", e.detail === "auto" ? "" : e.detail);
    show();
  });
  document.addEventListener("DOMContentLoaded", show);
  document.addEventListener("tarn:refreshed", show);
  matchMedia("(max-width: 760px)").addEventListener("change", show);
  document.addEventListener("click", (e) => {
    const button = e.target instanceof Element && e.target.closest("button, #language");
    if (!button) return;
    if (button.id === "theme") keep("theme", nextTheme());
    else if (button.id === "language") {
      const there = new URLSearchParams(location.search); // as it is now: it holds what the page shows
      there.set("lang", button.lang);
      button.href = "?" + there + location.hash;
      return;
    } else if (button.dataset.flow) keep("flow", button.dataset.flow);
    else return;
    show();
  });
})();
