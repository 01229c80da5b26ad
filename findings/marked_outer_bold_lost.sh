#!/usr/bin/env bash
# marked (and so JupyterLab) loses a bold phrase when an italic one within it ends between two punctuations.
#
# Guess:    **On *who drew it?*: no** is bold, with three words in italics as well: so say the reference
#           implementation of CommonMark, markdown-it, and nbconvert's page of the same notebook.
# Happens:  marked leaves the outer asterisks standing and sets the italics only. Without the question mark,
#           or without the colon, or with _ inside, all is well; with * outside and ** inside it is the
#           same. So a notebook reads otherwise in JupyterLab than on the page that is made of it.
# Why:      marked/src/Tokenizer.ts, emStrong: the * between two punctuations can open and close. CommonMark's
#           rule 9 ("not a multiple of 3") is tried for it against the OUTER ** (2 + 1 = 3), not against the
#           nearest *, which it closes. So the inner * stays open, and the last ** is counted against it.
# Versions: marked 18.2.1, commonmark 0.31.2, markdown-it 15.0.3, Node 20; run on 2026-11-29.
# Seen:     marked: **On <em>who drew it?</em>: no**
#           commonmark: <strong>On <em>who drew it?</em>: no</strong>
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init --yes > /dev/null
npm install --silent --no-fund --no-audit marked@18.2.1 commonmark@0.31.2 markdown-it@15.0.3
node - <<'JS'
const assert = require("assert");
const { marked } = require("marked");
const { Parser, HtmlRenderer } = require("commonmark");
const it = require("markdown-it")();

const byMarked = (text) => marked.parseInline(text);
const byReference = (text) => new HtmlRenderer().render(new Parser().parse(text)).trim().slice(3, -4);
const lost = ["**On *who drew it?*: no**", "**(a) *b.*, c**", "*a **b?**: c*"];
const kept = ["**On *who drew it*: no**", "**On *who drew it?* no**", "**On _who drew it?_: no**"];
for (const text of [...lost, ...kept]) {
    console.log("marked:", byMarked(text), "| commonmark:", byReference(text));
    assert.strictEqual(it.renderInline(text), byReference(text));
    assert.match(byReference(text), /^<(strong|em)>.*<\/(strong|em)>$/);
    assert.strictEqual(byMarked(text) === byReference(text), kept.includes(text));
}
JS
