import { afterEach, describe, expect, test } from 'bun:test';
import type { HttpServer } from '../http/http-server.ts';
import { createHttpServer } from '../http/buffered-http-server.ts';
import { DaemonError } from './daemon-error.ts';
import type { FindReport, PeersReport } from '../routing/peers-report.ts';
import { failureOf } from '../runtime/conditions.fixture.ts';
import { textWidth } from '../terminal/text-width.ts';
import { askDaemon } from './daemon-client.ts';
import { runPeers } from './peers.ts';
import { runPeersFind } from './peers-find.ts';
import type { Output } from './question.ts';

let server: HttpServer | undefined;
let asked: URL | undefined;

afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});

/** A daemon that gives one answer; returns its address. */
async function serve(answer: () => Response): Promise<string> {
  server = await createHttpServer({
    address: '127.0.0.1:0',
    handler: (request) => {
      asked = new URL(request.url);
      return answer();
    },
    onError: () => {},
  });
  return `127.0.0.1:${server.port}`;
}

async function output(run: (output: Output) => Promise<unknown>, width = 80) {
  let text = '';
  try {
    const writeOut = (part: string) => void (text += part);
    const result = await run({ writeOut, look: () => ({ width, hasColor: false }) });
    return { text, result, error: undefined };
  } catch (error) {
    return { text, result: undefined, error };
  }
}

const report: PeersReport = {
  self: { id: '12D3KooWSelf', addresses: ['/ip4/10.0.0.1/tcp/5001', '/ip6/fd00::1/tcp/5001'] },
  ready: true,
  bootstrap: undefined,
  peers: [
    {
      id: '12D3KooWOne',
      addresses: ['10.0.0.2', 'fd00::2'],
      multiaddrs: ['/ip4/10.0.0.2/tcp/5001'],
      connected: true,
      state: 'connected',
      inStateMs: 125_400,
      isMember: true,
      lastSeenMs: 0,
    },
    {
      id: '12D3KooWTwenty',
      addresses: [],
      multiaddrs: [],
      connected: false,
      state: 'dead',
      isMember: false,
    },
    {
      id: '12D3KooWThree',
      addresses: ['10.0.0.3'],
      multiaddrs: [],
      connected: false,
      state: 'suspect',
      inStateMs: 1234.5,
      isMember: true,
      lastSeenMs: 1234.5,
    },
  ],
  counts: { connected: 1, suspect: 1, dead: 1, known: 0, members: 2 },
};

describe('runPeers()', () => {
  test('runPeers() prints a table', async () => {
    const addr = await serve(() => Response.json(report));
    const { text } = await output((to) => runPeers({ addr, json: false }, to));
    expect(asked?.pathname).toBe('/debug/peers');
    expect(text).toBe(`This node is ready and knows 3 peers: 1 connected, 1 suspect, 1 dead; 2 of them
members.

this node  12D3KooWSelf
addresses  /ip4/10.0.0.1/tcp/5001 /ip6/fd00::1/tcp/5001

ADDRESSES         STATE      FOR  SEEN    MEMBER  PEER
10.0.0.2 fd00::2  connected  2m   0s ago  yes     12D3KooWOne
-                 dead       -    never   no      12D3KooWTwenty
10.0.0.3          suspect    1s   1s ago  yes     12D3KooWThree
`);
  });

  test('runPeers() prints zones and names of nodes where there are any', async () => {
    const [first, ...others] = report.peers;
    const zoned = {
      ...report,
      self: { ...report.self, zone: 'eu-1a', name: 'node-1' },
      peers: [{ ...first, zone: 'eu-1b', name: 'node-2' }, ...others],
    };
    const addr = await serve(() => Response.json(zoned));
    const { text } = await output((to) => runPeers({ addr, json: false }, to));
    expect(text).toContain(`
this node  node-1
peer ID    12D3KooWSelf
addresses  /ip4/10.0.0.1/tcp/5001 /ip6/fd00::1/tcp/5001
zone       eu-1a

NODE    ADDRESSES         STATE      FOR  SEEN    MEMBER  ZONE   PEER
node-2  10.0.0.2 fd00::2  connected  2m   0s ago  yes     eu-1b  12D3KooWOne
-       -                 dead       -    never   no      -      12D3KooWTwenty
-       10.0.0.3          suspect    1s   1s ago  yes     -      12D3KooWThree
`);
    const json = await output((to) => runPeers({ addr, json: true }, to));
    expect(JSON.parse(json.text)).toEqual(zoned);
  });

  test.each([20, 60, 80, 200])(
    'runPeers() and runPeersFind() print no line longer than %d columns',
    async (width) => {
      const peers = Array.from({ length: 40 }, (_, n) => ({
        ...report.peers[0],
        id: `12D3KooW${'x'.repeat(n)}`,
        addresses: [`10.0.0.${n}`, `fd00:10:244:17:aaaa:bbbb:cccc:${n}`, '日本'.repeat(n)],
        zone: 'z'.repeat(n + 1),
        isMember: n > 0,
        tookMs: n,
      }));
      const addr = await serve(() =>
        Response.json({
          ...report,
          key: `docker.io/${'a/'.repeat(50)}b:c`,
          tookMs: 1,
          local: true,
          peers,
          providers: peers,
        }),
      );
      const texts = [
        await output((to) => runPeers({ addr, json: false }, to), width),
        await output((to) => runPeersFind({ name: 'nginx', addr, json: false }, to), width),
      ];
      for (const { text, error } of texts) {
        expect(error).toBeUndefined();
        expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(width);
        expect(text).toContain('10.0.0.39');
      }
    },
  );

  test('runPeers() prints whole IDs where there is room, and without an end of the line', async () => {
    const id = '12D3KooWGyhYLqXvFfJ8sH1zqV9wAmPbTQn2RkDcEu4oMi7tB3xZ';
    const addr = await serve(() => Response.json({ ...report, peers: [{ ...report.peers[0], id }] }));
    const at = async (width: number) =>
      (await output((to) => runPeers({ addr, json: false }, to), width)).text;
    expect(await at(80)).toContain('12D3KooW…i7tB3xZ\n');
    expect(await at(200)).toContain(id);
    expect(await at(Infinity)).toContain(id);
  });

  test('runPeers() prints names in the place of IDs where there is not room for both', async () => {
    const name = 'ip-10-0-17-203.eu-central-1.compute.internal';
    const id = '12D3KooWGyhYLqXvFfJ8sH1zqV9wAmPbTQn2RkDcEu4oMi7tB3xZ';
    const peer = { ...report.peers[0], name, id, zone: 'eu-central-1a', addresses: ['10.244.17.203'] };
    const addr = await serve(() => Response.json({ ...report, peers: [peer] }));
    const at = async (width: number) =>
      (await output((to) => runPeers({ addr, json: false }, to), width)).text;
    expect(await at(80)).toContain(`
NODE             ADDRESSES      STATE      FOR  SEEN    ZONE
ip-10-0-17-203…  10.244.17.203  connected  2m   0s ago  eu-central-1a
`);
    const all = new RegExp(`\n${name}  10\\.244\\.17\\.203 .*  ${id}\n`);
    expect(await at(200)).toMatch(all);
    expect(await at(Infinity)).toMatch(all);
  });

  test('runPeers() says why there are no peers', async () => {
    const reason = 'typo.example. names no node, not even this one: there is no such name';
    const bootstrap = { kind: 'dns', outcome: 'unnamed', reason };
    const addr = await serve(() => Response.json({ ...report, bootstrap, peers: [] }));
    const { text } = await output((to) => runPeers({ addr, json: false }, to));
    expect(text).toStartWith('This node is ready and knows no peers.\n');
    expect(text).toContain(`\nbootstrap  ${reason}\n`);
    const json = await output((to) => runPeers({ addr, json: true }, to));
    expect(JSON.parse(json.text)).toMatchObject({ bootstrap });
  });

  test('runPeers() prints JSON without what it does not know', async () => {
    const addr = await serve(() => Response.json({ ...report, newer: 1 }));
    const { text } = await output((to) => runPeers({ addr, json: true }, to));
    expect(JSON.parse(text)).toEqual(report);
  });

  test('runPeers() finds the daemon by a name that has several addresses', async () => {
    const addr = (await serve(() => Response.json(report))).replace('127.0.0.1', 'localhost');
    const { error } = await output((to) => runPeers({ addr, json: true }, to));
    expect(error).toBeUndefined();
  });

  test('runPeers() prints no control sequences of others', async () => {
    const addr = await serve(() =>
      Response.json({ ...report, self: { id: '\u001B[2J\u202E', addresses: [] }, peers: [] }),
    );
    const { text } = await output((to) => runPeers({ addr, json: false }, to));
    expect(text).toBe('This node is ready and knows no peers.\n\nthis node  ?[2J?\naddresses  none\n');
  });

  test.each<[string, () => Response, string]>([
    ['404', () => new Response('no', { status: 404 }), 'has no /debug/peers: set --addr'],
    ['500', () => new Response('broken\n', { status: 500 }), 'answered 500: broken'],
    ['no JSON', () => new Response('<html>'), 'is no JSON'],
    ['a list', () => Response.json([]), 'the answer is not an object'],
    [
      'an object without its members',
      () => Response.json({ self: {} }),
      'the answer: self: id is not a text',
    ],
    [
      'a state that is none',
      () => Response.json({ ...report, peers: [{ ...report.peers[0], state: 'well' }] }),
      'no peer is "well"',
    ],
    ['too much', () => new Response(' '.repeat(6_000_000)), 'gave no usable answer'],
  ])('runPeers() throws when the daemon answers with %s', async (_what, answer, message) => {
    const addr = await serve(answer);
    const { error } = await output((to) => runPeers({ addr, json: false }, to));
    expect(error).toBeInstanceOf(DaemonError);
    expect((error as Error).message).toContain(message);
  });

  test('askDaemon() says that a daemon hangs', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    try {
      const error = await failureOf(askDaemon(`127.0.0.1:${silent.port}`, '/debug/peers', 50));
      expect(error.message).toBe(
        `What listens at 127.0.0.1:${silent.port} has not answered within 0.05 s: it hangs, or is very busy`,
      );
    } finally {
      silent.stop(true);
    }
  });

  test('runPeers() says how to set the address when nobody listens', async () => {
    const addr = await serve(() => Response.json(report));
    await server?.close(0);
    const { error } = await output((to) => runPeers({ addr, json: false }, to));
    expect((error as Error).message).toBe(
      `No spegel answers at ${addr}: is it running? Set --addr to its --metrics-addr`,
    );
  });
});

describe('runPeersFind()', () => {
  const found: FindReport = {
    key: 'docker.io/library/nginx:latest',
    tookMs: 8.26,
    local: false,
    providers: [{ id: '12D3KooWOne', addresses: ['10.0.0.2'], tookMs: 3.14 }],
  };

  test('runPeersFind() asks for the complete name and prints who has it', async () => {
    const addr = await serve(() => Response.json(found));
    const { text, result } = await output((to) => runPeersFind({ name: 'nginx', addr, json: false }, to));
    expect(asked?.searchParams.get('key')).toBe('docker.io/library/nginx:latest');
    expect(Number(asked?.searchParams.get('timeout'))).toBeGreaterThan(0);
    expect(result).toBe(true);
    expect(text).toBe(`1 peer has docker.io/library/nginx:latest, and this node does not have it.

key       docker.io/library/nginx:latest
searched  for 8.3ms

ADDRESSES  FOUND AFTER  PEER
10.0.0.2   3.1ms        12D3KooWOne
`);
  });

  test('runPeersFind() prints zones where there are any', async () => {
    const providers = found.providers.map((provider) => ({ ...provider, zone: 'eu-1b' }));
    const addr = await serve(() => Response.json({ ...found, providers }));
    const { text } = await output((to) => runPeersFind({ name: 'nginx', addr, json: false }, to));
    expect(text).toContain(
      'ADDRESSES  FOUND AFTER  ZONE   PEER\n10.0.0.2   3.1ms        eu-1b  12D3KooWOne\n',
    );
  });

  test('runPeersFind() says that no node has it', async () => {
    const addr = await serve(() => Response.json({ ...found, providers: [] }));
    const { text } = await output((to) => runPeersFind({ name: 'nginx', addr, json: false }, to));
    expect(text).toStartWith('No node is known to have docker.io/library/nginx:latest.\n');
    expect(text).toContain('searched  for 8.3ms\n');
  });

  test.each([
    [{ ...found, providers: [] }, false],
    [{ ...found, providers: [], local: true }, true],
  ])('runPeersFind() tells whether a node has it', async (answer, has) => {
    const addr = await serve(() => Response.json(answer));
    const { text, result } = await output((to) => runPeersFind({ name: 'nginx', addr, json: true }, to));
    expect(result).toBe(has);
    expect(JSON.parse(text)).toEqual(answer);
  });
});
