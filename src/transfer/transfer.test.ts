import { describe, expect, test } from 'bun:test';
import { createScriptedClient, createScriptedCluster, type PeerScript } from './testing/scripted-cluster.ts';

const BLOB = new Uint8Array(1000).fill(7);
const MANIFEST = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
const never = new AbortController().signal;
const peer = { id: 'p1', addresses: ['10.0.0.1'] };
const target = { kind: 'blob', repository: 'lab/a', registry: 'registry.lab:5000' } as const;

describe('probe()', () => {
  test.each<[PeerScript, string]>([
    [{}, 'has-it'],
    [{ status: 404 }, 'absent'],
    [{ status: 503 }, 'busy'],
    [{ status: 500 }, 'wrong'],
    [{ fails: 'CONNECT_FAILED' }, 'CONNECT_FAILED'],
  ])('of a peer that is %j says %s, and changes nothing', async (script, said) => {
    const { transfer, digest, asked, results } = createScriptedCluster(BLOB, [script]);
    const question = { peer, target: { ...target, reference: digest } };
    expect(await transfer.probe(question, never)).toBe(said);
    expect(asked).toEqual(['p1 bytes=0-0']);
    expect(results).toEqual([]);
    expect(transfer.standingOf(peer)).toEqual({ order: 'first', why: undefined, bytesPerSecond: undefined });
  });
});

describe('standingOf()', () => {
  test.each<[PeerScript, ReturnType<ReturnType<typeof createScriptedCluster>['transfer']['standingOf']>]>([
    [{ fails: 'CONNECT_FAILED' }, { order: 'skipped', why: 'failed', bytesPerSecond: undefined }],
    [{ fails: 'HEAD_TIMEOUT' }, { order: 'last', why: 'late', bytesPerSecond: undefined }],
    [
      { breaksAfter: 10, breaks: 'slow' },
      { order: 'skipped', why: 'slow', bytesPerSecond: undefined },
    ],
    [{ status: 503 }, { order: 'first', why: undefined, bytesPerSecond: undefined }],
  ])('of a peer that is %j tells what was held against it', async (script, standing) => {
    const { transfer, digest } = createScriptedCluster(BLOB, [script], { wholeBytes: 0 });
    const request = {
      digest,
      repository: 'lab/a',
      registry: undefined,
      range: undefined,
      local: undefined,
      mayAskPeers: true,
    };
    await transfer.serveBlob(request, createScriptedClient().client);
    expect(transfer.standingOf(peer)).toEqual(standing);
  });
});

describe('peekManifest()', () => {
  const ask = { repository: 'lab/a', registry: undefined };

  test('gives the manifest of a peer', async () => {
    const { transfer, digest, results } = createScriptedCluster(MANIFEST, [{}]);
    expect(await transfer.peekManifest({ ...ask, key: digest, reference: digest }, never)).toMatchObject({
      digest,
    });
    expect(results).toEqual([]);
  });

  test('leaves no miss behind for a blob that is asked for next', async () => {
    const script: { status?: number } = { status: 404 };
    const { transfer, digest, results } = createScriptedCluster(BLOB, [script]);
    const request = { ...ask, key: digest, reference: digest };
    expect(await transfer.peekManifest(request, never)).toMatchObject({ reason: 'peers-refused' });
    delete script.status;
    const blob = { ...ask, digest, range: undefined, local: undefined, mayAskPeers: true };
    const { client } = createScriptedClient();
    expect(await transfer.serveBlob(blob, client)).toMatchObject({ how: 'served' });
    expect(results).toEqual(['served']);
  });
});
