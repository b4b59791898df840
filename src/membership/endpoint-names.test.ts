import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { createLogger } from '../observe/log.ts';
import { createVirtualClock, type VirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createEndpointNames, type EndpointNames } from './endpoint-names.ts';
import { createDnsZone, type DnsZone } from '../bootstrap/testing/dns-zone.ts';

let zone: DnsZone;
let clock: VirtualClock;
let lines: string[];
let stop: AbortController;
let names: EndpointNames;

beforeEach(() => {
  [zone, clock, lines, stop] = [createDnsZone(), createVirtualClock(), [], new AbortController()];
  const logger = createLogger({ level: 'info', write: (line) => lines.push(line) });
  names = createEndpointNames({ addresses: zone, logger, clock }, { signal: stop.signal });
});
afterEach(() => stop.abort());

describe('createEndpointNames()', () => {
  test('ask() tells which address has a name, of both families', async () => {
    zone.setEndpointNames('10.0.0.1', 'fd00::1');
    const asked = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'];
    expect(await Promise.all(asked.map(async (ip) => names.ask(ip)))).toEqual([true, false, true, false]);
    expect(lines).toEqual([]);
  });

  test('ask() believes no domain that names whatever it is asked for', async () => {
    zone.setEndpointNames('*');
    expect(await names.ask('10.0.0.1')).toBe(false);
    expect(await names.ask('10.0.0.2')).toBe(false);
    expect(await names.ask('fd00::1')).toBe(false);
    expect(zone.ownNameQuestions).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(lines).toHaveLength(2);
  });

  test('ask() knows nothing while no name server answers, and asks again then', async () => {
    zone.setEndpointNames('10.0.0.1');
    zone.set(new Error('SERVFAIL'));
    expect(await names.ask('10.0.0.1')).toBe(false);
    zone.set([]);
    expect(await names.ask('10.0.0.1')).toBe(true);
  });

  test('ask() asks about an address once at a time, and about many only so often', async () => {
    await Promise.all(Array.from({ length: 50 }, async () => names.ask('10.0.0.1')));
    expect(zone.ownNameQuestions).toEqual(['192.0.2.1', '10.0.0.1']);
    for (let second = 0; second < 10; second++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => names.ask(`10.${second}.0.${index}`)),
      );
      await clock.advance(1000);
    }
    expect(zone.ownNameQuestions.length).toBeGreaterThan(100);
    expect(zone.ownNameQuestions.length).toBeLessThanOrEqual(2 + 20 + 100);
  });

  test('ask() asks nothing more once it is stopped', async () => {
    stop.abort();
    expect(await names.ask('10.0.0.1')).toBe(false);
    expect(zone.ownNameQuestions).toEqual([]);
  });
});
