// One run: its statements one after the other, each an answer that is read while it comes. The first
// that fails ends it.
import { halved, Refused, send } from "./request.js";
import { Rows } from "./rows.js";

let ids = 0;
const rowsType = "application/vnd.tarn.rows+ndjson";

/** An answer: of a statement that waits, runs, is done, has failed or was canceled. */
export class Answer {
  id = ++ids;
  state = "waiting";
  view = "table"; // or "chart", of chart: {kind, x, y, by}
  chart = null;
  rows = new Rows();
  fault = null;
  began = 0;
  ended = 0;

  /** @param {{text: string, from: number}} statement with its place in the text that was run */
  constructor(statement) {
    this.statement = statement.text;
    this.from = statement.from;
    this.above = statement.above ?? ["", 0]; // the line that it begins in, up to there, and how many are above
  }

  /** The line and the column of a fault in all that the editor held. */
  placed({ line, column }) {
    const [before, lines] = this.above;
    return [line + lines, (column || 1) + (line === 1 ? [...before].length : 0)];
  }

  get took() { return this.began ? (this.ended || performance.now()) - this.began : 0; }

  async run(signal, changed) {
    this.began = performance.now();
    this.state = "running";
    changed();
    try {
      const answer = await send(this.statement, rowsType, signal);
      await this.rows.read(answer.body, changed);
      if (this.rows.error && this.rows.error.code !== "too_large") throw new Refused(this.rows.error);
      if (this.rows.error) this.rows.cut ||= "answer"; // as many as Tarn answers with
      if (!this.rows.stats && !this.rows.cut) throw new Refused(halved);
      this.state = "done";
    } catch (e) {
      if (e.name === "AbortError") this.state = "canceled";
      else {
        this.state = "failed";
        this.fault = e instanceof Refused ? e.fault : halved;
      }
    }
    this.ended = performance.now();
    changed();
  }
}

/** Runs answers in order. */
export async function runAll(answers, signal, changed) {
  for (const answer of answers) {
    await answer.run(signal, () => changed(answer));
    if (answer.state !== "done") break;
  }
}
