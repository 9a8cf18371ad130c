// The window opens at once, also on a slow disk: its script may weigh 60 KB compressed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMIT = 60 * 1024;
const folder = new URL('../dist', import.meta.url).pathname;
const files = readdirSync(folder, { recursive: true }).map(String);
const weigh = (kind) =>
  files.filter((file) => file.endsWith(kind)).reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);

const [script, style] = [weigh('.js'), weigh('.css')];
console.log(`script ${script} bytes, style ${style} bytes (gzip); allowed ${LIMIT} bytes of script`);
if (script === 0 || script > LIMIT) {
  console.error(script === 0 ? 'no script was built' : 'the script is too big');
  process.exit(1);
}
const fonts = files.filter((file) => /\.(woff2?|ttf|otf)$/.test(file));
if (fonts.length > 0) {
  console.error(`web fonts: ${fonts.join(', ')}`);
  process.exit(1);
}
