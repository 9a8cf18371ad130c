import { describe, expect, test } from 'vitest';
import { CODES, type EvidenceKind, type State, type Status } from '../src/generated/model';
import type { View } from '../src/generated/view';
import { chain, LINKS } from '../src/lib/chain';
import { condition, current, proven } from '../src/lib/condition';
import { headline } from '../src/lib/headline';
import { ENGLISH } from '../src/lib/i18n';
import { BARE, CLAT, status, view } from '../src/stories/base';

const STATES: State[] = ['working', 'standby_native', 'standby_os', 'checking', 'limited', 'down', 'paused', 'no_network'];
const KINDS: EvidenceKind[] = ['traffic', 'probe', 'none'];

/** Every state with every code and every evidence, sensible or not. */
function all(): Status[] {
  return STATES.flatMap((state) =>
    CODES.flatMap((code) =>
      KINDS.map((kind) => status({ state, code, evidence: { kind, age_s: kind === 'none' ? null : 1 } })),
    ),
  );
}

function unlike(kind: View['service']): View {
  return view({ service: kind });
}

const GONE: View['service'][] = [
  { kind: 'connecting' },
  { kind: 'unreachable', detail: '', hint: '', since: '' },
  { kind: 'denied', detail: '' },
  { kind: 'too_old', service: '' },
  { kind: 'too_new', service: '' },
];

describe('nothing says "works" without evidence', () => {
  test('of all states, codes and evidence only working with an answer does', () => {
    for (const said of all()) {
      const { headline: what, icon, tone } = condition(view({ status: said }));
      const works = said.state === 'working' && said.code !== 'CL-004' && said.evidence.kind !== 'none';
      const name = `${said.state} ${said.code} ${said.evidence.kind}`;
      expect(what === 'working', name).toBe(works);
      expect(tone === 'good', name).toBe(works);
      expect(/\bworks?\b/.test(headline({ text: ENGLISH, condition: condition(view({ status: said })), view: view({ status: said }), wall: 0 }).title), name).toBe(works);
      if (icon === 'working') expect(said.state).toBe('working');
    }
  });

  test('gateway, translation and internet are fine only then, too', () => {
    for (const said of all()) {
      for (const { name, verdict } of chain(said)) {
        if (verdict === 'ok' && ['gateway', 'translation', 'internet'].includes(name)) {
          expect(proven(said), `${name}: ${said.state} ${said.code} ${said.evidence.kind}`).toBe(true);
        }
      }
    }
  });

  test('names are fine only when one was answered', () => {
    const names = (said: Status) => chain(said).find(({ name }) => name === 'names')?.verdict;
    expect(names(status())).toBe('unknown');
    expect(names(status({ pref64: [{ prefix: '64:ff9b::/96', source: 'dns', expires_s: null, uplink: null }] }))).toBe('ok');
  });

  test('packets without an answer are said', () => {
    const asked = { code: 'CL-004' as const, evidence: { kind: 'none' as const, age_s: null } };
    const sent = (out: number, back: number) => status({ ...asked, clat: { ...CLAT, packets: { out, in: back } } });
    expect(condition(view({ status: sent(9, 0) })).headline).toBe('ready');
    expect(condition(view({ status: sent(10, 0) })).headline).toBe('unanswered');
    expect(condition(view({ status: sent(10, 1) })).headline).toBe('ready');
  });
});

describe('nothing stale looks alive', () => {
  test.each(GONE)('a service that is $kind has no status, even if one is there', (service) => {
    const said = unlike(service);
    expect(said.status).not.toBeNull();
    expect(current(said)).toBeNull();
    expect(condition(said).icon).not.toBe('working');
    expect(condition(said).tone).not.toBe('good');
  });

  test('before anything was heard, nothing is claimed', () => {
    expect(condition(null)).toMatchObject({ headline: 'connecting', code: null });
    expect(condition(view({ status: null }))).toMatchObject({ headline: 'waiting', code: null });
  });
});

describe('each fault is found in its link', () => {
  test.each([
    ['CL-101', 'no_network', 'network'],
    ['CL-102', 'down', 'network'],
    ['CL-201', 'down', 'network'],
    ['CL-202', 'limited', 'network'],
    ['CL-203', 'down', 'network'],
    ['CL-301', 'down', 'gateway'],
    ['CL-302', 'down', 'gateway'],
    ['CL-303', 'down', 'gateway'],
    ['CL-401', 'down', 'names'],
    ['CL-501', 'down', 'gateway'],
    ['CL-502', 'limited', 'gateway'],
    ['CL-503', 'down', 'gateway'],
    ['CL-604', 'down', 'device'],
    ['CL-701', 'limited', 'internet'],
  ] as const)('%s', (code, state, link) => {
    const bad = chain(status({ ...BARE, state, code })).filter(({ verdict }) => verdict === 'problem' || verdict === 'weak');
    expect(bad.map(({ name }) => name)).toEqual([link]);
  });

  test.each(['CL-601', 'CL-602', 'CL-603', 'CL-605'] as const)('%s is this device and its translation', (code) => {
    const bad = chain(status({ ...BARE, state: 'down', code })).filter(({ verdict }) => verdict === 'problem');
    expect(bad.map(({ name }) => name)).toEqual(['device', 'translation']);
  });

  test('every state has a word for every link', () => {
    for (const said of all()) expect(chain(said).map(({ name }) => name)).toEqual([...LINKS]);
  });
});

test('what fails is said by the state, why by the code; an unknown code says that it is', () => {
  const say = (code: string) => {
    const said = view({ status: status({ ...BARE, state: 'down', code: code as Status['code'] }) });
    return headline({ text: ENGLISH, condition: condition(said), view: said, wall: 0 });
  };
  expect(say('CL-501')).toMatchObject({ title: 'IPv4 apps cannot connect', why: ENGLISH.words.code['CL-501'].why });
  expect(say('CL-999')).toMatchObject({ title: 'IPv4 apps cannot connect', why: ENGLISH.words.headline.down.why });
});
