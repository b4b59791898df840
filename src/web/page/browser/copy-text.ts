/** How long the button shows it, in ms. */
const SHOWN_MS = 1500;

/**
 * Copies the text of a button to the clipboard. Browsers allow that only to pages that came over TLS or from this machine; elsewhere
 * the older way is tried. Where both fail, the text is shown whole and selected, so that it can be copied by hand.
 * Returns what came of it, in words.
 */
export async function copyText(button: HTMLElement): Promise<string> {
  const text = button.dataset['copy'] ?? '';
  const isDone = (await writeClipboard(text)) || copySelected(text);
  if (!isDone) showWhole(button, text);
  button.classList.add(isDone ? 'is-done' : 'is-shown');
  setTimeout(() => button.classList.remove('is-done', 'is-shown'), SHOWN_MS);
  return isDone ? 'Copied' : 'The whole text is selected: copy it with the keyboard';
}

async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No permission, or no clipboard at all on a page without TLS.
    return false;
  }
}

function copySelected(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  let isDone = false;
  try {
    isDone = document.execCommand('copy');
  } catch {
    // It is not there any more in this browser.
  }
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return isDone;
}

function showWhole(button: HTMLElement, text: string): void {
  const code = button.parentElement?.querySelector('code, pre');
  if (code === null || code === undefined) return;
  code.textContent = text;
  getSelection()?.selectAllChildren(code);
}
