import { afterEach, describe, expect, test } from 'bun:test';

import { createLogger } from '../observe/log.ts';
import { BootstrapError, type BootstrapPeer, NoNodeNamedError } from './bootstrapper.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { abortable } from '../runtime/abortable.ts';
import {
  BOOTSTRAP_DIALS,
  BOOTSTRAP_GRACE_MS,
  BOOTSTRAP_RETRY_MAX_MS,
  REBOOTSTRAP_INTERVAL_MS,
  runBootstrapLoop,
} from './bootstrap-loop.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const SELF: BootstrapPeer = { id: 'self', multiaddrs: ['/ip4/10.0.0.1/tcp/5001'] };
const OTHER: BootstrapPeer = { id: 'other', multiaddrs: ['/ip4/10.0.0.2/tcp/5001'] };

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map(async (stop) => stop()));
});

/** A network in which the test says which peers are there, and a clock that runs 1000 times as fast. */
function start(peers: () => BootstrapPeer[], reachable = new Set<string>()) {
  let changed = Promise.withResolvers<void>();
  const state = {
    connected: false,
    readyCount: 0,
    rounds: 0,
    dialed: [] as string[],
    known: [] as BootstrapPeer[],
    outcomes: [] as string[],
    lines: [] as string[],
  };
  /** Peers that are gone, although others are connected. */
  const missing = new Set<string>();
  const hanging = new Set<string>();
  const stop = new AbortController();
  const startedMs = performance.now();
  const clock = createSleepingClock({
    nowMs: () => (performance.now() - startedMs) * 1000,
    sleep: async (ms, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms / 1000);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
      await promise;
    },
  });
  const running = runBootstrapLoop(
    {
      logger: createLogger({ level: 'info', write: (line) => state.lines.push(line) }),
      clock,
      onReady: () => state.readyCount++,
      onOutcome: (outcome) => state.outcomes.push(outcome),
      bootstrapper: {
        kind: 'test',
        async peers() {
          state.rounds++;
          return peers();
        },
      },
      network: {
        isSelf: ({ id }) => id === 'self',
        async connect({ id = '' }) {
          state.dialed.push(id);
          if (hanging.has(id)) await aborted(stop.signal);
          if (!reachable.has(id)) throw new Error('Connection refused');
          missing.delete(id);
          setConnected(true);
          return true;
        },
        isConnected: ({ id = '' }) => state.connected && !missing.has(id),
        knownPeers: async () => state.known,
        hasPeers: () => state.connected,
        peerCount: () => (state.connected ? 1 : 0),
        peersChanged: async (signal) => abortable(changed.promise, signal),
      },
    },
    stop.signal,
  );
  const setConnected = (connected: boolean) => {
    state.connected = connected;
    changed.resolve();
    changed = Promise.withResolvers();
  };
  stops.push(async () => {
    stop.abort(new Error('The test is over'));
    await running;
  });
  return { state, clock, reachable, hanging, missing, setConnected };
}

async function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason as Error));
  return promise;
}

describe('runBootstrapLoop()', () => {
  test('is ready at once when bootstrap names no node but this one', async () => {
    const { state } = start(() => [SELF]);
    await until(() => state.readyCount === 1);
    expect(state.dialed).toEqual([]);
  });

  test('is ready at once when the domain names no node, and warns of it once until that changes', async () => {
    let isNamed = false;
    const { state } = start(() => {
      if (isNamed) return [SELF];
      throw new NoNodeNamedError('typo.example.');
    });
    const reports = () => state.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    await until(() => state.rounds > 3);
    expect(state.readyCount).toBe(1);
    expect(new Set(state.outcomes)).toEqual(new Set(['unnamed']));
    expect(reports()).toMatchObject([{ level: 'WARN', domain: 'typo.example.' }]);
    isNamed = true;
    await until(() => state.outcomes.at(-1) === 'alone');
    expect(reports().slice(1)).toMatchObject([
      { level: 'INFO', msg: 'Bootstrap names nobody but this node' },
    ]);
    isNamed = false;
    await until(() => state.outcomes.at(-1) === 'unnamed');
    expect(reports().slice(2)).toMatchObject([{ level: 'WARN', domain: 'typo.example.' }]);
  });

  test('is ready when it has joined', async () => {
    const { state } = start(() => [SELF, OTHER], new Set(['other']));
    await until(() => state.readyCount === 1);
    expect(state.dialed).toEqual(['other']);
  });

  test('is ready when another node connects first', async () => {
    const { state, setConnected } = start(() => {
      throw new BootstrapError('Nobody listens');
    });
    setConnected(true);
    await until(() => state.readyCount === 1);
  });

  test('is ready after the grace when bootstrap fails, and tries on', async () => {
    const { state, clock } = start(() => {
      throw new BootstrapError('Nobody listens');
    });
    await until(() => state.readyCount === 1);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(BOOTSTRAP_GRACE_MS);
    const { rounds } = state;
    await until(() => state.rounds > rounds + 1);
    expect(state.readyCount).toBe(1);
  });

  test('joins when its bootstrap peer comes up later', async () => {
    const { state, reachable, clock } = start(() => [OTHER]);
    await until(() => state.dialed.length > 2);
    reachable.add('other');
    const sinceMs = clock.nowMs();
    await until(() => state.connected);
    // Twice the time, because the clock runs fast and this machine may be slow.
    expect(clock.nowMs() - sinceMs).toBeLessThan(2 * BOOTSTRAP_RETRY_MAX_MS + 100_000);
  });

  test('goes on to the next rank only when no peer of the ranks before can be connected to', async () => {
    const peerOf = (id: string, rank: number) => ({ id, multiaddrs: OTHER.multiaddrs, rank });
    const peers = [peerOf('c', 2), peerOf('d', 2), peerOf('a', 1), peerOf('b', 1)];
    const { state, reachable } = start(() => [SELF, ...peers]);
    await until(() => state.dialed.length >= 4);
    expect(state.dialed.slice(0, 4)).toEqual(['a', 'b', 'c', 'd']);
    reachable.add('a');
    await until(() => state.connected);
    expect(state.dialed.slice(-2)).toEqual(['a', 'b']);
  });

  test('dials a few peers at a time, and the next while they hang', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `p${index}`);
    const { state, hanging, reachable } = start(() =>
      ids.map((id) => ({ id, multiaddrs: OTHER.multiaddrs })),
    );
    for (const id of ids.slice(0, 2 * BOOTSTRAP_DIALS)) hanging.add(id);
    reachable.add(ids[2 * BOOTSTRAP_DIALS] ?? '');
    expect(state.dialed.length).toBeLessThanOrEqual(BOOTSTRAP_DIALS);
    await until(() => state.connected);
    expect(state.dialed).toEqual(ids.slice(0, 3 * BOOTSTRAP_DIALS));
    await until(() => state.readyCount === 1);
  });

  test('is ready after the grace also while a dial hangs', async () => {
    const { state, hanging } = start(() => [OTHER]);
    hanging.add('other');
    await until(() => state.readyCount === 1);
    expect(state.connected).toBe(false);
  });

  test('bootstraps again, and tries the peers that it knew, when all peers are lost', async () => {
    const { state, setConnected, reachable } = start(() => [OTHER], new Set(['other']));
    await until(() => state.connected);
    state.known = [{ id: 'known', multiaddrs: ['/ip4/10.0.0.3/tcp/5001'] }];
    reachable.delete('other');
    reachable.add('known');
    setConnected(false);
    await until(() => state.connected);
    expect(state.dialed).toContain('known');
  });

  test('looks for a bootstrap peer that left, although it has others, and reports no round for that', async () => {
    let named = [OTHER];
    const { state, missing, reachable, setConnected } = start(() => named, new Set(['other']));
    await until(() => state.connected);
    reachable.delete('other');
    missing.add('other');
    setConnected(true);
    await until(() => state.dialed.length >= 4);
    // It has another identity now.
    named = [{ ...OTHER, id: 'again' }];
    missing.add('again');
    reachable.add('again');
    await until(() => !missing.has('again'));
    const { dialed } = state;
    expect(new Set(dialed)).toEqual(new Set(['other', 'again']));
    expect(dialed.filter((id) => id === 'again')).toHaveLength(1);
    expect(state.outcomes).toEqual(['joined']);
  });

  test('bootstraps again after half an hour all the same', async () => {
    const { state, clock } = start(() => [OTHER], new Set(['other']));
    await until(() => state.rounds >= 2);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(REBOOTSTRAP_INTERVAL_MS);
  });
});
