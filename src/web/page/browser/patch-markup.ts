import type { Markup, MarkupElement } from '../markup.ts';

const SVG = 'http://www.w3.org/2000/svg';
/** What the reader has changed is left as it is: a row that is open, text in a field. */
const OF_THE_READER: Readonly<Record<string, string>> = { DETAILS: 'open', INPUT: 'value', SELECT: 'value' };

/**
 * Makes the children of an element those of the markup, and keeps what is there as far as it fits, so that focus, selection and
 * scrolling stay. Data becomes text nodes and attributes, never HTML.
 */
export function patchChildren(parent: Element, markups: readonly Markup[]): void {
  const keyed = new Map<string, Element>();
  for (const child of parent.children) {
    const key = keyOf(child);
    if (key !== undefined) keyed.set(key, child);
  }
  const wanted = new Set<string>();
  for (const markup of markups) {
    const key = typeof markup === 'string' ? undefined : markup.attributes['data-key'];
    if (key !== undefined) wanted.add(String(key));
  }
  // What is gone goes first: else all that follow would be moved, and would lose the focus.
  for (const [key, child] of keyed) if (!wanted.has(key)) child.remove();

  let at = parent.firstChild;
  for (const markup of markups) {
    const found = findNode(markup, at, keyed);
    if (found === undefined) parent.insertBefore(createNode(parent, markup), at);
    else if (found === at) at = at.nextSibling;
    else parent.insertBefore(found, at);
    if (found !== undefined) patchNode(found, markup);
  }
  while (at !== null) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

function keyOf(node: Element): string | undefined {
  return node.getAttribute('data-key') ?? undefined;
}

function findNode(
  markup: Markup,
  at: ChildNode | null,
  keyed: ReadonlyMap<string, Element>,
): ChildNode | undefined {
  if (typeof markup === 'string') return at instanceof Text ? at : undefined;
  const key = markup.attributes['data-key'];
  if (key !== undefined) {
    const found = keyed.get(String(key));
    return found?.localName === markup.name ? found : undefined;
  }
  if (!(at instanceof Element) || at.localName !== markup.name) return undefined;
  return keyOf(at) === undefined ? at : undefined;
}

function patchNode(node: ChildNode, markup: Markup): void {
  if (typeof markup === 'string') {
    if (node.nodeValue !== markup) node.nodeValue = markup;
    return;
  }
  if (node instanceof Element) patchElement(node, markup);
}

/** Makes an element the one of the markup, which has the same name. */
function patchElement(element: Element, { attributes, children }: MarkupElement): void {
  const kept = OF_THE_READER[element.tagName];
  for (const name of element.getAttributeNames()) {
    const value = attributes[name];
    if ((value === undefined || value === false) && name !== kept) element.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== kept) setAttribute(element, name, value);
  }
  patchChildren(element, children);
}

function setAttribute(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) return;
  const text = value === true ? '' : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

function createNode(parent: Element, markup: Markup): ChildNode {
  if (typeof markup === 'string') return document.createTextNode(markup);
  const isSvg = markup.name === 'svg' || parent.namespaceURI === SVG;
  const element = isSvg ? document.createElementNS(SVG, markup.name) : document.createElement(markup.name);
  for (const [name, value] of Object.entries(markup.attributes)) setAttribute(element, name, value);
  for (const child of markup.children) element.append(createNode(element, child));
  return element;
}
