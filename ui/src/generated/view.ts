// Made from src-tauri by its test `typescript`; do not edit by hand.
import type { SettingsReport } from './ipc';
import type { Status } from './model';

/**
 * Everything the window shows. Always whole, never a difference.
 */
export type View = { 
/**
 * This program.
 */
app: App, 
/**
 * How it stands with the service.
 */
service: Service, 
/**
 * The last status heard; null unless connected, so that nothing stale looks alive.
 */
status: Status | null, 
/**
 * Every setting of the service; null until it has been heard.
 */
settings: SettingsReport | null, 
/**
 * What this user prefers.
 */
prefs: Prefs, 
/**
 * Preferences that the user cannot change, and who says so.
 */
prefs_locked: { [key in string]: string }, 
/**
 * What this user may not have the service do, and who says so; an empty text where nobody is named.
 */
denied: { [key in ActionName]?: string }, 
/**
 * The longest pause this user may ask for, in minutes; null: of any length.
 */
longest_pause: number | null, 
/**
 * What the tray shows.
 */
shown: Shown, 
/**
 * What is under way.
 */
busy: Busy | null, 
/**
 * The last action, if it failed.
 */
failed: Failed | null, };

/**
 * This program.
 */
export type App = { 
/**
 * Its version.
 */
version: string, 
/**
 * The newest protocol it speaks.
 */
protocol: number, 
/**
 * The system it runs on.
 */
os: Os, 
/**
 * Whether a panel shows our icon.
 */
tray: boolean, 
/**
 * The user's language as the system has it (BCP 47).
 */
language_os: string, };

/**
 * An operating system.
 */
export type Os = "linux" | "macos" | "windows";

/**
 * How it stands with the service.
 */
export type Service = { "kind": "connecting" } | { "kind": "connected", 
/**
 * Its version.
 */
version: string, 
/**
 * The protocol spoken with it.
 */
protocol: number, 
/**
 * It is older than this program, and still understood.
 */
outdated: boolean, 
/**
 * It is newer than this program, and still understood.
 */
newer: boolean, } | { "kind": "unreachable", 
/**
 * What the system said.
 */
detail: string, 
/**
 * The command that starts it on this system.
 */
hint: string, 
/**
 * Since when (RFC 3339, UTC).
 */
since: string, } | { "kind": "denied", 
/**
 * What the system said.
 */
detail: string, } | { "kind": "too_old", 
/**
 * Its name and version, as far as it told.
 */
service: string, } | { "kind": "too_new", 
/**
 * Its name and version, as far as it told.
 */
service: string, };

/**
 * What this user prefers.
 */
export type Prefs = { 
/**
 * `system`, or a language's name such as `de`.
 */
language: string, 
/**
 * Light or dark.
 */
theme: Theme, 
/**
 * Whether the app starts at login. The system keeps it; what a file says of it counts for nothing.
 */
autostart: boolean, 
/**
 * What to notify about.
 */
notifications: Notifications, 
/**
 * Whether to show an icon in the panel.
 */
show_tray: boolean, };

/**
 * Light or dark.
 */
export type Theme = "system" | "light" | "dark";

/**
 * What to notify about.
 */
export type Notifications = "all" | "problems" | "none";

/**
 * What the tray shows, each fault after its delay.
 */
export type Shown = { 
/**
 * The silhouette.
 */
icon: Icon, };

/**
 * One of the nine silhouettes in `icons/`.
 */
export type Icon = "working" | "standby" | "os" | "checking" | "limited" | "down" | "paused" | "no_service" | "no_network";

/**
 * What a user can have done.
 */
export type ActionName = "rearm" | "pause" | "resume" | "settings";

/**
 * What is under way.
 */
export type Busy = { 
/**
 * What.
 */
action: ActionName, };

/**
 * Why an action failed.
 */
export type FailedKind = "denied" | "refused" | "unreachable";

/**
 * An action that failed.
 */
export type Failed = { 
/**
 * What was to be done.
 */
action: ActionName, 
/**
 * What a program branches on.
 */
kind: FailedKind, 
/**
 * What a person reads, in English.
 */
message: string, };
