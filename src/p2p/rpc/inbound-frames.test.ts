import { describe, expect, test } from 'bun:test';

import type { Timers } from '../../runtime/timers.ts';
import { FRAMES_LOOK_MS, SLOW_READER_MS, type WaitingStream, createInboundFrames } from './inbound-frames.ts';

interface Fake extends WaitingStream {
  readBytes: number;
  left: number;
  stalledMs: number | undefined;
  resets: string[];
}

function setUp(maxBytes: number) {
  let nowMs = 0;
  const due = new Set<{ readonly atMs: number; readonly work: () => void }>();
  const timers: Timers = {
    after(ms, work) {
      const timer = { atMs: nowMs + ms, work };
      due.add(timer);
      return () => due.delete(timer);
    },
  };
  const later: (() => void)[] = [];
  const frames = createInboundFrames(
    { nowMs: () => nowMs, timers, later: (work) => void later.push(work) },
    { maxBytes },
  );
  const worked: string[] = [];
  const stream = (origin: string, readBytes: number, left = 0): Fake => {
    const fake: Fake = {
      origin,
      readBytes,
      left,
      stalledMs: undefined,
      resets: [],
      get stream() {
        return { readBufferLength: fake.readBytes, writeBufferLength: 0 };
      },
      heldBytes: 1,
      get stalledSinceMs() {
        return fake.stalledMs;
      },
      work() {
        worked.push(origin);
        fake.left--;
        return fake.left > 0;
      },
      reset: (reason) => void fake.resets.push(reason),
    };
    return fake;
  };
  const turn = () => {
    for (const work of later.splice(0)) work();
  };
  const pass = (ms: number) => {
    for (const endMs = nowMs + ms; nowMs < endMs;) {
      nowMs = Math.min(endMs, nowMs + FRAMES_LOOK_MS);
      for (const timer of due) {
        if (timer.atMs > nowMs) continue;
        due.delete(timer);
        timer.work();
      }
    }
  };
  return { frames, stream, worked, turn, pass };
}

describe('createInboundFrames()', () => {
  test('resets streams of the address that holds most until the rest fits', () => {
    const { frames, stream, pass } = setUp(1000);
    const greedy = Array.from({ length: 6 }, () => stream('10.0.0.1', 199));
    const modest = [stream('10.0.0.2', 199), stream('10.0.0.3', 199)];
    for (const each of [...greedy, ...modest]) frames.waits(each);
    pass(FRAMES_LOOK_MS);
    expect(greedy.filter(({ resets }) => resets.includes('frames'))).toHaveLength(3);
    expect(modest.flatMap(({ resets }) => resets)).toEqual([]);
    expect(frames.refused).toEqual({ frames: 3, slow_reader: 0 });
  });

  test('measures again what grows while it waits', () => {
    const { frames, stream, pass } = setUp(1000);
    const quiet = stream('10.0.0.1', 0);
    frames.waits(quiet);
    pass(10 * FRAMES_LOOK_MS);
    expect(quiet.resets).toEqual([]);
    quiet.readBytes = 1000;
    pass(FRAMES_LOOK_MS);
    expect(quiet.resets).toEqual(['frames']);
  });

  test('resets a stream whose other end takes nothing for a while', () => {
    const { frames, stream, pass } = setUp(1000);
    const [slow, other] = [stream('10.0.0.1', 1), stream('10.0.0.1', 1)];
    slow.stalledMs = 0;
    frames.waits(slow);
    frames.waits(other);
    pass(SLOW_READER_MS - FRAMES_LOOK_MS);
    expect(slow.resets).toEqual([]);
    pass(FRAMES_LOOK_MS);
    expect([slow.resets, other.resets]).toEqual([['slow_reader'], []]);
  });

  test('gives a stream its turn that holds nothing by then', () => {
    const { frames, stream, worked, turn, pass } = setUp(1000);
    const empty = Object.assign(stream('10.0.0.1', 0, 1), { heldBytes: 0 });
    frames.waits(empty);
    pass(FRAMES_LOOK_MS);
    turn();
    expect(worked).toEqual(['10.0.0.1']);
  });

  test('gives each address one turn after the other, however many streams it has', () => {
    const { frames, stream, worked, turn } = setUp(1000);
    for (let count = 0; count < 50; count++) frames.waits(stream('10.0.0.1', 0, 3));
    frames.waits(stream('10.0.0.2', 0, 2));
    for (let count = 0; count < 3; count++) turn();
    expect(worked).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.1', '10.0.0.2', '10.0.0.1']);
  });
});
