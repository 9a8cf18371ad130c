import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CSP } from '../csp';
// @ts-expect-error a script without types
import { all, ICONS } from '../scripts/icons.mjs';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

test('the shapes are those of the tray', () => {
  const drawn = readdirSync(join(root, 'src/generated/icons')).sort();
  expect(drawn).toEqual((ICONS as string[]).map((name) => `${name}.svelte`).sort());
  for (const [name, text] of all() as Map<string, string>) expect(read(`src/generated/icons/${name}.svelte`), name).toBe(text);
});

test('the app and the page have the same rules about what may be loaded', () => {
  const path = '../src-tauri/tauri.conf.json';
  // The page can be built and tested without the app.
  if (!existsSync(join(root, path))) return;
  const conf = JSON.parse(read(path)) as { app?: { security?: { csp?: string | Record<string, string> } } };
  const said = conf.app?.security?.csp ?? '';
  const rules = typeof said === 'string' ? said.split(';') : Object.entries(said).map(([key, value]) => `${key} ${value}`);
  const ours = CSP.split(';').map((rule) => rule.trim());
  for (const rule of rules) expect(ours).toContain(rule.trim());
  expect(rules.length).toBeGreaterThan(4);
});

test('the lock file names no registry', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/);
});
