import { describe, expect, test } from 'bun:test';

import { createPeerDirectory } from './peer-directory.ts';
import { formatPeerAddress } from '../wire/peer-address.ts';
import { MAX_IPS_PER_PEER } from '../limits.ts';
import { createPeerTable } from './peer-table.ts';

const id = (number: number) => Uint8Array.of(1, 0, number);
const name = (number: number) => id(number).toHex();
const at = (...ip: number[]) => formatPeerAddress({ ip: Uint8Array.from(ip), port: 5001 });

/** A node that takes whoever is in `members` for one, and addresses that are in `ips` for theirs. */
function start() {
  const peers = createPeerTable(id(0));
  const members = new Set([name(1), name(2)]);
  const ips = new Set(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  const seen = { joined: [] as string[], lost: [] as string[], parted: [] as string[] };
  const directory = createPeerDirectory({
    peers,
    liveness: {
      connected() {},
      lost: (peer) => seen.lost.push(peer),
      parted: (peer) => seen.parted.push(peer),
    },
    gate: {
      isMember: (bytes) => members.has(bytes.toHex()),
      mayRecord: () => true,
      isUsable: (ip) => ips.has(ip.join('.')),
    },
    onJoined: (peer) => seen.joined.push(peer),
  });
  return { directory, peers, members, ips, seen };
}

describe('createPeerDirectory()', () => {
  test('keeps a peer whose connection both ends did not need, and counts it as no loss', () => {
    const { directory, peers, seen } = start();
    directory.connected(id(1), [at(10, 0, 0, 1)]);
    directory.disconnected(id(1), true);
    expect([seen.lost, seen.parted]).toEqual([[], [name(1)]]);
    expect(peers.get(name(1))?.isConnected).toBe(false);
    expect(directory.describe(name(1))?.addresses).toEqual([at(10, 0, 0, 1)]);
  });

  test('takes a member in that connects, with those of its addresses that are a member’s', () => {
    const { directory, peers, seen } = start();
    directory.connected(id(1), [at(127, 0, 0, 1), at(10, 0, 0, 1), at(169, 254, 169, 254), at(8, 8, 8, 8)]);
    expect(peers.get(name(1))?.addresses).toEqual([at(10, 0, 0, 1)]);
    directory.connected(id(1), [at(10, 0, 0, 2)]);
    expect(peers.get(name(1))?.addresses).toEqual([at(10, 0, 0, 2)]);
    expect(seen.joined).toEqual([name(1)]);
    directory.connected(id(9), [at(10, 0, 0, 1)]);
    expect(peers.size).toBe(1);
    directory.disconnected(id(1));
    expect(peers.get(name(1))?.isConnected).toBe(false);
    expect(seen.lost).toEqual([name(1)]);
  });

  test('uses few of many addresses, each IP once', () => {
    const { directory, peers, ips } = start();
    for (let last = 0; last < 16; last++) ips.add(`10.0.1.${last}`);
    directory.connected(id(1), [at(10, 0, 0, 1), at(10, 0, 0, 1)]);
    expect(peers.get(name(1))?.addresses).toHaveLength(1);
    directory.connected(
      id(1),
      Array.from({ length: 20_000 }, (_, index) => at(10, 0, 1, index % 16)),
    );
    expect(peers.get(name(1))?.addresses).toHaveLength(MAX_IPS_PER_PEER);
  });

  test('takes nobody by a name whose addresses are not a member’s', () => {
    const { directory, peers } = start();
    for (const address of [at(8, 8, 8, 8), at(127, 0, 0, 1), Uint8Array.of(1, 2, 3)]) {
      expect(directory.named(id(2), [address])).toBe(false);
    }
    expect(directory.named(id(2), [])).toBe(false);
    expect(peers.size).toBe(0);
    expect(directory.named(id(2), [at(10, 0, 0, 2)])).toBe(true);
    expect(peers.get(name(2))).toMatchObject({ isConnected: false });
  });

  test('introduce() takes note of each change, and of who is not connected', () => {
    const { directory, peers, seen } = start();
    const [one, two, three] = [at(10, 0, 0, 1), at(10, 0, 0, 2), at(10, 0, 0, 3)];
    const addresses = () => peers.get(name(1))?.addresses;
    directory.connected(id(1), [one, two]);
    for (const said of [[one, two], [one, three], [three, one], [three], [three, two, one], [one]]) {
      expect(directory.introduce(id(1), said)).toBe(true);
      expect(addresses()).toEqual(said);
    }
    directory.disconnected(id(1));
    directory.introduce(id(1), [two]);
    directory.connected(id(1), [two]);
    expect(addresses()).toEqual([two]);
    expect(seen.joined).toEqual([name(1), name(1)]);
    // One that is present and was forgotten is back when it says anything, be it what is known.
    directory.forget(name(1));
    directory.introduce(id(1), [two]);
    expect(peers.get(name(1))?.isConnected).toBe(true);
  });

  test('reconsider() tells of those whose addresses are nobody’s now, and lets those in who are members now', () => {
    const { directory, peers, members, ips } = start();
    directory.named(id(2), [at(10, 0, 0, 2)]);
    directory.named(id(3), [at(10, 0, 0, 3)]);
    directory.connected(id(4), [at(10, 0, 0, 1)]);
    expect(directory.reconsider()).toEqual([]);
    ips.delete('10.0.0.2');
    members.add(name(4));
    expect(directory.reconsider()).toEqual([name(2)]);
    expect(peers.get(name(4))?.isConnected).toBe(true);
    members.delete(name(4));
    directory.reconsider();
    expect(peers.get(name(4))).toBeUndefined();
  });

  test('describe() tells of a provider that is in no table, as long as it is a member', () => {
    const { directory, members } = start();
    expect(directory.introduce(id(5), [Uint8Array.of(1)])).toBe(false);
    expect(directory.introduce(id(5), [at(10, 0, 0, 1)])).toBe(true);
    expect(directory.describe(name(5))).toBeUndefined();
    members.add(name(5));
    expect(directory.describe(name(5))?.addresses).toEqual([at(10, 0, 0, 1)]);
  });
});
