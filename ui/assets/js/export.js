// Exporting an answer: the statement runs again, and its bytes go from the network to the browser's store
// of files without passing through the page's memory.
import { halved, Refused, send } from "./request.js";
import { say } from "./say.js";

/** The formats, by what the page calls them. */
export const formats = {
  CSV: { type: "text/csv", end: "csv" },
  JSON: { type: "application/x-ndjson", end: "jsonl", lines: true },
  Parquet: { type: "application/vnd.apache.parquet", end: "parquet" },
  Arrow: { type: "application/vnd.apache.arrow.stream", end: "arrows" },
};

const tailBytes = 64 << 10;

/** The error in the last of lines, if they end in one. */
async function errorIn(blob) {
  const tail = await blob.slice(Math.max(0, blob.size - tailBytes)).text();
  const last = tail.trimEnd().split("\n").at(-1);
  if (!last.startsWith('{"error":{"code":')) return null;
  try {
    return JSON.parse(last).error;
  } catch {
    return null; // a long row
  }
}

/** Fetches an answer as a file; told(bytes) says how much has come. */
export async function fetchFile(statement, format, signal, told) {
  const answer = await send(statement, format.type, signal);
  let bytes = 0;
  const counter = new TransformStream({ transform(piece, out) { told(bytes += piece.length); out.enqueue(piece); } });
  let blob;
  try {
    blob = await new Response(answer.body.pipeThrough(counter), { headers: { "Content-Type": format.type } }).blob();
  } catch (e) {
    if (e.name === "AbortError" || signal.aborted) throw e;
    throw new Refused({ ...halved, hint: say("an answer has no more rows than sql.result_rows_max in tarn.yaml: ask in parts, or raise it") });
  }
  const error = format.lines && await errorIn(blob);
  if (error) throw new Refused(error);
  return blob;
}

/** Hands a file to the browser to be kept. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
