import type { CleanupOptions } from '../commands/cleanup.ts';
import type { CleanupWaitOptions } from '../commands/cleanup-wait.ts';
import { configPathFlag } from './configure-flags.ts';
import type { FlagValues } from './flag.ts';
import { addressFlag, countFlag, durationFlag, endpointFlag } from './flag-kinds.ts';

/** The flags of `spegel cleanup`. */
export const cleanupFlags = {
  addr: {
    ...addressFlag('where to answer GET /readyz once it is done, such as :8080', ''),
    defaultText: undefined,
    required: true,
  },
  containerdRegistryConfigPath: configPathFlag,
};

/** The flags of `spegel cleanup-wait`. */
export const cleanupWaitFlags = {
  probeEndpoint: {
    ...endpointFlag('name and port under which every node answers, such as spegel-cleanup:8080', ''),
    defaultText: undefined,
    required: true,
  },
  threshold: countFlag('rounds in a row in which every node has to answer', { absent: 3, least: 1 }),
  period: durationFlag('time from one round to the next', '2s'),
};

/** What the flags of `cleanup` ask for. */
export function cleanupOptions(flags: FlagValues<typeof cleanupFlags>): CleanupOptions {
  return { addr: flags.addr, configPath: flags.containerdRegistryConfigPath };
}

/** What the flags of `cleanup-wait` ask for. */
export function cleanupWaitOptions(flags: FlagValues<typeof cleanupWaitFlags>): CleanupWaitOptions {
  const { probeEndpoint, threshold, period } = flags;
  return { probeEndpoint, threshold, periodMs: period };
}
