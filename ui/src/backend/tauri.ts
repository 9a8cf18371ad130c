import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { View } from '../generated/view';
import type { Backend } from './backend';

/** The app around the page. The only file that knows of Tauri. */
export const tauri: Backend = {
  view: () => invoke<View>('view'),
  onView(heard) {
    const ending = listen<View>('view', (event) => heard(event.payload));
    return () => void ending.then((end) => end());
  },
  rearm: () => invoke('rearm'),
  pause: (minutes, reason) => invoke('pause', { minutes, reason }),
  resume: () => invoke('resume'),
  setPref: (key, value) => invoke('set_pref', { key, value }),
  watching: (visible) => invoke('watching', { visible }),
};
