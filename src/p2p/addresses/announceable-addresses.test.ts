import { describe, expect, test } from 'bun:test';
import type { NetworkInterfaceInfo } from 'node:os';

import { type AnnounceFacts, announceableAddresses } from './announceable-addresses.ts';
import { failureOf } from '../../runtime/conditions.fixture.ts';
import { findAnnounceAddresses } from './find-announce-addresses.ts';
import { createSleepingClock } from '../../runtime/testing/sleeping-clock.ts';

function address(text: string): NetworkInterfaceInfo {
  const base = { address: text, netmask: '', mac: '', internal: text === '127.0.0.1' || text === '::1' };
  return text.includes(':')
    ? { ...base, family: 'IPv6', scopeid: 0, cidr: null }
    : { ...base, family: 'IPv4', cidr: null };
}

function facts(
  interfaces: Record<string, string[]>,
  more: Partial<Omit<AnnounceFacts, 'interfaces'>> = {},
): AnnounceFacts {
  const entries = Object.entries(interfaces).map(([name, list]) => [name, list.map(address)] as const);
  return { interfaces: Object.fromEntries(entries), bridges: new Set(), ...more };
}

const LO = { lo: ['127.0.0.1', '::1'] };
const HOST = {
  ...LO,
  eth0: ['10.0.0.5', 'fd00::5', 'fe80::1'],
  docker0: ['172.17.0.1'],
  eth1: ['192.168.9.9'],
};

describe('announceableAddresses()', () => {
  const cases: [name: string, facts: AnnounceFacts, expected: string[]][] = [
    ['a pod has one interface', facts({ ...LO, eth0: ['10.244.1.7'] }), ['10.244.1.7']],
    [
      'a pod is given the IP of its host',
      facts({ ...LO, eth0: ['10.244.1.7', 'fd00:244::7', 'fe80::2'] }, { nodeIp: '10.0.0.5' }),
      ['10.244.1.7', 'fd00:244::7'],
    ],
    ['the host network has NODE_IP', facts(HOST, { nodeIp: '192.168.9.9' }), ['192.168.9.9']],
    [
      'NODE_IP has a sibling of the other family',
      facts(HOST, { nodeIp: '10.0.0.5' }),
      ['10.0.0.5', 'fd00::5'],
    ],
    ['NODE_IP is IPv6 in another spelling', facts(HOST, { nodeIp: 'FD00:0::5' }), ['fd00::5', '10.0.0.5']],
    [
      'the router listens on one address only',
      facts(HOST, { nodeIp: '10.0.0.5', listenHost: 'FD00::5', defaultRoutes: new Set(['eth0']) }),
      ['fd00::5'],
    ],
    [
      'the router listens on loopback, where no peer reaches it',
      facts({ ...LO, eth0: ['10.0.0.5'] }, { listenHost: '127.0.0.1' }),
      ['10.0.0.5'],
    ],
    ['the router listens on all', facts({ ...LO, eth0: ['10.0.0.5'] }, { listenHost: '::' }), ['10.0.0.5']],
    [
      'NODE_IP is loopback',
      facts(HOST, { nodeIp: '127.0.0.1', bridges: new Set(['docker0']) }),
      ['10.0.0.5', 'fd00::5', '192.168.9.9'],
    ],
    [
      'a default route leaves by one of them',
      facts(HOST, { defaultRoutes: new Set(['eth0']) }),
      ['10.0.0.5', 'fd00::5'],
    ],
    [
      'the interface of the default route has no address',
      facts(HOST, { defaultRoutes: new Set(['ppp0']), bridges: new Set(['docker0', 'eth1']) }),
      ['10.0.0.5', 'fd00::5'],
    ],
    [
      'a bridge carries the default route',
      facts(HOST, { defaultRoutes: new Set(['docker0']), bridges: new Set(['docker0']) }),
      ['172.17.0.1'],
    ],
    ['there is only loopback and link-local', facts({ ...LO, eth0: ['169.254.3.4', 'fe80::9'] }), []],
    ['NODE_IP is empty', facts({ ...LO, eth0: ['10.244.1.7'] }, { nodeIp: '' }), ['10.244.1.7']],
  ];
  test.each(cases)('is right when %s', (_name, given, expected) => {
    expect(announceableAddresses(given)).toEqual(expected);
  });
});

describe('findAnnounceAddresses()', () => {
  /** Time that passes only by sleeping. */
  function jumpingClock() {
    let nowMs = 0;
    return createSleepingClock({ nowMs: () => nowMs, sleep: async (ms) => void (nowMs += ms) });
  }

  test('waits for a network that is being set up', async () => {
    let reads = 0;
    const readFacts = async () => facts(reads++ < 5 ? LO : { ...LO, eth0: ['10.1.2.3'] });
    expect(await findAnnounceAddresses({ clock: jumpingClock(), readFacts }, {})).toEqual(['10.1.2.3']);
  });

  test('gives up when there is no network', async () => {
    const found = findAnnounceAddresses({ clock: jumpingClock(), readFacts: async () => facts(LO) }, {});
    expect((await failureOf(found)).message).toContain('no address that others can reach');
  });
});
