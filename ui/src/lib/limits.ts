import type { SettingEntry } from '../generated/model';

/** What a person may choose from, in minutes; null: until resumed. */
const CHOICES = [5, 30, 60, 240];

/** The choices that the longest allowed pause leaves; 0: any. */
export function pauseChoices(most: number): (number | null)[] {
  if (most === 0) return [...CHOICES, null];
  const fitting = CHOICES.filter((minutes) => minutes <= most);
  return fitting.length > 0 ? fitting : [most];
}

/** The longest allowed pause, in minutes; 0: any. What cannot be read is the service's default. */
export function longestPause(entry: SettingEntry | null): number {
  const minutes = Number(entry?.value ?? Number.NaN);
  return Number.isInteger(minutes) && minutes >= 0 ? minutes : 60;
}
