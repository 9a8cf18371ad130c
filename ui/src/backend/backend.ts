import type { Failed, Prefs, View } from '../generated/view';

/** Why a command was not carried out, as the app throws it. */
export interface CommandError {
  kind: Failed['kind'];
  message: string;
}

/** All that the page asks of the world around it. */
export interface Backend {
  /** The view now. */
  view(): Promise<View>;
  /** Each later view, whole; returns what ends it. */
  onView(heard: (view: View) => void): () => void;
  /** Take IPv4 down, look at the network anew, put it up again. */
  rearm(): Promise<void>;
  /** Leave IPv4 alone; `minutes` null: until resumed. */
  pause(minutes: number | null, reason: string): Promise<void>;
  /** End a pause. */
  resume(): Promise<void>;
  /** A preference of this person. */
  setPref<Key extends keyof Prefs>(key: Key, value: Prefs[Key]): Promise<void>;
  /** Whether somebody can see the counters, which are fresh only then. */
  watching(visible: boolean): Promise<void>;
}
