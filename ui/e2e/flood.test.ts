import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Status } from '../src/generated/model';
import { chromium, launch } from './browser';
import { Site } from './site';

/** What has to be borne in a minute, in a sixth of one. */
const CHANGES = 10_000;
const WITHIN_MS = 10_000;

describe.skipIf(!chromium())('a flood of changes', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let devtools: CDPSession;

  beforeAll(async () => {
    site = await Site.open('dist-stories');
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 480, height: 640 } });
    devtools = await page.context().newCDPSession(page);
    await devtools.send('Performance.enable');
    await page.goto(`${site.origin}/stories.html?story=working-rearms`);
    await page.waitForSelector('html[data-ready]');
    await page.click('details summary');
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function weigh(): Promise<{ heap: number; nodes: number; listeners: number }> {
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN;
    return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
  }

  test('neither queues up, nor freezes the page, nor stays in memory', async () => {
    await pour(1_000, 1_000);
    const before = await weigh();
    const { gap, late, shown } = await pour(CHANGES, WITHIN_MS);
    const after = await weigh();
    console.log(
      `${CHANGES} changes in ${WITHIN_MS} ms: longest pause ${gap.toFixed(0)} ms, last one shown after ${late.toFixed(0)} ms, ` +
        `heap ${(before.heap / 1e6).toFixed(1)} -> ${(after.heap / 1e6).toFixed(1)} MB, nodes ${before.nodes} -> ${after.nodes}`,
    );
    // A person notices a tenth of a second; a loaded machine of two cores gets some more.
    expect(gap).toBeLessThan(400);
    expect(late).toBeLessThan(400);
    expect(shown).toBe(`Paused until`);
    expect(after.heap - before.heap).toBeLessThan(2e6);
    expect(after.nodes).toBeLessThan(before.nodes * 1.5 + 200);
    expect(after.listeners).toBeLessThan(before.listeners * 1.5 + 50);
  }, 60_000);

  /** Shows so many views in so much time, every one another state; measures how long the page did not answer. */
  function pour(changes: number, within: number): Promise<{ gap: number; late: number; shown: string }> {
    return page.evaluate(
      async ([count, time]) => {
        const { backend } = globalThis.story ?? {};
        if (!backend) throw new Error('no story');
        const base = backend.now;
        const status = base.status;
        if (!status) throw new Error('no status');
        const kinds: Partial<Status>[] = [
          { state: 'working', code: 'CL-000' },
          { state: 'down', code: 'CL-501', clat: null },
          { state: 'checking', code: 'CL-301', clat: null, uplink: null },
          { state: 'limited', code: 'CL-202' },
          { state: 'standby_native', code: 'CL-001', clat: null, rearms: { count: 0, last_ms: null, last_reason: null, history: [] } },
        ];
        let [gap, last, watching] = [0, performance.now(), true];
        const watch = (): void => {
          const now = performance.now();
          gap = Math.max(gap, now - last);
          last = now;
          if (watching) setTimeout(watch, 0);
        };
        watch();
        const begin = performance.now();
        for (let sent = 0; sent < count; ) {
          const due = Math.min(count, Math.floor(((performance.now() - begin) / time) * count) + 1);
          for (; sent < due; sent += 1) {
            const bytes = { in: sent * 1000, out: sent * 100 };
            const next = { ...status, ...kinds[sent % kinds.length] };
            const clat = next.clat ? { ...next.clat, bytes } : null;
            backend.show({ ...base, status: { ...next, clat } });
          }
          await new Promise((done) => setTimeout(done, 1));
        }
        const end = performance.now();
        const until = new Date(Date.now() + 600_000).toISOString();
        backend.show({ ...base, status: { ...status, state: 'paused', code: 'CL-003', clat: null, pause: { until, reason: '' } } });
        const title = (): string => document.querySelector('h1')?.textContent ?? '';
        while (!title().startsWith('Paused') && performance.now() - end < 5_000) await new Promise(requestAnimationFrame);
        const late = performance.now() - end;
        watching = false;
        const shown = title().slice(0, 'Paused until'.length);
        backend.show({ ...base, status });
        await new Promise((done) => setTimeout(done, 200));
        return { gap, late, shown };
      },
      [changes, within] as const,
    );
  }
});
