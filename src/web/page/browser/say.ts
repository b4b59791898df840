import { elementOf } from './element-of.ts';

/** Long enough to be read, in ms. */
const SHOWN_MS = 5000;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Shows a text for a while, in the element that it returns, and tells it to those who listen. */
export function say(text: string): HTMLElement {
  const note = elementOf('note');
  note.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => (note.textContent = ''), SHOWN_MS);
  return note;
}
