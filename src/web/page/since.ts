import { formatSpan } from './format-age.ts';
import { h, type MarkupElement } from './markup.ts';

/** For how long something lasts, in ms since the epoch; the page's program counts on. */
export function since(atMs: number, nowMs: number): MarkupElement {
  const datetime =
    Number.isFinite(atMs) && Math.abs(atMs) < 8.64e15 ? new Date(atMs).toISOString() : undefined;
  return h('time', { datetime, 'data-since': atMs }, formatSpan(nowMs - atMs));
}
