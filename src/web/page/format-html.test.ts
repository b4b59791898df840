import { expect, test } from 'bun:test';
import { formatHtml } from './format-html.ts';
import { h } from './markup.ts';

test('formatHtml() escapes texts and values, and leaves out what is undefined or false', () => {
  const markup = h(
    'p',
    { title: '"<&\'>', hidden: true, id: undefined, open: false, tabindex: 0 },
    '<b>',
    1,
    undefined,
    [' & ', h('br', {}), [h('b', {}, '"')]],
  );
  expect(formatHtml(markup)).toBe(
    '<p title="&quot;&lt;&amp;&#39;&gt;" hidden tabindex="0">&lt;b&gt;1 &amp; <br><b>&quot;</b></p>',
  );
});

test('h() joins texts that stand beside each other, and has no empty ones', () => {
  expect(h('p', {}, 'a', ['b', ['', 3]], '', h('i', {}), '').children).toEqual(['ab3', h('i', {})]);
});
