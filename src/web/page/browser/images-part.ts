import {
  type FoundImages,
  HOLDERS_PATH,
  type HoldersReport,
  IMAGES_PATH,
  imagesQuery,
} from '../../images-report.ts';
import { type HolderCount, IMAGES_PER_PAGE, imagesView } from '../images-view.ts';
import { h } from '../markup.ts';
import { ask } from './ask.ts';
import { elementOf, fieldText, formOf } from './element-of.ts';
import { patchChildren } from './patch-markup.ts';

/** The part of the page with the images, which the node searches. */
export interface ImagesPart {
  /** Counted from 0. */
  showPage(page: number): void;
}

/** After the last key, in ms. */
const TYPING_MS = 250;
/** The node answers one question for holders at a time. */
const HOLDERS_TRIES = 4;
const BUSY_MS = 1500;

/** Watches the search field; asks how many nodes have the images that are shown once the reader comes to them. */
export function createImagesPart(): ImagesPart {
  const form = formOf('images-form');
  const body = elementOf('images-body');
  const holders = new Map<string, HolderCount>();
  let found: FoundImages | undefined;
  let isSeen = false;
  let page = 0;
  let running = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const draw = () => {
    if (found !== undefined) patchChildren(body, imagesView(found, holders));
  };

  async function load(): Promise<void> {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const search = fieldText(form, 'search').trim();
    const query = imagesQuery({ search, offset: page * IMAGES_PER_PAGE, limit: IMAGES_PER_PAGE });
    const answer = await ask<FoundImages>(`${IMAGES_PATH}?${query}`, { signal });
    if ('problem' in answer) {
      patchChildren(body, [
        h('p', { class: 'empty', role: 'alert' }, `The images cannot be shown: ${answer.problem}.`),
      ]);
      return;
    }
    found = answer.value;
    draw();
    await askHolders(signal);
  }

  async function askHolders(signal: AbortSignal): Promise<void> {
    const keys =
      found?.tags.map(({ key }) => key).filter((key) => typeof holders.get(key) !== 'object') ?? [];
    if (keys.length === 0) return;
    for (const key of keys) holders.set(key, 'asking');
    draw();
    const body = JSON.stringify({ keys });
    const headers = { 'content-type': 'application/json' };
    for (let tries = HOLDERS_TRIES; tries > 0; tries--) {
      const answer = await ask<HoldersReport>(HOLDERS_PATH, { method: 'POST', headers, body, signal });
      if ('value' in answer) {
        for (const { key, peers, isHere } of answer.value.holders) holders.set(key, { peers, isHere });
        break;
      }
      if (answer.retryMs === undefined) break;
      await new Promise((resolve) => setTimeout(resolve, Math.max(BUSY_MS, answer.retryMs ?? 0)));
      if (signal.aborted) break;
    }
    for (const key of keys) if (holders.get(key) === 'asking') holders.set(key, 'failed');
    draw();
  }

  const start = () => {
    load().catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
    });
  };
  const search = () => {
    page = 0;
    clearTimeout(timer);
    timer = setTimeout(start, TYPING_MS);
  };
  form.addEventListener('input', search);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(timer);
    start();
  });
  new IntersectionObserver((entries) => {
    if (isSeen || !entries.some(({ isIntersecting }) => isIntersecting)) return;
    isSeen = true;
    start();
  }).observe(body);

  return {
    showPage(next) {
      page = Math.max(0, next);
      start();
    },
  };
}
