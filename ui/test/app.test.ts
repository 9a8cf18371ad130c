// @vitest-environment jsdom
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { View } from '../src/generated/view';
import { BARE, CLAT, PREFS, status, view, WORKING } from '../src/stories/base';
import { open, type Mounted } from './mounted';

let page: Mounted;
afterEach(() => page.end());

const text = (): string => (page.root.textContent ?? '').replace(/\s+/g, ' ');
const click = async (selector: string): Promise<void> => {
  page.find(selector).click();
  await page.pass(1);
};
const UNREACHABLE: View = view({ service: { kind: 'unreachable', detail: 'gone', hint: 'start it', since: '2026-01-01T00:00:00Z' } });
const DOWN: View = view({ status: status({ ...BARE, state: 'down', code: 'CL-301', pref64: [] }) });

describe('what is shown', () => {
  test('follows the service, and comes back by itself', async () => {
    page = await open(view());
    expect(text()).toContain('IPv4 apps work');
    page.backend.show(UNREACHABLE);
    await page.pass(100);
    expect(text()).toContain('Background service is not running');
    for (const gone of ['IPv4 apps work', 'IPv4 traffic', 'Connection', 'eth0']) expect(text()).not.toContain(gone);
    page.backend.show(view());
    await page.pass(100);
    expect(text()).toContain('IPv4 apps work');
  });

  test('panels are there only when their side of the service is', async () => {
    page = await open(DOWN);
    expect(text()).not.toContain('IPv4 traffic');
    expect(text()).not.toContain('IPv4 set up again');
    page.backend.show(view({ status: status({ rearms: { count: 2, last_ms: 5, last_reason: 'vpn', history: [] } }) }));
    await page.pass(100);
    expect(text()).toContain('IPv4 traffic');
    expect(text()).toContain('IPv4 set up again');
  });

  test('what was not heard for long is said to be old', async () => {
    page = await open(view());
    await page.pass(14_000);
    expect(text()).toContain('IPv4 apps work');
    await page.pass(3_000);
    expect(text()).toContain('The background service is silent');
    expect(text()).toContain('Last heard 1');
    for (const gone of ['IPv4 apps work', 'IPv4 traffic', 'Connection']) expect(text()).not.toContain(gone);
    page.backend.show(view());
    await page.pass(100);
    expect(text()).toContain('IPv4 apps work');
    expect(text()).not.toContain('Last heard');
  });

  test('after a sleep the app has a moment to say how things are', async () => {
    page = await open(view());
    await page.pass(5_000);
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
    await page.pass(2_000);
    expect(text()).toContain('IPv4 apps work');
    await page.pass(3_000);
    expect(text()).toContain('The background service is silent');
    vi.restoreAllMocks();
  });

  test('evidence gets older while nothing is heard', async () => {
    page = await open(view());
    expect(text()).toContain('Answer to an app, now');
    await page.pass(5_000);
    expect(text()).toContain('Answer to an app, 5 seconds ago');
  });

  test('addresses are in the page only when somebody wants them', async () => {
    page = await open(view());
    const secret = [CLAT.v6, 'fe80::1', WORKING.interfaces[0]?.v6[0] ?? '', WORKING.interfaces[0]?.resolvers[0] ?? '', WORKING.spare?.v6 ?? ''];
    for (const address of secret) expect(page.root.innerHTML).not.toContain(address);
    await click('.reveal input');
    for (const address of secret) expect(page.root.innerHTML).toContain(address);
    await click('nav button:nth-child(3)');
    await click('nav button:nth-child(1)');
    for (const address of secret) expect(page.root.innerHTML).not.toContain(address);
  });

  test('what others say cannot be markup, and nothing unseen', async () => {
    const reason = '<img src=x onerror=alert(1)>\u202eevil';
    page = await open(view({ status: status({ state: 'paused', code: 'CL-003', pause: { until: null, reason } }) }));
    expect(page.root.querySelector('img')).toBeNull();
    expect(text()).toContain('“<img src=x onerror=alert(1)> evil”');
  });
});

describe('what is announced', () => {
  const spoken = (): string => page.find('[aria-live=polite]').textContent ?? '';

  test('a change of state, once; not what the page begins with, not counters', async () => {
    page = await open(view());
    await page.pass(2_000);
    expect(spoken()).toBe('');
    page.backend.show(view({ status: status({ clat: { ...CLAT, bytes: { in: 9e9, out: 9e9 } }, evidence: { kind: 'traffic', age_s: 0 } }) }));
    await page.pass(2_000);
    expect(spoken()).toBe('');
    page.backend.show(DOWN);
    await page.pass(2_000);
    expect(spoken()).toMatch(/^IPv4 apps cannot connect\. This network only speaks/);
  });

  test('a state that passes at once is not', async () => {
    page = await open(view());
    await page.pass(2_000);
    page.backend.show(DOWN);
    await page.pass(300);
    page.backend.show(view());
    await page.pass(2_000);
    expect(spoken()).toBe('');
  });
});

describe('what a person can do', () => {
  test('re-arm: once, and it says that it is under way', async () => {
    page = await open(view());
    const button = page.find('[data-action=rearm]');
    button.click();
    button.click();
    await page.pass(100);
    expect(button.textContent?.trim()).toBe('Re-arming…');
    expect(button.getAttribute('aria-disabled')).toBe('true');
    expect(page.backend.calls.filter(({ command }) => command === 'rearm')).toHaveLength(1);
    await page.pass(1_000);
    expect(button.textContent?.trim()).toBe('Re-arm now');
    expect(text()).toContain('Somebody asked for it');
  });

  test('pause for a while, with a reason; Escape leaves it', async () => {
    page = await open(view());
    await click('[data-action=pause]');
    expect(document.activeElement).toBe(page.find('input[type=radio]'));
    page.find('form').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    await page.pass(1);
    expect(page.root.querySelector('form')).toBeNull();
    expect(document.activeElement).toBe(page.find('[data-action=pause]'));
    await click('[data-action=pause]');
    await click('label:nth-child(2) input[type=radio]');
    const reason = page.find<HTMLInputElement>('input[type=text]');
    reason.value = '  a call ';
    reason.dispatchEvent(new Event('input', { bubbles: true }));
    page.find<HTMLFormElement>('form').requestSubmit();
    await page.pass(1_000);
    expect(page.backend.calls).toContainEqual({ command: 'pause', arguments: [30, 'a call'] });
    expect(text()).toContain('Paused until');
    await click('[data-action=resume]');
    await page.pass(1_000);
    expect(text()).toContain('Checking this network');
  });

  test.each(['pause', 'rearm'] as const)('a %s that is not allowed can be reached, says who forbids it, and asks for nothing', async (action) => {
    const who = '/etc/everclat/policy.d/10.json';
    page = await open(view({ denied: { [action]: who } }));
    const button = page.find<HTMLButtonElement>(`[data-action=${action}]`);
    expect(button.disabled).toBe(false);
    expect(button.getAttribute('aria-disabled')).toBe('true');
    await click(`[data-action=${action}]`);
    expect(page.root.querySelector('form')).toBeNull();
    expect(page.backend.calls.map(({ command }) => command)).not.toContain(action);
    expect(document.getElementById(button.getAttribute('aria-describedby') ?? '')?.textContent).toContain(who);
  });

  test('a form that is open goes when pausing is forbidden meanwhile', async () => {
    page = await open(view());
    await click('[data-action=pause]');
    page.find('form');
    page.backend.change({ denied: { pause: '' } });
    await page.pass(50);
    expect(page.root.querySelector('form')).toBeNull();
    expect(text()).toContain('Set by your organisation');
  });

  test('what fails is said, can be put away, and comes back when it fails again', async () => {
    page = await open(view());
    page.backend.refuses = { kind: 'denied', message: 'not for you' };
    await click('[data-action=rearm]');
    await page.pass(1_000);
    expect(page.find('[role=alert]').textContent).toContain('Re-arming did not work. You may not do this; ask your administrator.');
    expect(page.find('[role=alert]').textContent).toContain('not for you');
    await click('[role=alert] button');
    expect(page.find('[role=alert]').textContent?.trim()).toBe('');
    page.backend.change({});
    await page.pass(100);
    expect(page.find('[role=alert]').textContent?.trim()).toBe('');
    await click('[data-action=rearm]');
    await page.pass(1_000);
    expect(page.find('[role=alert]').textContent).toContain('not for you');
  });

  test('what is thrown without a word of what it is', async () => {
    page = await open(view());
    page.backend.refuses = 'broken pipe' as never;
    page.backend.rearm = () => Promise.reject('broken pipe');
    await click('[data-action=rearm]');
    expect(page.find('[role=alert]').textContent).toContain('did not answer');
    expect(page.find('[role=alert]').textContent).toContain('broken pipe');
  });
});

describe('settings', () => {
  const LOCKED = view({ prefs_locked: { language: 'Example GmbH', autostart: '' } });

  test('locked ones can be reached, say who set them, and do nothing', async () => {
    page = await open(LOCKED);
    await click('nav button:nth-child(2)');
    const field = page.find<HTMLSelectElement>('select[aria-disabled=true]');
    expect(field.disabled).toBe(false);
    expect([...field.options].map(({ value }) => value)).toEqual(['en']);
    const about = (element: HTMLElement) =>
      (element.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent).join(' ');
    expect(about(field)).toContain('Set by Example GmbH');
    field.dispatchEvent(new Event('change', { bubbles: true }));
    const toggle = page.find<HTMLButtonElement>('button[role=switch][aria-disabled=true]');
    expect(toggle.disabled).toBe(false);
    expect(about(toggle)).toContain('Set by your organisation');
    toggle.click();
    await page.pass(100);
    expect(page.backend.calls.filter(({ command }) => command === 'set_pref')).toEqual([]);
  });

  test('another language is there at once, everywhere', async () => {
    page = await open(view());
    await click('nav button:nth-child(2)');
    const field = page.find<HTMLSelectElement>('select');
    expect([...field.options].map(({ textContent }) => textContent)).toEqual(['Like the system', 'English', 'Deutsch']);
    field.value = 'de';
    field.dispatchEvent(new Event('change', { bubbles: true }));
    await page.pass(200);
    await vi.dynamicImportSettled();
    await page.pass(200);
    expect(page.backend.calls).toContainEqual({ command: 'set_pref', arguments: ['language', 'de'] });
    expect(text()).toContain('Einstellungen');
    expect(document.documentElement.lang).toBe('de');
    expect(page.find<HTMLSelectElement>('select').value).toBe('de');
  });

  test('what is not taken over is not shown as if it were', async () => {
    page = await open(view({ prefs: { ...PREFS, theme: 'light' } }));
    page.backend.refuses = { kind: 'refused', message: 'disk full' };
    await click('nav button:nth-child(2)');
    const field = page.root.querySelectorAll('select')[1];
    if (!field) throw new Error('no second field');
    field.value = 'dark';
    field.dispatchEvent(new Event('change', { bubbles: true }));
    await page.pass(100);
    expect(field.value).toBe('light');
    expect(page.find('[role=alert]').textContent).toContain('The setting could not be saved.');
  });

  test('the theme is the chosen one', async () => {
    page = await open(view({ prefs: { ...PREFS, theme: 'dark' } }));
    expect(document.documentElement.dataset['theme']).toBe('dark');
  });
});

describe('its appetite', () => {
  test('it watches while it is open, and not after', async () => {
    page = await open(view());
    for (let second = 0; second < 5; second += 1) {
      page.backend.show(view());
      await page.pass(1_000);
    }
    expect(page.backend.calls).toEqual([{ command: 'watching', arguments: [true] }]);
    expect(page.backend.listeners).toBe(1);
    await page.end();
    expect(page.backend.calls.at(-1)).toEqual({ command: 'watching', arguments: [false] });
    expect(page.backend.listeners).toBe(0);
    page = await open(view());
  });

  test('a late language does not bring back an old view', async () => {
    let arrive: ((words: never) => void) | undefined;
    const slow = new Promise<never>((done) => (arrive = done));
    const { LANGUAGES } = await import('../src/lib/i18n');
    page = await open(view(), new Map(LANGUAGES).set('fr', () => slow));
    page.backend.change({ prefs: { ...PREFS, language: 'fr' } });
    await page.pass(100);
    page.backend.show(view({ status: DOWN.status, prefs: { ...PREFS, language: 'en' } }));
    await page.pass(100);
    expect(text()).toContain('IPv4 apps cannot connect');
    arrive?.({} as never);
    await page.pass(100);
    expect(text()).toContain('IPv4 apps cannot connect');
  });
});
