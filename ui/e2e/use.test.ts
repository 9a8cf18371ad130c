import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromium, launch } from './browser';
import { Site } from './site';

/** What can be used; all of it has to be reached by keyboard. */
const USABLE = 'button, a[href], input, select, summary, [tabindex="0"]';

describe.skipIf(!chromium())('use', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    site = await Site.open('dist-stories');
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 480, height: 640 } });
    page.setDefaultTimeout(10_000);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(name: string): Promise<void> {
    await page.goto(`${site.origin}/stories.html?story=${name}`);
    await page.waitForSelector('html[data-ready]');
  }

  test.each(['details', 'pause-form', 'pause-forbidden', 'settings-locked', 'failed-rearm', 'unreachable', 'about'])(
    'the keyboard reaches all of %s, and one sees where it is',
    async (name) => {
      await open(name);
      const count = await page.evaluate((usable) => {
        const all = [...document.querySelectorAll<HTMLElement>(usable)].filter((one) => one.checkVisibility());
        // Of a group of radio buttons one is a stop; the arrows do the rest.
        const stops = all.filter((one) => !(one instanceof HTMLInputElement && one.type === 'radio' && !one.checked));
        stops.forEach((one) => (one.dataset['stop'] = ''));
        (document.activeElement as HTMLElement | null)?.blur();
        return stops.length;
      }, USABLE);
      expect(count).toBeGreaterThan(3);
      const seen: string[] = [];
      for (let step = 0; step < count + 5; step += 1) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const focused = document.activeElement as HTMLElement | null;
          if (!focused || focused === document.body) return null;
          delete focused.dataset['stop'];
          // A chosen one of a group shows it on its label.
          const shown = focused instanceof HTMLInputElement && focused.type === 'radio' ? focused.closest('label') : focused;
          const { outlineStyle, outlineWidth } = getComputedStyle(shown ?? focused);
          return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 ? null : focused.outerHTML.slice(0, 80);
        });
        if (at) seen.push(at);
      }
      expect(seen, 'without a visible focus').toEqual([]);
      expect(await page.evaluate(() => [...document.querySelectorAll('[data-stop]')].map((one) => one.outerHTML.slice(0, 80)))).toEqual([]);
    },
  );

  test('the keyboard alone pauses for half an hour', async () => {
    await open('working');
    await page.focus('[data-action=pause]');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('h1')?.textContent?.startsWith('Paused until'));
    const calls = await page.evaluate(() => globalThis.story?.backend.calls);
    expect(calls).toContainEqual({ command: 'pause', arguments: [30, ''] });
  });

  test('with colours of the system’s own, everything is still there', async () => {
    await page.emulateMedia({ forcedColors: 'active' });
    for (const name of ['working', 'down-CL-501', 'settings-locked']) {
      await open(name);
      await page.screenshot({ path: `screenshots/${name}.forced.png`, fullPage: true });
      // Shapes and edges take the system's colour of text, not one of ours that may vanish.
      const colours = await page.evaluate(() => {
        const probe = document.createElement('span');
        probe.style.setProperty('color', 'CanvasText');
        document.body.append(probe);
        const text = getComputedStyle(probe).color;
        const marks = [...document.querySelectorAll('.mark')].map((mark) => getComputedStyle(mark).color);
        return { text, marks };
      });
      for (const mark of colours.marks) expect(mark).toBe(colours.text);
    }
    await page.emulateMedia({ forcedColors: 'none' });
  });

  test('who wants no motion sees none', async () => {
    const moving = () =>
      page.evaluate(() => [...document.querySelectorAll('*')].filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0 || getComputedStyle(one).animationName !== 'none').length);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await open('working');
    expect(await moving()).toBe(0);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
  });

  test('the system’s change to dark is followed', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    await open('system-theme');
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark');
    expect(await ground()).not.toBe(light);
  });
});
