import { describe, expect, test } from 'bun:test';
import { createTaskGroup, type TaskGroup } from './task-group.ts';

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

const failureOf = (group: TaskGroup) =>
  group.wait().then(
    () => undefined,
    (error: unknown) => error,
  );

describe('createTaskGroup()', () => {
  test('wait() resolves when every task has ended, those started by tasks included', async () => {
    const done: string[] = [];
    const group = createTaskGroup();
    group.run(async () => {
      group.run(async () => {
        await Promise.resolve();
        done.push('inner');
      });
      done.push('outer');
    });
    await group.wait();
    expect(done.sort()).toEqual(['inner', 'outer']);
    expect(group.signal.aborted).toBe(false);
  });

  test('wait() rejects with the first failure when the others end by the abort', async () => {
    const failure = new Error('broken');
    let cleaned = false;
    const group = createTaskGroup();
    group.run(async (signal) => {
      try {
        await untilAborted(signal);
      } finally {
        cleaned = true;
      }
    });
    group.run(() => Promise.reject(failure));
    expect(await failureOf(group)).toBe(failure);
    expect(cleaned).toBe(true);
  });

  test('wait() rejects when a task throws before its first await', async () => {
    const group = createTaskGroup();
    group.run(() => {
      throw new TypeError('at once');
    });
    expect(await failureOf(group)).toEqual(new TypeError('at once'));
  });

  test('wait() names every failure when a task fails while it is being stopped', async () => {
    const group = createTaskGroup();
    group.run(async (signal) => {
      await untilAborted(signal).catch(() => {});
      throw new Error('cannot clean up');
    });
    group.run(() => Promise.reject(new Error('broken')));
    const error = await failureOf(group);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).message).toBe('2 tasks failed: broken; cannot clean up');
    expect((error as AggregateError).cause).toEqual(new Error('broken'));
  });

  test('wait() resolves when the parent aborts and the tasks pass that on', async () => {
    const parent = new AbortController();
    const group = createTaskGroup(parent.signal);
    group.run(untilAborted);
    group.run(untilAborted);
    parent.abort(new Error('SIGTERM'));
    await group.wait();
    expect(group.signal.reason).toEqual(new Error('SIGTERM'));
  });

  test('createTaskGroup() starts aborted when the parent is', () => {
    expect(createTaskGroup(AbortSignal.abort()).signal.aborted).toBe(true);
  });

  test('dispose aborts the tasks and waits for them', async () => {
    let ended = false;
    {
      await using group = createTaskGroup();
      group.run(async (signal) => {
        await untilAborted(signal).catch(() => {});
        ended = true;
      });
    }
    expect(ended).toBe(true);
  });
});
