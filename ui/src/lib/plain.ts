/** Control characters, and those that turn the direction of text: C0, C1, bidi, line and paragraph separators. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]+/g;

/** Text of others, fit to be shown: one line, nothing unseen, not endless. */
export function plain(text: string, most = 300): string {
  const clean = text.replace(UNSEEN, ' ').trim();
  return clean.length > most ? `${clean.slice(0, most - 1).trimEnd()}…` : clean;
}
