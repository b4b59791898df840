import { describe, expect, test } from 'bun:test';
import type { FlightRequest } from '../flights/flights.ts';
import type { RangeSpec } from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import { MISS_LIFETIME_MS } from '../routing/miss-lifetime.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { createVirtualClock, type VirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { Blob } from '../store/content-store.ts';
import { REPLACEMENT_LOOKUP_TIMEOUT_MS } from './budgets.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  createScriptedFlights,
  type PeerScript,
} from './testing/scripted-cluster.ts';

const BLOB = Uint8Array.from({ length: 1000 }, (_, index) => (index * 31) % 251);
const OTHER_DIGEST = `sha256:${'0'.repeat(64)}`;

async function serve(
  scripts: readonly PeerScript[],
  request: {
    range?: RangeSpec;
    localPath?: string;
    mayAskPeers?: boolean;
    leavesAfter?: number;
    zone?: string;
  } = {},
) {
  const cluster = createScriptedCluster(
    BLOB,
    scripts,
    request.zone === undefined ? {} : { zone: request.zone },
  );
  const client = createScriptedClient(request.leavesAfter);
  const local = request.localPath === undefined ? undefined : blobAt(cluster.digest, request.localPath);
  const outcome = await cluster.transfer.serveBlob(
    {
      digest: cluster.digest,
      repository: 'lab/a',
      registry: 'registry.lab:5000',
      range: request.range,
      local,
      mayAskPeers: request.mayAskPeers ?? true,
    },
    client.client,
  );
  return { ...cluster, ...client, outcome };
}

const blobAt = (digest: Digest, path: string): Blob => ({ digest, path, sizeBytes: BLOB.length, stamp: 0 });

describe('serveBlob() from one source', () => {
  test('serves from the store without asking anybody when the blob is there', async () => {
    const { outcome, body, head, asked } = await serve([{}], { localPath: 'file' });
    expect(outcome).toMatchObject({ how: 'served', source: 'local', movedBytes: 1000 });
    expect(body()).toEqual(Buffer.from(BLOB));
    expect(head()).toMatchObject({
      status: 200,
      contentLength: 1000,
      headers: { 'x-spegel-source': 'local' },
    });
    expect(asked).toEqual([]);
  });

  test('serves from a peer when the blob is not there', async () => {
    const { outcome, body, head, digest } = await serve([{}]);
    expect(outcome).toMatchObject({ how: 'served', source: 'peer', movedBytes: 1000, sources: 1 });
    expect(body()).toEqual(Buffer.from(BLOB));
    expect(head()).toEqual({
      status: 200,
      contentLength: 1000,
      headers: {
        'accept-ranges': 'bytes',
        'content-type': 'application/octet-stream',
        'docker-content-digest': digest,
        'oci-namespace': 'registry.lab:5000',
        'x-spegel-source': '10.0.0.1',
      },
    });
  });

  test('tells another node where this node is, and how many bodies it sends, and its own client nothing', async () => {
    const given = { localPath: 'file', zone: 'a' };
    const other = await serve([], { ...given, mayAskPeers: false });
    expect(other.head()?.headers['x-spegel-node']).toBe('zone=a; uploads=1');
    expect((await serve([], given)).head()?.headers).not.toHaveProperty('x-spegel-node');
  });

  test.each<[said: string | undefined, from: string]>([
    ['zone=a; uploads=1', 'own'],
    ['zone=b', 'other'],
    ['zone=<>', 'unknown'],
    [undefined, 'unknown'],
  ])('counts the bytes of a peer that says %p as those of zone %s', async (said, from) => {
    const { zoned } = await serve([{ headers: { 'x-spegel-node': said } }], { zone: 'a' });
    expect(zoned).toEqual([`${from} 1000`]);
  });

  const ranges: [string, RangeSpec, string, [number, number]][] = [
    ['a-b', { start: 100, end: 199 }, 'bytes 100-199/1000', [100, 200]],
    ['a-', { start: 900 }, 'bytes 900-999/1000', [900, 1000]],
    ['-n', { suffixLength: 10 }, 'bytes 990-999/1000', [990, 1000]],
    ['an end past the body', { start: 990, end: 5000 }, 'bytes 990-999/1000', [990, 1000]],
  ];
  test.each(ranges)(
    'serves %s of the store and of a peer alike',
    async (_name, range, contentRange, [start, end]) => {
      for (const localPath of ['file', undefined]) {
        const { head, body } = await serve([{}], localPath === undefined ? { range } : { range, localPath });
        expect(head()).toMatchObject({ status: 206, contentLength: end - start });
        expect(head()?.headers['content-range']).toBe(contentRange);
        expect(body()).toEqual(Buffer.from(BLOB.subarray(start, end)));
      }
    },
  );

  test('says unsatisfiable when the range is out of bounds', async () => {
    const range = { start: 1000 };
    const unsatisfiable = { how: 'unsatisfiable', sizeBytes: 1000 } as const;
    expect((await serve([{}], { range, localPath: 'file' })).outcome).toEqual(unsatisfiable);
    expect((await serve([{}], { range })).outcome).toEqual(unsatisfiable);
  });

  test('says missing, with nothing sent, when nobody has it', async () => {
    const { outcome, head } = await serve([]);
    expect(outcome).toEqual({
      how: 'missing',
      localVanished: false,
      attempts: 0,
      skipped: 0,
      reason: 'no-record',
    });
    expect(head()).toBeUndefined();
  });

  test('asks nobody when another node forwarded the request', async () => {
    const { outcome, asked } = await serve([{}], { mayAskPeers: false });
    expect(outcome).toMatchObject({ how: 'missing' });
    expect(asked).toEqual([]);
  });
});

describe('serveBlob() when a peer does not do', () => {
  const refusals: [string, PeerScript, string][] = [
    ['refuses the connection', { fails: 'CONNECT_FAILED' }, 'CONNECT_FAILED'],
    ['does not answer the SYN', { fails: 'CONNECT_TIMEOUT' }, 'CONNECT_TIMEOUT'],
    ['is silent', { fails: 'HEAD_TIMEOUT' }, 'HEAD_TIMEOUT'],
    ['speaks no HTTP', { fails: 'INVALID_RESPONSE' }, 'INVALID_RESPONSE'],
    ['has a stale record', { status: 404 }, 'absent'],
    ['is overloaded', { status: 503 }, 'busy'],
    ['has an internal error', { status: 500 }, 'wrong'],
    ['redirects', { status: 307 }, 'wrong'],
    ['says another digest', { headers: { 'docker-content-digest': OTHER_DIGEST } }, 'wrong'],
    ['says no digest', { headers: { 'docker-content-digest': undefined } }, 'wrong'],
  ];
  test.each(refusals)('asks the next when one %s', async (_name, script, result) => {
    const { outcome, body, head, results } = await serve([script, {}]);
    expect(outcome).toMatchObject({ how: 'served', source: 'peer', sources: 1 });
    expect(body()).toEqual(Buffer.from(BLOB));
    expect(head()?.headers['x-spegel-source']).toBe('10.0.0.2');
    expect(results).toEqual([result, 'served']);
  });

  const wrongRanges: [string, PeerScript][] = [
    ['ignores the range', { status: 200 }],
    ['sends another range', { headers: { 'content-range': 'bytes 0-99/1000' } }],
    ['says a range that is not its length', { lengthSaid: 99 }],
    ['sends no Content-Range', { headers: { 'content-range': undefined } }],
    ['sends a Content-Range that contradicts itself', { headers: { 'content-range': 'bytes 100-199/150' } }],
  ];
  test.each(wrongRanges)('asks the next when one %s', async (_name, script) => {
    const { outcome, results, closed } = await serve([script, {}], { range: { start: 100, end: 199 } });
    expect(outcome).toMatchObject({ how: 'served' });
    expect(results).toEqual(['wrong', 'served']);
    expect(closed).toEqual(['10.0.0.1']);
  });

  test('asks at most resolveRetries peers that are there before the first byte', async () => {
    const gone = { fails: 'CONNECT_FAILED' } as const;
    const { outcome, asked } = await serve([{ status: 404 }, gone, { status: 404 }, { status: 404 }, {}]);
    expect(outcome).toMatchObject({ how: 'missing', attempts: 4 });
    expect(asked).toHaveLength(4);
  });

  test.each<PeerScript>([
    { fails: 'CONNECT_FAILED' },
    { fails: 'CONNECT_TIMEOUT' },
    { fails: 'CONNECTION_LOST' },
    { fails: 'HEAD_TIMEOUT' },
  ])('asks the only one that is left of many when the others are gone: %j', async (gone) => {
    const { outcome, asked } = await serve([gone, gone, gone, gone, {}]);
    expect(outcome).toMatchObject({ how: 'served', source: 'peer' });
    expect(asked).toHaveLength(5);
  });

  test('asks a peer that has returned', async () => {
    const clock = createVirtualClock();
    const { transfer, asked, digest } = createScriptedCluster(BLOB, [{ fails: 'CONNECT_FAILED' }], { clock });
    const names = { digest, repository: 'a', registry: undefined, range: undefined };
    const request = { ...names, local: undefined, mayAskPeers: true };
    const served = transfer.serveBlob(request, createScriptedClient().client);
    await clock.advance(MISS_LIFETIME_MS + REPLACEMENT_LOOKUP_TIMEOUT_MS);
    await served;
    transfer.peerReturned('p1');
    await transfer.serveBlob(request, createScriptedClient().client);
    expect(asked).toEqual(['p1 all', 'p1 all']);
  });

  test('skips a peer that failed for other requests, too', async () => {
    const { transfer, asked, digest } = createScriptedCluster(BLOB, [{ fails: 'CONNECT_TIMEOUT' }, {}]);
    const request = {
      digest,
      repository: 'a',
      registry: 'r.lab',
      range: undefined,
      local: undefined,
      mayAskPeers: true,
    };
    await transfer.serveBlob(request, createScriptedClient().client);
    await transfer.serveBlob(request, createScriptedClient().client);
    expect(asked).toEqual(['p1 all', 'p2 all', 'p2 all']);
  });
});

describe('serveBlob() when a source breaks in mid-body', () => {
  test('goes on at the byte where the first peer stopped', async () => {
    const { outcome, body, asked, results } = await serve([{ breaksAfter: 300, breaks: 'stalled' }, {}]);
    expect(outcome).toEqual({ how: 'served', source: 'peer', movedBytes: 1000, sources: 2 });
    expect(body()).toEqual(Buffer.from(BLOB));
    expect(asked).toEqual(['p1 all', 'p2 bytes=300-999']);
    expect(results).toEqual(['stalled', 'served']);
  });

  test('goes on within the range that was asked for', async () => {
    const { body, asked } = await serve([{ breaksAfter: 50 }, {}], { range: { start: 100, end: 299 } });
    expect(body()).toEqual(Buffer.from(BLOB.subarray(100, 300)));
    expect(asked).toEqual(['p1 bytes=100-299', 'p2 bytes=150-299']);
  });

  test('goes on at a peer when the own disk fails', async () => {
    const { outcome, body, asked } = await serve([{}], { localPath: 'breaks:400' });
    expect(outcome).toMatchObject({ how: 'served', movedBytes: 1000, sources: 2 });
    expect(body()).toEqual(Buffer.from(BLOB));
    expect(asked).toEqual(['p1 bytes=400-999']);
  });

  test('asks peers when the file has gone before it was opened', async () => {
    const { outcome, body } = await serve([{}], { localPath: 'gone' });
    expect(outcome).toMatchObject({ how: 'served', source: 'peer' });
    expect(body()).toEqual(Buffer.from(BLOB));
  });

  test('survives several peers that break, as long as another can go on', async () => {
    const broken = { breaksAfter: 100 };
    const { outcome, body } = await serve([broken, broken, broken, broken, {}]);
    expect(outcome).toMatchObject({ how: 'served', sources: 5 });
    expect(body()).toEqual(Buffer.from(BLOB));
  });

  test('breaks the body off, short, when nobody can go on', async () => {
    const { outcome, body, brokenOff } = await serve([{ breaksAfter: 300 }, { status: 404 }]);
    expect(outcome).toEqual({ how: 'broken-off', movedBytes: 300, owedBytes: 700, sources: 1 });
    expect(body()).toHaveLength(300);
    expect(brokenOff()).toBe(true);
  });

  test('does not mix in a peer whose blob has another size', async () => {
    const longer = { bytes: new Uint8Array(2000) };
    const { outcome, brokenOff } = await serve([{ breaksAfter: 300 }, longer]);
    expect(outcome).toMatchObject({ how: 'broken-off', movedBytes: 300 });
    expect(brokenOff()).toBe(true);
  });

  test('breaks the body off when one source after the other gives nothing', async () => {
    const mute = { breaksAfter: 0, breaks: 'stalled' } as const;
    const { outcome, asked } = await serve([{ breaksAfter: 300 }, mute, mute, mute, mute, {}]);
    expect(outcome).toMatchObject({ how: 'broken-off', movedBytes: 300 });
    expect(asked).toHaveLength(4);
  });

  test('says missing to a client that has got no byte three times: it does not ask for ever', async () => {
    const clock = createVirtualClock();
    const mute = { breaksAfter: 0, breaks: 'stalled' } as const;
    const { transfer, digest } = createScriptedCluster(BLOB, [mute], { clock });
    const names = { digest, repository: 'lab/a', registry: 'registry.lab', range: undefined };
    const outcomes: string[] = [];
    for (let requests = 0; requests < 4; requests++) {
      const { how } = await transfer.serveBlob(
        { ...names, local: undefined, mayAskPeers: true },
        createScriptedClient().client,
      );
      outcomes.push(how);
      // The peer is not left alone any longer.
      transfer.peerReturned('p1');
    }
    expect(outcomes).toEqual(['broken-off', 'broken-off', 'broken-off', 'missing']);
  });

  test('stops when the client leaves', async () => {
    const { outcome, asked } = await serve([{}, {}], { leavesAfter: 500 });
    expect(outcome).toMatchObject({ how: 'client-gone', movedBytes: 500 });
    expect(asked).toEqual(['p1 all']);
  });
});

describe('serveBlob() when a source is slow', () => {
  const slow = { breaksAfter: 300, breaks: 'slow' } as const;
  const request = (digest: Digest, range?: RangeSpec) => ({
    digest,
    repository: 'a',
    registry: 'r.lab',
    range,
    local: undefined,
    mayAskPeers: true,
  });

  test('goes on at its byte with another, which the next requests ask first', async () => {
    const { transfer, digest, asked, results } = createScriptedCluster(BLOB, [slow, {}]);
    const client = createScriptedClient();
    expect(await transfer.serveBlob(request(digest), client.client)).toMatchObject({
      how: 'served',
      sources: 2,
    });
    expect(client.body()).toEqual(Buffer.from(BLOB));
    await transfer.serveBlob(request(digest), createScriptedClient().client);
    expect(asked).toEqual(['p1 all', 'p2 bytes=300-999', 'p2 all']);
    expect(results).toEqual(['slow', 'served', 'served']);
  });

  test('says missing at once to the request for the rest when only that peer has it, also when it returns', async () => {
    const { transfer, digest, asked } = createScriptedCluster(BLOB, [slow]);
    const broken = createScriptedClient();
    expect(await transfer.serveBlob(request(digest), broken.client)).toMatchObject({ how: 'broken-off' });
    expect(broken.brokenOff()).toBe(true);
    transfer.peerReturned('p1');
    const rest = createScriptedClient();
    expect(await transfer.serveBlob(request(digest, { start: 300 }), rest.client)).toEqual({
      how: 'missing',
      localVanished: false,
      attempts: 0,
      skipped: 1,
      reason: 'peers-skipped',
    });
    expect(rest.head()).toBeUndefined();
    expect(asked).toEqual(['p1 all']);
  });

  test('asks three of many, over all requests of a blob', async () => {
    const { transfer, digest, asked } = createScriptedCluster(BLOB, [slow, slow, slow, slow, {}]);
    const client = createScriptedClient();
    expect(await transfer.serveBlob(request(digest), client.client)).toMatchObject({
      how: 'broken-off',
      movedBytes: 900,
    });
    const rest = createScriptedClient();
    expect(await transfer.serveBlob(request(digest, { start: 900 }), rest.client)).toMatchObject({
      how: 'missing',
      skipped: 3,
    });
    expect(asked).toEqual(['p1 all', 'p2 bytes=300-999', 'p3 bytes=600-999']);
  });
});

describe('serveBlob() to a client that asks for a blob in several requests side by side', () => {
  const STEP = 1_000_000;
  const LONG = Uint8Array.from({ length: 3 * STEP }, (_, index) => (index * 31) % 251);
  const request = (digest: Digest, start: number) => ({
    digest,
    repository: 'a',
    registry: 'r.lab',
    range: { start },
    local: undefined,
    mayAskPeers: true,
    isOwn: true,
  });
  /** A client that takes nothing of its answer until it is let. */
  const waitingClient = (let_: Promise<void>, leavesAfter?: number) => {
    const scripted = createScriptedClient(leavesAfter);
    const { client } = scripted;
    const move: typeof client.move = async (source, options) => {
      await let_;
      return client.move(source, options);
    };
    // Its properties are read when they are wanted.
    return { ...scripted, client: Object.create(client, { move: { value: move } }) as typeof client };
  };

  test('begins each of them at another peer, and asks that for the part up to the next request', async () => {
    const { transfer, digest, asked } = createScriptedCluster(LONG, [{}, {}, {}]);
    const go = Promise.withResolvers<void>();
    const clients = [0, 1, 2].map(() => waitingClient(go.promise));
    const outcomes = [];
    for (const [n, { client }] of clients.entries()) {
      outcomes.push(transfer.serveBlob(request(digest, n * STEP), client));
      await until(() => asked.length === n + 1);
    }
    expect(asked).toEqual([
      `p1 bytes=0-`,
      `p2 bytes=${STEP}-${2 * STEP - 1}`,
      `p3 bytes=${2 * STEP}-${3 * STEP - 1}`,
    ]);
    go.resolve();
    await Promise.all(outcomes);
    // To its client an answer is all that was asked for, whatever the peer was asked for.
    for (const [n, { head, body }] of clients.entries()) {
      expect(head()).toMatchObject({ status: 206, contentLength: LONG.length - n * STEP });
      expect(head()?.headers['content-range']).toBe(`bytes ${n * STEP}-${LONG.length - 1}/${LONG.length}`);
      expect(body().equals(LONG.subarray(n * STEP))).toBe(true);
    }
  });

  test('asks for nothing more when the client leaves where the next request begins', async () => {
    const { transfer, digest, asked } = createScriptedCluster(LONG, [{}, {}]);
    const go = Promise.withResolvers<void>();
    const first = transfer.serveBlob(request(digest, 0), waitingClient(go.promise).client);
    await until(() => asked.length === 1);
    const gone = new AbortController();
    const { client } = createScriptedClient();
    const move: typeof client.move = async (source, options) => {
      const end = await client.move(source, options);
      gone.abort();
      return end;
    };
    const leaving = Object.create(client, {
      move: { value: move },
      gone: { value: gone.signal },
    }) as typeof client;
    const second = await transfer.serveBlob(request(digest, STEP), leaving);
    expect(second).toEqual({ how: 'client-gone', movedBytes: STEP, sources: 1 });
    expect(asked).toHaveLength(2);
    go.resolve();
    await first;
  });
});

describe('serveBlob() of a large blob', () => {
  const LARGE = Buffer.alloc(24 * 1024 * 1024, 'pieces of a blob');

  /** A client that waits for its first source all the time, while that gives 1 MB in 50 ms. */
  const waitingClient = (clock: VirtualClock) => {
    const scripted = createScriptedClient();
    const { client } = scripted;
    const move: typeof client.move = async (source, options) => {
      if (client.movedBytes > 0) return client.move(source, options);
      const { pace, signal } = options;
      let movedBytes = 0;
      const isOver = () => movedBytes >= source.sizeBytes || signal?.aborted === true;
      while (!isOver()) {
        await clock.sleep(50);
        movedBytes += 1_000_000;
        pace?.judge({ movedBytes, waitedMs: clock.nowMs() });
      }
      const moved = Math.min(movedBytes, source.sizeBytes);
      await client.moveBytes(LARGE.subarray(0, moved));
      return { how: moved === source.sizeBytes ? 'complete' : 'cancelled', movedBytes: moved };
    };
    return { ...scripted, client: Object.create(client, { move: { value: move } }) as typeof client };
  };
  const serveLarge = async (scripts: readonly PeerScript[], isOwn = true) => {
    const clock = createVirtualClock();
    const cluster = createScriptedCluster(LARGE, scripts, { clock });
    const client = waitingClient(clock);
    let heldBytes = 0;
    const served = cluster.transfer.serveBlob(
      {
        digest: cluster.digest,
        repository: 'lab/a',
        registry: 'registry.lab:5000',
        range: undefined,
        local: undefined,
        mayAskPeers: true,
        isOwn,
        async takeMemory(bytes) {
          heldBytes += bytes;
          return { [Symbol.dispose]: () => void (heldBytes -= bytes) };
        },
      },
      client.client,
    );
    await clock.advance(10_000);
    return { ...cluster, ...client, outcome: await served, heldBytes };
  };
  const peersOf = (asked: readonly string[]) =>
    [...new Set(asked.map((line) => line.split(' ')[0] ?? ''))].toSorted((a, b) => a.localeCompare(b));

  test('goes on in pieces from all that have it when its client waits for the first', async () => {
    const { outcome, body, asked, heldBytes } = await serveLarge([{}, {}, { status: 404 }, {}]);
    expect(outcome).toEqual({ how: 'served', source: 'peer', movedBytes: LARGE.length, sources: 1 });
    expect(body().equals(LARGE)).toBe(true);
    const pieces = asked.filter((line) => line.includes('bytes='));
    expect(pieces.length).toBeGreaterThan(30);
    expect(peersOf(pieces)).toEqual(['p1', 'p2', 'p4']);
    expect(heldBytes).toBe(0);
  });

  test('goes on at the byte where a piece breaks', async () => {
    const { outcome, body } = await serveLarge([{}, { breaksAfter: 100_000, breaks: 'connection-lost' }]);
    expect(outcome).toEqual({ how: 'served', source: 'peer', movedBytes: LARGE.length, sources: 2 });
    expect(body().equals(LARGE)).toBe(true);
  });

  test('stays with one peer when nobody else has it', async () => {
    const { outcome, asked } = await serveLarge([{}, { status: 404 }]);
    expect(outcome).toMatchObject({ how: 'served', sources: 1 });
    expect(asked.filter((line) => line.includes('bytes='))).toEqual([]);
  });
});

describe('serveBlob() when it knows better than a peer', () => {
  /** What a manifest has said of the blob. */
  const descriptor = (digest: Digest, sizeBytes = BLOB.length) => ({
    digest,
    sizeBytes,
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
  });
  const longer = { bytes: new Uint8Array(2000) };
  const ask = async (
    scripts: readonly PeerScript[],
    said: readonly number[],
    range?: RangeSpec,
  ): Promise<{ how: string; results: readonly string[] }> => {
    const { transfer, digest, results } = createScriptedCluster(BLOB, scripts);
    for (const sizeBytes of said) transfer.learnSizes([descriptor(digest, sizeBytes)]);
    const names = { digest, repository: 'a', registry: 'r.lab', range };
    const request = { ...names, local: undefined, mayAskPeers: true };
    const { how } = await transfer.serveBlob(request, createScriptedClient().client);
    return { how, results };
  };

  test.each<
    [string, readonly PeerScript[], readonly number[], RangeSpec | undefined, string, readonly string[]]
  >([
    ['another size than the manifest', [longer, {}], [1000], undefined, 'served', ['wrong', 'served']],
    ['another size in Content-Range', [longer, {}], [1000], { start: 5 }, 'served', ['wrong', 'served']],
    ['one of the sizes of two manifests', [{}], [77, 1000], undefined, 'served', ['served']],
    ['416 without a range', [{ status: 416 }, {}], [], undefined, 'served', ['wrong', 'served']],
    ['416 to a range within the known size', [{ status: 416 }], [1000], { start: 999 }, 'missing', ['wrong']],
    [
      '416 to a range within the size that it says',
      [{ status: 416 }],
      [],
      { start: 999 },
      'missing',
      ['wrong'],
    ],
    [
      '416 to a range beyond what is known',
      [{}],
      [1000],
      { start: 1000 },
      'unsatisfiable',
      ['unsatisfiable'],
    ],
    ['416 to a range beyond what it says', [{}], [], { start: 1000 }, 'unsatisfiable', ['unsatisfiable']],
  ])('%s', async (_what, scripts, said, range, how, results) => {
    expect(await ask(scripts, said, range)).toEqual({ how, results });
  });

  test('a size that no peer has is forgotten: a manifest may have been wrong', async () => {
    const clock = createVirtualClock();
    const { transfer, digest } = createScriptedCluster(BLOB, [{}, {}, {}, {}], { clock });
    transfer.learnSizes([descriptor(digest, 77)]);
    const names = { digest, repository: 'a', registry: 'r.lab', range: undefined };
    const request = { ...names, local: undefined, mayAskPeers: true };
    const signal = new AbortController().signal;
    expect(
      await transfer.statBlob({ digest, repository: 'a', registry: 'r.lab' }, { gone: signal }),
    ).not.toHaveProperty('sizeBytes');
    for (const id of ['p1', 'p2', 'p3', 'p4']) transfer.peerReturned(id);
    await clock.advance(150);
    expect(await transfer.serveBlob(request, createScriptedClient().client)).toMatchObject({
      how: 'missing',
    });
    for (const id of ['p1', 'p2', 'p3', 'p4']) transfer.peerReturned(id);
    await clock.advance(150);
    expect(await transfer.serveBlob(request, createScriptedClient().client)).toMatchObject({ how: 'served' });
  });
});

describe('serveBlob() of a small blob', () => {
  const serveSmall = async (scripts: readonly PeerScript[], range?: RangeSpec, learn = false) => {
    const cluster = createScriptedCluster(BLOB, scripts, { wholeBytes: BLOB.length });
    const { transfer, digest } = cluster;
    if (learn) transfer.learnSizes([{ digest, sizeBytes: BLOB.length, mediaType: 'a/b' }]);
    const client = createScriptedClient();
    const names = { digest, repository: 'a', registry: 'r.lab', range };
    const outcome = await transfer.serveBlob(
      { ...names, local: undefined, mayAskPeers: true },
      client.client,
    );
    return { ...cluster, ...client, outcome };
  };

  test('sends no byte of one that does not have its digest', async () => {
    const { outcome, body, head, results } = await serveSmall([{ bytes: new Uint8Array(1000) }, {}]);
    expect(outcome).toMatchObject({ how: 'served', sources: 1, movedBytes: 1000 });
    expect(body()).toEqual(Buffer.from(BLOB));
    expect(head()?.headers['x-spegel-source']).toBe('10.0.0.2');
    expect(results).toEqual(['wrong', 'served']);
    const alone = await serveSmall([{ bytes: new Uint8Array(1000) }]);
    expect(alone.outcome).toMatchObject({ how: 'missing' });
    expect(alone.head()).toBeUndefined();
  });

  test('asks the next peer when the first breaks in its middle, and nothing was sent', async () => {
    const { outcome, asked, results } = await serveSmall([{ breaksAfter: 300 }, {}]);
    expect(outcome).toMatchObject({ how: 'served', sources: 1 });
    expect(asked).toEqual(['p1 all', 'p2 all']);
    expect(results).toEqual(['CONNECTION_LOST', 'served']);
  });

  test.each([
    ['whose size is known', true, ['p1 all']],
    ['whose size is not known', false, ['p1 bytes=100-199', 'p1 all']],
  ])('verifies the whole for a range of one %s', async (_what, learn, requests) => {
    const { outcome, head, body, asked } = await serveSmall([{}], { start: 100, end: 199 }, learn);
    expect(outcome).toMatchObject({ how: 'served', movedBytes: 100 });
    expect(head()).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 100-199/1000' } });
    expect(body()).toEqual(Buffer.from(BLOB.subarray(100, 200)));
    expect(asked).toEqual(requests);
  });

  test('says unsatisfiable of a range beyond what it has verified', async () => {
    const { outcome, asked } = await serveSmall([{}], { start: 1000 }, true);
    expect(outcome).toEqual({ how: 'unsatisfiable', sizeBytes: 1000 });
    expect(asked).toEqual(['p1 all']);
  });
});

test.each<[string, RangeSpec | undefined, boolean, boolean]>([
  ['the whole blob in one body', undefined, false, false],
  ['the first of several ranges', { start: 0 }, true, false],
  ['the rest after a break', { start: 500 }, false, true],
])('serveBlob() tells the flight of a client that asks for %s', async (_, range, isInRanges, isLater) => {
  const flown: unknown[] = [];
  const flights = {
    ...createScriptedFlights(async () => 'upstream'),
    taken: (request: FlightRequest) => void flown.push([request.isInRanges, request.isLater]),
  };
  const { transfer, digest } = createScriptedCluster(BLOB, [], { flights });
  const request = { digest, repository: 'lab/a', registry: 'registry.lab:5000', range, local: undefined };
  await transfer.serveBlob({ ...request, mayAskPeers: true, isOwn: true }, createScriptedClient().client);
  expect(flown).toEqual([[isInRanges, isLater]]);
});
