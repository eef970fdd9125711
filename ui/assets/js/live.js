// The page's end of the stream: through the shared worker, or by itself.
import { openStream } from "./stream.js";

const language = document.documentElement.lang;
const address = "/api/live?lang=" + language;

// The one Trusted Types policy: it makes the worker's address, and nothing from data.
function workerURL() {
  const url = new URL("./live-worker.js", import.meta.url).href;
  return self.trustedTypes ? trustedTypes.createPolicy("tarn", { createScriptURL: (u) => u }).createScriptURL(url) : url;
}

/** Calls told with every event and change of state, as openStream does. */
export function follow(told) {
  let stop = () => {};
  const alone = () => { stop = openStream(address, told); };
  const shared = (url) => {
    const worker = new SharedWorker(url, { type: "module", name: "tarn-live-" + language });
    let heard = false;
    worker.onerror = () => { if (!heard) alone(); heard = true; };
    worker.port.onmessage = (e) => { heard = true; told(e.data); };
    stop = () => worker.port.postMessage("bye");
  };
  let start = alone;
  if (self.SharedWorker) {
    const url = workerURL();
    start = () => shared(url);
  }
  start();
  addEventListener("pagehide", () => stop());
  addEventListener("pageshow", (e) => { if (e.persisted) start(); });
}
