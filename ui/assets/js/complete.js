// What completion knows: asked for when somebody first completes, and again when it is old.
import { askAll } from "./request.js";

const catalogMillis = 60_000;
const columnsMax = 20_000;

let catalog = Promise.resolve([]);
let catalogAt = -Infinity;
/** The columns of the catalog, {schema, table, name, type}. */
export function columns() {
  if (performance.now() - catalogAt > catalogMillis) {
    catalogAt = performance.now();
    const asked = askAll(`SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position LIMIT ${columnsMax}`)
      .then((a) => a.rows.map(([schema, table, name, type]) => ({ schema, table, name, type })));
    const before = catalog;
    catalog = asked.catch(() => { catalogAt = -Infinity; return before; });
  }
  return catalog;
}
let calls;
/** The names of the functions. */
export const functions = () => (calls ??= fetch("/api/sql").then((r) => r.json()).then((a) => a.functions).catch(() => { calls = undefined; return []; }));
