import { type FoundImages, HOLDERS_LIMIT } from '../images-report.ts';
import { digestText } from './digest-text.ts';
import { imageName } from './image-name.ts';
import { h, type Markup } from './markup.ts';
import { pager } from './pager.ts';

/** Rows of a page; the page asks for so many, and for the holders of so many. */
export const IMAGES_PER_PAGE = 25;

/** How many nodes have an image: not asked for yet, asked for, not to be had, or the number of other nodes. */
export type HolderCount = 'asking' | 'failed' | { readonly peers: number; readonly isHere: boolean };

/** The images of this node that a search has found, a page of them. `holders`: by routing key. */
export function imagesView(found: FoundImages, holders: ReadonlyMap<string, HolderCount>): readonly Markup[] {
  const { tags, tagCount, foundCount, offset } = found;
  if (tagCount === 0) return [h('p', { class: 'empty' }, 'This node shares no image with a tag.')];
  if (foundCount === 0) {
    return [h('p', { class: 'empty' }, `None of the ${tagCount} images of this node fits.`)];
  }
  const pages = Math.ceil(foundCount / IMAGES_PER_PAGE);
  return [
    h(
      'table',
      { class: 'cards images' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, 'Image'),
          h('th', { scope: 'col' }, 'Digest'),
          h('th', { scope: 'col', class: 'num' }, 'On nodes'),
          h('th', { scope: 'col', class: 'js-only' }, h('span', { class: 'hidden' }, 'Why')),
        ),
      ),
      h(
        'tbody',
        {},
        tags.map(({ key, digest }) =>
          h(
            'tr',
            { 'data-key': key },
            h('td', { 'data-name': 'Image' }, imageName(key)),
            h('td', {}, digestText(digest)),
            h('td', { 'data-name': 'On nodes', class: 'num' }, holdersText(holders.get(key))),
            h(
              'td',
              { class: 'js-only' },
              h(
                'button',
                { type: 'button', class: 'link', 'data-why': key, 'aria-label': `Who has it? ${key}` },
                'Who has it?',
              ),
            ),
          ),
        ),
      ),
    ),
    pager({
      action: 'images-page',
      what: 'images',
      first: offset,
      shown: tags.length,
      count: foundCount,
      page: Math.floor(offset / IMAGES_PER_PAGE),
      pages,
    }),
  ];
}

function holdersText(count: HolderCount | undefined): string {
  if (count === undefined) return '–';
  if (count === 'asking') return '…';
  if (count === 'failed') return 'not known';
  const { peers, isHere } = count;
  const total = peers + (isHere ? 1 : 0);
  return `${total}${peers >= HOLDERS_LIMIT ? ' or more' : ''}`;
}
