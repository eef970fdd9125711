// The page's end of the stream: through the shared worker, or by itself.
import { openStream } from "./stream.js";

const workerMillis = 20_000; // longer than a worker takes to say that Tarn does not answer
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
    const bye = () => worker.port.postMessage("bye");
    const silent = () => { // it did not start: the page does without it
      if (heard) return;
      heard = true;
      bye();
      worker.port.onmessage = null;
      alone();
    };
    const silence = setTimeout(silent, workerMillis);
    worker.onerror = silent;
    worker.port.onmessage = (e) => { heard = true; told(e.data); };
    stop = () => { clearTimeout(silence); bye(); };
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
