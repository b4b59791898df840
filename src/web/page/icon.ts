import { h, type MarkupElement } from './markup.ts';

/** What each icon looks like in a square of 16: shapes differ as much as colours do. */
const SHAPES = {
  /** A disc with a check mark. */
  well: [
    ['circle', { cx: 8, cy: 8, r: 7 }],
    ['path', { class: 'cut', d: 'M4.8 8.3l2.2 2.2 4.2-4.6' }],
  ],
  /** A triangle with an exclamation mark. */
  attention: [
    ['path', { d: 'M8 1.2l7.3 13H.7z', 'stroke-linejoin': 'round' }],
    ['path', { class: 'cut', d: 'M8 5.8v4M8 11.8v.2' }],
  ],
  /** An octagon with a cross. */
  ill: [
    ['path', { d: 'M5 1h6l4 4v6l-4 4H5l-4-4V5z' }],
    ['path', { class: 'cut', d: 'M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2' }],
  ],
  /** A disc with an i. */
  note: [
    ['circle', { cx: 8, cy: 8, r: 7 }],
    ['path', { class: 'cut', d: 'M8 7.4v4M8 4.6v.2' }],
  ],
  disc: [['circle', { cx: 8, cy: 8, r: 6 }]],
  ring: [['circle', { class: 'line', cx: 8, cy: 8, r: 5 }]],
  triangle: [['path', { d: 'M8 2l6.5 11.5h-13z' }]],
  square: [['rect', { x: 2.5, y: 2.5, width: 11, height: 11, rx: 2 }]],
  cross: [['path', { class: 'line', d: 'M3.5 3.5l9 9M12.5 3.5l-9 9' }]],
  check: [['path', { class: 'line', d: 'M2.5 8.5l3.8 3.8 7.2-8' }]],
  /** Left half full. */
  half: [
    ['circle', { class: 'line', cx: 8, cy: 8, r: 5.5 }],
    ['path', { d: 'M8 2.5a5.5 5.5 0 0 0 0 11z' }],
  ],
  /** An arrow that goes down to a line: a download. */
  running: [['path', { class: 'line', d: 'M8 1.8v8.4M4.2 6.8L8 10.6l3.8-3.8M2.5 14h11' }]],
  /** An arrow that turns back. */
  left: [['path', { class: 'line', d: 'M6 3L2.5 6.5 6 10M2.5 6.5h7a4 4 0 0 1 0 7H6' }]],
} as const;

/** The name of an icon. */
export type IconName = keyof typeof SHAPES;

/** A picture for the eye only: the words are beside it. */
export function icon(name: IconName): MarkupElement {
  return h(
    'svg',
    { class: `icon icon-${name}`, viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' },
    SHAPES[name].map(([element, attributes]) => h(element, attributes)),
  );
}
