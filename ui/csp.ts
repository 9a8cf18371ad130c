import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The configuration of the app, which holds the rules. */
export const CONFIGURATION = join(import.meta.dirname, '../src-tauri/tauri.conf.json');

interface Configuration {
  app: { security: { csp: string } };
}

/**
 * What the page may load: itself, and the app's commands. The app sends this with the page; it is also written into the
 * page, so that no way of showing it lets it reach a network. Tests serve the page under it.
 */
export const CSP = (JSON.parse(readFileSync(CONFIGURATION, 'utf8')) as Configuration).app.security.csp;
