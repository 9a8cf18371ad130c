import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

/** What is wrong with how the page lies there: things cut off, lying on each other or sticking out. */
export function faults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) found.push(`scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`);
    const name = (element: Element | null): string => `${element?.tagName}.${element?.className} "${element?.textContent?.trim().slice(0, 40)}"`;

    for (const element of document.querySelectorAll('body *')) {
      if (element.closest('.unseen, canvas, select, svg') || !element.checkVisibility()) continue;
      const { overflowX, overflowY } = getComputedStyle(element);
      const cut = overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1;
      if (cut || (overflowY === 'hidden' && element.scrollHeight > element.clientHeight + 1)) found.push(`cut off: ${name(element)}`);
    }

    const pieces: { node: Node; rect: DOMRect }[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!node.textContent?.trim() || !parent?.checkVisibility() || parent.closest('.unseen, option')) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const rect of range.getClientRects()) if (rect.width > 0) pieces.push({ node, rect });
    }
    for (const { node, rect } of pieces) {
      if (rect.left < -1 || rect.right > root.clientWidth + 1) found.push(`sticks out: ${name(node.parentElement)}`);
    }
    pieces.forEach((one, index) => {
      for (const other of pieces.slice(index + 1)) {
        if (other.node === one.node) continue;
        const wide = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
        const high = Math.min(one.rect.bottom, other.rect.bottom) - Math.max(one.rect.top, other.rect.top);
        // Lines of text may touch; what is written may not.
        if (wide > 2 && high > 5) found.push(`on each other: ${name(one.node.parentElement)} and ${name(other.node.parentElement)}`);
      }
    });
    return [...new Set(found)];
  });
}

let source: Promise<string> | undefined;

/** What axe finds against WCAG 2.2 AA and good practice. */
export async function barriers(page: Page, only?: string[]): Promise<string[]> {
  source ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // By the debugger, which the page's rules do not bind.
  await page.evaluate(await source);
  return page.evaluate(async (rules) => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const runOnly = rules ? { type: 'rule' as const, values: rules } : { type: 'tag' as const, values: tags };
    // @ts-expect-error it has just been put there
    const result = (await axe.run(document, { runOnly, resultTypes: ['violations', 'incomplete'] })) as {
      violations: { id: string; nodes: { target: unknown[]; failureSummary?: string }[] }[];
    };
    return result.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`));
  }, only);
}

/** Everything that a person reads, on one line. */
export async function reading(page: Page): Promise<string> {
  const text = await page.evaluate(() => document.body.innerText);
  return text.replace(/\s+/g, ' ');
}
