import { describe, expect, test } from 'bun:test';
import type { NetworkInterfaceInfo } from 'node:os';

import { createLogger } from '../../observe/log.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { checkNodeIp } from './check-node-ip.ts';

const at = (address: string): NetworkInterfaceInfo =>
  ({
    address,
    netmask: '',
    mac: '',
    internal: address.startsWith('127.'),
    family: 'IPv4',
    cidr: null,
  }) as const;

/** Checks the address for a minute on a machine with these addresses, of which some are there only after a while. */
async function check(nodeIp: string, addresses: Readonly<Record<string, number>>) {
  const clock = createVirtualClock();
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', write: (line) => lines.push(line) });
  const readFacts = async () => ({
    interfaces: {
      eth0: Object.entries(addresses).flatMap(([address, fromMs]) =>
        clock.nowMs() >= fromMs ? [at(address)] : [],
      ),
    },
  });
  const stop = new AbortController();
  const checking = checkNodeIp({ clock, logger, readFacts }, { nodeIp, signal: stop.signal });
  await clock.advance(60_000);
  await checking;
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('checkNodeIp()', () => {
  test.each<[what: string, nodeIp: string, addresses: Readonly<Record<string, number>>]>([
    ['that an interface has', '10.0.0.1', { '127.0.0.1': 0, '10.0.0.1': 0 }],
    ['in another spelling', 'FD00:0::1', { 'fd00::1': 0 }],
    ['of loopback', '127.0.0.1', { '127.0.0.1': 0, '10.0.0.1': 0 }],
    ['that is there seconds later', '10.0.0.1', { '10.0.0.2': 0, '10.0.0.1': 4000 }],
  ])('says nothing of an address %s', async (_what, nodeIp, addresses) => {
    expect(await check(nodeIp, addresses)).toEqual([]);
  });

  test('warns once of an address that no interface has, with the addresses that there are', async () => {
    const lines = await check('10.0.0.7', { '127.0.0.1': 0, '10.0.0.1': 0, 'fd00::1': 0 });
    expect(lines).toMatchObject([{ level: 'WARN', nodeIp: '10.0.0.7', addresses: ['10.0.0.1', 'fd00::1'] }]);
    expect(lines[0]?.['msg']).toContain('NODE_IP');
  });

  test('ends with its signal', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', write: (line) => lines.push(line) });
    const readFacts = async () => ({ interfaces: {} });
    const checking = checkNodeIp(
      { clock: createVirtualClock(), logger, readFacts },
      { nodeIp: '10.0.0.7', signal: stop.signal },
    );
    stop.abort();
    await checking;
    expect(lines).toEqual([]);
  });
});
