import { expect, test } from 'bun:test';
import type { FlightNodeReport } from '../../routing/flights-report.ts';
import { formatHtml } from './format-html.ts';
import { h } from './markup.ts';
import { digestOfNumber, factsOf } from './page-facts.fixture.ts';
import type { PageFacts } from './page-facts.ts';
import { streamsView } from './streams-view.ts';

const draw = (facts: PageFacts) => formatHtml(h('div', {}, streamsView(facts)));
const textOf = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, '|')
    .replaceAll(/\|+/g, '|')
    .replaceAll('\u00A0', ' ');

test('streamsView() draws who takes what from which node, and says it in words', () => {
  const html = draw(factsOf());
  const text = textOf(html);
  expect(text).toContain(
    '|2 pieces of content are on the way among 6 nodes; 1 of them comes from the registry, once each.|',
  );
  expect(text).toContain('|node-0|this node, 25 %|downloads it|, from registry|');
  expect(text).toContain('|node-4|waits for its first byte|, from node-3|');
  expect(text).toContain('|This node knows a part of the tree only. The whole: |the page of node-4|');
  expect(text).toContain('|Over in the last minute: 1 piece of content|');
  expect(html.match(/<article/g)).toHaveLength(2);
});

test('streamsView() draws a part of what a cluster of a thousand nodes does', () => {
  const nodes: readonly FlightNodeReport[] = Array.from({ length: 1000 }, (_, n) => ({
    id: `n${n}`,
    addresses: [],
    parent: n === 0 ? undefined : `n${n - 1}`,
    role: n === 0 ? 'root' : 'child',
    hasBegun: true,
    depth: n,
    children: 1,
  }));
  const flights = Array.from({ length: 60 }, (_, n) => ({ digest: digestOfNumber(n), nodes }));
  const html = draw(factsOf({ streams: { flights: { self: 'x', maxHoldMs: 1, downloads: [], flights } } }));
  expect(html.match(/<article/g)).toHaveLength(6);
  expect(html.match(/<li /g)).toHaveLength(6 * 40);
  expect(textOf(html)).toContain('|and 961 more nodes|');
  expect(textOf(html)).toContain('|and 54 more|');
});

test('streamsView() says why it draws nothing', () => {
  expect(textOf(draw(factsOf({ streams: {} })))).toContain('Flights are off on this node');
  const flights = { self: 'x', maxHoldMs: 1, downloads: [], flights: [] };
  expect(textOf(draw(factsOf({ streams: { flights } })))).toContain('Nothing is streamed just now');
});
