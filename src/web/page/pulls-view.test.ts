import { expect, test } from 'bun:test';
import { USED_CANARY } from '../../canary/canary-result.fixture.ts';
import { formatHtml } from './format-html.ts';
import { h } from './markup.ts';
import { factsOf, pullOf } from './page-facts.fixture.ts';
import { pullsView } from './pulls-view.ts';
import type { PageFacts } from './page-facts.ts';

/** The text of each row, with its cells. */
function rows(facts: PageFacts, showsAll = true): readonly string[] {
  const html = formatHtml(
    h('div', {}, pullsView(facts, { isOpen: () => false, hasBlobs: () => true, showsAll })),
  );
  return Array.from(html.matchAll(/<summary[^>]*>(.*?)<\/summary>/gs), ([, row = '']) => textOf(row));
}

function textOf(html: string): string {
  return html
    .replaceAll(/<[^>]*>/g, '|')
    .replaceAll(/\|+/g, '|')
    .replaceAll('\u00A0', ' ');
}

test('pullsView() says from whom a pull came, how much and how fast, and what was missing', () => {
  const [running, served, partly, missing, local, left] = rows(factsOf());
  expect(running).toBe(
    '|running: |registry.example/|team/web:v42|From: |node-1, registry|Bytes: |23.8 MB of 49.6 MB|Rate: |5.95 MB/s|Time: |4 s |running|Missing: |1 blob, 12 MB: no node had it|',
  );
  expect(served).toBe(
    '|served: |registry.example/|team/app-50:v1.50|From: |node-1|Bytes: |24.8 MB|Rate: |18.5 MB/s|Time: |1.3 s |9 min| ago|Missing: |nothing|',
  );
  expect(partly).toContain('|From: |node-2 and 3 more|');
  expect(partly).toContain('|1 blob, 12.4 MB: a node gave as much as it may|');
  expect(missing).toContain('|registry: |');
  expect(missing).toContain('|1 manifest: no node had it|');
  expect(missing).toContain('|From: |registry|Bytes: |–|Rate: |–|');
  expect(local).toContain('|From: |this node|');
  expect(left).toContain('|left: |');
});

test('pullsView() shows a few ended pulls first, and all when asked to', () => {
  expect(rows(factsOf(), false)).toHaveLength(1 + 8);
  expect(rows(factsOf())).toHaveLength(15);
  const none = factsOf({ running: [], ended: [] });
  expect(
    textOf(
      formatHtml(
        h('div', {}, pullsView(none, { isOpen: () => false, hasBlobs: () => true, showsAll: true })),
      ),
    ),
  ).toContain('No pull has asked this mirror since it started.');
});

test('pullsView() does not say that containerd passes the mirror by when the canary has shown the opposite', () => {
  const none = factsOf({ running: [], ended: [] });
  const textFor = (canary: PageFacts['health']['canary']) => {
    const facts = { ...none, health: { ...none.health, canary } };
    const choice = { isOpen: () => false, hasBlobs: () => true, showsAll: true };
    return textOf(formatHtml(h('div', {}, pullsView(facts, choice))));
  };
  expect(textFor(undefined)).toContain('its containerd does not use the mirror');
  expect(textFor({ last: USED_CANARY, isRunning: false })).not.toContain('does not use the mirror');
});

test('pullsView() says how many blobs a row leaves out', () => {
  const html = formatHtml(
    h(
      'div',
      {},
      pullsView(factsOf({ running: [], ended: [pullOf(1, { blobCount: 70 })] }), {
        isOpen: () => true,
        hasBlobs: () => true,
        showsAll: true,
      }),
    ),
  );
  expect(textOf(html)).toContain('|and 67 more|');
});
