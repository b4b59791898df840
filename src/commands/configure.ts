import { join } from 'node:path';

import { planConfiguration } from '../mirror-config/hosts-configure.ts';
import type { HostsConfig } from '../mirror-config/hosts-config.ts';
import { describeChanges } from '../mirror-config/hosts-dry-run.ts';
import { lockHosts } from '../mirror-config/hosts-lock.ts';
import { writeHosts } from '../mirror-config/write-hosts.ts';
import type { Logger } from '../observe/log.ts';
import { readBasicAuth } from '../runtime/basic-auth.ts';

/** What `spegel configure` is told. */
export interface ConfigureOptions extends Omit<HostsConfig, 'authorization'> {
  /** Folder with the files `username` and `password`; without them there is no basic auth. */
  readonly basicAuthDir: string;
  /** Print a diff and change nothing. */
  readonly dryRun: boolean;
}

/** Points containerd at the mirror. Says what was written, and that the folder was not there; a second run finds nothing to do. */
export async function runConfigure(
  options: ConfigureOptions,
  context: {
    readonly logger: Logger;
    readonly writeOut: (text: string) => void;
  },
): Promise<void> {
  const { logger, writeOut } = context;
  const authorization = await readBasicAuth(options.basicAuthDir);
  await using lock = await lockHosts(options.configPath, { make: !options.dryRun });
  const { state, changes } = await planConfiguration({ ...options, authorization });
  if (options.dryRun) {
    writeOut(await describeChanges(state, changes));
    return;
  }
  await writeHosts(state, changes);
  if (lock.made) {
    logger.warn(
      'this folder was not there and has been made: containerd reads it only if its config_path names it, see spegel doctor',
      { path: state.configPath },
    );
  }
  for (const { path, registry, changed } of changes.plan) {
    logger.info(changed ? 'wrote hosts.toml' : 'hosts.toml is up to date', { registry, path });
  }
  for (const { what, path } of [...changes.saves, ...changes.missing, ...changes.undo]) {
    logger.info('kept the configuration complete', { what, path });
  }
  for (const name of options.allRegistries ? state.linksToNothing : []) {
    logger.warn(
      'this link leads to nothing that can be seen here: pulls from its registry may not ask the mirror',
      {
        path: join(state.configPath, name),
      },
    );
  }
  // Whether containerd reads them is in its own configuration, which this command does not look at.
  logger.info('the hosts.toml files are in place', {
    path: options.configPath,
    files: changes.plan.length,
    changed: changes.plan.filter(({ changed }) => changed).length,
  });
}
