import { afterEach, describe, expect, test } from 'bun:test';
import type { HttpServer } from '../http/http-server.ts';
import { createHttpServer } from '../http/buffered-http-server.ts';
import { DaemonError } from './daemon-error.ts';
import type { FindReport, PeersReport } from '../routing/peers-report.ts';
import { failureOf } from '../runtime/conditions.fixture.ts';
import { askDaemon } from './daemon-client.ts';
import { runPeers } from './peers.ts';
import { runPeersFind } from './peers-find.ts';

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

async function output(run: (writeOut: (text: string) => void) => Promise<unknown>) {
  let text = '';
  try {
    const result = await run((part) => void (text += part));
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
    const { text } = await output((writeOut) => runPeers({ addr, json: false }, { writeOut }));
    expect(asked?.pathname).toBe('/debug/peers');
    expect(text).toBe(`self       12D3KooWSelf
addresses  /ip4/10.0.0.1/tcp/5001 /ip6/fd00::1/tcp/5001
ready      yes
peers      3: 1 connected, 1 suspect, 1 dead; 2 of them members

PEER            STATE      FOR   MEMBER  LAST SEEN  ADDRESSES
12D3KooWOne     connected  2m5s  yes     0s ago     10.0.0.2 fd00::2
12D3KooWTwenty  dead       -     no      never
12D3KooWThree   suspect    1.2s  yes     1.2s ago   10.0.0.3
`);
  });

  test('runPeers() prints zones where there are any', async () => {
    const [first, ...others] = report.peers;
    const zoned = {
      ...report,
      self: { ...report.self, zone: 'eu-1a', name: 'node-1' },
      peers: [{ ...first, zone: 'eu-1b', name: 'node-2' }, ...others],
    };
    const addr = await serve(() => Response.json(zoned));
    const { text } = await output((writeOut) => runPeers({ addr, json: false }, { writeOut }));
    expect(text).toContain('\nzone       eu-1a\n');
    expect(text).toContain('LAST SEEN  ZONE   ADDRESSES\n');
    expect(text).toContain('0s ago     eu-1b  10.0.0.2 fd00::2\n');
    expect(text).toContain('1.2s ago   -      10.0.0.3\n');
    const json = await output((writeOut) => runPeers({ addr, json: true }, { writeOut }));
    expect(JSON.parse(json.text)).toEqual(zoned);
  });

  test('runPeers() says why there are no peers', async () => {
    const reason = 'typo.example. names no node, not even this one: there is no such name';
    const bootstrap = { kind: 'dns', outcome: 'unnamed', reason };
    const addr = await serve(() => Response.json({ ...report, bootstrap, peers: [] }));
    const { text } = await output((writeOut) => runPeers({ addr, json: false }, { writeOut }));
    expect(text).toContain(`\nbootstrap  ${reason}\npeers      0\n`);
    const json = await output((writeOut) => runPeers({ addr, json: true }, { writeOut }));
    expect(JSON.parse(json.text)).toMatchObject({ bootstrap });
  });

  test('runPeers() prints JSON without what it does not know', async () => {
    const addr = await serve(() => Response.json({ ...report, newer: 1 }));
    const { text } = await output((writeOut) => runPeers({ addr, json: true }, { writeOut }));
    expect(JSON.parse(text)).toEqual(report);
  });

  test('runPeers() finds the daemon by a name that has several addresses', async () => {
    const addr = (await serve(() => Response.json(report))).replace('127.0.0.1', 'localhost');
    const { error } = await output((writeOut) => runPeers({ addr, json: true }, { writeOut }));
    expect(error).toBeUndefined();
  });

  test('runPeers() prints no control sequences of others', async () => {
    const addr = await serve(() =>
      Response.json({ ...report, self: { id: '\u001B[2J\u202E', addresses: [] }, peers: [] }),
    );
    const { text } = await output((writeOut) => runPeers({ addr, json: false }, { writeOut }));
    expect(text).toBe('self       ?[2J?\naddresses  none\nready      yes\npeers      0\n');
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
    const { error } = await output((writeOut) => runPeers({ addr, json: false }, { writeOut }));
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
    const { error } = await output((writeOut) => runPeers({ addr, json: false }, { writeOut }));
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
    const { text, result } = await output((writeOut) =>
      runPeersFind({ name: 'nginx', addr, json: false }, { writeOut }),
    );
    expect(asked?.searchParams.get('key')).toBe('docker.io/library/nginx:latest');
    expect(Number(asked?.searchParams.get('timeout'))).toBeGreaterThan(0);
    expect(result).toBe(true);
    expect(text).toBe(`key        docker.io/library/nginx:latest
this node  does not have it
peers      1, searched for 8.3ms

PEER         FOUND AFTER  ADDRESSES
12D3KooWOne  3.1ms        10.0.0.2
`);
  });

  test('runPeersFind() prints zones where there are any', async () => {
    const providers = found.providers.map((provider) => ({ ...provider, zone: 'eu-1b' }));
    const addr = await serve(() => Response.json({ ...found, providers }));
    const { text } = await output((writeOut) =>
      runPeersFind({ name: 'nginx', addr, json: false }, { writeOut }),
    );
    expect(text).toContain(
      'PEER         FOUND AFTER  ZONE   ADDRESSES\n12D3KooWOne  3.1ms        eu-1b  10.0.0.2\n',
    );
  });

  test('runPeersFind() says that nobody has it', async () => {
    const addr = await serve(() => Response.json({ ...found, providers: [] }));
    const { text } = await output((writeOut) =>
      runPeersFind({ name: 'nginx', addr, json: false }, { writeOut }),
    );
    expect(text).toContain('peers      none, searched for 8.3ms\n');
  });

  test.each([
    [{ ...found, providers: [] }, false],
    [{ ...found, providers: [], local: true }, true],
  ])('runPeersFind() tells whether anybody has it', async (answer, has) => {
    const addr = await serve(() => Response.json(answer));
    const { text, result } = await output((writeOut) =>
      runPeersFind({ name: 'nginx', addr, json: true }, { writeOut }),
    );
    expect(result).toBe(has);
    expect(JSON.parse(text)).toEqual(answer);
  });
});
