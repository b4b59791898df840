import { bundlePage } from './bundle-page.ts' with { type: 'macro' };

/** The style sheet of the page. */
export const PAGE_STYLE: string = bundlePage('page-style.css');
/** The program of the page. */
export const PAGE_SCRIPT: string = bundlePage('browser/main.ts');

/**
 * For the page: nothing comes from elsewhere, only its own script runs and only its own style applies, and it talks to its own node
 * only.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  `script-src '${hashOf(PAGE_SCRIPT)}'`,
  `style-src '${hashOf(PAGE_STYLE)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function hashOf(text: string): string {
  return `sha256-${new Bun.CryptoHasher('sha256').update(text).digest('base64')}`;
}
