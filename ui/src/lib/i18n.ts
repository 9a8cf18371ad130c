import { ENGLISH as en, OTHERS } from '../generated/languages';
import type { Dictionary, Plural } from './dictionary';
import { Format } from './format';

/** Tags of languages, and how each is had. */
export type Languages = ReadonlyMap<string, () => Promise<Dictionary>>;

/** Every file of src/i18n is a language; its name is the tag. */
export const LANGUAGES: Languages = new Map([
  ['en', () => Promise.resolve(en)],
  ...Object.entries(OTHERS).map(([tag, load]) => [tag, async () => (await load()).default] as const),
]);

/** What the words and numbers of one language need. */
export class Text {
  readonly format: Format;

  /** `tag` is the language's, `locale` may say a country, too. */
  constructor(
    readonly tag: string,
    readonly words: Dictionary,
    locale: string,
  ) {
    this.format = new Format(locale);
  }

  /** Puts values into `{names}`. */
  fill(text: string, values: Record<string, string | number>): string {
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      if (value === undefined) return whole;
      return typeof value === 'number' ? this.format.number(value) : value;
    });
  }

  /** The form that goes with `n`; `{n}` stands for it. */
  count(forms: Plural, n: number, values: Record<string, string | number> = {}): string {
    return this.fill(forms[this.format.plural(n)] ?? forms.other, { n, ...values });
  }
}

export const ENGLISH = new Text('en', en, 'en');

/** The best there is for what a person has chosen, or for the system's language; else English. */
export function choose(chosen: string, system: string, languages: Languages): string {
  const wish = (chosen === 'system' ? system : chosen).toLowerCase();
  const tags = [...languages.keys()];
  return tags.find((tag) => tag.toLowerCase() === wish) ?? tags.find((tag) => base(tag) === base(wish)) ?? 'en';
}

/** Loads a language; English where that fails, as some words are better than none. */
export async function load(tag: string, system: string, languages: Languages): Promise<Text> {
  // Of one's own language, also one's own country's numbers.
  const locale = base(system) === base(tag) && valid(system) ? system : tag;
  try {
    const words = await languages.get(tag)?.();
    return words ? new Text(tag, words, locale) : ENGLISH;
  } catch {
    return ENGLISH;
  }
}

/** What a language calls itself. */
export function ownName(tag: string): string {
  const name = new Intl.DisplayNames([tag], { type: 'language' }).of(tag) ?? tag;
  return name.charAt(0).toLocaleUpperCase(tag) + name.slice(1);
}

function base(tag: string): string {
  return (tag.split(/[-_.@]/)[0] ?? '').toLowerCase();
}

function valid(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}
