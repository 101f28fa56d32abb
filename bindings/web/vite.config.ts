import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, loadEnv } from 'vite';
import { listFiles } from './build.ts';

// The page is served under a strict content security policy: no inline script, no inline style,
// nothing from elsewhere. FOREBEAR_SERVE is where `npm run dev` finds a running server.
export default defineConfig({
  plugins: [svelte(), listFiles('dist', 'files.rs')],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: true,
  },
  server: { proxy: { '/api': loadEnv('', '.', 'FOREBEAR_')['FOREBEAR_SERVE'] ?? 'http://127.0.0.1:4141' } },
});
