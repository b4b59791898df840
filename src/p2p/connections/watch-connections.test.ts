import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface';

import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { ANSWER_TIMEOUT_MS } from '../limits.ts';
import { LATE_CHECK_MS, MAX_CHECKED_CONNECTIONS, watchConnections } from './watch-connections.ts';

let stop: AbortController;
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

/** How the other end of a connection takes a stream. */
type End = 'answers' | 'refuses' | 'silent' | 'resets';

const PEER = { toString: () => '12D3KooWPeer' } as PeerId;

/** A host whose connections the test makes up, all to one peer. */
function start() {
  const events = new EventTarget();
  const connections: Connection[] = [];
  const virtual = createVirtualClock();
  const told = { opened: 0, replaced: 0 };
  let lateMs = 0;
  let trials = 0;
  const libp2p = Object.assign(events, { getConnections: () => connections }) as unknown as Libp2p;
  watchConnections(
    {
      libp2p,
      clock: { ...virtual, nowMs: () => virtual.nowMs() + lateMs },
      onOpen: () => void told.opened++,
      onReplaced: () => void told.replaced++,
    },
    stop.signal,
  );
  return {
    told,
    advance: async (ms: number) => virtual.advance(ms),
    /** From now on timers are late by so much. */
    delay: (ms: number) => void (lateMs += ms),
    trials: () => trials,
    connect: (end: End, status: 'open' | 'aborted' = 'open') => {
      const connection = {
        remotePeer: PEER,
        status: status as string,
        async newStream(_protocol: string, { signal }: { readonly signal: AbortSignal }) {
          trials++;
          if (end === 'resets') connection.abort();
          if (end === 'refuses' || end === 'resets') throw new Error('The stream has ended');
          if (end === 'silent') {
            await new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
            });
          }
          return { abort() {} } as unknown as Stream;
        },
        abort() {
          connection.status = 'aborted';
        },
      };
      connections.push(connection as unknown as Connection);
      events.dispatchEvent(new CustomEvent('connection:open', { detail: connection }));
      return connection;
    },
  };
}

describe('watchConnections()', () => {
  test('ends a connection on which the peer does not answer when it does on the next', async () => {
    const { told, advance, connect } = start();
    const older = connect('silent');
    await advance(2 * ANSWER_TIMEOUT_MS);
    const newer = connect('answers');
    await advance(ANSWER_TIMEOUT_MS - 1);
    expect(older.status).toBe('open');
    await advance(1);
    expect([older.status, newer.status]).toEqual(['aborted', 'open']);
    expect(told).toEqual({ opened: 2, replaced: 1 });
  });

  test('leaves connections alone that answer, or refuse: the peer is there', async () => {
    const { told, advance, connect } = start();
    const all = [connect('answers'), connect('refuses'), connect('answers')];
    await advance(10 * ANSWER_TIMEOUT_MS);
    expect(all.map(({ status }) => status)).toEqual(['open', 'open', 'open']);
    expect(told.replaced).toBe(0);
  });

  test('ends no connection when the peer answers on none: two nodes that dialled each other would be left with none', async () => {
    const { told, advance, connect } = start();
    const all = [connect('silent'), connect('silent')];
    await advance(10 * ANSWER_TIMEOUT_MS);
    expect(all.map(({ status }) => status)).toEqual(['open', 'open']);
    expect(told.replaced).toBe(0);
  });

  test('does not end the last one, though it was silent', async () => {
    const { advance, connect } = start();
    const older = connect('silent');
    const newer = connect('answers');
    await advance(1);
    newer.abort();
    await advance(10 * ANSWER_TIMEOUT_MS);
    expect(older.status).toBe('open');
  });

  test('does not take for silence what it slept through', async () => {
    const { advance, delay, connect, trials } = start();
    const older = connect('silent');
    connect('answers');
    await advance(ANSWER_TIMEOUT_MS / 2);
    delay(LATE_CHECK_MS + 1);
    await advance(ANSWER_TIMEOUT_MS / 2);
    expect([older.status, trials()]).toEqual(['open', 4]);
    await advance(ANSWER_TIMEOUT_MS);
    expect(older.status).toBe('aborted');
  });

  test('tries also the connection that came while others were tried', async () => {
    const { advance, connect } = start();
    const silent = [connect('silent'), connect('silent')];
    await advance(ANSWER_TIMEOUT_MS / 2);
    connect('answers');
    await advance(1.5 * ANSWER_TIMEOUT_MS);
    expect(silent.map(({ status }) => status)).toEqual(['aborted', 'aborted']);
  });

  test('knows a peer for replaced that was started anew at the same address', async () => {
    const { told, advance, connect } = start();
    connect('resets');
    connect('answers');
    await advance(1);
    expect(told.replaced).toBe(1);
  });

  test('tries few of many, the latest among them', async () => {
    const { told, advance, connect, trials } = start();
    for (let count = 0; count < 100; count++) {
      connect('answers');
      await advance(1);
    }
    expect(told.opened).toBe(100);
    expect(trials()).toBeLessThan(100 * MAX_CHECKED_CONNECTIONS);

    const others = start();
    const silent = Array.from({ length: 2 * MAX_CHECKED_CONNECTIONS }, () => others.connect('silent'));
    await others.advance(2 * ANSWER_TIMEOUT_MS);
    others.connect('answers');
    await others.advance(ANSWER_TIMEOUT_MS);
    const ended = silent.filter(({ status }) => status === 'aborted');
    expect(ended.length).toBe(MAX_CHECKED_CONNECTIONS - 1);
  });

  test('takes no notice of a connection that has ended by then', async () => {
    const { told, advance, connect, trials } = start();
    connect('answers');
    connect('answers', 'aborted');
    await advance(1);
    expect([told.opened, trials()]).toEqual([1, 0]);
  });
});
