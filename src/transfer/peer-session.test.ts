import { describe, expect, test } from 'bun:test';
import { PeerRequestError } from '../http/transport.ts';
import { silentLogger } from '../observe/log.ts';
import type { Peer } from '../routing/router.ts';
import { createZoneOutages } from '../routing/zone-outages.ts';
import { createVirtualClock, type VirtualClock } from '../runtime/testing/virtual-clock.ts';
import {
  CONNECT_TIMEOUT_MS,
  FIRST_SOURCE_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  REPLACEMENT_LOOKUP_TIMEOUT_MS,
} from './budgets.ts';
import { createPeerHealth } from './peer-health.ts';
import { createHedgeBudget } from './hedge-budget.ts';
import { createPeerScores } from './peer-scores.ts';
import { createPeerNames } from './peer-names.ts';
import { createPeerZones } from './peer-zones.ts';
import { createPeerSession } from './peer-session.ts';
import { atAnyAddress, type Refusal } from './peer-requests.ts';

/** Peers p1, p2, …, found after so many ms, of whom `alive` answers and the others swallow what is sent to them; those in `lateAnswers` are late so many times first. */
function setUp(
  foundAfterMs: readonly number[],
  alive: string,
  {
    clock = createVirtualClock(),
    lateAnswers = {},
    isUnsettled = false,
  }: {
    readonly clock?: VirtualClock;
    readonly lateAnswers?: Readonly<Record<string, number>>;
    readonly isUnsettled?: boolean;
  } = {},
) {
  const asked: string[] = [];
  const session = createPeerSession(
    {
      router: {
        isUnsettled: () => isUnsettled,
        async *lookup(_key, { signal }) {
          for (const [index, ms] of foundAfterMs.entries()) {
            await clock.sleep(ms, signal);
            yield { id: `p${index + 1}`, addresses: [`10.0.0.${index + 1}`] };
          }
        },
      },
      health: createPeerHealth(clock),
      probes: { probe: () => {} },
      names: createPeerNames(),
      zones: createPeerZones(undefined),
      outages: createZoneOutages(clock),
      scores: createPeerScores(clock),
      hedges: createHedgeBudget(),
      random: () => 0,
      clock,
      observer: { peerAsked: () => {}, bytesMoved: () => {}, lookupEnded: () => {} },
      logger: silentLogger,
    },
    'key',
    new AbortController().signal,
  );
  const ask = async ({ peer: { id } }: { readonly peer: Peer }): Promise<{ id: string } | Refusal> => {
    asked.push(id);
    if (asked.filter((each) => each === id).length <= (lateAnswers[id] ?? 0)) {
      await clock.sleep(HEAD_TIMEOUT_MS);
      throw new PeerRequestError('HEAD_TIMEOUT', 'it is late');
    }
    if (id === alive) return { id };
    await clock.sleep(CONNECT_TIMEOUT_MS);
    throw new PeerRequestError('CONNECT_TIMEOUT', 'nobody is there');
  };
  const limits = { attempts: 3, waitMs: 20, withinMs: FIRST_SOURCE_TIMEOUT_MS };
  return { clock, asked, session, answer: session.ask(ask, limits) };
}

describe('createPeerSession()', () => {
  test('asks the fifth when four have died, however slow that is to find out', async () => {
    const { clock, answer, asked } = setUp([0, 0, 0, 0, 0], 'p5');
    await clock.advance(4 * CONNECT_TIMEOUT_MS);
    expect((await answer)?.answer).toEqual({ id: 'p5' });
    expect(asked).toEqual(['p1', 'p2', 'p3', 'p4', 'p5']);
  });

  test('asks nobody more when the time is over', async () => {
    const { clock, answer, asked, session } = setUp(
      Array.from({ length: 20 }, () => 0),
      'p20',
    );
    await clock.advance(2 * FIRST_SOURCE_TIMEOUT_MS);
    expect(await answer).toBeUndefined();
    expect(asked).toHaveLength(Math.ceil(FIRST_SOURCE_TIMEOUT_MS / CONNECT_TIMEOUT_MS));
    expect(session.attempts).toBe(asked.length);
  });

  test('waits longer for the next peer when the last one is gone', async () => {
    const { clock, answer } = setUp([10, 100], 'p2');
    await clock.advance(10 + CONNECT_TIMEOUT_MS + 100);
    expect((await answer)?.peer.id).toBe('p2');
  });

  test('asks one that was late once more when nobody else is left', async () => {
    const clock = createVirtualClock();
    const { session, answer, asked } = setUp([0, 0], 'p2', { clock, lateAnswers: { p2: 1 } });
    await clock.advance(CONNECT_TIMEOUT_MS + 2 * HEAD_TIMEOUT_MS);
    expect((await answer)?.peer.id).toBe('p2');
    expect(asked).toEqual(['p1', 'p2', 'p2']);
    expect(session.attempts).toBe(3);
    const hung = setUp([0], 'p1', { clock, lateAnswers: { p1: 9 } });
    await clock.advance(3 * HEAD_TIMEOUT_MS);
    expect(await hung.answer).toBeUndefined();
    expect(hung.asked).toEqual(['p1', 'p1']);
  });

  test('waits no longer for the first peer than it is told to', async () => {
    const { clock, answer, asked } = setUp([30], 'p1');
    await clock.advance(20);
    expect(await answer).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test('waits longer for the first peer while nodes are being lost', async () => {
    const { clock, answer } = setUp([REPLACEMENT_LOOKUP_TIMEOUT_MS - 1], 'p1', { isUnsettled: true });
    await clock.advance(REPLACEMENT_LOOKUP_TIMEOUT_MS);
    expect((await answer)?.peer.id).toBe('p1');
    const late = setUp([REPLACEMENT_LOOKUP_TIMEOUT_MS + 1], 'p1', { clock, isUnsettled: true });
    await clock.advance(REPLACEMENT_LOOKUP_TIMEOUT_MS);
    expect(await late.answer).toBeUndefined();
  });
});

test('atAnyAddress() gives the second address of a peer that is gone little more than the first', async () => {
  const asked: [string, number][] = [];
  const gone = new PeerRequestError('CONNECT_TIMEOUT', 'nobody is there');
  const ask = atAnyAddress({ id: 'p', addresses: ['10.0.0.1', 'fd00::1', '10.0.0.2'] }, async (host, ms) => {
    asked.push([host, ms]);
    throw gone;
  });
  await ask.catch((error: unknown) => expect(error).toBe(gone));
  expect(asked.map(([host]) => host)).toEqual(['10.0.0.1', 'fd00::1']);
  expect(asked.reduce((sum, [, ms]) => sum + ms, 0)).toBeLessThanOrEqual(250);
});
