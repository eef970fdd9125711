// One stream of events from Tarn, taken up again whenever it breaks. It runs in the shared
// worker, or in the page where there is none.

const silenceMillis = 12_000; // Tarn sends something every five seconds
const retryMillis = 1_000;
const retryMillisMax = 10_000;

/**
 * @param {string} url
 * @param {(told: {state: "live"|"offline", first?: boolean, event?: {build: string, shape: string, set: Object<string,string>}}) => void} tell
 * @returns {() => void} ends it
 */
export function openStream(url, tell) {
  let source, silence, retry;
  let wait = retryMillis;
  let first = true; // of this connection: it holds all values
  const broken = () => {
    source.close();
    clearTimeout(silence);
    tell({ state: "offline" });
    retry = setTimeout(connect, wait);
    wait = Math.min(wait * 1.6, retryMillisMax);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(broken, silenceMillis);
  };
  const connect = () => {
    source = new EventSource(url);
    first = true;
    heard();
    source.onmessage = (e) => {
      heard();
      wait = retryMillis;
      tell({ state: "live", first, event: JSON.parse(e.data) });
      first = false;
    };
    source.addEventListener("beat", heard);
    source.onerror = broken;
  };
  connect();
  return () => {
    clearTimeout(silence);
    clearTimeout(retry);
    source.close();
  };
}
