// A grid over rows that may be a million: only what is in the window has elements. The keyboard moves an
// active cell; a column's head and a cell are opened by Enter or by the mouse.
import { el, isNumber, textOf } from "./answer.js";
import { say } from "./say.js";

const rowPixels = 26;
const headPixels = 44;
const heightMax = 12_000_000; // browsers cut an element above some 17 to 33 million pixels
const barPixels = 16; // of a scroll bar
const spare = 6; // rows beyond the window
const charPixels = 7.3;
const widthMin = 64;
const widthMax = 360;
const sampled = 60; // rows that widths are taken of
const cellChars = 400;
let grids = 0;

function widthsOf(rows) {
  const longest = rows.columns.map((c) => Math.max([...c.name].length + 1, c.type.length * 0.9));
  for (let i = 0; i < Math.min(sampled, rows.count); i++) rows.row(i).forEach((v, c) => { longest[c] = Math.max(longest[c], textOf(v).length); });
  return longest.map((n) => Math.round(Math.min(widthMax, Math.max(widthMin, n * charPixels + 26))));
}

/**
 * @param {import("./rows.js").Rows} rows whose columns are known
 * @param {{label: string, onColumn: (column: number) => void, onCell: (row: number, column: number) => void, onRow: (row: number) => void}} told
 * @returns {{element: HTMLElement, refresh: () => void, focus: () => void, scrollTo: (row: number) => void}}
 */
export function gridOf(rows, { label, onColumn, onCell, onRow }) {
  const id = `grid${++grids}`;
  const box = el("div", "grid scroll");
  box.tabIndex = 0;
  for (const [name, value] of [["role", "grid"], ["aria-label", label], ["aria-colcount", rows.columns.length + 1]]) box.setAttribute(name, value);
  const head = box.appendChild(el("div", "grid-head"));
  head.setAttribute("role", "row");
  head.setAttribute("aria-rowindex", "1");
  const body = box.appendChild(el("div", "grid-body"));
  body.setAttribute("role", "rowgroup");

  let widths = widthsOf(rows);
  let measured = Math.min(sampled, rows.count);
  let touched = false; // somebody has set a width
  let lefts = [];
  let gutter = 0;
  let active = { row: 0, column: 0 }; // row -1 is the head
  let pool = [];
  let waiting = 0;

  const place = () => {
    gutter = Math.round(Math.max(3, String(rows.count).length) * charPixels + 22);
    let x = gutter;
    lefts = widths.map((w) => (x += w) - w);
    lefts.push(x);
    head.style.width = body.style.width = `${x}px`;
  };

  const view = () => Math.max(rowPixels, box.clientHeight - headPixels);
  const tall = () => rows.count * rowPixels;
  // The scroll bar's way stands for all rows, also where it is shorter than they are.
  const scale = () => { const room = Math.min(tall(), heightMax) - view(); return room > 0 ? Math.max(1, (tall() - view()) / room) : 1; };
  const top = () => Math.min(box.scrollTop * scale(), Math.max(0, tall() - view()));

  const shownColumns = () => {
    const from = box.scrollLeft + gutter;
    const to = box.scrollLeft + box.clientWidth;
    let first = lefts.findIndex((left, c) => left + (widths[c] ?? 0) > from);
    if (first < 0) first = 0;
    let last = first;
    while (last + 1 < widths.length && lefts[last + 1] < to) last++;
    return [first, last];
  };

  const number = (parent, role, text) => {
    const cell = parent.appendChild(el("div", "grid-number", text));
    cell.style.width = `${gutter}px`;
    cell.setAttribute("role", role);
    cell.setAttribute("aria-colindex", "1");
    return cell;
  };
  const cellAt = (parent, c, className, role) => {
    const cell = parent.appendChild(el("div", className + (isNumber(rows.columns[c].type) ? " n" : "")));
    cell.style.left = `${lefts[c]}px`;
    cell.style.width = `${widths[c]}px`;
    cell.dataset.column = c;
    cell.setAttribute("role", role);
    cell.setAttribute("aria-colindex", c + 2);
    return cell;
  };

  // Elements are made when other columns come into the window, or their widths change; a scroll only
  // changes texts.
  let drawn = "";
  const make = (first, last, many) => {
    const now = [first, last, gutter, widths.slice(first, last + 1)].join();
    if (now !== drawn) {
      drawn = now;
      head.replaceChildren();
      number(head, "columnheader", "#");
      for (let c = first; c <= last; c++) {
        const { name, type } = rows.columns[c];
        const cell = cellAt(head, c, "grid-column", "columnheader");
        cell.id = `${id}-head-${c}`;
        cell.title = say("%s, %s: press for its profile", name, type);
        cell.append(el("span", "", name), el("small", "", type), el("i", "grid-width"));
      }
      body.replaceChildren();
      pool = [];
    }
    while (pool.length > many) pool.pop().row.remove();
    while (pool.length < many) {
      const row = body.appendChild(el("div", "grid-row"));
      row.setAttribute("role", "row");
      const head1 = number(row, "rowheader", "");
      const cells = [];
      for (let c = first; c <= last; c++) cells.push(cellAt(row, c, "grid-cell", "gridcell"));
      pool.push({ row, number: head1, cells, i: -1, y: -1 });
    }
  };

  const fill = (slot, i, first, shift) => {
    const y = Math.round(i * rowPixels + shift);
    if (slot.y !== y) slot.row.style.top = `${slot.y = y}px`;
    if (slot.i === i) return;
    slot.i = i;
    slot.row.setAttribute("aria-rowindex", i + 2);
    slot.number.textContent = i + 1;
    slot.number.dataset.row = i;
    const values = rows.row(i);
    slot.cells.forEach((cell, n) => {
      const value = values?.[first + n];
      const text = textOf(value);
      cell.classList.toggle("null", value === null || value === undefined || text === "");
      cell.textContent = text === "" ? "''" : text.length > cellChars ? text.slice(0, cellChars) + "…" : text;
      cell.dataset.row = i;
    });
  };

  let marked; // the element of the active cell
  const markActive = (first, from) => {
    const cell = active.row === -1 ? document.getElementById(`${id}-head-${active.column}`) : pool[active.row - from]?.cells[active.column - first];
    if (cell === marked) return;
    marked?.classList.remove("active");
    if (marked?.id === `${id}-active`) marked.removeAttribute("id");
    marked = cell;
    cell?.classList.add("active");
    if (cell && !cell.id) cell.id = `${id}-active`;
    if (cell) box.setAttribute("aria-activedescendant", cell.id);
    else box.removeAttribute("aria-activedescendant");
  };

  // Everything is read before anything is written: a browser lays out anew in between.
  let set = "";
  const draw = () => {
    waiting = 0;
    if (!touched && measured < sampled && rows.count > measured) {
      measured = Math.min(sampled, rows.count);
      widths = widthsOf(rows);
      lefts = [];
    }
    const now = `${rows.count} ${widths}`;
    if (now !== set) {
      set = now;
      place();
      body.style.height = `${Math.min(tall(), heightMax)}px`;
      box.style.height = `${Math.min(tall(), heightMax) + headPixels + barPixels}px`; // at most what the style allows
      box.setAttribute("aria-rowcount", rows.count + 1);
    }
    const [first, last] = shownColumns();
    const at = top();
    const shift = box.scrollTop - at;
    const from = Math.max(0, Math.floor(at / rowPixels) - spare);
    const to = Math.min(rows.count, Math.ceil((at + view()) / rowPixels) + spare);
    make(first, last, to - from);
    // A row that stays in the window keeps its elements.
    const fresh = pool.filter((s) => s.i < from || s.i >= to);
    const kept = new Map(pool.filter((s) => s.i >= from && s.i < to).map((s) => [s.i, s]));
    pool = [];
    for (let i = from; i < to; i++) {
      const slot = kept.get(i) ?? fresh.pop();
      fill(slot, i, first, shift);
      pool.push(slot);
    }
    markActive(first, from);
  };
  const refresh = () => { waiting ||= requestAnimationFrame(draw); };

  const scrollTo = (row) => {
    const y = row * rowPixels;
    if (y < top()) box.scrollTop = y / scale();
    else if (y + rowPixels > top() + view()) box.scrollTop = (y + rowPixels - view()) / scale();
  };
  const go = (row, column) => {
    active = { row: Math.max(-1, Math.min(rows.count - 1, row)), column: Math.max(0, Math.min(rows.columns.length - 1, column)) };
    if (active.row >= 0) scrollTo(active.row);
    const left = lefts[active.column];
    if (left < box.scrollLeft + gutter) box.scrollLeft = left - gutter;
    else if (left + widths[active.column] > box.scrollLeft + box.clientWidth) box.scrollLeft = left + widths[active.column] - box.clientWidth;
    refresh();
  };
  const page = () => Math.max(1, Math.floor(view() / rowPixels) - 1);
  const keys = {
    ArrowDown: () => go(active.row + 1, active.column), ArrowUp: () => go(active.row - 1, active.column),
    ArrowRight: () => go(active.row, active.column + 1), ArrowLeft: () => go(active.row, active.column - 1),
    PageDown: () => go(active.row + page(), active.column), PageUp: () => go(Math.max(0, active.row - page()), active.column),
    Home: (e) => go(e.ctrlKey || e.metaKey ? 0 : active.row, 0), End: (e) => go(e.ctrlKey || e.metaKey ? rows.count - 1 : active.row, rows.columns.length - 1),
    Enter: () => (active.row === -1 ? onColumn(active.column) : onCell(active.row, active.column)),
  };
  box.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey) || e.altKey || !keys[e.key]) return;
    e.preventDefault();
    keys[e.key](e);
  });
  box.addEventListener("copy", (e) => {
    if (!getSelection()?.isCollapsed || active.row < 0) return;
    e.preventDefault();
    e.clipboardData.setData("text/plain", textOf(rows.row(active.row)?.[active.column]));
  });
  box.addEventListener("click", (e) => {
    const cell = e.target.closest("[data-column], .grid-number[data-row]");
    if (!cell || e.target.closest(".grid-width") || !getSelection()?.isCollapsed) return;
    const row = cell.dataset.row === undefined ? -1 : Number(cell.dataset.row);
    if (cell.dataset.column === undefined) { onRow(row); return; }
    go(row, Number(cell.dataset.column));
    if (row === -1) onColumn(active.column);
  });
  box.addEventListener("dblclick", (e) => {
    const cell = e.target.closest(".grid-cell");
    if (cell) onCell(Number(cell.dataset.row), Number(cell.dataset.column));
  });
  // A head's right edge is drawn to the width that it should have.
  head.addEventListener("pointerdown", (e) => {
    const edge = e.target.closest(".grid-width");
    if (!edge) return;
    e.preventDefault();
    const c = Number(edge.parentElement.dataset.column);
    const begun = e.clientX - widths[c];
    touched = true;
    const move = (m) => { widths[c] = Math.max(widthMin / 2, m.clientX - begun); refresh(); };
    addEventListener("pointermove", move);
    addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
  });
  box.addEventListener("scroll", refresh, { passive: true });
  new ResizeObserver(refresh).observe(box);
  refresh();
  return { element: box, refresh, focus: () => box.focus(), scrollTo: (row) => go(row, active.column) };
}
