// A text of several statements, cut as Tarn's lexer cuts it: a semicolon within a string, a name or a
// comment ends nothing.

/** A text, and a name, as statements have it. */
export const literal = (text) => `'${String(text).replaceAll("'", "''")}'`;
export const quotedName = (name) => `"${name.replaceAll('"', '""')}"`;

const pieces = /--[^\n]*|[eE]'(?:[^'\\]|''|\\[^])*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|[\p{L}_][\p{L}\p{N}_$]*|\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$|\/\*|;|[^]/gu;

// The end of a comment that nests, from behind its first /*.
function behindComment(text, at) {
  for (let depth = 1; depth > 0; ) {
    const open = text.indexOf("/*", at);
    const close = text.indexOf("*/", at);
    if (close < 0) return text.length;
    depth += open >= 0 && open < close ? 1 : -1;
    at = (open >= 0 && open < close ? open : close) + 2;
  }
  return at;
}

/** @returns {{from: number, text: string}[]} the statements, without what is blank or only comment */
export function statementsOf(text) {
  const out = [];
  let from = 0;
  let said = false; // something that is no comment
  const end = (to) => {
    const raw = text.slice(from, to);
    const lead = raw.length - raw.trimStart().length;
    if (said) out.push({ from: from + lead, text: raw.trim() });
    from = to + 1;
    said = false;
  };
  pieces.lastIndex = 0;
  for (let m; (m = pieces.exec(text)); ) {
    const piece = m[0];
    if (piece === ";") end(m.index);
    else if (piece === "/*") pieces.lastIndex = behindComment(text, m.index + 2);
    else if (piece.startsWith("--") || piece.trim() === "") continue;
    else {
      said = true;
      if (piece.length > 1 && piece.startsWith("$") && piece.endsWith("$")) {
        const close = text.indexOf(piece, m.index + piece.length);
        pieces.lastIndex = close < 0 ? text.length : close + piece.length;
      }
    }
  }
  end(text.length);
  return out;
}

const words = /--[^\n]*|(\/\*)|[(\s]+|(\w+)/y;

/** The first words of a statement, in upper case: as many as there are, if it begins with words. */
function wordsOf(statement, most) {
  const out = [];
  words.lastIndex = 0;
  for (let m; out.length < most && (m = words.exec(statement)); ) {
    if (m[1]) words.lastIndex = behindComment(statement, words.lastIndex);
    else if (m[2]) out.push(m[2].toUpperCase());
  }
  return out;
}

/** The first word of a statement, in upper case. */
export const verbOf = (statement) => wordsOf(statement, 1)[0] ?? "";

const reads = new Set(["SELECT", "FROM", "WITH", "VALUES", "TABLE", "PIVOT", "UNPIVOT", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "SUMMARIZE"]);
const adds = new Set(["CREATE", "INSERT", "PAUSE", "RESUME"]); // what another statement ends

/** What a statement changes, in its first two words; "" for one that reads. */
export const changeOf = (statement) => (reads.has(verbOf(statement)) ? "" : wordsOf(statement, 2).join(" ") || "?");

/** Whether a statement takes away or replaces something, as far as its first words tell. */
export const takesAway = (statement) => changeOf(statement) !== "" && (!adds.has(verbOf(statement)) || changeOf(statement) === "CREATE OR");

/** Whether a statement may stand in a FROM, in brackets. */
export const isQuery = (statement) => ["SELECT", "FROM", "WITH", "VALUES", "TABLE", "PIVOT", "UNPIVOT"].includes(verbOf(statement));
