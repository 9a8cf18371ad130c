import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STORIES } from '../src/stories';
import { chromium, launch } from './browser';
import { barriers, faults, reading } from './look';
import { Site } from './site';

const FOLDER = join(import.meta.dirname, '../screenshots');
const WINDOW = { width: 480, height: 640 };

/** A person with weak eyes: a window of 640 at 200 %, then the window as it opens. */
const ENLARGED = [
  { width: 320, height: 480 },
  { width: 240, height: 320 },
];

describe.skipIf(!chromium())('stories', () => {
  let site: Site;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const strangers: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    site = await Site.open('dist-stories');
    browser = await launch();
    context = await browser.newContext({ viewport: WINDOW, reducedMotion: 'reduce', timezoneId: 'UTC' });
    context.setDefaultTimeout(10_000);
    page = await context.newPage();
    page.on('request', (request) => {
      if (!request.url().startsWith(site.origin)) strangers.push(request.url());
    });
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(name: string, query = '', viewport = WINDOW): Promise<void> {
    await page.setViewportSize(viewport);
    await page.goto(`${site.origin}/stories.html?story=${name}${query}`);
    await page.waitForSelector('html[data-ready]');
  }

  async function shoot(file: string): Promise<void> {
    await page.screenshot({ path: join(FOLDER, `${file}.png`), fullPage: true });
  }

  test.each(STORIES.map(({ name }) => name))('%s', async (name) => {
    const story = STORIES.find((one) => one.name === name);
    await open(name);
    const text = await reading(page);
    for (const said of story?.says ?? []) expect(text).toContain(said);
    expect(text).not.toMatch(/\{\w+\}|undefined|NaN|\[object/);
    expect(await faults(page)).toEqual([]);
    expect(await barriers(page)).toEqual([]);
    await shoot(`${name}.light`);

    await open(name, '&theme=dark');
    expect(await barriers(page, ['color-contrast'])).toEqual([]);
    await shoot(`${name}.dark`);

    await open(name, '&lang=de');
    const german = await reading(page);
    expect(german).not.toMatch(/\{\w+\}|undefined|NaN/);
    expect(await faults(page)).toEqual([]);
    await shoot(`${name}.de`);

    await open(name, '&lang=en-XA');
    expect(await faults(page)).toEqual([]);
    expect(await untranslated(page)).toEqual([]);

    for (const viewport of ENLARGED) {
      await open(name, '&lang=de', viewport);
      expect(await faults(page), `${viewport.width} px`).toEqual([]);
    }
    await page.setViewportSize({ width: 320, height: 480 });
    await shoot(`${name}.narrow`);
  });

  test('nothing was asked of any network, and nothing broke the rules', () => {
    expect(strangers).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

/** Texts that no language file holds. Names and numbers are marked, or made by Intl. */
function untranslated(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const made = /\b(?:k?bytes?|[kMGTP]?B|\/s|m?s|sec|min|hr|days?|wks?|hours?|minutes?|seconds?|ago|now|yesterday|and|in|last|on|at|AM|PM|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|X)\b/gi;
    const plain = (text: string): string => text.replace(/⟦[^⟧]*⟧/g, '').replace(made, '');
    const found: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement?.closest('[data-raw]')) continue;
      // A sentence may hold raw words in its middle; then its brackets lie in different nodes.
      const rest = plain(node.textContent ?? '').replace(/⟦.*$|^.*⟧/gs, '');
      if (/\p{L}/u.test(rest)) found.push(rest.trim());
    }
    for (const element of document.querySelectorAll('[aria-label]')) {
      const label = element.getAttribute('aria-label') ?? '';
      if (/\p{L}/u.test(plain(label))) found.push(`label ${label}`);
    }
    return found;
  });
}
