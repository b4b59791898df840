import { h, type MarkupElement } from './markup.ts';

/** Hex digits that are shown. */
const SHOWN = 12;

/** The digest shortened: `sha256:0123456789ab…`. Other references are left as they are. */
export function shortDigest(reference: string): string {
  const [, algorithm, hex = ''] = /^(sha256|sha512):([0-9a-f]+)$/.exec(reference) ?? [];
  return algorithm === undefined || hex.length <= SHOWN ? reference : `${algorithm}:${hex.slice(0, SHOWN)}…`;
}

/** A digest, shortened, with a button that copies the whole. */
export function digestText(digest: string): MarkupElement {
  return h(
    'span',
    { class: 'digest' },
    h('code', { title: digest }, shortDigest(digest)),
    copyButton(digest, 'Copy the digest'),
  );
}

/** A button that copies a text; the page's program does it. */
export function copyButton(text: string, label: string): MarkupElement {
  return h(
    'button',
    { type: 'button', class: 'copy js-only', 'data-copy': text, 'aria-label': label, title: label },
    h(
      'svg',
      { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' },
      h('path', { class: 'line', d: 'M5.5 5.5h8v8h-8zM3 10.5H2.5v-8h8V3' }),
    ),
  );
}
