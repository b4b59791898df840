import { describe, expect, test } from 'bun:test';
import { createHttpServer } from '../http/buffered-http-server.ts';
import { failureOf, until } from '../runtime/conditions.fixture.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { Screen } from '../terminal/look.ts';
import { DaemonError } from './daemon-error.ts';
import { runPeers } from './peers.ts';
import type { Question } from './question.ts';
import { showAnswer } from './show-answer.ts';

const START_MS = Date.parse('2026-01-02T03:04:05.000Z');
const AWAY = new DaemonError('No spegel answers at 127.0.0.1:9090');
const SCREEN: Screen = { columns: () => 80, rows: () => 24 };

/** A watch every 2 s of what these answers are, one after the other; the last one stays. */
function start(
  answers: ReadonlyArray<string | Error | Promise<string>>,
  { json = false, screen }: { readonly json?: boolean; readonly screen?: Screen } = {},
) {
  const clock = createVirtualClock();
  const end = new AbortController();
  const seen = { asked: 0, out: [] as string[], errors: [] as string[] };
  const question: Question<string> = {
    async ask() {
      const answer = answers[Math.min(seen.asked++, answers.length - 1)] ?? '';
      if (answer instanceof Error) throw answer;
      return answer;
    },
    format: (answer, { width }) => `${answer}, ${width} wide\n`,
    json,
  };
  const done = showAnswer(question, {
    writeOut: (text) => void seen.out.push(text),
    look: () => ({ width: screen?.columns() ?? 80, hasColor: false }),
    watch: {
      intervalMs: 2000,
      signal: end.signal,
      clock,
      wallClockMs: () => START_MS + clock.nowMs(),
      screen,
      writeError: (text) => void seen.errors.push(text),
    },
  });
  return { clock, seen, done, stop: () => end.abort() };
}

describe('showAnswer()', () => {
  test('asks again after each interval, and writes each answer below the last one with its time', async () => {
    const { clock, seen, done, stop } = start(['one', 'two', 'three']);
    await clock.advance(0);
    expect(seen.out).toEqual(['2026-01-02T03:04:05.000Z\none, 80 wide\n\n']);
    await clock.advance(1999);
    expect(seen.asked).toBe(1);
    await clock.advance(2001);
    expect(seen.out.slice(1)).toEqual([
      '2026-01-02T03:04:07.000Z\ntwo, 80 wide\n\n',
      '2026-01-02T03:04:09.000Z\nthree, 80 wide\n\n',
    ]);
    stop();
    expect(await done).toBe('one');
    expect(seen.errors).toEqual([]);
  });

  test.each([undefined, SCREEN])(
    'writes a line of JSON for each answer, also on a terminal: %p',
    async (screen) => {
      const { clock, seen, done, stop } = start(['one', 'two\nlines'], {
        json: true,
        ...(screen && { screen }),
      });
      await clock.advance(2000);
      await clock.advance(0);
      expect(seen.out).toEqual(['"one"\n', '"two\\nlines"\n']);
      stop();
      await done;
    },
  );

  test('says once that there is no answer, asks again, and says it again after an answer', async () => {
    const { clock, seen, done, stop } = start(['one', AWAY, AWAY, new DaemonError('It hangs'), 'two', AWAY]);
    await clock.advance(12_000);
    const rest = 'It is asked again every 2s\n';
    expect(seen.errors).toEqual([
      `2026-01-02T03:04:07.000Z ${AWAY.message}. ${rest}`,
      `2026-01-02T03:04:11.000Z It hangs. ${rest}`,
      `2026-01-02T03:04:15.000Z ${AWAY.message}. ${rest}`,
    ]);
    expect(seen.out).toHaveLength(2);
    stop();
    await done;
  });

  test('draws on a terminal in one place, with what was said last below a failure', async () => {
    const { clock, seen, done, stop } = start(['one', AWAY, 'two'], { screen: SCREEN });
    await clock.advance(4000);
    await clock.advance(0);
    stop();
    await done;
    const [first = '', failed = '', second = '', last] = seen.out;
    expect(first).toContain('one, 80 wide\u001B[K\n03:04:05 UTC, asked every 2s; Ctrl-C ends it\u001B[K\n');
    expect(failed).toContain(
      `\u001B[2A${AWAY.message}.\u001B[K\nIt is asked again. What it said 2s ago:\u001B[K\none, 80 wide\u001B[K\n`,
    );
    expect(second).toContain('\u001B[4Atwo, 80 wide');
    // The cursor is back.
    expect(last).toBe('\u001B[?25h');
    expect(seen.errors).toEqual([]);
  });

  test('ends at once while an answer is awaited, and gives the cursor back', async () => {
    const never = Promise.withResolvers<string>().promise;
    const { clock, seen, done, stop } = start(['one', never], { screen: SCREEN });
    await clock.advance(2000);
    await until(() => seen.asked === 2);
    stop();
    expect(await done).toBe('one');
    expect(seen.out.at(-1)).toBe('\u001B[?25h');
  });

  test('has no answer when it ends before the first one', async () => {
    const { done, stop, seen } = start([Promise.withResolvers<string>().promise], { screen: SCREEN });
    stop();
    expect(await done).toBeUndefined();
    expect(seen.out).toEqual([]);
  });

  test('fails when the first question does: the address may be wrong', async () => {
    expect(await failureOf(start([AWAY]).done)).toBe(AWAY);
  });

  test('fails for what is not the daemon', async () => {
    const { clock, seen, done } = start(['one', new RangeError('a mistake')], { screen: SCREEN });
    const failure = failureOf(done);
    await clock.advance(2000);
    expect(await failure).toBeInstanceOf(RangeError);
    expect(seen.out.at(-1)).toBe('\u001B[?25h');
  });
});

test('runPeers() watches a daemon that goes away and comes back', async () => {
  const report = { self: { id: '12D3KooWSelf', addresses: [] }, ready: true, peers: [] };
  const serve = async (address: string) =>
    createHttpServer({ address, handler: () => Response.json(report), onError: () => {} });
  let server = await serve('127.0.0.1:0');
  const addr = `127.0.0.1:${server.port}`;
  const end = new AbortController();
  const clock = createVirtualClock();
  const seen = { lines: [] as string[], errors: [] as string[] };
  const done = runPeers(
    { addr, json: true },
    {
      writeOut: (text) => void seen.lines.push(text),
      look: () => ({ width: 80, hasColor: false }),
      watch: {
        intervalMs: 1000,
        signal: end.signal,
        clock,
        wallClockMs: () => START_MS,
        screen: undefined,
        writeError: (text) => void seen.errors.push(text),
      },
    },
  );
  const untilAsked = async (condition: () => boolean) =>
    until(async () => {
      if (!condition()) await clock.advance(1000);
      return condition();
    });
  try {
    await until(() => seen.lines.length === 1);
    await server[Symbol.asyncDispose]();
    await untilAsked(() => seen.errors.length === 1);
    expect(seen.errors[0]).toContain(`No spegel answers at ${addr}`);
    server = await serve(addr);
    await untilAsked(() => seen.lines.length === 2);
    expect(JSON.parse(seen.lines[1] ?? '')).toMatchObject({ self: report.self });
    expect(seen.lines[1]).toMatch(/^[^\n]+\n$/);
  } finally {
    end.abort();
    await server[Symbol.asyncDispose]();
  }
  await done;
});
