// Made from the names in src/i18n by scripts/languages.mjs; do not edit by hand.
import en from '../i18n/en.json';
import type { Dictionary } from '../lib/dictionary';

/** English is in the page itself. */
export const ENGLISH: Dictionary = en;

/** The others come when they are wanted. */
export const OTHERS: Record<string, () => Promise<{ default: Dictionary }>> = {
  'de': () => import('../i18n/de.json'),
};
