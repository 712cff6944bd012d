// Renders every case with the npm package `ejs`, the oracle of our compiler of tags.
// node ejs.cjs PACKAGE_FOLDER CASES_FOLDER OUT_FOLDER
'use strict';
const fs = require('fs');
const path = require('path');
const [folder, cases, out] = process.argv.slice(2);
const ejs = require(path.resolve(folder));
const list = (x) => (x === undefined || x === null ? [] : Array.isArray(x) ? x : [x]);

for (const file of fs.readdirSync(cases).filter((name) => name.endsWith('.ejs'))) {
  const name = file.slice(0, -4);
  const own = path.join(cases, name + '.json');
  const values = JSON.parse(fs.readFileSync(fs.existsSync(own) ? own : path.join(cases, 'shared.json'), 'utf8'));
  const before = new Set(Object.getOwnPropertyNames(globalThis));
  const locals = { ...values, doc: values, lang: 'en', list };
  const text = fs.readFileSync(path.join(cases, file), 'utf8');
  fs.writeFileSync(path.join(out, name + '.out'), ejs.render(text, locals, { filename: path.join(cases, file) }));
  for (const leaked of Object.getOwnPropertyNames(globalThis)) if (!before.has(leaked)) delete globalThis[leaked];
}
