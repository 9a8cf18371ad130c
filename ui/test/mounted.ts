import { flushSync, mount, unmount } from 'svelte';
import { vi } from 'vitest';
import App from '../src/app/App.svelte';
import { Desk } from '../src/app/desk.svelte';
import { Scripted } from '../src/backend/scripted';
import type { View } from '../src/generated/view';
import type { Languages } from '../src/lib/i18n';

/** The page in a document without a screen. */
export interface Mounted {
  backend: Scripted;
  desk: Desk;
  root: HTMLElement;
  /** Lets time pass: timers, promises, pictures. */
  pass(ms: number): Promise<void>;
  find<Kind extends HTMLElement = HTMLElement>(selector: string): Kind;
  end(): Promise<void>;
}

/** What jsdom lacks. Time stands still until it is told to pass. */
function prepare(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance', 'requestAnimationFrame', 'cancelAnimationFrame'] });
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
  vi.stubGlobal('ResizeObserver', class { observe(): void {} disconnect(): void {} });
}

export async function open(view: View, languages?: Languages): Promise<Mounted> {
  prepare();
  const root = document.createElement('div');
  document.body.replaceChildren(root);
  const backend = new Scripted(view);
  const desk = new Desk(backend, languages ? { languages } : {});
  const app = mount(App, { target: root, props: { desk } });
  const pass = async (ms: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(ms);
    flushSync();
  };
  await pass(50);
  return {
    backend,
    desk,
    root,
    pass,
    find: <Kind extends HTMLElement = HTMLElement>(selector: string): Kind => {
      const found = root.querySelector<Kind>(selector);
      if (!found) throw new Error(`no ${selector} in ${root.textContent ?? ''}`);
      return found;
    },
    end: async () => {
      await unmount(app);
      vi.useRealTimers();
      vi.unstubAllGlobals();
    },
  };
}
