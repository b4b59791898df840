import { shortDigest } from './digest-text.ts';
import { h, type MarkupElement } from './markup.ts';

/** The name of an image: its registry is less loud than what tells it from others, and a digest is shortened. */
export function imageName(image: string): MarkupElement {
  const [name = '', digest] = image.split('@');
  const slash = name.indexOf('/');
  const registry = slash < 0 ? '' : name.slice(0, slash + 1);
  const end = digest === undefined ? '' : `@${shortDigest(digest)}`;
  return h(
    'span',
    { class: 'image', title: image },
    registry === '' ? undefined : h('span', { class: 'muted' }, registry),
    h('b', {}, `${name.slice(slash + 1)}${end}`),
  );
}
