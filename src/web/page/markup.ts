/** A piece of the page: text, or an element. It is written as HTML on the node, and patched into the document in the browser. */
export type Markup = string | MarkupElement;

/** An element. Its text is data and never HTML. */
export interface MarkupElement {
  readonly name: string;
  /** True: the attribute without a value; false and undefined: it is left out. Among siblings `data-key` says which is which. */
  readonly attributes: Attributes;
  readonly children: readonly Markup[];
}

/** Attributes by name. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** What h() takes as children: lists are flattened, undefined is left out. */
export type Child = Markup | number | undefined | readonly Child[];

/** Makes an element. Texts that stand beside each other become one text, as they are in a document. */
export function h(name: string, attributes: Attributes, ...children: readonly Child[]): MarkupElement {
  const flat: Markup[] = [];
  append(flat, children);
  return { name, attributes, children: flat };
}

function append(list: Markup[], children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined) continue;
    if (isList(child)) {
      append(list, child);
      continue;
    }
    const markup = typeof child === 'number' ? String(child) : child;
    const last = list.at(-1);
    if (typeof markup === 'string' && typeof last === 'string') list[list.length - 1] = last + markup;
    else if (markup !== '') list.push(markup);
  }
}

function isList(child: Child): child is readonly Child[] {
  return Array.isArray(child);
}
