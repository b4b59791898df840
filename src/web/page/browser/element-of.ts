/** The element of the page with this ID. Throws if there is none: the page and its program come together. */
export function elementOf(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element ${id}`);
  return element;
}

/** The same for a form. */
export function formOf(id: string): HTMLFormElement {
  const form = elementOf(id);
  if (!(form instanceof HTMLFormElement)) throw new Error(`${id} is not a form`);
  return form;
}

/** What stands in a field of a form; empty if there is no such field. */
export function fieldText(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value : '';
}
