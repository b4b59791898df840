import type { HostsConfig } from '../containerd/hosts-config.ts';
import { planHosts } from '../containerd/plan-hosts.ts';
import { writeHosts } from '../containerd/write-hosts.ts';
import type { Logger } from '../observe/log.ts';
import { BASIC_AUTH_FOLDER, readBasicAuth } from '../runtime/basic-auth.ts';

/** What `spegel configure` is told; basic auth comes from files. */
export type ConfigureOptions = Omit<HostsConfig, 'authorization'>;

/** Points containerd at the mirror. Says what was written; a second run finds nothing to do. */
export async function runConfigure(
  options: ConfigureOptions,
  context: {
    readonly logger: Logger;
    /** Folder with the files username and password. */
    readonly basicAuthFolder?: string;
  },
): Promise<void> {
  const { logger, basicAuthFolder = BASIC_AUTH_FOLDER } = context;
  const authorization = await readBasicAuth(basicAuthFolder);
  const plan = await planHosts({ ...options, authorization });
  await writeHosts(options.configPath, plan);
  for (const { path, registry, changed } of plan) {
    logger.info(changed ? 'wrote hosts.toml' : 'hosts.toml is up to date', { registry, path });
  }
  logger.info('containerd is configured', {
    path: options.configPath,
    files: plan.length,
    changed: plan.filter(({ changed }) => changed).length,
  });
}
