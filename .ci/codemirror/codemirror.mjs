// What the page takes of CodeMirror. ui/assets/vendor/codemirror.js is made of it:
//   npm ci --ignore-scripts && npx esbuild codemirror.mjs --bundle --minify --format=esm --target=es2022 --legal-comments=none --outfile=../../ui/assets/vendor/codemirror.js
// Then ui/assets/vendor.json gets the versions of package-lock.json and the file's sum.
export { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
export { Decoration, drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { bracketMatching, HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
export { autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap } from "@codemirror/autocomplete";
export { schemaCompletionSource, sql, SQLDialect } from "@codemirror/lang-sql";
export { tags } from "@lezer/highlight";
