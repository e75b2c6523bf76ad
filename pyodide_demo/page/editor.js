// A prompt for Python: CodeMirror in a shadow root, whose styles need no exception from the page's policy.

/** @typedef {typeof import("./vendor/codemirror.js")} CodeMirror */
/** @typedef {import("@codemirror/view").EditorView} EditorView */

/**
 * @typedef {object} Wishes
 * @property {string} label what a screen reader calls it
 * @property {PromptWishes} [prompt] without these it is no prompt but a text with numbered lines
 * @property {(text: string) => void} [changed]
 *
 * @typedef {object} PromptWishes
 * @property {(text: string) => void} run
 * @property {(text: string) => Promise<{ names: string[], start: number }>} complete
 * @property {(step: -1 | 1) => string | undefined} recall the text before or after in the history
 */

const STYLES = {
  "&": { background: "none", color: "inherit", fontSize: "0.875rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "var(--code)", lineHeight: "1.55", maxHeight: "24rem" },
  ".cm-content": { padding: "0.35rem 0", caretColor: "var(--text)", minHeight: "1.55em" },
  ".cm-gutters": { background: "none", border: "none", color: "var(--quiet)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-placeholder": { color: "var(--quiet)" },
  ".cm-matchingBracket": { background: "var(--cell)", outline: "1px solid var(--line)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { background: "var(--selection) !important" },
  ".cm-tooltip": { background: "var(--surface)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete > ul": { font: "var(--code)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--accent)", color: "var(--on-accent)" },
};

export class Editor {
  /** @type {EditorView} */
  #view;
  #codemirror;

  /**
   * @param {HTMLElement} place
   * @param {CodeMirror} codemirror
   * @param {Wishes} wishes
   */
  constructor(place, codemirror, wishes) {
    this.#codemirror = codemirror;
    const root = place.shadowRoot ?? place.attachShadow({ mode: "open", delegatesFocus: true });
    root.replaceChildren();
    this.#view = new codemirror.EditorView({
      root,
      parent: root,
      extensions: extensionsOf(codemirror, wishes, (text) => this.set(text)),
    });
  }

  get text() {
    return this.#view.state.doc.toString();
  }

  /**
   * Replace the text; the cursor goes to its end.
   * @param {string} text
   */
  set(text) {
    const { doc } = this.#view.state;
    this.#view.dispatch({ changes: { from: 0, to: doc.length, insert: text }, selection: { anchor: text.length } });
  }

  focus() {
    this.#view.focus();
  }
}

/**
 * The editor, which is fetched when one is first shown, and kept from then on.
 * @returns {Promise<CodeMirror>}
 */
export async function loadCodeMirror() {
  try {
    return await import("./vendor/codemirror.js");
  } catch {
    throw new Error("The editor could not be fetched. Is the server of this page still running?");
  }
}

/**
 * Whether Enter runs a text: it is whole, and its last line is in no block, or empty.
 * @param {string} text
 */
export function isWhole(text) {
  const lines = text.split("\n");
  const last = (lines.at(-1) ?? "").replace(/^>>> /, "");
  if (lines.length > 1 && last.trim() === "") return true;
  if (lines.length > 1 && /^(\s|\.\.\. )/.test(last)) return false;
  const code = text
    .replace(/(["'])(?:\\.|(?!\1).)*\1/g, "_")
    .replace(/#.*/g, "")
    .trimEnd();
  if (/[:\\,([{]$/.test(code) || last.startsWith("@")) return false;
  const count = (/** @type {RegExp} */ signs) => code.match(signs)?.length ?? 0;
  // An open string of three quotes has lost two of them above.
  return count(/["']/g) === 0 && count(/[([{]/g) <= count(/[)\]}]/g);
}

/**
 * @param {CodeMirror} codemirror
 * @param {Wishes} wishes
 * @param {(text: string) => void} set
 */
function extensionsOf(codemirror, wishes, set) {
  const { EditorView, EditorState, keymap } = codemirror;
  return [
    wishes.prompt === undefined ? codemirror.lineNumbers() : promptOf(codemirror, wishes.prompt, set),
    keymap.of([codemirror.indentWithTab, ...codemirror.historyKeymap, ...codemirror.defaultKeymap]),
    codemirror.history(),
    codemirror.drawSelection(),
    codemirror.bracketMatching(),
    codemirror.indentOnInput(),
    codemirror.indentUnit.of("    "),
    EditorState.tabSize.of(4),
    new codemirror.LanguageSupport(codemirror.pythonLanguage),
    codemirror.syntaxHighlighting(stylesOf(codemirror)),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": wishes.label }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) wishes.changed?.(update.state.doc.toString());
    }),
    EditorView.theme(STYLES),
  ];
}

/**
 * What makes a prompt of an editor.
 * @param {CodeMirror} codemirror
 * @param {PromptWishes} wishes
 * @param {(text: string) => void} set
 */
function promptOf(codemirror, wishes, set) {
  /** @param {EditorView} view */
  const run = (view) => {
    wishes.run(view.state.doc.toString());
    return true;
  };
  /** @param {-1 | 1} step */
  const recall = (step) => (/** @type {EditorView} */ view) => {
    if (codemirror.completionStatus(view.state) === "active") return false;
    const { doc, selection } = view.state;
    const line = doc.lineAt(selection.main.head).number;
    // In a text of several lines the arrows go through its lines first.
    if (step < 0 ? line > 1 : line < doc.lines) return false;
    const text = wishes.recall(step);
    if (text !== undefined) set(text);
    return text !== undefined;
  };
  const keys = [
    {
      key: "Enter",
      run(/** @type {EditorView} */ view) {
        if (codemirror.completionStatus(view.state) === "active") return codemirror.acceptCompletion(view);
        const text = view.state.doc.toString();
        const atEnd = view.state.selection.main.head === text.length;
        return atEnd && isWhole(text) ? run(view) : codemirror.insertNewlineAndIndent(view);
      },
    },
    { key: "Shift-Enter", run: codemirror.insertNewlineAndIndent },
    { key: "Mod-Enter", run },
    { key: "ArrowUp", run: recall(-1) },
    { key: "ArrowDown", run: recall(1) },
    { key: "Tab", run: codemirror.acceptCompletion },
    {
      key: "Tab", // where it does not indent
      run(/** @type {EditorView} */ view) {
        const { doc, selection } = view.state;
        const { from, text } = doc.lineAt(selection.main.head);
        const isAfterName = selection.main.empty && /[\w.]$/.test(text.slice(0, selection.main.head - from));
        return isAfterName && codemirror.startCompletion(view);
      },
    },
  ];
  return [
    codemirror.Prec.highest(codemirror.keymap.of(keys)),
    codemirror.autocompletion({ override: [completing(wishes)], icons: false, interactionDelay: 0 }),
  ];
}

/**
 * @param {PromptWishes} wishes
 * @returns {import("@codemirror/autocomplete").CompletionSource}
 */
function completing(wishes) {
  return async (context) => {
    const before = context.matchBefore(/[\w.]+/);
    if (before === null || (!context.explicit && !before.text.includes("."))) return null;
    const line = context.state.doc.lineAt(context.pos);
    const { names, start } = await wishes.complete(line.text.slice(0, context.pos - line.from));
    if (!names.length) return null;
    return { from: line.from + start, options: names.map((label) => ({ label })), validFor: /^[\w.]*$/ };
  };
}

/** @param {CodeMirror} codemirror */
function stylesOf({ HighlightStyle, tags }) {
  return HighlightStyle.define([
    { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--code-keyword)" },
    { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
    { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
    { tag: tags.comment, color: "var(--quiet)" },
  ]);
}
