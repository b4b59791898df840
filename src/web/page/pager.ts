import { h, type Markup } from './markup.ts';

/** Where a reader is in a list that is shown page by page. */
export interface PagerOptions {
  /** What the page's program does for the buttons. */
  readonly action: string;
  /** What is listed. */
  readonly what: string;
  /** The first row that is shown, counted from 0. */
  readonly first: number;
  readonly shown: number;
  readonly count: number;
  readonly page: number;
  readonly pages: number;
}

/** Says which rows are shown, with buttons to the pages before and after. */
export function pager({ action, what, first, shown, count, page, pages }: PagerOptions): Markup {
  const button = (to: number, text: string, isOff: boolean) =>
    h('button', { type: 'button', 'data-action': action, 'data-page': to, disabled: isOff }, text);
  return h(
    'nav',
    { class: 'pager', 'aria-label': `Pages of ${what}`, 'data-key': `pager ${action}` },
    h(
      'span',
      { class: 'muted num' },
      pages === 1 ? `${count} ${what}` : `${first + 1} to ${first + shown} of ${count} ${what}`,
    ),
    pages === 1
      ? undefined
      : h(
          'span',
          { class: 'pager-buttons js-only' },
          button(page - 1, 'Back', page === 0),
          button(page + 1, 'Next', page === pages - 1),
        ),
  );
}
