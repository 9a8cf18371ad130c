import type { View } from '../generated/view';
import type { Condition } from './condition';
import type { Words } from './dictionary';
import type { Text } from './i18n';

/** What the words depend on. */
interface Known {
  text: Text;
  condition: Condition;
  view: View | null;
  wall: number;
}

/** Headline, reason and next step for people. */
export function headline({ text, condition, view, wall }: Known): Words {
  const { words, format } = text;
  const own = words.headline[condition.headline];
  // What fails is said by the state, why by the code.
  const failing = condition.headline === 'down' || condition.headline === 'limited';
  if (failing && condition.code) {
    const { why, todo } = words.code[condition.code];
    return { title: own.title, why, todo };
  }
  const until = view?.status?.pause?.until;
  return until ? { ...own, title: text.fill(own.title, { time: format.moment(until, wall) }) } : own;
}
