import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Prefs } from '../src/generated/view';
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

  async function open(name: string): Promise<void> {
    await page.setViewportSize(WINDOW);
    await page.goto(`${site.origin}/stories.html?story=${name}&theme=light`);
    await page.waitForSelector('html[data-ready]');
  }

  /** The same story with other preferences, changed while it is open. */
  async function dress(prefs: Partial<Prefs>): Promise<void> {
    await page.evaluate(async (changed) => {
      const { backend } = globalThis.story ?? {};
      if (!backend) throw new Error('no story');
      const wanted = { ...backend.now.prefs, ...changed };
      backend.change({ prefs: wanted });
      const { dataset } = document.documentElement;
      while (document.documentElement.lang !== wanted.language || dataset['theme'] !== wanted.theme) await new Promise(requestAnimationFrame);
      for (let picture = 0; picture < 2; picture += 1) await new Promise(requestAnimationFrame);
    }, prefs);
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

    await dress({ theme: 'dark' });
    expect(await barriers(page, ['color-contrast'])).toEqual([]);
    await shoot(`${name}.dark`);

    await dress({ language: 'en-XA', theme: 'light' });
    expect(await faults(page)).toEqual([]);
    expect(await untranslated(page)).toEqual([]);

    await dress({ language: 'de' });
    expect(await reading(page)).not.toMatch(/\{\w+\}|undefined|NaN/);
    expect(await faults(page)).toEqual([]);
    await shoot(`${name}.de`);
    for (const viewport of ENLARGED) {
      await page.setViewportSize(viewport);
      expect(await faults(page), `${viewport.width} px`).toEqual([]);
      if (viewport === ENLARGED[0]) await shoot(`${name}.narrow`);
    }
  });

  test('nothing was asked of any network, and nothing broke the rules', () => {
    expect(strangers).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

/** Texts that no language file holds. Names are marked, numbers and times made by Intl. */
function untranslated(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const made =
      /\b(?:k?bytes?|[kMGTP]?B|\/s|m?s|secs?|mins?|hrs?|days?|ago|now|yesterday|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|X)\b/g;
    const rest = (text: string): string => text.replace(/⟦[^⟧]*⟧/g, ' ').replace(made, '');
    const copy = document.body.cloneNode(true) as HTMLElement;
    for (const raw of copy.querySelectorAll('[data-raw], script')) raw.remove();
    const labels = [...copy.querySelectorAll('[aria-label]')].map((element) => element.getAttribute('aria-label') ?? '');
    return [copy.textContent ?? '', ...labels].flatMap((text) => rest(text).match(/[^\s]*\p{L}[^\n]*/gu) ?? []);
  });
}
