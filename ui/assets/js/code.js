// The editor of SQL: CodeMirror in a shadow root, where its style needs no inline sheet and the page's
// style does not reach. It knows texts and places, and nothing of what runs them.
//
//   const editor = openEditor(parent, { text, label, onRun, onChange, functions, columns });
//   editor.text(), editor.set(text), editor.insert(text), editor.chosen() -> { text, from } | null
//   editor.mark(from, to) shows what is wrong until the text changes; editor.focus()
import {
  autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap, Decoration, defaultKeymap, drawSelection, EditorState, EditorView,
  highlightActiveLine, HighlightStyle, history, historyKeymap, indentUnit, keymap, lineNumbers, Prec, schemaCompletionSource, sql, SQLDialect, StateEffect, StateField, syntaxHighlighting, tags,
} from "../vendor/codemirror.js";
import { quotedName } from "./statements.js";
import { keywords, types } from "./words.js";

const duckdb = SQLDialect.define({
  keywords, types, builtin: "", operatorChars: "*+-%<>!=&|~^/?:", identifierQuotes: "\"`", doubleDollarQuotedStrings: true,
  unquotedBitLiterals: false, treatBitsAsBytes: false, spaceAfterDashes: false, doubleQuotedStrings: false, charSetCasts: false, caseInsensitiveIdentifiers: true,
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.bool, tags.null], color: "var(--accent)", fontWeight: "600" },
  { tag: tags.typeName, color: "var(--accent)" },
  { tag: tags.string, color: "var(--bronze)" },
  { tag: tags.number, color: "var(--bus)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--fg-3)", fontStyle: "italic" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--fg-1)", backgroundColor: "var(--bg-1)", fontSize: "var(--t-13)" },
  "&.cm-focused": { outline: "none", boxShadow: "inset 2px 0 var(--accent)" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.6", fontVariantLigatures: "none" },
  ".cm-content": { padding: "10px 0", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 14px 0 8px" },
  ".cm-gutters": { backgroundColor: "var(--bg-1)", color: "var(--fg-3)", border: "0" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "36px", padding: "0 6px 0 8px" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--fg-1)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--fg-3) 9%, transparent)" },
  "&:not(.cm-focused) .cm-activeLine": { backgroundColor: "transparent" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: "var(--bad-bg)" },
  ".cm-wrong": { textDecoration: "underline wavy var(--bad) 1.5px", textUnderlineOffset: "3px", backgroundColor: "var(--bad-bg)", borderRadius: "2px" },
  ".cm-unseen": { unicodeBidi: "isolate", direction: "ltr", backgroundColor: "var(--bad-bg)", borderRadius: "2px" },
  ".cm-unseen::before": { content: "attr(data-mark)", fontSize: ".75em", color: "var(--bad)" },
  ".cm-tooltip": { border: "1px solid var(--line-2)", borderRadius: "var(--r-1)", backgroundColor: "var(--bg-1)", color: "var(--fg-1)", boxShadow: "0 6px 24px #0004" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--font-mono)", fontSize: "var(--t-12)", maxHeight: "240px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px 3px 6px", lineHeight: "1.5" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--fg-1)" },
  ".cm-completionDetail": { color: "var(--fg-3)", fontStyle: "normal", marginLeft: "1.5em" },
  ".cm-completionMatchedText": { textDecoration: "none", color: "var(--accent)", fontWeight: "600" },
  ".cm-completionIcon": { display: "none" },
});

// What is wrong is marked until the text changes.
const wrong = StateEffect.define();
const marks = StateField.define({
  create: () => Decoration.none,
  update(now, tr) {
    for (const e of tr.effects) {
      if (e.is(wrong)) return e.value ? Decoration.set([Decoration.mark({ class: "cm-wrong" }).range(e.value.from, e.value.to)]) : Decoration.none;
    }
    return tr.docChanged ? Decoration.none : now;
  },
  provide: (f) => EditorView.decorations.from(f),
});

// Marks that turn the direction of a text, or are not seen at all, are shown: else a statement reads as another than it is.
const unseen = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const unseenIn = (doc) => Decoration.set([...doc.toString().matchAll(unseen)].map((m) => {
  const code = "U+" + m[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return Decoration.mark({ class: "cm-unseen", attributes: { "data-mark": code } }).range(m.index, m.index + 1);
}));
const shown = StateField.define({
  create: (state) => unseenIn(state.doc),
  update: (now, tr) => (tr.docChanged ? unseenIn(tr.newDoc) : now),
  provide: (f) => EditorView.decorations.from(f),
});

// Where something chosen is typed over, browsers keep its style in an attribute, which the page's policy
// forbids: the text is put in here.
function typedOver(e, view) {
  const { from, to } = view.state.selection.main;
  if (e.inputType !== "insertText" || !e.data || from === to || view.composing) return false;
  e.preventDefault();
  const plain = () => view.state.update(view.state.replaceSelection(e.data), { userEvent: "input.type", scrollIntoView: true });
  if (!view.state.facet(EditorView.inputHandler).some((h) => h(view, from, to, e.data, plain))) view.dispatch(plain());
  return true;
}

const bare = /^[a-z_][a-z0-9_]*$/;
const written = (name) => (bare.test(name) ? name : quotedName(name));

const dots = (name) => name.replaceAll(".", "\\.");

/** The columns of the catalog, {schema, table, name, type}, as completion takes them. */
function nested(columns) {
  const out = {};
  for (const c of columns) {
    const tables = (out[dots(c.schema)] ??= {});
    (tables[dots(c.table)] ??= []).push({ label: c.name, detail: c.type, type: "property", apply: written(c.name), boost: 10 });
  }
  for (const [schema, tables] of Object.entries(out)) {
    for (const [name, children] of Object.entries(tables)) {
      const plain = name.replaceAll("\\.", ".");
      tables[name] = { self: { label: plain, type: "class", detail: `${children.length} columns`, apply: written(plain) }, children };
    }
    out[schema] = { self: { label: schema, type: "namespace", detail: "schema" }, children: tables };
  }
  return out;
}

/** Completes the columns of the tables that the text names, and functions, wherever a name may stand. */
function names(columns, functions) {
  const calls = functions.map((f) => ({ label: f, type: "function", detail: "function", apply: f + "(", boost: -20 }));
  return (context) => {
    const word = context.matchBefore(/[\w$]+/);
    if (!word && !context.explicit || context.state.sliceDoc(Math.max(0, (word?.from ?? context.pos) - 1), word?.from ?? context.pos) === ".") return null;
    const text = context.state.doc.toString().toLowerCase();
    const seen = new Set();
    const options = [];
    for (const c of columns) {
      if (seen.has(c.name) || !text.includes(c.table.toLowerCase())) continue;
      seen.add(c.name);
      options.push({ label: c.name, type: "property", detail: c.type, apply: written(c.name), boost: 20 });
    }
    for (const name of new Set(columns.map((c) => `${c.schema}.${c.table}`))) options.push({ label: name, type: "class", detail: "table", apply: name.split(".").map(written).join("."), boost: 8 });
    return { from: word?.from ?? context.pos, options: options.concat(calls), validFor: /^[\w$]*$/ };
  };
}

/** Puts an editor into parent; see above. columns() and functions() are asked when somebody completes, and may be promises. */
export function openEditor(parent, { text = "", label = "SQL", onRun, onChange, columns = () => [], functions = () => [] }) {
  const root = parent.attachShadow({ mode: "open" });
  let known, inSchema;
  const complete = async (context) => {
    const [cols, calls] = await Promise.all([columns(), functions()]);
    if (context.aborted) return null;
    if (cols !== known) [known, inSchema] = [cols, schemaCompletionSource({ dialect: duckdb, schema: nested(cols), defaultSchema: "silver" })];
    return context.matchBefore(/[\w$"`]+\.[\w$"`]*$/) ? inSchema(context) : names(cols, calls)(context);
  };
  const state = EditorState.create({
    doc: text,
    extensions: [
      Prec.highest(keymap.of([{ key: "Mod-Enter", run: (v) => { closeCompletion(v); onRun?.(); return true; } }])),
      lineNumbers(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), closeBrackets(), indentUnit.of("  "), EditorState.tabSize.of(2),
      sql({ dialect: duckdb }), duckdb.language.data.of({ autocomplete: complete }), autocompletion({ icons: false, maxRenderedOptions: 80 }),
      syntaxHighlighting(colours), theme, marks, shown, EditorView.lineWrapping,
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
      EditorView.domEventHandlers({ beforeinput: typedOver }),
      EditorView.updateListener.of((u) => { if (u.docChanged) onChange?.(); }),
    ],
  });
  const view = new EditorView({ state, root, parent: root });
  return {
    text: () => view.state.doc.toString(),
    focus: () => view.focus(),
    set(next) {
      if (next !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, selection: { anchor: next.length } });
    },
    insert: (piece) => view.dispatch(view.state.replaceSelection(piece)),
    chosen() {
      const { from, to } = view.state.selection.main;
      return to > from ? { text: view.state.sliceDoc(from, to), from } : null;
    },
    at: () => view.state.selection.main.head,
    mark(from, to) {
      view.dispatch({ effects: [wrong.of({ from, to: Math.max(to, from + 1) }), EditorView.scrollIntoView(from)], selection: { anchor: from } });
    },
  };
}
