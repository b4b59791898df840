import { say } from './say.ts';

/**
 * Copies a text to the clipboard. Browsers allow that only to pages that came over TLS or from this machine; elsewhere the older way is
 * tried. Where both fail, the text is shown whole and selected, so that it can be copied by hand.
 */
export async function copyText(text: string): Promise<void> {
  if ((await writeClipboard(text)) || copySelected(text)) {
    say('Copied');
    return;
  }
  getSelection()?.selectAllChildren(say(text));
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
