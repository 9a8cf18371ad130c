import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium as playwright, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Where the system's browser is. */
export function chromium(): string | null {
  const given = process.env['CHROMIUM'];
  if (given) return given;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path)) ?? null;
}

export function launch(): Promise<Browser> {
  const executablePath = chromium();
  if (!executablePath) throw new Error('no Chromium');
  // Root in a container has no sandbox; what is shown is our own.
  return playwright.launch({ executablePath, args: ['--no-sandbox', '--js-flags=--expose-gc', '--font-render-hinting=none'] });
}
