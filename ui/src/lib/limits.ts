/** What a person may choose from, in minutes; null: until resumed. */
const CHOICES = [5, 30, 60, 240];

/** The choices that the longest allowed pause leaves; null: any. */
export function pauseChoices(most: number | null): (number | null)[] {
  if (most === null) return [...CHOICES, null];
  const fitting = CHOICES.filter((minutes) => minutes <= most);
  return fitting.length > 0 ? fitting : [most];
}
