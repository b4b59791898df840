import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { createLogger } from '../observe/log.ts';
import { parseIpNetwork } from '../runtime/ip-network.ts';
import { createVirtualClock, type VirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createDnsMembership, type DnsMembershipOptions } from './dns-membership.ts';
import type { NamedAddresses } from '../bootstrap/domain-addresses.ts';
import type { Membership, MembershipChange } from './membership.ts';
import { createDnsZone, type DnsZone } from '../bootstrap/testing/dns-zone.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const OWN = '10.0.0.9';
/** Longer than one refresh with its jitter. */
const REFRESH_MS = 40 * SECOND_MS;

let zone: DnsZone;
let clock: VirtualClock;
let lines: string[];
let changes: MembershipChange[];
let membership: Membership;

async function start(
  addresses: readonly string[] | Error,
  options: Partial<DnsMembershipOptions> = {},
): Promise<Membership> {
  zone = createDnsZone();
  zone.set(addresses);
  const logger = createLogger({ level: 'warn', write: (line) => lines.push(line) });
  membership = createDnsMembership(
    { addresses: zone, logger, clock, random: () => 0 },
    { own: () => [OWN], ...options },
  );
  membership.onChange((change) => changes.push(change));
  await clock.advance(0);
  return membership;
}

const admitted = (...ips: string[]) => ips.filter((ip) => membership.admits(ip));

beforeEach(() => {
  [lines, changes] = [[], []];
  clock = createVirtualClock();
});
afterEach(async () => membership[Symbol.asyncDispose]());

describe('createDnsMembership()', () => {
  test('admits() takes all addresses that the domain names, in any spelling, and its own, and no others', async () => {
    const all = Array.from({ length: 300 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    await start([...all, 'fd00::1']);
    expect(admitted(...all)).toEqual(all);
    expect(admitted('fd00::1', 'FD00:0:0:0:0:0:0:1', '::ffff:10.1.0.1', OWN)).toHaveLength(4);
    expect(admitted('10.2.0.1', 'fd00::2', '127.0.0.1', '::1', '', 'boot.example', '10.1.0.1:5001')).toEqual(
      [],
    );
    expect(membership.stats()).toEqual({ members: 301, pending: 0, refused: 0 });
  });

  test.each([
    '127.0.0.1',
    '::1',
    '0.0.0.0',
    '::',
    '169.254.169.254',
    'fe80::1',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
    '::ffff:127.0.0.1',
    '64:ff9b::a9fe:a9fe',
  ])('never admits %s, even if the domain names it', async (ip) => {
    await start([ip, '10.0.0.1']);
    expect(membership.admits(ip)).toBe(false);
    expect(await membership.knock(ip)).toBe(false);
    expect(membership.arrive(ip)).toBe('denied');
  });

  test('admits() takes only addresses that are in the allowed networks as well', async () => {
    await start(['10.0.0.1', '10.9.0.1', 'fd00::1'], { networks: [parseIpNetwork('10.0.0.0/16')] });
    expect(admitted('10.0.0.1', '10.9.0.1', 'fd00::1', '10.0.0.2')).toEqual(['10.0.0.1']);
    expect(membership.arrive('10.9.0.1')).toBe('denied');
    expect(membership.arrive('10.0.0.2')).toBe('pending');
  });

  test('finds a new node within the refresh', async () => {
    await start(['10.0.0.1']);
    zone.set(['10.0.0.1', '10.0.0.2']);
    await clock.advance(REFRESH_MS);
    expect(admitted('10.0.0.2')).toEqual(['10.0.0.2']);
    expect(changes.at(-1)).toEqual({ joined: ['10.0.0.2'], left: [] });
  });

  test.each<[name: string, answer: NamedAddresses | Error]>([
    ['fails', new Error('SERVFAIL')],
    ['names nobody', { ip4: [], ip6: [] }],
    ['tells of one family only, and that nobody has it', { ip4: undefined, ip6: [] }],
  ])('keeps the members for as long as DNS %s', async (_name, answer) => {
    await start(['10.0.0.1', '10.0.0.2', 'fd00::1']);
    zone.set(answer);
    await clock.advance(60 * MINUTE_MS);
    expect(admitted('10.0.0.1', '10.0.0.2', 'fd00::1')).toHaveLength(3);
    zone.set(['10.0.0.1']);
    await clock.advance(REFRESH_MS);
    expect(admitted('10.0.0.1', '10.0.0.2', 'fd00::1')).toEqual(['10.0.0.1']);
  });

  test('keeps the members of a family that no name server tells of', async () => {
    await start(['10.0.0.1', 'fd00::1']);
    zone.set({ ip4: ['10.0.0.2'], ip6: undefined });
    await clock.advance(REFRESH_MS);
    expect(admitted('10.0.0.1', '10.0.0.2', 'fd00::1')).toEqual(['10.0.0.2', 'fd00::1']);
  });

  test('asks again soon while DNS fails from the start, and warns once', async () => {
    await start(new Error('SERVFAIL'));
    expect(admitted(OWN, '10.0.0.1')).toEqual([OWN]);
    await clock.advance(20 * SECOND_MS);
    expect(zone.questions).toBeGreaterThan(3);
    zone.set(['10.0.0.1']);
    await clock.advance(REFRESH_MS);
    expect(admitted('10.0.0.1')).toEqual(['10.0.0.1']);
    expect(lines.filter((line) => line.includes('Cannot resolve the members'))).toHaveLength(1);
  });

  test('an address that is not named any more is out at once, unless it has been connected since', async () => {
    await start(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    const close = membership.opened('10.0.0.2');
    membership.opened('10.0.0.3');
    zone.set(['10.0.0.4']);
    await clock.advance(REFRESH_MS);
    expect(admitted('10.0.0.1', '10.0.0.2', '10.0.0.3')).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(membership.stats().members).toBe(3);
    // The node ends; the next peer with its address is another peer, whatever connections it has.
    membership.opened('10.0.0.2');
    close();
    await clock.advance(0);
    expect(admitted('10.0.0.2', '10.0.0.3')).toEqual(['10.0.0.3']);
    expect(changes.at(-1)).toEqual({ joined: [], left: ['10.0.0.2'] });
    expect(membership.arrive('10.0.0.2')).toBe('pending');
    await clock.advance(5 * MINUTE_MS);
    expect(admitted('10.0.0.3')).toEqual([]);
    // It had its grace: it is not a pending peer on top of that.
    expect(membership.standing('10.0.0.3')).toBe('denied');
  });

  test('an address that is named again in time goes on as if nothing had been', async () => {
    await start(['10.0.0.1', '10.0.0.2']);
    membership.opened('10.0.0.2');
    zone.set(['10.0.0.1']);
    await clock.advance(REFRESH_MS);
    zone.set(['10.0.0.1', '10.0.0.2']);
    await clock.advance(10 * MINUTE_MS);
    expect(admitted('10.0.0.2')).toEqual(['10.0.0.2']);
    expect(changes.flatMap(({ left }) => left)).toEqual([]);
  });

  test('arrive() lets a node that DNS does not name yet be a pending peer, and asks for it ever more rarely', async () => {
    await start(['10.0.0.1']);
    await clock.advance(5 * SECOND_MS);
    const before = zone.questions;
    expect(membership.arrive('10.0.0.2')).toBe('pending');
    expect(membership.arrive('10.0.0.2')).toBe('pending');
    await clock.advance(0);
    expect(zone.questions).toBe(before + 1);
    expect(admitted('10.0.0.2')).toEqual([]);
    await clock.advance(32 * SECOND_MS);
    expect(zone.questions).toBeLessThan(before + 8);
    zone.set(['10.0.0.1', '10.0.0.2']);
    await clock.advance(REFRESH_MS);
    expect([membership.arrive('10.0.0.2'), membership.stats().pending]).toEqual(['member', 0]);
  });

  test('a pending peer with a name of its own below the domain is a member, though the list does not have it yet', async () => {
    await start(['10.0.0.1']);
    zone.setEndpointNames('10.0.0.2');
    expect(membership.arrive('10.0.0.2')).toBe('pending');
    expect(membership.arrive('10.0.0.3')).toBe('pending');
    // The name server may not have heard of it before it came here.
    expect(zone.ownNameQuestions).toEqual([]);
    await clock.advance(SECOND_MS);
    expect(admitted('10.0.0.2', '10.0.0.3')).toEqual(['10.0.0.2']);
    expect(changes.at(-1)).toEqual({ joined: ['10.0.0.2'], left: [] });
    expect(membership.stats()).toEqual({ members: 2, pending: 1, refused: 0 });
    // Lists of before it came change nothing, and neither does the list that has it.
    await clock.advance(REFRESH_MS);
    expect(admitted('10.0.0.2')).toEqual(['10.0.0.2']);
    zone.set(['10.0.0.1', '10.0.0.2']);
    zone.setEndpointNames();
    await clock.advance(10 * MINUTE_MS);
    expect(admitted('10.0.0.2')).toEqual(['10.0.0.2']);
    expect(changes.flatMap(({ left }) => left)).toEqual([]);
  });

  test('an address that the list never names is out 90 s after its own name was seen', async () => {
    await start(['10.0.0.1']);
    zone.setEndpointNames('10.0.0.2');
    expect(await membership.knock('10.0.0.2')).toBe(true);
    zone.setEndpointNames();
    await clock.advance(89 * SECOND_MS);
    expect(admitted('10.0.0.2')).toEqual(['10.0.0.2']);
    await clock.advance(2 * SECOND_MS);
    expect(admitted('10.0.0.2')).toEqual([]);
    expect(changes.at(-1)).toEqual({ joined: [], left: ['10.0.0.2'] });
    expect(membership.stats().members).toBe(1);
  });

  test('a pending peer that DNS has not named after 90 s is denied, until DNS names it', async () => {
    await start(['10.0.0.1']);
    expect(membership.arrive('10.0.0.2')).toBe('pending');
    await clock.advance(89 * SECOND_MS);
    expect(membership.standing('10.0.0.2')).toBe('pending');
    await clock.advance(REFRESH_MS);
    expect(membership.standing('10.0.0.2')).toBe('denied');
    for (let minute = 0; minute < 30; minute++) {
      await clock.advance(MINUTE_MS);
      expect(membership.arrive('10.0.0.2')).toBe('denied');
    }
    expect(membership.stats()).toEqual({ members: 1, pending: 0, refused: 30 });
    // One warning for all of it, which says what to do.
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('boot.example. has to name its address');
    zone.set(['10.0.0.1', '10.0.0.2']);
    await clock.advance(REFRESH_MS);
    expect(membership.arrive('10.0.0.2')).toBe('member');
  });

  test('a pending peer is not judged while DNS does not answer', async () => {
    await start(['10.0.0.1']);
    membership.arrive('10.0.0.2');
    membership.arrive('fd00::2');
    zone.set(new Error('SERVFAIL'));
    await clock.advance(10 * MINUTE_MS);
    expect(membership.standing('10.0.0.2')).toBe('pending');
    zone.set({ ip4: ['10.0.0.1'], ip6: undefined });
    await clock.advance(REFRESH_MS);
    expect([membership.standing('10.0.0.2'), membership.standing('fd00::2')]).toEqual(['denied', 'pending']);
  });

  test('a denied address that did not try for 10 minutes may be that of another peer by now', async () => {
    await start(['10.0.0.1']);
    membership.arrive('10.0.0.2');
    await clock.advance(3 * MINUTE_MS);
    expect(membership.arrive('10.0.0.2')).toBe('denied');
    await clock.advance(11 * MINUTE_MS);
    expect(membership.arrive('10.0.0.2')).toBe('pending');
  });

  test('knock() asks DNS at once about an address that it does not know, at most once a second', async () => {
    await start(['10.0.0.1']);
    await clock.advance(5 * SECOND_MS);
    zone.set(['10.0.0.1', '10.0.0.2']);
    expect(await membership.knock('10.0.0.1')).toBe(true);
    expect(zone.questions).toBe(1);
    expect(await membership.knock('10.0.0.2')).toBe(true);
    expect(zone.questions).toBe(2);
    for (let index = 0; index < 100; index++) {
      expect(await membership.knock(`10.7.0.${index}`)).toBe(false);
    }
    expect(zone.questions).toBe(2);
    await clock.advance(5 * SECOND_MS);
    for (let index = 0; index < 100; index++) await membership.knock(`10.7.1.${index}`);
    expect(zone.questions).toBe(3);
  });

  test('a flood of other addresses costs bounded questions, memory and log lines', async () => {
    await start(['10.0.0.1']);
    for (let second = 0; second < 120; second++) {
      for (let index = 0; index < 50; index++) membership.arrive(`10.${second}.1.${index}`);
      await clock.advance(SECOND_MS);
    }
    expect(zone.questions).toBeLessThanOrEqual(122);
    expect(zone.ownNameQuestions.length).toBeLessThanOrEqual(1 + 20 + 10 * 120);
    expect(membership.stats().pending).toBeLessThanOrEqual(1024);
    expect(membership.stats().refused).toBeGreaterThan(4000);
    expect(lines.length).toBeLessThanOrEqual(18);
  });

  test('asks less often in a large cluster, whatever other addresses do', async () => {
    const all = Array.from({ length: 1000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    await start(all);
    for (let second = 0; second < 60; second++) {
      membership.arrive(`10.9.0.${second}`);
      await clock.advance(SECOND_MS);
    }
    expect(zone.questions).toBeLessThanOrEqual(7);
  });
});
