import { afterEach, describe, expect, test } from 'bun:test';

import { createLogger } from '../observe/log.ts';
import { parseIpNetwork } from '../runtime/ip-network.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { createDnsMembership, type DnsMembershipOptions } from '../membership/dns-membership.ts';
import { loadIdentity } from './identity.ts';
import { everybody, type Membership } from '../membership/membership.ts';
import { createNetworkMembership } from '../membership/network-membership.ts';
import type { P2pRouter } from './p2p-router-contract.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { createDnsZone, type DnsZone } from '../bootstrap/testing/dns-zone.ts';
import {
  addressOf,
  createTestRouters,
  find,
  stopAfterEach,
  type TestRouterOptions,
} from './testing/test-routers.ts';

/**
 * Loopback has one address per family that a connection can come from: members are peers at the IPv4 address, and a
 * peer that connects over IPv6 is not a member.
 */
const MEMBERS = '127.0.0.1';
const OTHERS = '::1';
/** Longer than one refresh with its jitter, and than a pending peer may stay. */
const [REFRESH_MS, PENDING_MS] = [40 * 1000, 130 * 1000];

const routers = createTestRouters();
stopAfterEach(routers);

let memberships: Membership[] = [];
let lines: string[] = [];
/** Only memberships go by it. */
let clock = createVirtualClock();
afterEach(async () => {
  await routers.stopAll();
  await Promise.all(memberships.map(async (membership) => membership[Symbol.asyncDispose]()));
  [memberships, lines] = [[], []];
  clock = createVirtualClock();
});

function byDns(zone: DnsZone, options: Partial<DnsMembershipOptions> = {}): Membership {
  const logger = createLogger({ level: 'warn', write: (line) => lines.push(line) });
  const membership = createDnsMembership(
    { addresses: zone, logger, clock },
    { own: () => [MEMBERS], allowLoopback: true, ...options },
  );
  memberships.push(membership);
  return membership;
}

/** A port that is free on both families. */
async function freePort(): Promise<number> {
  const server = Bun.listen({ hostname: '::', port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

/** Two members that know each other; other peers reach the first at the second address that is returned. */
async function startMembers(zone: DnsZone) {
  const port = await freePort();
  const first = await routers.start(undefined, {
    listenAddress: `:${port}`,
    announceAddresses: [MEMBERS],
    membership: byDns(zone),
  });
  const second = await routers.start(createStaticBootstrapper([addressOf(first)]), {
    membership: byDns(zone),
  });
  await until(async () => (await connectedTo(second)).includes(first.self().id));
  return { first, second, door: `/ip6/${OTHERS}/tcp/${port}/p2p/${first.self().id}` };
}

/**
 * A node that comes from an address which is not named, unless the test names it. It dials no peer over IPv4, where it
 * would look like a member.
 */
async function startOther(
  door: string,
  { membership = everybody, ...options }: TestRouterOptions = {},
): Promise<P2pRouter> {
  return routers.start(createStaticBootstrapper([door]), {
    listenAddress: `[${OTHERS}]:0`,
    announceAddresses: [OTHERS],
    membership: { ...membership, knock: async (ip) => ip === OTHERS && membership.knock(ip) },
    ...options,
  });
}

async function connectedTo(router: P2pRouter): Promise<readonly string[]> {
  return (await router.peers()).filter(({ connected }) => connected).map(({ id }) => id);
}

const providers = async (router: P2pRouter, key: string) => (await find(router, key)).map(({ id }) => id);

describe('createP2pRouter() with members by DNS', () => {
  test('a pending peer gets answers for a while, is never handed out, and is denied then', async () => {
    const zone = createDnsZone(MEMBERS);
    const { first, second, door } = await startMembers(zone);
    await first.advertise(['sha256:of-a-member']);
    const stranger = await startOther(door);
    await until(async () => (await connectedTo(stranger)).includes(first.self().id));
    await stranger.advertise(['sha256:of-a-member', 'sha256:of-a-stranger']);
    await until(async () => (await providers(stranger, 'sha256:of-a-member')).includes(first.self().id));
    for (const member of [first, second]) {
      expect(await providers(member, 'sha256:of-a-stranger')).toEqual([]);
      expect(await providers(member, 'sha256:of-a-member')).not.toContain(stranger.self().id);
    }
    const { ids } = await first.bootstrapDocuments();
    expect(ids.map(({ ID }) => ID)).toEqual([first.self().id, second.self().id]);

    await clock.advance(PENDING_MS);
    await until(async () => !(await connectedTo(first)).includes(stranger.self().id));
    await until(() => first.stats().membership.refused > 3);
    expect(await connectedTo(stranger)).toEqual([]);
    expect(first.stats().membership).toMatchObject({ members: 1, pending: 0 });
    const warnings = lines.filter((line) => line.includes('Refused a peer'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(OTHERS);
  });

  test('a node that DNS names later is a provider then, also of what it provided before', async () => {
    const zone = createDnsZone(MEMBERS);
    const { first, second, door } = await startMembers(zone);
    const late = await startOther(door, { membership: byDns(zone, { own: () => [OTHERS] }) });
    await until(async () => (await connectedTo(late)).includes(first.self().id));
    await late.advertise(['sha256:early']);
    expect(await providers(second, 'sha256:early')).toEqual([]);
    zone.set([MEMBERS, OTHERS]);
    await clock.advance(REFRESH_MS);
    await until(async () => (await providers(second, 'sha256:early')).includes(late.self().id));
    await late.advertise(['sha256:later']);
    await until(async () => (await providers(second, 'sha256:later')).includes(late.self().id));
    expect(first.stats().membership).toEqual({ members: 2, pending: 0, refused: 0 });
  });

  test('members stay together while DNS fails, and when it forgets them for a while', async () => {
    const zone = createDnsZone(MEMBERS, OTHERS);
    const { first, door } = await startMembers(zone);
    const third = await startOther(door, { membership: byDns(zone, { own: () => [OTHERS] }) });
    await until(async () => (await connectedTo(first)).length === 2);
    for (const addresses of [new Error('SERVFAIL'), [], [MEMBERS]]) {
      zone.set(addresses);
      const asked = zone.questions;
      await clock.advance(3 * REFRESH_MS);
      expect(zone.questions).toBeGreaterThan(asked + 2);
      await third.advertise([`sha256:kept-${asked}`]);
      await until(async () => (await providers(first, `sha256:kept-${asked}`)).length === 1);
    }
    expect(await connectedTo(first)).toHaveLength(2);
  });

  test('a peer that gets the address of a node that is gone is not a member', async () => {
    const zone = createDnsZone(MEMBERS, OTHERS);
    const { first, second, door } = await startMembers(zone);
    const listenAddress = `[${OTHERS}]:${await freePort()}`;
    const gone = await startOther(door, { listenAddress });
    await gone.advertise(['sha256:gone']);
    await until(async () => (await providers(second, 'sha256:gone')).length === 1);
    zone.set([MEMBERS]);
    await clock.advance(REFRESH_MS);
    expect(first.stats().membership.members).toBe(2);
    await routers.stop(gone);
    await until(() => first.stats().membership.members === 1);
    const heir = await startOther(door, { listenAddress, privateKey: await loadIdentity() });
    await until(async () => (await connectedTo(heir)).includes(first.self().id));
    await heir.advertise(['sha256:gone', 'sha256:heir']);
    for (const member of [first, second]) {
      expect(await providers(member, 'sha256:heir')).toEqual([]);
      expect(await providers(member, 'sha256:gone')).toEqual([]);
    }
  });

  test('a node that connects from an address which is not named is a member where it can be dialled', async () => {
    const zone = createDnsZone(MEMBERS);
    const { first, second, door } = await startMembers(zone);
    // It connects from ::1, and announces 127.0.0.1.
    const twoSided = await startOther(door, {
      listenAddress: `${MEMBERS}:0`,
      announceAddresses: [MEMBERS],
    });
    await twoSided.advertise(['sha256:two-sided']);
    await until(async () => (await providers(first, 'sha256:two-sided')).includes(twoSided.self().id));
    await until(async () => (await providers(second, 'sha256:two-sided')).includes(twoSided.self().id));
  });

  test('a node that connects from such an address before DNS names the other one is a member then', async () => {
    const zone = createDnsZone('10.0.0.1');
    const port = await freePort();
    const first = await routers.start(undefined, {
      listenAddress: `:${port}`,
      announceAddresses: [MEMBERS],
      membership: byDns(zone, { own: () => [] }),
    });
    const twoSided = await startOther(`/ip6/${OTHERS}/tcp/${port}/p2p/${first.self().id}`, {
      listenAddress: `${MEMBERS}:0`,
      announceAddresses: [MEMBERS],
    });
    await twoSided.advertise(['sha256:two-sided']);
    await until(async () => (await connectedTo(first)).includes(twoSided.self().id));
    expect(await providers(first, 'sha256:two-sided')).toEqual([]);
    zone.set([MEMBERS]);
    await clock.advance(REFRESH_MS);
    await until(async () => (await providers(first, 'sha256:two-sided')).includes(twoSided.self().id));
  });

  test('a pending peer that claims the address of a member is not handed out either', async () => {
    const zone = createDnsZone(MEMBERS);
    const { first, second, door } = await startMembers(zone);
    const liar = await startOther(door, { announceAddresses: [MEMBERS] });
    await until(async () => (await connectedTo(liar)).includes(first.self().id));
    await liar.advertise(['sha256:lie']);
    await clock.advance(REFRESH_MS);
    for (const member of [first, second]) expect(await providers(member, 'sha256:lie')).toEqual([]);
  });
});

describe('createP2pRouter() with members by networks', () => {
  test('refuses a peer that is in none of them', async () => {
    const port = await freePort();
    const logger = createLogger({ level: 'warn', write: (line) => lines.push(line) });
    const first = await routers.start(undefined, {
      listenAddress: `:${port}`,
      announceAddresses: [MEMBERS],
      membership: createNetworkMembership(
        { logger, clock },
        { networks: [parseIpNetwork('127.0.0.0/8')], allowLoopback: true },
      ),
    });
    const other = await startOther(`/ip6/${OTHERS}/tcp/${port}/p2p/${first.self().id}`);
    await until(() => first.stats().membership.refused > 2);
    expect(await connectedTo(other)).toEqual([]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('--allowed-networks');
    const second = await routers.start(createStaticBootstrapper([addressOf(first)]));
    await second.advertise(['sha256:in']);
    await until(async () => (await providers(first, 'sha256:in')).length === 1);
  });
});
