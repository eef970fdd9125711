// Numbers and times on an axis.

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps = [1, 10, 100, 1000, 5000, 15_000, 30_000, minute, 5 * minute, 15 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 30 * day, 90 * day, 365 * day];

export const isTime = (type) => /^(timestamp|date)/i.test(type) && !type.includes("[");

/** The number of a value of a column, or NaN. A time is in milliseconds of UTC. */
export function numberOf(value, type) {
  if (value === null || value === undefined || value === "") return NaN;
  if (!isTime(type)) return Number(value);
  const text = String(value);
  return Date.parse(/Z$|[+-]\d\d(:?\d\d)?$/.test(text) || text.length <= 10 ? text : text + "Z");
}

/** Round places between two numbers, about as many as asked for. */
export function ticksOf(low, high, many, time) {
  const span = high - low;
  if (!(span > 0)) return [low];
  let step;
  if (time) step = timeSteps.find((s) => span / s <= many) ?? Math.ceil(span / many / (365 * day)) * 365 * day;
  else {
    const power = 10 ** Math.floor(Math.log10(span / many));
    step = [1, 2, 5, 10].map((n) => n * power).find((s) => span / s <= many);
  }
  const out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6; v += step) out.push(Number(v.toPrecision(12)));
  return out;
}

/** A number in few characters. */
export function short(v) {
  const size = Math.abs(v);
  if (size >= 1e15 || size > 0 && size < 1e-4) return v.toExponential(2);
  if (size >= 1e4) return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(v);
  return String(Number(v.toPrecision(5)));
}

/** A time as an axis of that many milliseconds shows it. */
export function shortTime(ms, span) {
  const text = new Date(ms).toISOString();
  if (span > 3 * day) return text.slice(0, 10);
  if (span > 12 * hour) return text.slice(5, 16).replace("T", " ");
  if (span > 5 * minute) return text.slice(11, 16);
  return text.slice(11, span > 5000 ? 19 : 23);
}
