import { expect, test } from 'vitest';
import { SECONDS, summary, Throughput, type Slot } from '../src/lib/throughput';

const last = (series: (Slot | null)[], count: number): (Slot | null)[] => series.slice(-count);

test('what was counted becomes bytes per second', () => {
  const flow = new Throughput();
  for (let second = 0; second <= 10; second += 1) flow.count(second * 1000, 'a', { in: second * 500, out: second * 20 });
  expect(last(flow.series(10_000), 3)).toEqual([{ in: 500, out: 20 }, { in: 500, out: 20 }, { in: 500, out: 20 }]);
  expect(flow.series(10_000)).toHaveLength(SECONDS - 1);
});

test('a count between two seconds is shared among them', () => {
  const flow = new Throughput();
  flow.count(500, 'a', { in: 0, out: 0 });
  flow.count(2_500, 'a', { in: 2_000, out: 200 });
  expect(last(flow.series(3_000), 3)).toEqual([{ in: 500, out: 50 }, { in: 1_000, out: 100 }, { in: 500, out: 50 }]);
});

test('many counts in a second add up, and nothing is lost', () => {
  const flow = new Throughput();
  for (let count = 0; count <= 10_000; count += 1) flow.count(count, 'a', { in: count * 3, out: count });
  const sum = flow.series(11_000).reduce((all, slot) => all + (slot?.in ?? 0), 0);
  expect(sum).toBeCloseTo(30_000, 6);
});

test('a new translator, or counters that begin again, are no traffic', () => {
  const flow = new Throughput();
  flow.count(0, 'a', { in: 1e9, out: 1e9 });
  flow.count(1_000, 'b', { in: 2e9, out: 2e9 });
  flow.count(2_000, 'b', { in: 5, out: 5 });
  flow.count(3_000, 'b', { in: 10, out: 5 });
  expect(last(flow.series(4_000), 4)).toEqual([null, null, { in: 5, out: 0 }, null]);
});

test('nobody knows what passed while nobody counted', () => {
  const flow = new Throughput();
  flow.count(0, 'a', { in: 0, out: 0 });
  flow.count(60_000, 'a', { in: 6e9, out: 0 });
  expect(summary(flow.series(61_000)).known).toBe(false);
  flow.stop(61_000);
  flow.count(62_000, 'a', { in: 7e9, out: 0 });
  expect(summary(flow.series(63_000)).known).toBe(false);
});

test('two minutes are kept, however long it runs', () => {
  const flow = new Throughput();
  for (let second = 0; second < 100_000; second += 1) flow.count(second * 1000, 'a', { in: second * 10, out: 0 });
  expect(flow.series(100_000_000).filter((slot) => slot !== null)).toHaveLength(SECONDS - 2);
  expect(summary(flow.series(100_000_000 + SECONDS * 1000))).toMatchObject({ known: false, idle: true, now: null });
});
