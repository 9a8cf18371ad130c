import '../app/base.css';
import './stories.css';
import { mount, tick } from 'svelte';
import App from '../app/App.svelte';
import { Desk } from '../app/desk.svelte';
import { Scripted } from '../backend/scripted';
import type { View } from '../generated/view';
import { ENGLISH as en } from '../generated/languages';
import { LANGUAGES } from '../lib/i18n';
import { pseudo } from '../lib/pseudo';
import { SECONDS } from '../lib/throughput';
import { STORIES } from '.';
import { Clock } from './clock';
import type { Story } from './story';

/** For the tests: what the story runs on. */
declare global {
  var story: { backend: Scripted; desk: Desk } | undefined;
}

const asked = new URLSearchParams(location.search);
const found = STORIES.find(({ name }) => name === asked.get('story'));
const target = document.getElementById('app');
if (target && found) void play(found, target);
else if (target) list(target);

async function play(story: Story, into: HTMLElement): Promise<void> {
  const languages = new Map(LANGUAGES).set('en-XA', () => Promise.resolve(pseudo(en)));
  const prefs = { ...story.view.prefs };
  const theme = asked.get('theme');
  if (theme === 'light' || theme === 'dark' || theme === 'system') prefs.theme = theme;
  prefs.language = asked.get('lang') ?? prefs.language;
  const view = { ...story.view, prefs };

  const backend = new Scripted(view);
  const clock = new Clock();
  const desk = new Desk(backend, { scheduler: clock, languages });
  // As the app would have shown it before; then its language is there, too.
  await desk.prepare(view.app.language_os);
  if (story.traffic) await past(backend, desk, clock, view);
  globalThis.story = { backend, desk };
  mount(App, { target: into, props: { desk, first: story.page ?? 'status' } });
  while (!desk.view) await new Promise(requestAnimationFrame);
  await tick();
  for (const selector of story.clicks ?? []) {
    document.querySelector<HTMLElement>(selector)?.click();
    await tick();
  }
  if (story.silent) {
    // Second by second, as it would be: a leap would be a sleep.
    for (let second = 0; second < story.silent; second += 1) {
      clock.skip(1000);
      desk.tick();
    }
    await tick();
  }
  await new Promise(requestAnimationFrame);
  document.documentElement.dataset['ready'] = '';
}

/** Two minutes of an ordinary day: a page, a call, a download. */
async function past(backend: Scripted, desk: Desk, clock: Clock, view: View): Promise<void> {
  const clat = view.status?.clat;
  if (!view.status || !clat) return;
  clock.telling = true;
  const end = desk.start();
  // The language comes first.
  backend.show(view);
  while (!desk.view) await new Promise((done) => setTimeout(done));
  const bytes = { in: 0, out: 0 };
  const seen: View[] = [];
  for (let second = 0; second < SECONDS; second += 1) {
    const page = Math.max(0, Math.sin(second / 5)) ** 6 * 900_000;
    const download = second > 62 && second < 96 ? 2_600_000 + 500_000 * Math.sin(second) : 0;
    const call = second > 20 ? 45_000 + 9_000 * Math.cos(second * 1.7) : 0;
    bytes.in += Math.round(page + download + call);
    bytes.out += Math.round(page * 0.06 + download * 0.025 + call * 0.9);
    seen.push({ ...view, status: { ...view.status, clat: { ...clat, bytes: { ...bytes } } } });
  }
  for (const each of seen) {
    clock.skip(1000);
    backend.show(each);
  }
  end();
  clock.telling = false;
  backend.change({});
}

function list(into: HTMLElement): void {
  const items = STORIES.map(({ name }) => {
    const item = document.createElement('li');
    for (const [label, more] of [
      [name, ''],
      ['de', '&lang=de'],
      ['dark', '&theme=dark'],
      ['pseudo', '&lang=en-XA'],
    ] as const) {
      const link = document.createElement('a');
      link.href = `?story=${name}${more}`;
      link.textContent = label;
      item.append(link, ' ');
    }
    return item;
  });
  const all = document.createElement('ul');
  all.className = 'stories';
  all.append(...items);
  into.replaceChildren(all);
}
