/** A unit that Intl knows, and how many of the former one make it. */
const TIME: [unit: string, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];
const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** Numbers, times and sizes as people of one language write them. */
export class Format {
  readonly #made = new Map<string, Intl.NumberFormat>();
  readonly #plural: Intl.PluralRules;
  readonly #clock: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #list: Intl.ListFormat;
  readonly #and: Intl.ListFormat;
  readonly #relative: Intl.RelativeTimeFormat;

  constructor(readonly locale: string) {
    this.#plural = new Intl.PluralRules(locale);
    this.#clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
    this.#day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
    this.#list = new Intl.ListFormat(locale, { type: 'unit', style: 'narrow' });
    this.#and = new Intl.ListFormat(locale, { type: 'conjunction' });
    this.#relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  }

  number(value: number): string {
    return this.#unit(null, 0).format(value);
  }

  plural(value: number): Intl.LDMLPluralRule {
    return this.#plural.select(value);
  }

  /** Names, one after the other. */
  names(items: string[]): string {
    return this.#and.format(items);
  }

  bytes(value: number, per = ''): string {
    let [step, rest] = [0, value];
    while (rest >= 999.5 && step < BYTES.length - 1) [step, rest] = [step + 1, rest / 1000];
    const digits = step > 0 && rest < 9.95 ? 1 : 0;
    return this.#unit(`${BYTES[step] ?? 'byte'}${per}`, digits).format(rest);
  }

  rate(value: number): string {
    return this.bytes(value, '-per-second');
  }

  milliseconds(value: number): string {
    if (value >= 1000) return this.duration(value / 1000);
    return this.#unit('millisecond', 0).format(Math.max(1, Math.round(value)));
  }

  /** The two largest units that are not nothing. */
  duration(seconds: number): string {
    if (seconds < 9.95 && seconds % 1 >= 0.05) return this.#unit('second', 1).format(seconds);
    let rest = Math.max(0, Math.round(seconds));
    const parts: string[] = [];
    for (const [unit, size] of TIME) {
      const count = Math.floor(rest / size);
      rest -= count * size;
      if (count > 0) parts.push(this.#unit(unit, 0).format(count));
      // "1 day 3 s" would say more than anybody wants.
      else if (parts.length > 0) break;
      if (parts.length === 2) break;
    }
    return parts.length > 0 ? this.#list.format(parts) : this.#unit('second', 0).format(0);
  }

  /** "5 minutes ago"; of the last second "now". */
  ago(seconds: number): string {
    const past = Math.max(0, Math.floor(seconds));
    const [unit, size] = TIME.find(([, size]) => past >= size) ?? ['second', 1];
    return this.#relative.format(-Math.floor(past / size), unit as Intl.RelativeTimeFormatUnit);
  }

  /** The time of day; with the date unless it is within twelve hours of `now`. */
  moment(rfc3339: string, now: number): string {
    const at = Date.parse(rfc3339);
    if (Number.isNaN(at)) return rfc3339;
    return (Math.abs(at - now) < 43_200_000 ? this.#clock : this.#day).format(at);
  }

  #unit(unit: string | null, digits: number): Intl.NumberFormat {
    const key = `${unit ?? ''}/${digits}`;
    let made = this.#made.get(key);
    if (!made) {
      const style: Intl.NumberFormatOptions = unit ? { style: 'unit', unit, unitDisplay: 'short' } : {};
      made = new Intl.NumberFormat(this.locale, { ...style, maximumFractionDigits: digits, minimumFractionDigits: digits });
      this.#made.set(key, made);
    }
    return made;
  }
}
