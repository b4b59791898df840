import { expect, test } from 'bun:test';
import { digestOf } from '../../oci/digest.ts';
import type { FoundImages } from '../images-report.ts';
import { PAGE_POLICY, PAGE_SCRIPT, PAGE_STYLE } from './page-assets.ts';
import { factsOf, HEALTH, peerOf, pullOf } from './page-facts.fixture.ts';
import { pageShell } from './page-shell.ts';

const EVIL = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&`;
const NO_IMAGES: FoundImages = { tags: [], tagCount: 0, foundCount: 0, offset: 0 };
const PARTS = { style: 'p{}', script: 'let a' };

test('pageShell() shows the facts without a script', () => {
  const html = pageShell(factsOf(), NO_IMAGES, PARTS);
  for (const text of [
    '<title>node-0 · spegel</title>',
    'This node is well: containerd uses its mirror, and 5 peers are connected.',
    '<b>team/web:v42</b>',
    'no node had it',
    'href="http://10.0.0.3:9090/debug/web/"',
  ]) {
    expect(html).toContain(text);
  }
  expect(html.match(/<li data-key="\d+"><details class="pull/g)).toHaveLength(15);
  // The blobs of the first pulls, so that they open without a script, too.
  expect(html.match(/<div class="pull-body"><p/g)).toHaveLength(5);
});

test('pageShell() has what nodes and registries say as text, everywhere', () => {
  const blob = {
    kind: 'layer',
    reference: EVIL,
    sizeBytes: undefined,
    movedBytes: 0,
    state: 'missing',
    from: [EVIL],
    reason: EVIL as never,
  } as const;
  const node = { id: EVIL, addresses: [EVIL], role: EVIL, hasBegun: true, depth: 0, children: 0 };
  const facts = factsOf({
    health: {
      ...HEALTH,
      self: { id: EVIL, name: EVIL, addresses: [EVIL], zone: EVIL },
      version: EVIL,
      findings: [{ id: EVIL, severity: 'error', what: EVIL, seen: [EVIL], fix: [EVIL] }],
    },
    peers: new Map([
      [EVIL, peerOf(1, { id: EVIL, name: EVIL, addresses: [EVIL], zone: EVIL, state: 'dead' })],
    ]),
    running: [
      pullOf(9, {
        image: EVIL,
        digest: EVIL,
        outcome: 'running',
        peers: [{ address: EVIL, bytes: 1, bytesPerSecond: 1 }],
        blobs: [blob],
      }),
    ],
    ended: [],
    streams: {
      flights: {
        self: EVIL,
        maxHoldMs: 1,
        downloads: [
          {
            digest: 'x',
            registry: EVIL,
            repository: EVIL,
            role: 'child',
            parent: { id: EVIL, addresses: [EVIL] },
            writtenBytes: 1,
            readers: 1,
            isStuck: false,
            towers: [{ id: 'y', addresses: [EVIL] }],
          },
        ],
        flights: [{ digest: EVIL, nodes: [node] }],
      },
    },
    traffic: { hours: [], zones: [{ zone: EVIL, isOwn: false, members: 1, bytes: 1 }] },
  });
  const tags = [
    { registry: EVIL, repository: EVIL, tag: EVIL, digest: digestOf(new Uint8Array()), key: EVIL },
  ];
  const html = pageShell(facts, { ...NO_IMAGES, tags, tagCount: 1, foundCount: 1 }, PARTS);
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).not.toContain('<img');
  expect(html).not.toMatch(/href="(?!#|\/debug\/|\/metrics|http:\/\/[0-9.:[\]a-f]+\/debug\/web\/)/);
  expect(html).not.toMatch(/\s(?:style|on\w+)="/);
  expect(html.split('&lt;img src=x onerror=alert(1)&gt;').length).toBeGreaterThan(20);
});

test('the policy allows the bytes of the page and nothing else', () => {
  const html = pageShell(factsOf(), NO_IMAGES, { style: PAGE_STYLE, script: PAGE_SCRIPT });
  for (const element of ['style', 'script']) {
    const [, text = ''] = new RegExp(`<${element}[^>]*>(.*?)</${element}>`, 's').exec(html) ?? [];
    const digest = new Bun.CryptoHasher('sha256').update(text).digest('base64');
    expect(PAGE_POLICY).toContain(`${element}-src 'sha256-${digest}'`);
  }
  expect(PAGE_POLICY).toStartWith("default-src 'none'; ");
  expect(PAGE_POLICY).not.toContain('unsafe');
});

test('the program of the page comes with the page and is small', () => {
  expect(PAGE_SCRIPT).not.toContain('innerHTML');
  expect(PAGE_SCRIPT.length + PAGE_STYLE.length).toBeLessThan(80_000);
});
