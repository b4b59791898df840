import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

/** Elements that scroll or are for ears only may be wider. */
const OVERFLOW = `(() => {
  const { clientWidth, scrollWidth } = document.documentElement;
  const wide = [...document.querySelectorAll('body *')].filter((element) =>
    element.getBoundingClientRect().right > clientWidth + 1 && element.closest('pre, svg, .hidden, .off-screen') === null);
  return [
    ...(scrollWidth > clientWidth ? ['the page is ' + scrollWidth + ' px wide on ' + clientWidth] : []),
    ...wide.map(({ tagName, className, textContent }) => tagName + ' ' + className + ' ' + textContent.slice(0, 40)),
  ];
})()`;

/** Numbers that are broken over two lines. */
const BROKEN_NUMBERS = `(() => {
  const broken = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    if (node.parentElement.closest('script, style, pre, code, .hidden, .image') !== null) continue;
    for (const { index, 0: number } of node.data.matchAll(/\\d[\\d.]*(\\u00A0[a-zA-Z%/]+)?/g)) {
      range.setStart(node, index);
      range.setEnd(node, index + number.length);
      if (range.getClientRects().length > 1) broken.push(number + ' in ' + node.data.slice(0, 60));
    }
  }
  return broken;
})()`;

/** What stands out of the screen to the right, and numbers that are broken in the middle; empty: nothing. */
export async function findMisfits(page: Page): Promise<readonly string[]> {
  const found = [await page.evaluate<string[]>(OVERFLOW), await page.evaluate<string[]>(BROKEN_NUMBERS)];
  return found.flat();
}

/** What axe finds that keeps people from using the page: what it calls serious or critical. */
export async function findBarriers(page: Page): Promise<readonly string[]> {
  const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
  // By the debugger: the page's own policy lets no other script in.
  return page.evaluate<string[]>(`${axe};
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => [id, target.join(' '), failureSummary].join(': '))))`);
}
