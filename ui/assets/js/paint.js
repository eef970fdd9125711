// Colours for a statement: the text is cut into pieces, and each becomes a span. It knows
// words, not grammar; DuckDB parses.

const charsMax = 20_000; // a longer text is shown plain
const words = new Set(("all alter and anti any as asc asof at begin between by case cast commit create cross cube current deallocate delete desc describe " +
  "distinct drop else end escape except exclude execute exists explain false filter first following from full glob group grouping having if ilike in inner insert intersect " +
  "interval into is join lateral last left like limit materialized natural not null nulls offset on or order outer over partition pivot positional preceding prepare qualify " +
  "range recursive replace returning right rollup row rows sample select semi set sets show similar struct summarize table tables then timestamp to true truncate unbounded union " +
  "unnest unpivot update use using values version view views when where window with within without").split(" "));
const pieces = /(--[^\n]*|\/\*[^]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$))|(\b\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([A-Za-z_][A-Za-z_0-9]*)|([^A-Za-z_0-9'"]+?(?=--|\/\*|[A-Za-z_0-9'"]|$))|([^])/g;

function kind(m) {
  if (m[1]) return "comment";
  if (m[2]) return "string";
  if (m[4]) return "number";
  if (m[5] && words.has(m[5].toLowerCase())) return "word";
  return "";
}

/** Fills el with text; the piece at offset wrong, if any, is marked. */
export function paint(el, text, wrong = -1) {
  if (text.length > charsMax) {
    el.replaceChildren(text + "\n");
    return;
  }
  const out = [];
  let marked = false;
  for (const m of text.matchAll(pieces)) {
    const at = !marked && wrong >= m.index && wrong < m.index + m[0].length && m[0].trim() !== "";
    const name = kind(m);
    if (!name && !at) {
      out.push(m[0]);
      continue;
    }
    const span = document.createElement("span");
    span.className = (name && "t-" + name) + (at ? " t-wrong" : "");
    span.textContent = m[0];
    marked ||= at;
    out.push(span);
  }
  out.push("\n"); // a last empty line has its height
  el.replaceChildren(...out);
}

/** Paints what the page has, now and whenever it has been read anew. */
export function paintPage() {
  const all = () => { for (const e of document.querySelectorAll("[data-paint]")) paint(e, e.textContent); };
  all();
  document.addEventListener("tarn:refreshed", all);
}
