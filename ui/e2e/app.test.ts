import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CSP } from '../csp';
import { status, view } from '../src/stories/base';
import { chromium, launch } from './browser';
import { reading } from './look';
import { Site } from './site';

/** The app around the page, as far as the page can tell: `invoke`, and one event. */
declare global {
  var app: { calls: { command: string; given: unknown }[]; show(view: unknown): void };
}

describe.skipIf(!chromium())('the built window', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    site = await Site.open('dist');
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 480, height: 640 } });
    page.setDefaultTimeout(10_000);
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.addInitScript((first) => {
      const callbacks = new Map<number, (event: unknown) => void>();
      let heard: ((event: unknown) => void) | undefined;
      const calls: { command: string; given: unknown }[] = [];
      Object.assign(window, {
        app: { calls, show: (payload: unknown) => heard?.({ event: 'view', id: 1, payload }) },
        __TAURI_EVENT_PLUGIN_INTERNALS__: { unregisterListener: () => undefined },
        __TAURI_INTERNALS__: {
          transformCallback: (callback: (event: unknown) => void) => {
            callbacks.set(callbacks.size + 1, callback);
            return callbacks.size;
          },
          invoke: (command: string, given: { handler: number }) => {
            calls.push({ command, given });
            if (command === 'plugin:event|listen') heard = callbacks.get(given.handler);
            if (command === 'pause') return Promise.reject({ kind: 'denied', message: 'not for you' });
            return Promise.resolve(command === 'view' ? first : 1);
          },
        },
      });
    }, view());
    await page.goto(`${site.origin}/index.html`);
    await page.waitForSelector('h1');
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('shows the first view, and each that comes, within a blink', async () => {
    await page.waitForFunction(() => document.querySelector('h1')?.textContent === 'IPv4 apps work');
    const took = await page.evaluate(
      (next) =>
        new Promise<number>((done) => {
          const begin = performance.now();
          const watch = new MutationObserver(() => {
            if (document.querySelector('h1')?.textContent === 'IPv4 apps cannot connect') done(performance.now() - begin);
          });
          watch.observe(document.body, { subtree: true, childList: true, characterData: true });
          globalThis.app.show(next);
        }),
      view({ status: status({ state: 'down', code: 'CL-301', clat: null }) }),
    );
    console.log(`a view was on the page after ${took.toFixed(1)} ms`);
    expect(took).toBeLessThan(150);
  });

  test('asks for what the contract names, in its words', async () => {
    await page.click('[data-action=rearm]');
    await page.click('[data-action=pause]');
    await page.click('form button[type=submit]');
    await page.waitForSelector('[role=alert] .notice');
    expect(await reading(page)).toContain('Pausing did not work.');
    const calls = await page.evaluate(() => globalThis.app.calls);
    const told = calls.filter(({ command }) => !command.startsWith('plugin:'));
    expect(told.map(({ command }) => command)).toEqual(['view', 'watching', 'rearm', 'pause']);
    expect(told.at(1)?.given).toEqual({ visible: true });
    expect(told.at(-1)?.given).toEqual({ minutes: 5, reason: '' });
  });

  test('loads itself and nothing else, under its rules', async () => {
    expect(await page.getAttribute('meta[http-equiv]', 'content')).toBe(CSP);
    expect(asked.filter((url) => !url.startsWith(`${site.origin}/`))).toEqual([]);
    expect(complaints).toEqual([]);
    // The rules bind: a page that tried could not.
    const refused = await page.evaluate(async (origin) => {
      const violations: string[] = [];
      document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
      await fetch(`${origin}/index.html`).catch(() => undefined);
      const image = new Image();
      image.src = 'https://example.com/x.png';
      const script = document.createElement('script');
      script.textContent = 'globalThis.injected = true';
      document.body.append(image, script);
      await new Promise((done) => setTimeout(done, 300));
      return { violations, injected: 'injected' in globalThis };
    }, site.origin);
    expect(refused.injected).toBe(false);
    // By the page's own rules and by those it was served under.
    expect([...new Set(refused.violations)].sort()).toEqual(['connect-src', 'img-src', 'script-src-elem']);
  });
});
