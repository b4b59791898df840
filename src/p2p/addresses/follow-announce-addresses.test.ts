import { describe, expect, test } from 'bun:test';
import type { NetworkInterfaceInfo } from 'node:os';

import { createLogger } from '../../observe/log.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import type { AnnounceFacts } from './announceable-addresses.ts';
import { followAnnounceAddresses } from './follow-announce-addresses.ts';

const LOOK_MS = 30_000;

const at = (address: string): NetworkInterfaceInfo => ({
  address,
  netmask: '',
  mac: '',
  internal: false,
  family: 'IPv4',
  cidr: null,
});

async function start(first: readonly string[]) {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const [changes, lines]: [string[], string[]] = [[], []];
  const state = { addresses: first as readonly string[] | Error };
  const running = followAnnounceAddresses(
    {
      clock,
      logger: createLogger({ level: 'info', write: (line) => lines.push(line) }),
      async readFacts(): Promise<AnnounceFacts> {
        if (state.addresses instanceof Error) throw state.addresses;
        return { interfaces: { eth0: state.addresses.map(at) }, bridges: new Set() };
      },
    },
    { nodeIp: undefined, first, onChange: (next) => changes.push(next.join(' ')), signal: stop.signal },
  );
  return {
    changes,
    lines,
    /** What is there from now on, and for how many looks. */
    see: async (addresses: readonly string[] | Error, looks: number) => {
      state.addresses = addresses;
      await clock.advance(looks * LOOK_MS);
    },
    end: async () => {
      stop.abort();
      await running;
    },
  };
}

describe('followAnnounceAddresses()', () => {
  test('tells of addresses that were seen twice, once', async () => {
    const { changes, see, end } = await start(['10.0.0.1']);
    await see(['10.0.0.1'], 3);
    await see(['10.0.0.2'], 1);
    expect(changes).toEqual([]);
    await see(['10.0.0.2'], 3);
    expect(changes).toEqual(['10.0.0.2']);
    await see(['10.0.0.2', '10.0.0.1'], 2);
    await see(['10.0.0.1', '10.0.0.2'], 3);
    expect(changes).toEqual(['10.0.0.2', '10.0.0.2 10.0.0.1']);
    await end();
  });

  test('keeps what it has while there is nothing, or something else for a moment', async () => {
    const { changes, lines, see, end } = await start(['10.0.0.1']);
    await see([], 5);
    await see(['172.17.0.1'], 1);
    await see(['10.0.0.1'], 2);
    await see(new Error('EACCES'), 1);
    await see(['10.0.0.1'], 2);
    expect(changes).toEqual([]);
    expect(lines).toHaveLength(1);
    await see(['10.0.0.2'], 2);
    expect(changes).toEqual(['10.0.0.2']);
    await end();
  });
});
