import { describe, expect, test } from 'bun:test';

import { createLogger } from '../observe/log.ts';
import { parseIpNetwork } from '../runtime/ip-network.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createNetworkMembership } from './network-membership.ts';

function start(networks: readonly string[], allowLoopback = false) {
  const lines: string[] = [];
  const clock = createVirtualClock();
  const logger = createLogger({ level: 'warn', write: (line) => lines.push(line) });
  const membership = createNetworkMembership(
    { logger, clock },
    { networks: networks.map(parseIpNetwork), allowLoopback },
  );
  return { membership, lines, clock };
}

describe('createNetworkMembership()', () => {
  test.each<[networks: string[], allowLoopback: boolean, ip: string, isMember: boolean]>([
    [[], false, '10.0.0.1', true],
    [[], false, '240.0.0.1', true],
    [[], false, 'fd00::1', true],
    [[], false, '::ffff:10.0.0.1', true],
    [[], false, '127.0.0.1', false],
    [[], false, '::ffff:127.0.0.1', false],
    [[], false, '169.254.169.254', false],
    [[], false, 'fe80::1', false],
    [[], false, '0.0.0.0', false],
    [[], false, 'nobody', false],
    [[], true, '127.0.0.1', true],
    [[], true, '::1', true],
    [[], true, '0.0.0.0', false],
    [['10.0.0.0/8', 'fd00::/16'], false, '10.0.0.1', true],
    [['10.0.0.0/8', 'fd00::/16'], false, '::ffff:10.0.0.1', true],
    [['10.0.0.0/8', 'fd00::/16'], false, 'fd00::1', true],
    [['10.0.0.0/8', 'fd00::/16'], false, '192.0.2.1', false],
    [['0.0.0.0/0'], false, '127.0.0.1', false],
    [['0.0.0.0/0'], false, 'fd00::1', false],
  ])('of %p (loopback: %p) has %s: %p', async (networks, allowLoopback, ip, isMember) => {
    const { membership } = start(networks, allowLoopback);
    const standing = isMember ? 'member' : 'denied';
    expect(membership.admits(ip)).toBe(isMember);
    expect(await membership.knock(ip)).toBe(isMember);
    expect([membership.standing(ip), membership.arrive(ip)]).toEqual([standing, standing]);
    expect(membership.stats()).toEqual({ members: undefined, pending: 0, refused: isMember ? 0 : 1 });
  });

  test('warns once of each denied address, of six in a minute, and counts all', async () => {
    const { membership, lines, clock } = start(['10.0.0.0/8']);
    const everybody = () => {
      for (let index = 0; index < 20; index++) membership.arrive(`192.0.2.${index}`);
    };
    everybody();
    everybody();
    expect(lines).toHaveLength(6);
    await clock.advance(60_000);
    everybody();
    expect(lines).toHaveLength(12);
    expect(membership.stats().refused).toBe(60);
    expect(lines[0]).toContain('--allowed-networks');
  });
});
