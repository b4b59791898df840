import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { PEER_SKIP_INITIAL_MS, REPLACEMENT_LOOKUP_TIMEOUT_MS } from './budgets.ts';
import { createScriptedClient, createScriptedCluster, type PeerScript } from './testing/scripted-cluster.ts';

const BLOB = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

/** Peers whose scripts may be changed; `ask` is a request for the blob. */
function setUp(scripts: PeerScript[]) {
  const clock = createVirtualClock();
  const cluster = createScriptedCluster(BLOB, scripts, { clock });
  const ask = async () => {
    const from = cluster.asked.length;
    const served = cluster.transfer.serveBlob(
      {
        digest: cluster.digest,
        repository: 'a',
        registry: undefined,
        range: undefined,
        local: undefined,
        mayAskPeers: true,
      },
      createScriptedClient().client,
    );
    // Longer than a lookup that found a peer, and than a miss is remembered.
    await clock.advance(2 * REPLACEMENT_LOOKUP_TIMEOUT_MS);
    await served;
    return cluster.asked.slice(from).map((each) => each.split(' ')[0]);
  };
  return { ...cluster, clock, ask };
}

describe('a peer that has failed', () => {
  test('is probed when it was left alone for long enough, while another peer serves, and then asked like others', async () => {
    const { ask, probed, clock } = setUp([{ breaksAfter: 10 }, {}]);
    expect(await ask()).toEqual(['p1', 'p2']);
    expect(await ask()).toEqual(['p2']);
    expect(probed).toEqual([]);
    await clock.advance(PEER_SKIP_INITIAL_MS);
    expect(await ask()).toEqual(['p2']);
    expect(probed).toEqual(['p1']);
    expect((await ask())[0]).toBe('p1');
    expect(probed).toEqual(['p1']);
  });

  test.each<[string, PeerScript]>([
    ['does not answer', { fails: 'CONNECT_FAILED' }],
    ['answers with an error', { status: 500, probeStatus: 500 }],
  ])('is left alone for longer when it %s', async (_, script) => {
    const { ask, probed, clock } = setUp([script, {}]);
    await ask();
    for (const probes of [1, 2, 3]) {
      await clock.advance(PEER_SKIP_INITIAL_MS * 2 ** (probes - 1));
      expect(await ask()).toEqual(['p2']);
      expect(probed).toHaveLength(probes);
      expect(await ask()).toEqual(['p2']);
      expect(probed).toHaveLength(probes);
    }
  });

  test('is asked without waiting for the probe when no other peer has the content', async () => {
    const { ask, probed, clock } = setUp([{ breaksAfter: 10 }]);
    await ask();
    await clock.advance(PEER_SKIP_INITIAL_MS);
    expect(await ask()).toEqual(['p1']);
    expect(probed).toEqual(['p1']);
  });
});
