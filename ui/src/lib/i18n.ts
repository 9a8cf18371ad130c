import type { Dictionary, Language, Plural } from './dictionary';
import { Format } from './format';

/** Every file of src/i18n is a language; its name is the tag. */
const FILES = import.meta.glob<{ default: Language }>('../i18n/*.ts', { eager: true });

export const LANGUAGES: ReadonlyMap<string, Language> = new Map(
  Object.entries(FILES).map(([path, file]) => [path.replace(/^.*\/|\.ts$/g, ''), file.default]),
);

/** What the words and numbers of one language need. */
export class Text {
  constructor(
    readonly tag: string,
    readonly words: Dictionary,
    readonly format: Format,
  ) {}

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

/** The best there is for what a person has chosen, or for the system's language; else English. */
export function text(chosen: string, system: string, languages = LANGUAGES): Text {
  const wish = chosen === 'system' ? system : chosen;
  const tag = match(wish, languages) ?? 'en';
  const language = languages.get(tag) ?? languages.get('en');
  if (!language) throw new Error('English is missing');
  // Of one's own language, also one's own country's numbers.
  const locale = base(system) === base(tag) && valid(system) ? system : (language.locale ?? tag);
  return new Text(tag, language.words, new Format(locale));
}

function match(wish: string, languages: ReadonlyMap<string, Language>): string | undefined {
  const lower = wish.toLowerCase();
  const tags = [...languages.keys()];
  return tags.find((tag) => tag.toLowerCase() === lower) ?? tags.find((tag) => base(tag) === base(lower));
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
