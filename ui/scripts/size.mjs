// The window opens at once, also on a slow disk: its script may weigh 60 KB compressed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMIT = 60 * 1024;
const folder = new URL('../dist', import.meta.url).pathname;
const files = readdirSync(folder, { recursive: true }).map(String);
const weigh = (some) => some.map((file) => gzipSync(readFileSync(join(folder, file))).length);
const sum = (sizes) => sizes.reduce((one, other) => one + other, 0);

// A window speaks one language; English is in the page itself.
const tags = readdirSync(new URL('../src/i18n', import.meta.url).pathname).map((file) => file.replace(/\.json$/, ''));
const speaks = (file) => tags.some((tag) => new RegExp(`/${tag}-[^/]*\\.js$`).test(file));
const scripts = files.filter((file) => file.endsWith('.js'));
const languages = weigh(scripts.filter(speaks));
if (languages.length !== tags.length - 1) throw new Error(`${tags.length} languages, but ${languages.length} files of them`);
const script = sum(weigh(scripts.filter((file) => !speaks(file)))) + Math.max(...languages);
const style = sum(weigh(files.filter((file) => file.endsWith('.css'))));
console.log(`script ${script} bytes with its largest language, style ${style} bytes (gzip); allowed ${LIMIT} bytes of script`);
if (script === 0 || script > LIMIT) {
  console.error(script === 0 ? 'no script was built' : 'the script is too big');
  process.exit(1);
}
const fonts = files.filter((file) => /\.(woff2?|ttf|otf)$/.test(file));
if (fonts.length > 0) {
  console.error(`web fonts: ${fonts.join(', ')}`);
  process.exit(1);
}
