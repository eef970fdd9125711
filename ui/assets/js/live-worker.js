// The shared worker: one stream for all of a browser's tabs of a language, which ends its name,
// since a browser opens six connections to a host and no more.
import { openStream } from "./stream.js";

const ports = new Set();
let end = null;
let last = null; // what is known: {state, event} with all values

function told(t) {
  if (t.first) last = t;
  else if (t.event) last = { ...t, event: { ...t.event, set: { ...last.event.set, ...t.event.set } } };
  else last = { ...last, state: t.state };
  for (const port of ports) port.postMessage(t);
}

self.onconnect = (e) => {
  const port = e.ports[0];
  ports.add(port);
  if (last) port.postMessage(last);
  if (!end) end = openStream("/api/live?lang=" + self.name.slice(-2), told);
  port.onmessage = () => { // the tab goes
    ports.delete(port);
    if (ports.size === 0) {
      end();
      end = last = null;
    }
  };
};
