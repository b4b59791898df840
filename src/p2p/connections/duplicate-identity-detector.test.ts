import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';

import { createLogger } from '../../observe/log.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { DUPLICATE_CONFIRM_MS, detectDuplicateIdentities } from './duplicate-identity-detector.ts';

let stop: AbortController;
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

/** A host whose connections the test makes up. */
function start() {
  const events = new EventTarget();
  const connections: { remotePeer: PeerId; status: string }[] = [];
  const lines: string[] = [];
  const clock = createVirtualClock();
  const libp2p = Object.assign(events, { getConnections: () => connections }) as unknown as Libp2p;
  detectDuplicateIdentities(
    { libp2p, clock, logger: createLogger({ level: 'warn', write: (line) => lines.push(line) }) },
    stop.signal,
  );
  const remotePeer = { toString: () => '12D3KooWTwin' } as PeerId;
  return {
    lines,
    clock,
    /** The peer connects, and says which addresses it has. */
    connect: (...addresses: string[]) => {
      const connection = { remotePeer, status: 'open' };
      connections.push(connection);
      const listenAddrs = addresses.map((address) => multiaddr(`/ip4/${address}/tcp/5001`));
      const detail = { connection: connection as Connection, listenAddrs } as IdentifyResult;
      events.dispatchEvent(new CustomEvent('peer:identify', { detail }));
      return connection;
    },
    disconnect: (connection: { status: string }) => {
      connection.status = 'closed';
      connections.splice(
        connections.findIndex((each) => each === connection),
        1,
      );
    },
  };
}

describe('detectDuplicateIdentities()', () => {
  test('warns once, with both addresses, of an identity that two nodes keep showing', async () => {
    const { connect, clock, lines } = start();
    connect('10.0.0.1');
    connect('10.0.0.2');
    connect('10.0.0.2');
    await clock.advance(DUPLICATE_CONFIRM_MS - 1);
    expect(lines).toEqual([]);
    await clock.advance(1);
    connect('10.0.0.1');
    await clock.advance(DUPLICATE_CONFIRM_MS);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('12D3KooWTwin');
    expect(lines[0]).toContain('private.key');
    expect(lines[0]).toMatch(/10\.0\.0\.1\/.*10\.0\.0\.2\/|10\.0\.0\.2\/.*10\.0\.0\.1\//);
  });

  test('says nothing of one node with several connections and addresses', async () => {
    const { connect, clock, lines } = start();
    connect('10.0.0.1', '10.1.0.1');
    connect('10.1.0.1');
    connect();
    await clock.advance(DUPLICATE_CONFIRM_MS);
    expect(lines).toEqual([]);
  });

  test('says nothing of a node that came back with another address', async () => {
    const { connect, disconnect, clock, lines } = start();
    const before = connect('10.0.0.1');
    connect('10.0.0.2');
    disconnect(before);
    await clock.advance(DUPLICATE_CONFIRM_MS);
    expect(lines).toEqual([]);
    connect('10.0.0.1');
    await clock.advance(DUPLICATE_CONFIRM_MS);
    expect(lines).toHaveLength(1);
  });
});
