import type { View } from '../generated/view';

/** One thing that the window can show. */
export interface Story {
  name: string;
  view: View;
  /** The page that is open. */
  page?: 'status' | 'settings' | 'about';
  /** What a person has clicked on, as selectors, in order. */
  clicks?: string[];
  /** Two minutes of traffic have been seen before. */
  traffic?: boolean;
  /** So many seconds ago the last view was heard. */
  silent?: number;
  /** Texts that have to be there, in English. */
  says: string[];
}
