// The window shows the tray's own shapes: src-tauri/icons/*.svg become one Svelte component each in src/generated/icons.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const from = join(here, '../../src-tauri/icons');
const to = join(here, '../src/generated/icons');

export const ICONS = ['working', 'standby', 'os', 'checking', 'limited', 'down', 'paused', 'no_service', 'no_network'];

/** A component that takes the colour of the text around it. */
export function component(name, svg) {
  const body = svg
    .replace(/<\?xml[^>]*>/g, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<(title|desc|metadata)[\s\S]*?<\/\1>/g, '')
    .replace(/(fill|stroke)="(?:#0{3}(?:0{3})?|black)"/g, '$1="currentColor"')
    // Two shapes in one page must not share names.
    .replace(/\bid="([^"]+)"/g, `id="${name}-$1"`)
    .replace(/url\(#([^)]+)\)/g, `url(#${name}-$1)`)
    .trim();
  const viewBox = /viewBox="([^"]+)"/.exec(body)?.[1];
  if (!viewBox) throw new Error(`${name}.svg has no viewBox`);
  if (/\sstyle=|<style|<script|href=/.test(body)) throw new Error(`${name}.svg holds what the page may not`);
  const inner = body.replace(/^<svg[^>]*>/, '').replace(/<\/svg>$/, '').trim();
  const kept = ['fill', 'stroke', 'stroke-width', 'stroke-linecap', 'stroke-linejoin', 'fill-rule']
    .map((key) => new RegExp(`\\s${key}="[^"]*"`).exec(/^<svg[^>]*>/.exec(body)[0])?.[0] ?? '')
    .join('');
  const fill = /\sfill=/.test(kept) ? '' : ' fill="currentColor"';
  return `<!-- Made from src-tauri/icons/${name}.svg by scripts/icons.mjs; do not edit by hand. -->
<script lang="ts"></script>
<svg viewBox="${viewBox}"${kept}${fill} aria-hidden="true" focusable="false">${inner}</svg>
`;
}

export function all() {
  const there = readdirSync(from).filter((file) => file.endsWith('.svg'));
  const missing = ICONS.filter((name) => !there.includes(`${name}.svg`));
  if (missing.length > 0) throw new Error(`src-tauri/icons lacks ${missing.join(', ')}`);
  return new Map(ICONS.map((name) => [name, component(name, readFileSync(join(from, `${name}.svg`), 'utf8'))]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const [name, text] of all()) writeFileSync(join(to, `${name}.svelte`), text);
}
