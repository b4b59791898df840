import { describe, expect, test } from 'bun:test';
import { createLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { DISTRIBUTIONS } from './distribution.ts';
import type { Finding } from './finding.ts';
import { createFilesWatch, type FilesLook } from './watch-files.ts';

const START_MS = 10_000;
const INTERVAL_MS = 600_000;
const TIMEOUT_MS = 15_000;
const HEALTHY: FilesLook = {
  findings: [],
  unknown: [],
  isVisible: true,
  isVersionKnown: true,
  version: { major: 2, minor: 1 },
  distribution: DISTRIBUTIONS.plain,
};
const finding = (id: string, severity: Finding['severity'], seen = 'a:1'): Finding => ({
  id,
  severity,
  what: `what ${id} is`,
  seen: [seen],
  fix: [{ do: 'run', command: 'systemctl restart containerd' }],
});

/** Runs a watch; `look` is asked for each look. */
function start(look: () => FilesLook | Promise<FilesLook>) {
  const clock = createVirtualClock();
  const lines: Array<Readonly<Record<string, unknown>>> = [];
  const checked: string[][] = [];
  const logger = createLogger({
    level: 'debug',
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const watch = createFilesWatch({
    examine: async () => look(),
    onChecked: (findings) => void checked.push(findings.map(({ id }) => id)),
    logger,
    clock,
  });
  const stop = new AbortController();
  const ended = watch.run(stop.signal);
  return {
    clock,
    lines,
    checked,
    watch,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

describe('createFilesWatch()', () => {
  test('logs each finding once, at its level, and that it is gone', async () => {
    let look = {
      ...HEALTHY,
      findings: [finding('a', 'error'), finding('b', 'warning'), finding('c', 'info')],
    };
    await using running = start(() => look);
    const { clock, lines, checked } = running;
    await clock.advance(START_MS + INTERVAL_MS);
    expect(lines.map(({ level, msg, code }) => [level, msg, code])).toEqual([
      ['ERROR', 'this node needs fixing', 'a'],
      ['WARN', 'this node needs fixing', 'b'],
      ['INFO', 'this node needs fixing', 'c'],
    ]);
    expect(lines[0]).toMatchObject({
      what: 'what a is',
      seen: ['a:1'],
      fix: ['systemctl restart containerd'],
      distribution: 'plain',
      containerd: '2.1',
    });
    look = { ...HEALTHY, findings: [finding('b', 'warning', 'b:1'), finding('c', 'info')] };
    await clock.advance(INTERVAL_MS);
    expect(lines.slice(3).map(({ msg, code, seen }) => [msg, code, seen])).toEqual([
      ['this node needs fixing', 'b', ['b:1']],
      ['this node was fixed', 'a', undefined],
      ['this node was fixed', 'b', undefined],
    ]);
    expect(checked).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
  });

  test('looks as soon as something has changed, and does not wait for the start then', async () => {
    await using running = start(() => HEALTHY);
    const { clock, checked, watch } = running;
    watch.again();
    await clock.advance(0);
    expect(checked).toHaveLength(1);
    watch.again();
    watch.again();
    await clock.advance(0);
    expect(checked).toHaveLength(2);
    await clock.advance(INTERVAL_MS);
    expect(checked).toHaveLength(3);
  });

  test('says once what it cannot see, and then counts nothing', async () => {
    const unknown = ['/etc/containerd cannot be seen from here'];
    await using running = start(() => ({ ...HEALTHY, unknown, isVisible: false }));
    const { clock, lines, checked } = running;
    await clock.advance(START_MS + 2 * INTERVAL_MS);
    expect(lines.map(({ level, reason }) => [level, reason])).toEqual([['INFO', unknown[0]]]);
    expect(checked).toEqual([]);
  });

  test('goes on after a look that fails or hangs, and starts no second one beside it', async () => {
    let looks = 0;
    let release = (_look: FilesLook) => {};
    await using running = start(() => {
      looks += 1;
      if (looks === 1) throw new Error('broken');
      return new Promise<FilesLook>((resolve) => (release = resolve));
    });
    const { clock, lines, checked, watch } = running;
    await clock.advance(START_MS);
    watch.again();
    await clock.advance(TIMEOUT_MS);
    watch.again();
    await clock.advance(INTERVAL_MS);
    expect(looks).toBe(2);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      ['WARN', "cannot look at this node's configuration"],
      ['WARN', "cannot look at this node's configuration"],
    ]);
    release(HEALTHY);
    await clock.advance(INTERVAL_MS);
    expect(looks).toBe(3);
    release(HEALTHY);
    await clock.advance(0);
    expect(checked).toEqual([[]]);
  });
});
