import { describe, expect, test } from 'bun:test';
import { createLogger } from '../../observe/log.ts';
import { findAnnounceAddresses } from './find-announce-addresses.ts';
import { createSleepingClock } from '../../runtime/testing/sleeping-clock.ts';

const UP = {
  address: '10.1.2.3',
  netmask: '',
  mac: '',
  internal: false,
  family: 'IPv4',
  cidr: null,
} as const;

/** Looks for addresses on a machine that has one once `upAfterMs` are over. Time passes only by sleeping. */
async function find(upAfterMs: number) {
  let nowMs = 0;
  const clock = createSleepingClock({ nowMs: () => nowMs, sleep: async (ms) => void (nowMs += ms) });
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', write: (line) => lines.push(line) });
  const readFacts = async () => ({
    interfaces: { eth0: nowMs < upAfterMs ? [] : [UP] },
    bridges: new Set<string>(),
  });
  const found = await findAnnounceAddresses({ clock, logger, readFacts }, {}).catch(
    (error: unknown) => error,
  );
  return { found, lines };
}

describe('findAnnounceAddresses()', () => {
  test('says nothing of a network that is there soon', async () => {
    expect(await find(900)).toEqual({ found: ['10.1.2.3'], lines: [] });
  });

  test('says once that it waits when it takes longer', async () => {
    const { found, lines } = await find(5000);
    expect(found).toEqual(['10.1.2.3']);
    expect(lines).toEqual([
      expect.stringMatching(/"level":"WARN","msg":"No address that others can reach yet.*"upToMs":10000/),
    ]);
  });

  test('says what is needed when there is none', async () => {
    const { found, lines } = await find(Infinity);
    expect(String(found)).toContain('on a network interface that is no bridge, or NODE_IP set to one');
    expect(lines).toHaveLength(1);
  });
});
