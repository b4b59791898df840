import { describe, expect, test } from 'bun:test';
import { hasEngineSettings, type ProcessImage, startWithEngineSettings } from './engine-settings.ts';

interface Started {
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

const IMAGE: ProcessImage = {
  isCompiled: true,
  environment: {},
  executable: '/bin/program',
  args: ['program', 'serve'],
  execve: () => {
    throw new Error('not injected');
  },
};

/** What is started instead of a process with the image; undefined if nothing is. */
function start(image: Partial<ProcessImage>): Started | undefined {
  let started: Started | undefined;
  startWithEngineSettings({
    ...IMAGE,
    execve: (path, args, environment) => (started = { path, args, environment }),
    ...image,
  });
  return started;
}

describe('startWithEngineSettings()', () => {
  test('starts the same program with what is missing, once', () => {
    const first = start({ environment: { HOME: '/root' } });
    expect(first).toEqual({
      path: '/bin/program',
      args: ['program', 'serve'],
      environment: {
        HOME: '/root',
        BUN_JSC_forceCodeBlockLiveness: '1',
        MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '5000',
      },
    });
    const environment = first?.environment ?? {};
    expect(start({ environment })).toBeUndefined();
    expect(hasEngineSettings({ ...IMAGE, environment })).toBe(true);
  });

  test('goes on without them when the program cannot be started', () => {
    startWithEngineSettings(IMAGE);
    expect(hasEngineSettings(IMAGE)).toBe(false);
  });

  test('leaves what a user has set', () => {
    const environment = { BUN_JSC_forceCodeBlockLiveness: '0', MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '' };
    expect(start({ environment })).toBeUndefined();
    const { MIMALLOC_PURGE_HOLES_MIN_INTERVAL: _, ...one } = environment;
    expect(start({ environment: one })?.environment).toEqual({
      BUN_JSC_forceCodeBlockLiveness: '0',
      MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '5000',
    });
  });

  test('does nothing when the program is run from source', () => {
    expect(start({ isCompiled: false })).toBeUndefined();
    expect(hasEngineSettings({ ...IMAGE, isCompiled: false })).toBe(true);
  });
});
