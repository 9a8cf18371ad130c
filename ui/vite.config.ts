import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { CSP } from './csp.ts';

/** Only in what is built: Vite's own server for developers needs inline styles. */
const csp: Plugin = {
  name: 'everclat-csp',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: CSP }, injectTo: 'head-prepend' },
  ],
};

export default defineConfig(({ mode }) => {
  const stories = mode === 'stories';
  return {
    base: './',
    plugins: [svelte(), csp],
    server: { host: '127.0.0.1', strictPort: true, port: 5173 },
    build: {
      // WKWebView of macOS 13, WebKitGTK of Debian 12, WebView2.
      target: ['es2022', 'safari16', 'chrome109'],
      outDir: stories ? 'dist-stories' : 'dist',
      emptyOutDir: true,
      // Its helper would fetch, which the page may not.
      modulePreload: { polyfill: false },
      // Nothing inlined as data:, which the page may not load.
      assetsInlineLimit: 0,
      reportCompressedSize: false,
      rollupOptions: { input: stories ? 'stories.html' : 'index.html' },
    },
  };
});
