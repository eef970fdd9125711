// The page of topics: a list, and the dialog that makes another.
import "./list.js";
import { wireChange } from "./change.js";
import { literal, quotedName } from "./statements.js";

const $ = (id) => document.getElementById(id);

function statement() {
  const name = $("create-name").value.trim();
  if (!name) return "";
  const settings = [];
  if ($("create-retention").value.trim()) settings.push(["retention.ms", $("create-retention").value.trim()]);
  if ($("create-land").checked) settings.push(["tarn.land", "true"]);
  if ($("create-compact").checked) settings.push(["cleanup.policy", "compact"]);
  const rest = settings.length ? `\nWITH (${settings.map(([k, v]) => `${literal(k)} = ${literal(v)}`).join(", ")})` : "";
  return `CREATE TOPIC ${quotedName(name)} PARTITIONS ${Number($("create-partitions").value) || 1}${rest}`;
}
const create = wireChange("create", statement, () => location.assign("/topics?" + new URLSearchParams({ topic: $("create-name").value.trim() })));
$("create-open").addEventListener("click", () => {
  create.open();
  $("create-name").focus();
});
