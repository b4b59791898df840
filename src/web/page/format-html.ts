import { escapeHtml } from '../escape-html.ts';
import type { Markup } from './markup.ts';

/** Elements that have no end tag. */
const VOID_ELEMENTS = new Set(['br', 'hr', 'input', 'link', 'meta']);

/** Writes markup as HTML; all text and all values are escaped. */
export function formatHtml(markup: Markup): string {
  if (typeof markup === 'string') return escapeHtml(markup);
  const { name, attributes, children } = markup;
  let html = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    html += value === true ? ` ${key}` : ` ${key}="${escapeHtml(String(value))}"`;
  }
  html += '>';
  if (VOID_ELEMENTS.has(name)) return html;
  for (const child of children) html += formatHtml(child);
  return `${html}</${name}>`;
}
