import { parseRegistryUrl } from '../containerd/registry-url.ts';
import type { FlagValues } from './flag.ts';
import { booleanFlag, listFlag, textFlag } from './flag-kinds.ts';
import { UnsupportedError } from './unsupported-error.ts';
import type { ConfigureOptions } from '../commands/configure.ts';

/** Words for "all registries" in --mirrored-registries. */
const ALL = new Set(['_default', '*']);

/** The flags of `spegel configure`. */
export const configureFlags = {
  containerdRegistryConfigPath: textFlag(
    'path',
    "containerd's registry configuration, the folder that config_path names",
    '/etc/containerd/certs.d',
  ),
  mirroredRegistries: listFlag({
    argument: 'url',
    help: 'registries to mirror, such as https://docker.io; none or _default: all',
    parse: (text) => (ALL.has(text) ? 'all' : parseRegistryUrl(text)),
  }),
  mirrorTargets: listFlag({
    argument: 'url',
    help: 'URLs of the mirror, in the order to try, such as http://127.0.0.1:30020',
    parse: parseRegistryUrl,
    required: true,
  }),
  resolveTags: booleanFlag('ask the mirror for tags too, not only for digests', true),
  prependExisting: booleanFlag('keep the mirrors that are configured, after this one', false),
};

/** What the flags ask for; throws UnsupportedError for what this version cannot do. */
export function configureOptions(flags: FlagValues<typeof configureFlags>): ConfigureOptions {
  if (flags.prependExisting) {
    throw new UnsupportedError('This version cannot keep existing mirrors: leave --prepend-existing out');
  }
  const named = flags.mirroredRegistries.filter((registry) => registry !== 'all');
  return {
    configPath: flags.containerdRegistryConfigPath,
    allRegistries: named.length === 0 || named.length < flags.mirroredRegistries.length,
    registries: named,
    targets: flags.mirrorTargets,
    resolveTags: flags.resolveTags,
  };
}
