/**
 * What the page may load: itself, and the app's commands. src-tauri/tauri.conf.json says the same; here it is also written
 * into the page, so that no way of showing it lets it reach a network. A test serves the page under it.
 */
export const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'none'",
  'connect-src ipc: http://ipc.localhost',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');
