import { afterEach, describe, expect, test } from 'bun:test';
import { createHttpServer } from '../http/buffered-http-server.ts';
import { digestOf } from '../oci/digest.ts';
import { FLIGHTS_PATH, type FlightsReport } from '../routing/flights-report.ts';
import { type WhyContent, type WhyPeer, type WhyReport, WHY_PATH } from '../routing/why-report.ts';
import { textWidth } from '../terminal/text-width.ts';
import { DaemonError } from './daemon-error.ts';
import { shortName } from './short-name.ts';
import { UsageError } from './usage-error.ts';
import { runWhy } from './why.ts';
import type { WhyAnswer } from './why-answer.ts';

const LAYER = digestOf(Buffer.from('layer'));
const MANIFEST = digestOf(Buffer.from('manifest'));
const SELF = '12D3KooWSelf';
const REPORT: WhyReport = {
  key: 'registry.lab:5000/app:v1',
  registry: 'registry.lab:5000',
  repository: 'app',
  isReady: true,
  isStoreConnected: true,
  isMirrored: true,
  filters: [],
  resolveTimeoutMs: 20,
  contents: [],
  omitted: 0,
};
const PEER: WhyPeer = {
  id: '12D3KooWPeer',
  addresses: ['10.0.0.2'],
  tookMs: 3,
  state: 'connected',
  order: 'first',
  why: undefined,
  bytesPerSecond: undefined,
  said: 'has-it',
};
const layer = (different: Partial<WhyContent>): WhyContent => ({
  kind: 'layer',
  key: LAYER,
  sizeBytes: 12_300_000,
  isHere: false,
  peers: [],
  outcome: { how: 'missing', status: 404, reason: 'no-record' },
  ...different,
});

const stacks: AsyncDisposableStack[] = [];
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.disposeAsync();
});

/** Runs the command against a node that says this. */
async function run(
  name: string,
  report: object | undefined,
  {
    flights,
    refusal,
    width = Infinity,
  }: {
    readonly flights?: Partial<FlightsReport>;
    readonly refusal?: { readonly status: number; readonly retryAfter: string };
    readonly width?: number;
  } = {},
) {
  const stack = new AsyncDisposableStack();
  stacks.push(stack);
  const asked: string[] = [];
  const server = await createHttpServer({
    address: '127.0.0.1:0',
    handler({ url }) {
      const { pathname, searchParams } = new URL(url);
      if (pathname === WHY_PATH) asked.push(`${searchParams.get('key')} ${searchParams.get('name')}`);
      if (refusal !== undefined) {
        return new Response('{}', {
          status: refusal.status,
          headers: { 'retry-after': refusal.retryAfter },
        });
      }
      if (pathname === WHY_PATH && report !== undefined) return Response.json(report);
      if (pathname !== FLIGHTS_PATH || flights === undefined) return new Response('', { status: 404 });
      return Response.json({ self: SELF, maxHoldMs: 1, downloads: [], flights: [], ...flights });
    },
    onError: () => {},
  });
  stack.use(server);
  let text = '';
  const output = {
    writeOut: (part: string) => void (text += part),
    look: () => ({ width, hasColor: false }),
  };
  const addr = `127.0.0.1:${server.port}`;
  const canServe = await runWhy({ name, addr, json: false }, output);
  const printed = text;
  text = '';
  await runWhy({ name, addr, json: true }, output);
  return { canServe, text: printed, answer: JSON.parse(text) as WhyAnswer, asked };
}

describe('runWhy()', () => {
  test('tells what is here and what a peer would give, step by step', async () => {
    const tag = layer({
      kind: 'tag',
      key: REPORT.key,
      digest: MANIFEST,
      sizeBytes: undefined,
      isHere: true,
      outcome: { how: 'local', status: 200 },
    });
    const atPeers = layer({
      peers: [
        { ...PEER, bytesPerSecond: 95_400_000 },
        { ...PEER, addresses: ['10.0.0.3'], order: 'last', why: 'late', said: 'busy', state: undefined },
        { ...PEER, addresses: ['10.0.0.4'], order: 'skipped', why: 'failed', said: undefined },
      ],
      outcome: { how: 'peer', status: 200, from: '10.0.0.2' },
    });
    const { canServe, text, answer } = await run(
      'registry.lab:5000/app:v1',
      { ...REPORT, contents: [tag, atPeers] },
      { width: 80 },
    );
    expect(canServe).toBe(true);
    expect(answer).toMatchObject({ canServe: true, contents: [{ isHere: true }, { sizeBytes: 12_300_000 }] });
    expect(text).toBe(`The mirror can serve all of it: 1 here, 1 at peers, 0 being downloaded, 0
missing. A containerd that does not ask the mirror at all: see spegel doctor.

asked for   registry.lab:5000/app:v1
mirror      ready
containerd  answers the mirror
filters     registry.lab:5000 is mirrored, and no filter leaves app out

CONTENT  DIGEST                   SIZE  WOULD COME FROM
tag v1   ${shortName(MANIFEST)}        -  this node
layer    ${shortName(LAYER)}  12.3 MB  10.0.0.2

layer ${shortName(LAYER)}: not in the store of this node; 3 peers have a record
of it.
ADDRESSES  STATE      SAYS                             GAVE LATELY  PEER
10.0.0.2   connected  has it                           95.4 MB/s    12D3KooWPeer
10.0.0.3   unknown    gives as much as it may just     -            12D3KooWPeer
                      now; asked last: was late a
                      moment ago
10.0.0.4   connected  skipped: failed a moment ago     -            12D3KooWPeer
10.0.0.2 would serve it (200).
`);
  });

  test('tells the same of several pieces once', async () => {
    const peers = [PEER];
    const outcome = { how: 'peer', status: 200, from: '10.0.0.2' } as const;
    const { text } = await run('registry.lab:5000/app:v1', {
      ...REPORT,
      contents: [
        layer({ kind: 'tag', key: REPORT.key, digest: MANIFEST, peers, outcome }),
        layer({ kind: 'config', peers: [{ ...PEER, tookMs: 7 }], outcome }),
        layer({ peers, outcome }),
        layer({ peers, outcome }),
        // Found too late for a request.
        layer({ peers: [{ ...PEER, tookMs: 80 }], outcome }),
        layer({}),
      ],
    });
    expect(text.split('\n\n').slice(3).join('\n'))
      .toBe(`tag, config and 2 layers: not in the store of this node; one peer has records of them.
ADDRESSES  STATE      SAYS    PEER
10.0.0.2   connected  has it  12D3KooWPeer
10.0.0.2 would serve them (200).
layer ${LAYER}: not in the store of this node; one peer has a record of it.
ADDRESSES  STATE      SAYS    PEER
10.0.0.2   connected  has it  12D3KooWPeer
The first was found after 80ms: a request waits for 20ms (--mirror-resolve-timeout).
10.0.0.2 would serve it (200).
layer ${LAYER}: not in the store of this node; no peers have a record of it.
It would be answered with 404, because no peer is known to have it: containerd goes to the registry.
`);
  });

  test.each([20, 60, 80, 200])('prints no line longer than %d columns', async (width) => {
    const peers: readonly WhyPeer[] = Array.from({ length: 8 }, (_, n) => ({
      ...PEER,
      id: `12D3KooW${'x'.repeat(n * 10)}`,
      addresses: ['10.244.17.200', 'fd00:10:244:17:aaaa:bbbb:cccc:1'],
      order: n % 2 === 0 ? 'last' : 'skipped',
      why: 'late',
      bytesPerSecond: n * 1e12,
      said: 'NEW_CODE_OF_ANOTHER_VERSION',
    }));
    const { text } = await run(
      `registry.lab:5000/${'team/'.repeat(30)}app:v1`,
      {
        ...REPORT,
        repository: 'team/'.repeat(30),
        contents: [
          layer({ peers }),
          layer({ kind: 'tag', key: `a.b/${'c/'.repeat(60)}d:${'v'.repeat(90)}` }),
        ],
        omitted: 3,
        problem: `Cannot read what is at ${'/a/path'.repeat(20)}`,
      },
      { width },
    );
    expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(width);
    expect(text).toContain('cannot');
  });

  test.each<[string, Partial<WhyReport>, string]>([
    [
      'no node has it',
      {},
      'no peers have a record of it.\nIt would be answered with 404, because no peer is known to have it',
    ],
    [
      'a registry is not mirrored',
      {
        isMirrored: false,
        contents: [layer({ outcome: { how: 'missing', status: 404, reason: 'filter' } })],
      },
      'registry.lab:5000 is not one of --mirrored-registries',
    ],
    ['a filter matches', { filters: [':v1$'] }, 'The filter :v1$ leaves it out (--registry-filters)'],
    ['containerd is away', { isStoreConnected: false }, 'containerd  does not answer the mirror'],
    ['the mirror is not ready', { isReady: false }, 'mirror      not ready'],
    [
      'a peer was found late',
      { contents: [layer({ peers: [{ ...PEER, tookMs: 80, said: 'absent' }] })] },
      'The first was found after 80ms: a request waits for 20ms (--mirror-resolve-timeout).',
    ],
    [
      'content is left out',
      { omitted: 3, problem: 'It is odd' },
      '3 more pieces of content were not looked at.\nIt is odd.',
    ],
  ])('says what to do when %s', async (_, different, sentence) => {
    const { canServe, text } = await run('registry.lab:5000/app:v1', {
      ...REPORT,
      contents: [layer({})],
      ...different,
    });
    expect(text).toContain(sentence);
    expect(text).toContain('The mirror cannot serve it: containerd gets it from the registry.');
    expect(canServe).toBe(false);
  });

  test.each([
    [
      'another node downloads it',
      '12D3KooWRoot',
      true,
      '10.0.0.9 downloads it from the registry: the request would wait',
    ],
    ['this node downloads it', SELF, false, 'containerd was sent to the registry for it'],
  ])('knows a download: %s', async (_, id, expected, sentence) => {
    const node = { id, addresses: ['10.0.0.9'], role: 'root', hasBegun: true, depth: 0, children: 0 };
    const download = {
      digest: LAYER,
      role: 'root',
      writtenBytes: 0,
      readers: 0,
      isStuck: false,
      towers: [],
    };
    const { canServe, text } = await run(
      LAYER,
      { ...REPORT, contents: [layer({})] },
      {
        flights: {
          downloads: id === SELF ? [download] : [],
          flights: [{ digest: LAYER, nodes: [node] }],
          towers: [{ id: SELF, addresses: [] }],
        },
      },
    );
    expect(text).toContain(sentence);
    expect(canServe).toBe(expected);
  });

  test.each([
    ['nginx', 'docker.io/library/nginx:latest null'],
    [`ghcr.io/a/b:1@${LAYER}`, `${LAYER} ghcr.io/a/b`],
    [LAYER, `${LAYER} null`],
  ])('asks for %s', async (name, question) => {
    expect(
      (
        await run(name, {
          ...REPORT,
          contents: [layer({ isHere: true, outcome: { how: 'local', status: 200 } })],
        })
      ).asked[0],
    ).toBe(question);
  });

  test('refuses what cannot be a name, and says where nothing explains', async () => {
    const refused = async (name: string, report?: object) =>
      run(name, report).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
    expect(await refused('a b', REPORT)).toBeInstanceOf(UsageError);
    const absent = await refused('nginx');
    expect(absent).toBeInstanceOf(DaemonError);
    expect(absent?.message).toContain('must not have --debug-web-enabled=false');
    const newer = await refused('nginx', { ...REPORT, contents: [{ ...layer({}), kind: 'x' }] });
    expect(newer?.message).toContain('is it another version?');
  });

  test.each([
    [429, '3', /^spegel at 127\.0\.0\.1:\d+ was asked this too often: try again in 3 s$/],
    [503, '1', /^spegel at 127\.0\.0\.1:\d+ is busy with other such questions: try again in 1 s$/],
    [503, 'Wed, 21 Oct', /answered 503/],
  ])('says when to ask again after a %d with %p', async (status, retryAfter, message) => {
    const answer = run('nginx', REPORT, { refusal: { status, retryAfter } });
    expect(
      await answer.then(
        () => '',
        (error: unknown) => (error as Error).message,
      ),
    ).toMatch(message);
  });
});
