import { describe, expect, test } from 'bun:test';
import { parseDigest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import { createWrongPeers } from './wrong-peers.ts';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => parseDigest(`sha256:${letter.repeat(64)}`)) as [
  never,
  never,
  never,
];
const peer = (id: string, ...addresses: string[]): Peer => ({ id, addresses });
const LIAR = peer('liar', '10.0.0.1', 'fd00::1');
const OTHER = peer('other', '10.0.0.2');
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

describe('createWrongPeers()', () => {
  const create = () => {
    const clock = { ms: 0, nowMs: () => clock.ms };
    return { clock, wrong: createWrongPeers(clock) };
  };

  test('bans a peer for the blob of which it gave wrong bytes, for an hour', () => {
    const { clock, wrong } = create();
    wrong.gaveWrong(A, [{ peer: LIAR, host: '10.0.0.1' }], true);
    clock.ms = MINUTE_MS;
    expect([wrong.bans(LIAR, A), wrong.bans(LIAR, B), wrong.bans(OTHER, A)]).toEqual([true, false, false]);
    // Under another name. Which addresses an ID has, other nodes say.
    expect(wrong.bans(peer('new name', '10.0.0.1'), A)).toBe(true);
    expect(wrong.bans(peer('liar', '10.9.9.9'), A)).toBe(false);
    clock.ms = HOUR_MS;
    expect(wrong.bans(LIAR, A)).toBe(false);
  });

  test('bans a peer that alone gave wrong bytes of one blob for everything, for a minute: the next try gets no layer from it', () => {
    const { clock, wrong } = create();
    wrong.gaveWrong(A, [{ peer: LIAR, host: '10.0.0.1' }], true);
    expect([wrong.bans(LIAR, C), wrong.bans(OTHER, C)]).toEqual([true, false]);
    clock.ms = MINUTE_MS;
    expect(wrong.bans(LIAR, C)).toBe(false);
  });

  test('bans a peer for everything that alone gave wrong bytes of two blobs', () => {
    const { clock, wrong } = create();
    wrong.gaveWrong(A, [{ peer: LIAR, host: '10.0.0.1' }], true);
    wrong.gaveWrong(A, [{ peer: LIAR, host: '10.0.0.1' }], true);
    clock.ms = MINUTE_MS;
    expect(wrong.bans(LIAR, C)).toBe(false);
    wrong.gaveWrong(B, [{ peer: LIAR, host: '10.0.0.1' }], true);
    clock.ms = HOUR_MS - 1;
    expect([wrong.bans(LIAR, C), wrong.bans(OTHER, C)]).toEqual([true, false]);
    clock.ms = HOUR_MS + MINUTE_MS;
    expect(wrong.bans(LIAR, C)).toBe(false);
  });

  test('holds against nobody in general what several gave together', () => {
    const { wrong } = create();
    for (const digest of [A, B]) {
      wrong.gaveWrong(
        digest,
        [
          { peer: LIAR, host: '10.0.0.1' },
          { peer: OTHER, host: '10.0.0.2' },
        ],
        false,
      );
    }
    expect([wrong.bans(LIAR, A), wrong.bans(OTHER, A), wrong.bans(LIAR, C)]).toEqual([true, true, false]);
  });
});
