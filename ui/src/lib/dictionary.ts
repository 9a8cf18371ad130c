import type { Code, DEPARTURES, DROP_REASONS, FAST_REASONS, REARM_REASONS, REARM_STEPS, SETTING_KEYS } from '../generated/model';
import type { ActionName, FailedKind } from '../generated/view';
import type { LinkName, Note, Verdict } from './chain';
import type { Team } from './codes';
import type { Headline } from './condition';

/** The forms of a sentence with a number in it, by the language's own rules; `other` is always there. */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** Headline, one sentence why, and what to do about it, if anything. */
export interface Words {
  title: string;
  why: string;
  todo: string;
}

export interface CodeWords extends Words {
  /** What it means, in the terms of a helpdesk. */
  meaning: string;
}

/** Every text of window and tray: a language is a file with one. A language that lacks a text does not compile. */
export interface Dictionary {
  nav: { label: string; status: string; settings: string; about: string };
  headline: Record<Headline, Words>;
  code: Record<Code, CodeWords>;
  chain: {
    title: string;
    name: Record<LinkName, string>;
    about: Record<LinkName, string>;
    verdict: Record<Verdict, string>;
    note: Record<Note, string>;
  };
  action: {
    rearm: string;
    rearmAbout: string;
    rearming: string;
    rearmForbidden: string;
    signedIn: string;
    pause: string;
    pausing: string;
    resume: string;
    resuming: string;
    saving: string;
    copy: string;
    copied: string;
    close: string;
  };
  pause: {
    title: string;
    about: string;
    howLong: string;
    untilResumed: string;
    reason: string;
    reasonHint: string;
    start: string;
    cancel: string;
    forbidden: string;
    limit: string;
  };
  notice: {
    outdated: string;
    newer: string;
    settings: Plural;
    settingsOpen: string;
    stale: string;
    retrying: string;
    trying: string;
    since: string;
    pausedBecause: string;
    private: Plural;
    failed: Record<ActionName, string>;
    failure: Record<FailedKind, string>;
  };
  activity: {
    title: string;
    received: string;
    sent: string;
    now: string;
    past: string;
    idle: string;
    unknown: string;
    alternative: string;
    alternativeIdle: string;
    alternativeUnknown: string;
    total: string;
  };
  network: {
    title: string;
    connection: string;
    reserve: string;
    reserveReady: string;
    reserveSoon: string;
    proof: string;
    proofTraffic: string;
    proofProbe: string;
    proofNone: string;
    kind: Record<'ethernet' | 'wifi' | 'mobile' | 'tunnel' | 'bridge' | 'virtual' | 'other', string>;
  };
  rearms: {
    title: string;
    count: Plural;
    gap: string;
    noGap: string;
    afterStandby: string;
    moved: string;
    firstReply: string;
    reason: Record<(typeof REARM_REASONS)[number], string>;
    left: Record<(typeof DEPARTURES)[number], string>;
    done: Record<(typeof REARM_STEPS)[number], string>;
    flows: Plural;
    unknown: string;
  };
  helpdesk: {
    title: string;
    about: string;
    showAddresses: string;
    hidden: string;
    code: string;
    state: string;
    cause: string;
    passTo: string;
    team: Record<Team, string>;
    uplink: string;
    router: string;
    mtu: string;
    pref64: string;
    source: Record<'ra' | 'dns' | 'policy' | 'config', string>;
    expires: string;
    noExpiry: string;
    plane: string;
    translate: string;
    relay: string;
    tunnel: string;
    v4: string;
    x: string;
    tunnelMtu: string;
    packets: string;
    bytes: string;
    inOut: string;
    drops: string;
    drop: Record<(typeof DROP_REASONS)[number], string>;
    fastPath: string;
    fastOn: string;
    fastOff: string;
    fast: Record<(typeof FAST_REASONS)[number], string>;
    evidence: string;
    traffic: string;
    probe: string;
    none: string;
    reserve: string;
    interfaces: string;
    noInterfaces: string;
    up: string;
    noLink: string;
    v4Native: string;
    opt108: string;
    resolvers: string;
    noV6: string;
    ignored: Plural;
    service: string;
    running: string;
    detail: string;
    protocol: string;
    reason: string;
    steps: string;
  };
  settings: {
    title: string;
    language: string;
    system: string;
    theme: string;
    light: string;
    dark: string;
    autostart: string;
    autostartAbout: string;
    notifications: string;
    notificationsAbout: string;
    all: string;
    problems: string;
    none: string;
    tray: string;
    trayAbout: string;
    trayMissing: string;
    on: string;
    off: string;
    setBy: string;
    service: string;
    serviceAbout: string;
    serviceNone: string;
    setIn: string;
    bySomebody: string;
    wrong: string;
    line: string;
    key: Record<(typeof SETTING_KEYS)[number], string>;
  };
  about: {
    title: string;
    what: string;
    close: string;
    network: string;
    versions: string;
    app: string;
    service: string;
    serviceUnknown: string;
    protocol: string;
    licence: string;
    codes: string;
    codesAbout: string;
  };
  /** What only icon, menu and notifications say; src-tauri/build/words.rs reads it, and what they share with the window. */
  tray: {
    works: string;
    ready: string;
    standby: string;
    os: string;
    minutes: string;
    hour: string;
    open: string;
    versions: string;
    close: string;
    recovered: string;
    recoveredMore: string;
    readOn: string;
  };
}
