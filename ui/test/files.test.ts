import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CSP } from '../csp';
// @ts-expect-error a script without types
import { all, ICONS } from '../scripts/icons.mjs';
// @ts-expect-error a script without types
import { languages } from '../scripts/languages.mjs';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

test('the shapes are those of the tray', () => {
  const drawn = readdirSync(join(root, 'src/generated/icons')).sort();
  expect(drawn).toEqual((ICONS as string[]).map((name) => `${name}.svelte`).sort());
  for (const [name, text] of all() as Map<string, string>) expect(read(`src/generated/icons/${name}.svelte`), name).toBe(text);
});

test('the languages are those of the folder', () => {
  expect(read('src/generated/languages.ts')).toBe(languages());
});

test('the app lets its page load itself and nothing else', () => {
  const rules = new Map(
    CSP.split(';').map((rule) => {
      const [directive = '', ...sources] = rule.trim().split(/\s+/);
      return [directive, sources.join(' ')];
    }),
  );
  // Whatever is not named may not be loaded.
  expect(rules.get('default-src')).toBe("'none'");
  const open = [...rules].filter(([, sources]) => sources !== "'none'" && sources !== "'self'");
  // Commands of the app: a scheme of its own, which is a host of its own on Windows. No name server knows it.
  expect(open).toEqual([['connect-src', 'ipc: http://ipc.localhost']]);
  // What default-src does not cover.
  for (const directive of ['base-uri', 'form-action']) expect(rules.get(directive), directive).toBe("'none'");
});

test('the lock file names no registry', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/);
});
