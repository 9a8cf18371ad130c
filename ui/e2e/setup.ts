import { chromium } from './browser';

/** Says loudly that nothing was seen where there is no browser. */
export default function setup(): void {
  if (!chromium()) console.log('SKIPPED: no Chromium here (set CHROMIUM to its path); stories were not looked at');
}
