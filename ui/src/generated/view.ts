import type { SettingsReport } from './ipc';
import type { Status } from './model';

/** Everything the window is shown; always the whole. */
export type View = {
  app: App;
  service: Service;
  status: Status | null;
  settings: SettingsReport | null;
  prefs: Prefs;
  prefs_locked: { [key in string]: string };
  shown: Shown;
  busy: Busy | null;
  failed: Failed | null;
};

export type App = { version: string; protocol: number; os: Os; tray: boolean; language_os: string };

export type Os = 'linux' | 'macos' | 'windows';

export type Service =
  | { kind: 'connecting' }
  | { kind: 'connected'; version: string; protocol: number; outdated: boolean; newer: boolean }
  | { kind: 'unreachable'; detail: string; hint: string; since: string }
  | { kind: 'denied'; detail: string }
  | { kind: 'too_old'; service: string }
  | { kind: 'too_new'; service: string };

export type Prefs = {
  language: string;
  theme: Theme;
  autostart: boolean;
  notifications: Notifications;
  show_tray: boolean;
};

export type Theme = 'system' | 'light' | 'dark';

export type Notifications = 'all' | 'problems' | 'none';

export type Shown = { icon: Icon };

export type Icon =
  | 'working'
  | 'standby'
  | 'os'
  | 'checking'
  | 'limited'
  | 'down'
  | 'paused'
  | 'no_service'
  | 'no_network';

export type ActionName = 'rearm' | 'pause' | 'resume' | 'settings';

export type Busy = { action: ActionName };

export type FailedKind = 'denied' | 'refused' | 'unreachable';

export type Failed = { action: ActionName; kind: FailedKind; message: string };
