import { describe, expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { LiveFacts } from './live-facts.ts';
import { createLiveSource, createWholeSection } from './live-section.ts';
import { createLiveStreams, MAX_LIVE_STREAMS } from './live-streams.ts';

function setUp() {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const state = { health: 'a', peers: 1, refreshes: 0, created: 0, fails: false };
  const createFacts = (): LiveFacts => {
    state.created++;
    const sources = [
      createLiveSource(
        'health',
        createWholeSection(() => state.health),
      ),
      createLiveSource(
        'peers',
        createWholeSection(() => state.peers),
      ),
      createLiveSource(
        'pulls',
        createWholeSection(() => 0),
      ),
    ];
    return {
      sources,
      async refresh() {
        state.refreshes++;
        if (state.fails) throw new Error('cannot read');
        for (const source of sources) source.refresh();
      },
    };
  };
  const streams = createLiveStreams({ createFacts, clock, logger: silentLogger }, stop.signal);
  /** A client: what it was sent so far, and whether it was told the end. */
  const open = () => {
    const answer = streams.open();
    if (answer === undefined) return undefined;
    const gone = new AbortController();
    const client = { texts: [] as string[], isOver: false, leave: () => gone.abort(), reads: true };
    const read = async () => {
      while (client.reads) {
        const bytes = await answer.next(gone.signal);
        if (bytes === undefined) break;
        client.texts.push(Buffer.from(bytes).toString());
      }
      client.isOver = client.reads;
    };
    void read();
    return { ...client, client, read };
  };
  return { clock, stop, state, streams, open };
}

describe('createLiveStreams()', () => {
  test('tells everything at first, then what has changed, at most once a second', async () => {
    const { clock, state, open } = setUp();
    const stream = open();
    await clock.advance(0);
    const first = ['event: health\ndata: "a"\n\n', 'event: peers\ndata: 1\n\n', 'event: pulls\ndata: 0\n\n'];
    expect(stream?.texts.splice(0)).toEqual(['retry: 3000\n\n', ...first]);
    for (const health of ['b', 'c', 'd']) {
      state.health = health;
      await clock.advance(100);
    }
    expect(stream?.texts).toEqual([]);
    await clock.advance(700);
    expect(stream?.texts).toEqual(['event: health\ndata: "d"\n\n']);
  });

  test('reads nothing while no stream is open, and keeps nothing', async () => {
    const { clock, state, open } = setUp();
    await clock.advance(10_000);
    expect(state).toMatchObject({ refreshes: 0, created: 0 });
    const stream = open();
    await clock.advance(3000);
    stream?.leave();
    await clock.advance(2000);
    const { refreshes } = state;
    expect(refreshes).toBeGreaterThan(2);
    await clock.advance(10_000);
    expect(state).toMatchObject({ refreshes, created: 1 });
    const another = open();
    await clock.advance(0);
    expect(state).toMatchObject({ refreshes: refreshes + 1, created: 2 });
    expect(another?.texts).toHaveLength(4);
  });

  test('has the newest state for a client that did not read', async () => {
    const { clock, state, open } = setUp();
    const stream = open();
    if (stream === undefined) throw new Error('no stream');
    const { client } = stream;
    await clock.advance(0);
    client.texts.splice(0);
    client.reads = false;
    for (const health of ['b', 'c', 'd']) {
      state.health = health;
      await clock.advance(1000);
    }
    client.reads = true;
    void stream.read();
    await clock.advance(0);
    // It was waiting for the first of them.
    expect(client.texts).toEqual(['b', 'd'].map((health) => `event: health\ndata: "${health}"\n\n`));
  });

  test('gives a client that reads slowly every kind of event in turn', async () => {
    const { clock, state, streams } = setUp();
    const answer = streams.open();
    const { signal } = new AbortController();
    const names: string[] = [];
    for (let i = 0; i < 8; i++) {
      state.health += 'x';
      state.peers++;
      const bytes = answer?.next(signal);
      await clock.advance(1000);
      names.push(/^event: (\w+)/.exec(Buffer.from((await bytes) ?? '').toString())?.[1] ?? '');
    }
    expect(names).toEqual(['', 'health', 'peers', 'pulls', 'health', 'peers', 'health', 'peers']);
  });

  test('says that it is there when nothing has changed for 15 seconds', async () => {
    const { clock, open } = setUp();
    const stream = open();
    await clock.advance(14_500);
    expect(stream?.texts.splice(0)).toHaveLength(4);
    await clock.advance(1000);
    expect(stream?.texts).toEqual([': still here\n\n']);
    await clock.advance(15_000);
    expect(stream?.texts).toHaveLength(2);
  });

  test('opens no more than there may be, and another when one has left', async () => {
    const { clock, streams, open } = setUp();
    const all = Array.from({ length: MAX_LIVE_STREAMS }, open);
    await clock.advance(0);
    expect(streams.count).toBe(MAX_LIVE_STREAMS);
    expect(open()).toBeUndefined();
    all[3]?.leave();
    await clock.advance(0);
    expect(all[3]?.client.isOver).toBe(true);
    expect(streams.count).toBe(MAX_LIVE_STREAMS - 1);
    expect(open()).toBeDefined();
  });

  test('counts no stream whose client has left before its first bytes', async () => {
    const { clock, streams } = setUp();
    for (let i = 0; i < 20; i++) streams.open();
    const answer = streams.open();
    expect(await answer?.next(AbortSignal.abort())).toBeUndefined();
    await clock.advance(0);
    expect(streams.count).toBe(0);
  });

  test('ends all streams at once when the node stops', async () => {
    const { clock, stop, streams, open } = setUp();
    const clients = [open(), open()];
    await clock.advance(100);
    stop.abort();
    await clock.advance(0);
    expect(clients.map((client) => client?.client.isOver)).toEqual([true, true]);
    expect(streams.count).toBe(0);
    expect(open()).toBeUndefined();
  });

  test('goes on when something cannot be read', async () => {
    const { clock, state, open } = setUp();
    state.fails = true;
    const stream = open();
    await clock.advance(2000);
    expect(stream?.texts).toEqual(['retry: 3000\n\n']);
    state.fails = false;
    await clock.advance(1000);
    expect(stream?.texts).toHaveLength(4);
  });
});
