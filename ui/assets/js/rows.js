// The rows of an answer while they come. They are kept as the bytes that came, outside the heap of
// scripts, and only those that are looked at are parsed: a million rows cost what they weigh.
import { parse } from "./answer.js";

const rowsMax = 1_000_000; // that a page shows
const bytesMax = 192 << 20; // that all answers of a page hold
const parsedMax = 24; // pieces that are kept parsed
const pieceBytes = 64 << 10; // smaller ones are joined
const lineBytesMax = 64 << 20;
const busyMillis = 30; // after which the page gets a turn

const newline = 10;
const brace = 123;
let held = 0; // bytes of all answers

function joined(a, b) {
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

const turn = () => new Promise((done) => setTimeout(done));

export class Rows {
  columns = null;
  count = 0;
  bytes = 0;
  stats = null; // when it has come whole
  error = null; // {code, message, hint, line, column}
  cut = ""; // why there are more rows than these: "rows" or "bytes"
  #pieces = []; // {first, rows, bytes}
  #parsed = new Map(); // of pieces, the longest unused first

  /** Reads an answer of rows to its end; changed() is called whenever there are more. */
  async read(body, changed) {
    const reader = body.getReader();
    let rest = new Uint8Array(0);
    let last = performance.now();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const end = value.lastIndexOf(newline) + 1;
        if (end > 0) this.#take(joined(rest, value.subarray(0, end)));
        rest = end > 0 ? value.slice(end) : joined(rest, value);
        if (rest.length > lineBytesMax) this.cut = "bytes";
        if (this.cut || this.error) break;
        if (performance.now() - last > busyMillis) {
          changed();
          await turn();
          last = performance.now();
        }
      }
    } finally {
      reader.cancel().catch(() => {}); // Tarn is told to stop
      changed();
    }
  }

  #take(bytes) {
    let at = 0;
    if (!this.columns && bytes[0] === brace) at = this.#say(bytes, 0);
    const from = at;
    let rows = 0;
    while (at < bytes.length && bytes[at] !== brace) {
      if (this.count + rows >= rowsMax) { this.cut = "rows"; break; }
      at = bytes.indexOf(newline, at) + 1;
      rows++;
    }
    if (rows > 0) this.#keep(bytes.slice(from, at), rows);
    if (!this.cut && at < bytes.length) this.#say(bytes, at);
    if (held > bytesMax) this.cut ||= "bytes";
  }

  #say(bytes, at) {
    const end = bytes.indexOf(newline, at);
    const said = parse(new TextDecoder().decode(bytes.subarray(at, end)));
    this.columns ??= said.columns;
    this.stats ??= said.stats;
    this.error ??= said.error;
    return end + 1;
  }

  #keep(bytes, rows) {
    held += bytes.length;
    this.bytes += bytes.length;
    const last = this.#pieces.at(-1);
    if (last && last.bytes.length + bytes.length <= pieceBytes) {
      this.#parsed.delete(last);
      last.bytes = joined(last.bytes, bytes);
      last.rows += rows;
    } else this.#pieces.push({ first: this.count, rows, bytes });
    this.count += rows;
  }

  #piece(i) {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#pieces[middle].first <= i) low = middle;
      else high = middle - 1;
    }
    return this.#pieces[low];
  }

  #rowsOf(piece) {
    let rows = this.#parsed.get(piece);
    rows ??= parse("[" + new TextDecoder().decode(piece.bytes).trimEnd().replaceAll("\n", ",") + "]");
    this.#parsed.delete(piece);
    this.#parsed.set(piece, rows);
    if (this.#parsed.size > parsedMax) this.#parsed.delete(this.#parsed.keys().next().value);
    return rows;
  }

  /** The values of a row, from 0; undefined behind the last. */
  row(i) {
    if (i < 0 || i >= this.count) return undefined;
    const piece = this.#piece(i);
    return this.#rowsOf(piece)[i - piece.first];
  }

  /** Frees the bytes; there are no rows after it. */
  drop() {
    held -= this.bytes;
    this.#pieces = [];
    this.#parsed.clear();
    this.count = this.bytes = 0;
  }
}
