// What is done with one topic: a record by hand, a setting, its end. Text from data is only ever set as text.
import { faultOf } from "./answer.js";
import { ask, el, rowsOf } from "./ask.js";
import { recordPath } from "./aside.js";
import { wireChange } from "./change.js";
import { copyFrom } from "./copy.js";
import { say } from "./say.js";
import { literal, quotedName } from "./statements.js";

const $ = (id) => document.getElementById(id);

/** Wires the cards below a topic's records, where they are. @param {() => void} load draws the settings anew */
export function wireTopic(load) {
  const topic = $("produce")?.dataset.topic;
  if (topic === undefined) return;
  const said = (text) => $("said").replaceChildren(el("p", "done", text));
  wireSettings(quotedName(topic), said, load);
  if ($("produce-yes")) wireProduce(topic);
  const end = wireChange("delete", () => `DROP TOPIC ${quotedName(topic)}`, () => location.assign("/topics"));
  document.addEventListener("click", (e) => {
    if (e.target.id !== "delete-open") return;
    end.open();
    document.querySelector("#delete [data-no]").focus();
  });
}

// A setting, or the number of partitions.
function wireSettings(name, said, load) {
  let of;
  const value = () => $("edit-value").value.trim();
  const set = () => (of.edit === "partitions" ? `ALTER TOPIC ${name} SET PARTITIONS ${Number(value()) || 1}` : `ALTER TOPIC ${name} SET (${literal(of.edit)} = ${literal(value())})`);
  const edit = wireChange("edit", () => (value() === of.value ? "" : set()), (answer) => {
    const row = rowsOf(answer)[0];
    said(row ? say("%s was %s, and is %s.", row.setting, row.before || say("none"), row.value || say("none")) : say("Done: %s", set()));
    load();
  });
  document.addEventListener("click", (e) => {
    const button = e.target.closest("button[data-edit]");
    if (!button) return;
    of = button.dataset;
    $("edit-title").textContent = of.edit;
    $("edit-doc").textContent = of.doc;
    $("edit-value").value = of.value;
    $("edit-default").hidden = of.edit === "partitions" || of.changed !== "true";
    edit.open();
    $("edit-value").focus();
    $("edit-value").select();
  });
  $("edit-default").addEventListener("click", () => edit.run(`ALTER TOPIC ${name} RESET (${literal(of.edit)})`));
}

// A record.
function wireProduce(topic) {
  const key = $("produce-key");
  const nothing = $("produce-null");
  // Headers are lines of name: value; one without a colon has no value.
  const headers = () => $("produce-headers").value.split("\n").filter((l) => l.trim()).map((l) => {
    const at = l.indexOf(":");
    return at < 0 ? [l.trim(), ""] : [l.slice(0, at).trim(), l.slice(at + 1).trim()];
  });
  const statement = () => {
    const partition = $("produce-partition")?.value;
    const list = headers().map(([k, v]) => `${literal(k)} = ${literal(v)}`).join(", ");
    return [
      `PRODUCE TO ${quotedName(topic)}`, partition && `PARTITION ${partition}`, key.value && `KEY ${literal(key.value)}`,
      nothing.checked ? "VALUE NULL" : `VALUE ${literal($("produce-value").value)}`, list && `HEADERS (${list})`,
    ].filter(Boolean).join(" ");
  };
  const send = async () => {
    if ($("produce-yes").disabled) return;
    $("produce-yes").disabled = true;
    $("produce-said").replaceChildren(say("Sending…"));
    const answer = await ask(statement());
    $("produce-yes").disabled = false;
    if (answer.error) {
      $("produce-said").replaceChildren(faultOf(answer.error, ""));
      return;
    }
    const row = rowsOf(answer)[0];
    const p = el("p", "done", say("On the disk: partition %s, offset %s.", row.partition, row.offset) + " ");
    const a = p.appendChild(el("a", "", say("Show it")));
    a.href = recordPath({ topic, partition: row.partition, offset: row.offset });
    $("produce-said").replaceChildren(p);
  };
  nothing.addEventListener("change", () => { $("produce-value").disabled = nothing.checked; });
  $("produce-yes").addEventListener("click", send);
  $("produce-copy").addEventListener("click", (e) => copyFrom(e.currentTarget, statement()));
  $("produce").addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) send(); });
}
