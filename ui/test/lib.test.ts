import { describe, expect, test } from 'vitest';
import { Format } from '../src/lib/format';
import { baseline } from '../src/lib/draw';
import { pauseChoices } from '../src/lib/limits';
import { plain } from '../src/lib/plain';
import { rearmings, SHOWN } from '../src/lib/rearms';
import { settings } from '../src/stories/base';
import { REARMS } from '../src/stories/states';
import { mistakes } from '../src/lib/mistakes';

describe('numbers and times', () => {
  const english = new Format('en-GB');
  const german = new Format('de');

  test('sizes take the unit that fits', () => {
    expect([0, 999, 1000, 9_940, 9_960, 999_600, 1.5e9, 9e15].map((size) => german.bytes(size).replace(/\s/g, ' '))).toEqual([
      '0 Byte', '999 Byte', '1,0 kB', '9,9 kB', '10 kB', '1,0 MB', '1,5 GB', '9.000 TB',
    ]);
    expect(english.rate(1_234_567)).toBe('1.2 MB/s');
  });

  test('durations say the two largest units', () => {
    const said = [0, 0.4, 59.97, 61, 3_600, 3_661, 90_000, 86_403].map((seconds) => english.duration(seconds));
    expect(said).toEqual(['0 secs', '0.4 secs', '1 min', '1 min 1 sec', '1 hr', '1 hr 1 min', '1 day 1 hr', '1 day']);
  });

  test('gaps below a second are milliseconds, and never nothing', () => {
    expect([0, 41, 999, 1_800].map((gap) => english.milliseconds(gap))).toEqual(['1 ms', '41 ms', '999 ms', '1.8 secs']);
  });

  test('the past is told in the largest unit', () => {
    expect([0.9, 5, 119, 7_200, 90_000].map((past) => english.ago(past))).toEqual([
      'now', '5 seconds ago', '1 minute ago', '2 hours ago', 'yesterday',
    ]);
  });

  test('a moment long ago has its date; what is no time stays', () => {
    const now = Date.parse('2026-11-21T12:00:00Z');
    expect(german.moment('2026-11-21T11:30:00Z', now)).toBe('11:30');
    expect(german.moment('2026-11-19T11:30:00Z', now)).toContain('19.11.2026');
    expect(german.moment('soon', now)).toBe('soon');
  });
});

test('text of others is one line without anything unseen', () => {
  expect(plain('  a\u0000b\r\nc\u202ed\u2066e\ufeff ')).toBe('a b c d e');
  expect(plain('x'.repeat(500))).toHaveLength(300);
  expect(plain('abcdef', 4)).toBe('abc…');
});

test('pauses fit what is allowed', () => {
  expect(pauseChoices(60)).toEqual([5, 30, 60]);
  expect(pauseChoices(null)).toEqual([5, 30, 60, 240, null]);
  expect(pauseChoices(3)).toEqual([3]);
});

test('re-armings are told from new and old services', () => {
  expect(rearmings(REARMS)).toEqual(REARMS.history);
  const old = { count: 2, last_ms: 7, last_reason: 'vpn', history: [] };
  expect(rearmings(old)).toEqual([{ reason: 'vpn', gap_ms: 7 }]);
  expect(rearmings({ ...old, count: 0, last_ms: null, last_reason: null })).toEqual([]);
  const [one] = REARMS.history;
  if (!one) throw new Error('no history');
  const many = Array.from({ length: 32 }, (_, index) => ({ ...one, number: 32 - index }));
  expect(rearmings({ ...old, history: many }).map(({ number }) => number)).toEqual([32, 31, 30, 29, 28, 27, 26, 25]);
  expect(SHOWN).toBe(8);
});

test('a note about a setting is no mistake', () => {
  const problem = { code: 'CL-801' as const, file: 'a', line: 1, key: 'Mtu', text: 'no' };
  expect(mistakes(settings([], [problem, { ...problem, code: null }]))).toEqual([problem]);
  expect(mistakes(null)).toEqual([]);
});

test('the line of the chart gives room to what there is', () => {
  expect(baseline([])).toBe(0.65);
  expect(baseline([{ in: 100, out: 0 }, null])).toBe(0.8);
  expect(baseline([{ in: 0, out: 100 }])).toBe(0.35);
  expect(baseline([{ in: 50, out: 50 }])).toBe(0.5);
});
