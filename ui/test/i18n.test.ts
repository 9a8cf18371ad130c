import { describe, expect, test } from 'vitest';
import { CODES, SETTING_KEYS } from '../src/generated/model';
import { ENGLISH as en } from '../src/generated/languages';
import de from '../src/i18n/de.json';
import { choose, ENGLISH, LANGUAGES, load, ownName, Text } from '../src/lib/i18n';
import { pseudo } from '../src/lib/pseudo';

/** Every text by its path. */
function leaves(value: unknown, path = ''): Map<string, string> {
  if (typeof value === 'string') return new Map([[path, value]]);
  const inner = Object.entries(value as Record<string, unknown>);
  return new Map(inner.flatMap(([key, below]) => [...leaves(below, path ? `${path}.${key}` : key)]));
}

/** Plural forms differ from language to language; their sentence does not. */
function sentences(words: unknown): Map<string, string> {
  return new Map([...leaves(words)].map(([path, text]) => [path.replace(/\.(zero|one|two|few|many)$/, '.other'), text]));
}

const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

const TAGS = [...LANGUAGES.keys()];

describe.each(TAGS)('%s', (tag) => {
  test('has every text that English has, and no other', async () => {
    const words = (await load(tag, tag, LANGUAGES)).words;
    expect([...sentences(words).keys()].sort()).toEqual([...sentences(en).keys()].sort());
  });

  test('has a text wherever English has one', async () => {
    const english = sentences(en);
    for (const [path, text] of sentences((await load(tag, tag, LANGUAGES)).words)) {
      expect(text === '', path).toBe(english.get(path) === '');
      expect(text, path).toBe(text.trim());
    }
  });

  test('puts the same values into its sentences', async () => {
    const english = leaves(en);
    for (const [path, text] of leaves((await load(tag, tag, LANGUAGES)).words)) {
      const asked = english.get(path) ?? english.get(path.replace(/\.\w+$/, '.other')) ?? '';
      // One is often said without its number.
      if (path.endsWith('.one')) continue;
      expect(placeholders(text), path).toEqual(placeholders(asked));
    }
  });

  test('has the plural forms that its rules ask for', async () => {
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
    const words = (await load(tag, tag, LANGUAGES)).words;
    for (const plural of [words.notice.settings, words.rearms.count, words.rearms.flows, words.helpdesk.ignored]) {
      expect(Object.keys(plural).sort()).toEqual([...forms].sort());
    }
  });

  test('explains every code: title, why, what to do, meaning', async () => {
    const words = (await load(tag, tag, LANGUAGES)).words;
    expect(Object.keys(words.code)).toEqual([...CODES]);
    for (const code of CODES) {
      for (const text of Object.values(words.code[code])) expect(text.length, code).toBeGreaterThan(3);
    }
    expect(Object.keys(words.settings.key)).toEqual([...SETTING_KEYS]);
  });

  test('calls itself by a name', () => {
    expect(ownName(tag).length).toBeGreaterThan(2);
  });
});

test('German is not English', () => {
  const english = leaves(en);
  const same = [...leaves(de)].filter(([path, text]) => text !== '' && english.get(path) === text).map(([path]) => path);
  // Terms and names that both languages share.
  const shared = same.filter((path) => !/^(nav\.status|chain\.name\.(gateway|internet)|chain\.verdict\.(ok|problem)|helpdesk\.|rearms\.moved|network\.kind\.(tunnel|bridge))/.test(path));
  expect(shared).toEqual([]);
});

test('languages are found by what people and systems write', () => {
  for (const [chosen, system, tag] of [
    ['system', 'de-AT', 'de'],
    ['system', 'de_DE.UTF-8', 'de'],
    ['system', 'DE', 'de'],
    ['de', 'fr-FR', 'de'],
    ['system', 'fr-FR', 'en'],
    ['system', 'C', 'en'],
    ['xx', 'de-DE', 'en'],
    ['en', 'de-DE', 'en'],
  ] as const) {
    expect(choose(chosen, system, LANGUAGES), `${chosen} ${system}`).toBe(tag);
  }
});

test('one’s own country writes the numbers', async () => {
  // Which apostrophe it is changes with the library's age.
  expect((await load('de', 'de-CH', LANGUAGES)).format.number(1234567)).toMatch(/^1['’]234['’]567$/);
  expect((await load('de', 'fr-FR', LANGUAGES)).format.number(1234567)).toBe('1.234.567');
  expect((await load('en', 'C', LANGUAGES)).format.number(1234567)).toBe('1,234,567');
});

test('a language that cannot be had is English', async () => {
  const broken = new Map([['fr', () => Promise.reject(new Error('gone'))]]);
  expect(await load('fr', 'fr', broken)).toBe(ENGLISH);
  expect(await load('xx', 'xx', broken)).toBe(ENGLISH);
});

test('values and numbers come into sentences', () => {
  const text = new Text('de', de, 'de');
  expect(text.fill('{a} und {b} und {c}', { a: 1234, b: 'x' })).toBe('1.234 und x und {c}');
  expect(text.count({ one: 'einer', other: '{n} mit {x}' }, 1)).toBe('einer');
  expect(text.count({ one: 'einer', other: '{n} mit {x}' }, 2000, { x: 'y' })).toBe('2.000 mit y');
});

test('the pseudo-language is longer, strange, and keeps its values', () => {
  const strange = leaves(pseudo(en));
  for (const [path, text] of leaves(en)) {
    const other = strange.get(path) ?? '';
    expect(placeholders(other), path).toEqual(placeholders(text));
    if (text !== '') expect(other.length, path).toBeGreaterThan(text.length * 1.3);
  }
});
