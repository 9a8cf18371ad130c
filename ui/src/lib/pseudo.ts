import type { Dictionary } from './dictionary';

/** Letters that look alike; a font that lacks them shows it. */
const ALIKE: Record<string, string> = {
  a: 'á', b: 'ƀ', c: 'ç', d: 'ð', e: 'é', f: 'ƒ', g: 'ĝ', h: 'ĥ', i: 'í', j: 'ĵ', k: 'ķ', l: 'ļ', m: 'ɱ',
  n: 'ñ', o: 'ó', p: 'þ', r: 'ŕ', s: 'š', t: 'ţ', u: 'ú', v: 'ṽ', w: 'ŵ', x: 'ẋ', y: 'ý', z: 'ž',
  A: 'Á', C: 'Ç', E: 'É', I: 'Í', N: 'Ñ', O: 'Ó', S: 'Š', U: 'Ú', W: 'Ŵ', Y: 'Ý',
};

/** What long languages need beside English. */
const LONGER = 0.35;

/** English, recognisably strange and a third longer: what stays plain was never translated, what breaks is too tight. */
export function pseudo(words: Dictionary): Dictionary {
  return strange(words);
}

function strange<T>(value: T): T {
  if (typeof value === 'string') return decorate(value) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, strange<unknown>(inner)])) as T;
}

function decorate(text: string): string {
  if (text === '') return '';
  const parts = text.split(/(\{\w+\})/);
  const letters = parts.map((part, index) => (index % 2 === 1 ? part : [...part].map((one) => ALIKE[one] ?? one).join('')));
  return `⟦${letters.join('')}${'·'.repeat(Math.ceil(text.length * LONGER))}⟧`;
}
