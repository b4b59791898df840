import { afterEach, describe, expect, test } from 'bun:test';
import { createHttpServer } from '../http/buffered-http-server.ts';
import { digestOf } from '../oci/digest.ts';
import type { FlightsReport, FlightTreeReport } from '../routing/flights-report.ts';
import type { Peer } from '../routing/router.ts';
import { textWidth } from '../terminal/text-width.ts';
import { DaemonError } from './daemon-error.ts';
import { type FlightsView, runPeersFlights } from './peers-flights.ts';
import { shortName } from './short-name.ts';
import { UsageError } from './usage-error.ts';

const DIGEST = digestOf(Buffer.from('layer'));
const OTHER = digestOf(Buffer.from('another layer'));
const SELF: Peer = { id: '12D3KooWSelf', addresses: ['127.0.0.1'] };
/** Another address of this machine, at which the same port is another listener. */
const TOWER: Peer = { id: '12D3KooWTower', addresses: ['127.0.0.2'] };

const treeOf = (digest: string, ...ids: readonly string[]): FlightTreeReport => ({
  digest,
  nodes: ids.map((id, depth) => ({
    id,
    addresses: [],
    parent: ids[depth - 1],
    role: depth === 0 ? 'root' : 'child',
    hasBegun: true,
    depth,
    children: depth + 1 < ids.length ? 1 : 0,
  })),
});
/** A flight that has ended. */
const OVER: FlightTreeReport = {
  digest: digestOf(Buffer.from('config')),
  nodes: [{ id: '12D3KooWHolder', addresses: [], role: 'holder', hasBegun: true, depth: 0, children: 0 }],
};
const DOWNLOAD = {
  digest: DIGEST,
  registry: 'registry.lab:5000',
  repository: 'app',
  role: 'child',
  parent: { id: '12D3KooWRoot', addresses: ['10.0.0.9'] },
  writtenBytes: 500,
  sizeBytes: 2000,
  readers: 1,
  isStuck: false,
  towers: [TOWER, SELF],
};
const report = (different: Partial<FlightsReport> = {}): FlightsReport => ({
  self: SELF.id,
  maxHoldMs: 25_000,
  downloads: [],
  flights: [],
  ...different,
});

const stacks: AsyncDisposableStack[] = [];
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.disposeAsync();
});

/** Runs the command against a node, and another one that is a tower; undefined: nothing listens there. */
async function run(
  name: string | undefined,
  own: FlightsReport | undefined,
  tower?: FlightsReport,
  width = 80,
) {
  const stack = new AsyncDisposableStack();
  stacks.push(stack);
  const asked: string[] = [];
  const serve = async (address: string, answer: FlightsReport | undefined) => {
    const server = await createHttpServer({
      address,
      handler({ url }) {
        const { pathname, search } = new URL(url);
        asked.push(`${address.split(':')[0]} ${pathname}${search}`);
        return answer === undefined ? new Response('', { status: 404 }) : Response.json(answer);
      },
      onError: () => {},
    });
    stack.use(server);
    return server.port;
  };
  const port = await serve('127.0.0.1:0', own);
  if (tower !== undefined) await serve(`127.0.0.2:${port}`, tower);
  const addr = `127.0.0.1:${port}`;
  let text = '';
  const output = {
    writeOut: (part: string) => void (text += part),
    look: () => ({ width, hasColor: false }),
  };
  const found = await runPeersFlights({ name, addr, json: false }, output);
  const printed = text;
  text = '';
  await runPeersFlights({ name, addr, json: true }, output);
  return { found, text: printed, view: JSON.parse(text) as FlightsView, asked, port };
}

describe('runPeersFlights()', () => {
  test('prints what the node downloads, and the trees that it keeps', async () => {
    const own = report({ downloads: [DOWNLOAD], flights: [treeOf(OTHER, '12D3KooWA', SELF.id), OVER] });
    const { found, text, view, asked } = await run(undefined, own);
    expect(found).toBe('found');
    expect(text).toBe(`Under way: 1 download of this node, and 1 flight.

this node  12D3KooWSelf
max hold   25s
flights    1 under way, 1 over, of which this node is the tower

DOWNLOAD              ROLE   BYTES          READERS  FROM      IMAGE
${shortName(DIGEST)}  child  500 B of 2 kB        1  10.0.0.9  registry.lab:
                                                               5000/app

flight  ${OTHER}
tower   this node
NODE            DEPTH  ROLE   HAS BYTES  ADDRESSES
12D3KooWA           0  root   yes
  12D3KooWSelf      1  child  yes        (this node)
`);
    const flights = own.flights.map((tree) => Object.assign({ tower: { id: SELF.id, addresses: [] } }, tree));
    const all = { self: SELF.id, maxHoldMs: 25_000, downloads: [DOWNLOAD], flights, unknown: [] };
    expect(view).toEqual(JSON.parse(JSON.stringify(all)));
    expect(asked[0]).toBe('127.0.0.1 /debug/flights');
  });

  test('shows the tree of a digest from its tower, which is another node', async () => {
    const { found, text, asked } = await run(
      DIGEST,
      // What the second tower knows is less.
      report({ towers: [TOWER, SELF], flights: [treeOf(DIGEST, '12D3KooWRoot')] }),
      report({ self: TOWER.id, flights: [treeOf(DIGEST, '12D3KooWRoot', SELF.id)] }),
    );
    expect(found).toBe('found');
    expect(text).toContain(`tower   12D3KooWTower 127.0.0.2\n`);
    expect(text).toContain('\n  12D3KooWSelf      1  child  yes        (this node)\n');
    const query = `/debug/flights?digest=${encodeURIComponent(DIGEST)}`;
    expect(asked.slice(0, 2)).toEqual([`127.0.0.1 ${query}`, `127.0.0.2 ${query}`]);
  });

  test('shows the tree of the second tower when the first cannot be asked', async () => {
    const own = report({ towers: [TOWER, SELF], flights: [treeOf(DIGEST, '12D3KooWRoot')] });
    const { found, text } = await run(DIGEST, own);
    expect(found).toBe('found');
    expect(text).toContain('tower   this node\n');
  });

  test('shows the flights of an image that the node downloads', async () => {
    const other = { ...DOWNLOAD, digest: OTHER, repository: 'other' };
    const { found, view } = await run(
      'registry.lab:5000/app:v1',
      report({ downloads: [DOWNLOAD, other] }),
      report({ self: TOWER.id, flights: [treeOf(DIGEST, '12D3KooWRoot', SELF.id)] }),
    );
    expect(found).toBe('found');
    expect(view.downloads.map(({ digest }) => digest)).toEqual([DIGEST]);
    expect(view.flights).toMatchObject([{ digest: DIGEST, tower: TOWER }]);
    expect(view.flights[0]?.nodes).toHaveLength(2);
  });

  test('shows the end of a flight that is asked for by its digest, which is not under way any more', async () => {
    const { found, text } = await run(OVER.digest, report({ towers: [SELF], flights: [OVER] }));
    expect(found).toBe('none');
    expect(text).toContain('12D3KooWHolder      0  holder  yes');
  });

  test.each([
    ['without any', undefined, report(), 'none'],
    ['of a digest that nobody wants', DIGEST, report({ towers: [SELF] }), 'none'],
    ['of an image that the node does not download', 'nginx', report({ downloads: [DOWNLOAD] }), 'none'],
    ['of a digest whose towers do not answer', DIGEST, report({ towers: [TOWER] }), 'unknown'],
  ] as const)('tells flights %s', async (_, name, own, expected) => {
    const { found, view } = await run(name, own);
    expect(found).toBe(expected);
    expect([view.downloads, view.flights]).toEqual([[], []]);
  });

  test.each([20, 60, 80, 200])('prints no line longer than %d columns', async (width) => {
    const ids = Array.from({ length: 30 }, (_, n) => `12D3KooW${'x'.repeat(40)}${n}`);
    const { nodes } = treeOf(OTHER, ...ids);
    const addresses = ['fd00:10:244:17:aaaa:bbbb:cccc:1', '10.244.17.200'];
    const flights = [{ digest: OTHER, nodes: nodes.map((node) => Object.assign({}, node, { addresses })) }];
    const downloads = [
      { ...DOWNLOAD, repository: 'team/'.repeat(30), isStuck: true, parent: { id: ids[3] ?? '', addresses } },
      { ...DOWNLOAD, parent: { id: ids[4] ?? '', addresses: [] }, sizeBytes: undefined },
    ];
    const { text } = await run(
      undefined,
      report({ self: ids[2] ?? '', downloads, flights }),
      undefined,
      width,
    );
    expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(width);
    expect(text).toContain('(too');
  });

  test('says which tower cannot be asked, and why', async () => {
    const { text, port } = await run(DIGEST, report({ towers: [TOWER] }));
    expect(text).toStartWith('It is not known what is under way: no tower could be asked.\n');
    expect(text).toContain(`tower   not known: No spegel answers at 127.0.0.2:${port}: is it running?`);
  });

  test('says what a spegel without flights needs', async () => {
    const error = await run(undefined, undefined).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DaemonError);
    expect((error as Error).message).toContain('must not have --flights-enabled=false');
  });

  test('refuses what is neither an image nor a digest', async () => {
    expect(run('sha256:2cf2', report())).rejects.toBeInstanceOf(UsageError);
  });
});
