import { describe, expect, test } from 'bun:test';
import { ENGINE_SETTINGS, type ProcessImage, startWithEngineSettings } from './engine-settings.ts';

interface Started {
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** What is started instead of a process with the image, if anything is, and what is returned. */
function start(image: Partial<ProcessImage>): {
  readonly started: Started | undefined;
  readonly failure: Error | undefined;
} {
  let started: Started | undefined;
  const failure = startWithEngineSettings({
    isCompiled: true,
    environment: {},
    executable: '/bin/program',
    args: ['program', 'serve'],
    execve: (path, args, environment) => (started = { path, args, environment }),
    ...image,
  });
  return { started, failure };
}

const NOTHING = { started: undefined, failure: undefined };
const SETTINGS = {
  BUN_JSC_forceCodeBlockLiveness: '1',
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_thresholdForOptimizeAfterWarmUp: '4000',
  BUN_JSC_jitMemoryReservationSize: '8388608',
  BUN_JSC_thresholdForJITAfterWarmUp: '4000',
  BUN_JSC_forceRAMSize: '134217728',
  BUN_JSC_minEdenToOldGenerationRatio: '0.1',
  BUN_JSC_smallHeapGrowthFactor: '1.14',
  BUN_JSC_mediumHeapGrowthFactor: '1.14',
  BUN_JSC_largeHeapGrowthFactor: '1.14',
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '5000',
};

describe('startWithEngineSettings()', () => {
  test('starts the same program with what is missing, once', () => {
    const { started } = start({ environment: { HOME: '/root' } });
    expect(started).toEqual({
      path: '/bin/program',
      args: ['program', 'serve'],
      environment: { HOME: '/root', ...SETTINGS, SPEGEL_STARTED_ANEW: '1' },
    });
    expect(start({ environment: started?.environment ?? {} })).toEqual(NOTHING);
    expect(start({ environment: ENGINE_SETTINGS })).toEqual(NOTHING);
  });

  test('leaves what a user has set', () => {
    const environment = {
      BUN_JSC_forceCodeBlockLiveness: '0',
      BUN_JSC_useFTLJIT: '1',
      BUN_JSC_thresholdForOptimizeAfterWarmUp: '1000',
      BUN_JSC_thresholdForJITAfterWarmUp: '500',
      BUN_JSC_jitMemoryReservationSize: '0',
      BUN_JSC_forceRAMSize: '268435456',
      BUN_JSC_minEdenToOldGenerationRatio: '0.3',
      BUN_JSC_smallHeapGrowthFactor: '2',
      BUN_JSC_mediumHeapGrowthFactor: '1.5',
      BUN_JSC_largeHeapGrowthFactor: '1.3',
      MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '',
    };
    expect(start({ environment })).toEqual(NOTHING);
    const { started } = start({ environment: { BUN_JSC_forceCodeBlockLiveness: '0' } });
    expect(started?.environment).toMatchObject({ ...SETTINGS, BUN_JSC_forceCodeBlockLiveness: '0' });
  });

  test('goes on when the program cannot be started, and says why', () => {
    const error = new Error('EACCES');
    const execve = () => {
      throw error;
    };
    expect(start({ execve }).failure).toBe(error);
  });

  test('does not start again and again where the environment does not arrive', () => {
    const { started, failure } = start({ environment: { SPEGEL_STARTED_ANEW: '1' } });
    expect(started).toBeUndefined();
    expect(failure?.message).toContain('MIMALLOC_PURGE_HOLES_MIN_INTERVAL');
  });

  test('does nothing when the program is run from source', () => {
    expect(start({ isCompiled: false })).toEqual(NOTHING);
  });
});
