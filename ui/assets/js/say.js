// The page's texts in the reader's language. English is the key; the server has put those of
// another language on the document.
const root = document.documentElement;
const texts = JSON.parse(root.dataset.words || "{}");
const french = root.lang === "fr";

/** A text, with values in the places of its %s. */
export function say(key, ...values) {
  let at = 0;
  return (texts[key] ?? key).replaceAll("%s", () => values[at++]);
}

/** One of two texts, by a number, which is the first value of both. French has one for none. */
export const many = (n, one, several, ...values) => say(n === 1 || (n === 0 && french) ? one : several, count(n), ...values);

/** A whole number in groups of three digits, as the server writes it. */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** A number with digits behind its point. */
export const decimal = (v, digits) => (french ? v.toFixed(digits).replace(".", ",") : v.toFixed(digits));
