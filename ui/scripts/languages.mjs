// Every src/i18n/<tag>.json is a language of window and tray: its name is its tag. This makes src/generated/languages.ts of them,
// where a language that lacks a text does not compile. src-tauri/build/words.rs takes the tray's texts from the same files.
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const src = join(dirname(fileURLToPath(import.meta.url)), '../src');

export function languages() {
  const files = readdirSync(join(src, 'i18n'));
  const strange = files.filter((file) => !/^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*\.json$/.test(file));
  if (strange.length > 0) throw new Error(`src/i18n holds what is no language: ${strange.join(', ')}`);
  const others = files.map((file) => file.replace(/\.json$/, '')).filter((tag) => tag !== 'en');
  return `// Made from the names in src/i18n by scripts/languages.mjs; do not edit by hand.
import en from '../i18n/en.json';
import type { Dictionary } from '../lib/dictionary';

/** English is in the page itself. */
export const ENGLISH: Dictionary = en;

/** The others come when they are wanted. */
export const OTHERS: Record<string, () => Promise<{ default: Dictionary }>> = {
${others.sort().map((tag) => `  '${tag}': () => import('../i18n/${tag}.json'),\n`).join('')}};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(src, 'generated/languages.ts'), languages());
