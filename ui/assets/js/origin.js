// From a row of an answer to where it comes from: which table the answer is of, and what tells the row apart.
import { el, faultOf, isNumber } from "./answer.js";
import { askAll, Refused } from "./request.js";
import { say } from "./say.js";
import { literal, quotedName } from "./statements.js";

const name = String.raw`(?:[\p{L}_][\p{L}\p{N}_$]*|"(?:[^"]|"")+")`;
const whole = new RegExp(String.raw`^\s*(?:SELECT\s+\*\s+)?FROM\s+(${name}(?:\.${name}){0,2})(?![\s]*[(,.])(?:\s+([^]*))?$`, "iu");
const others = /\b(JOIN|UNION|INTERSECT|EXCEPT|GROUP|PIVOT|UNPIVOT|SELECT|AT)\b/i;

/** The table of whose rows a statement answers some as they are; "" where it computes others. */
export function tableRead(statement) {
  const m = whole.exec(statement.replace(/;\s*$/, ""));
  return m && !others.test((m[2] ?? "").replace(/'(?:[^']|'')*'/g, "''")) && !/^(system|information_schema)\./i.test(m[1]) ? m[1] : "";
}

function valueOf(value, type) {
  if (isNumber(type) && /^-?\d+$/.test(String(value))) return String(value);
  if (type === "VARCHAR" || type === "JSON") return literal(value);
  return `CAST(${literal(value)} AS ${type})`;
}

/** The condition that is true of a row: of those of its columns that are named. */
const whereOf = (columns, row) => columns.map((c, i) => (row[i] === null || row[i] === undefined ? `${quotedName(c.name)} IS NULL` : `${quotedName(c.name)} = ${valueOf(row[i], c.type)}`)).join(" AND ");

/** The address of the page that tells where a row comes from: by its table's key, where it has one; else by all columns. */
async function addressOf(of, columns, row) {
  const answer = await askAll(`DESCRIBE ${of}`);
  const at = (n) => answer.columns.findIndex((c) => c.name === n);
  const keys = answer.rows.filter((r) => r[at("key")] === "PRI").map((r) => r[at("column_name")]);
  const chosen = columns.map((c, i) => [c, row[i]]).filter(([c]) => (keys.length === 0 ? c.type !== "BLOB" : keys.includes(c.name)));
  return `/row?${new URLSearchParams({ of, where: whereOf(chosen.map(([c]) => c), chosen.map(([, v]) => v)) })}`;
}

/** A button that goes from a row of a table to where it comes from. */
export function wayBack(of, columns, row, text) {
  const button = el("button", "", text);
  button.type = "button";
  button.title = say("Where does it come from?");
  button.onclick = async () => {
    button.disabled = true;
    try {
      location.assign(await addressOf(of, columns, row));
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
      button.replaceWith(faultOf(e.fault, ""));
    }
    button.disabled = false;
  };
  return button;
}
