import type { AdditionalTarget } from '../mirror-config/hosts-config.ts';
import { parseRegistryUrl } from '../mirror-config/registry-url.ts';
import { BASIC_AUTH_FOLDER } from '../runtime/basic-auth.ts';
import type { FlagValues } from './flag.ts';
import { booleanFlag, listFlag, textFlag } from './flag-kinds.ts';
import { UsageError } from '../commands/usage-error.ts';
import type { ConfigureOptions } from '../commands/configure.ts';

/** Words for "all registries" in --mirrored-registries. */
const ALL = new Set(['_default', '*']);

/** Where containerd's registry configuration is. */
export const configPathFlag = textFlag(
  'path',
  "containerd's registry configuration, the folder that config_path names",
  '/etc/containerd/certs.d',
);

/** The flags of `spegel configure`. */
export const configureFlags = {
  containerdRegistryConfigPath: configPathFlag,
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
  additionalMirrorTargets: listFlag({
    argument: 'registry=url',
    help: 'further mirrors of one registry, tried after the mirror, such as docker.io=https://cache.example',
    parse: parseAdditionalTarget,
  }),
  resolveTags: booleanFlag('ask the mirror for tags too, not only for digests', true),
  prependExisting: booleanFlag('keep the mirrors that are configured, after this one', false),
  basicAuthDir: textFlag(
    'path',
    'folder with the files username and password, those of registry',
    BASIC_AUTH_FOLDER,
  ),
  dryRun: booleanFlag('print what would be changed as a diff, and change nothing', false),
};

/** What the flags ask for; throws UsageError. */
export function configureOptions(flags: FlagValues<typeof configureFlags>): ConfigureOptions {
  const named = flags.mirroredRegistries.filter((registry) => registry !== 'all');
  const allRegistries = named.length === 0 || named.length < flags.mirroredRegistries.length;
  const mirrored = new Set(named.map(({ host }) => host));
  for (const { registry } of flags.additionalMirrorTargets) {
    if (allRegistries || mirrored.has(registry)) continue;
    throw new UsageError(
      `Cannot use --additional-mirror-targets: ${registry} is not one of --mirrored-registries`,
    );
  }
  return {
    configPath: flags.containerdRegistryConfigPath,
    allRegistries,
    registries: named,
    targets: flags.mirrorTargets,
    additionalTargets: flags.additionalMirrorTargets,
    resolveTags: flags.resolveTags,
    prependExisting: flags.prependExisting,
    basicAuthDir: flags.basicAuthDir,
    dryRun: flags.dryRun,
  };
}

/** Parses `registry.lab:5000=http://10.0.0.9:5000`; the registry may be a URL too, and `_default`. */
function parseAdditionalTarget(text: string): AdditionalTarget {
  const equals = text.indexOf('=');
  if (equals <= 0) {
    throw new TypeError(`${JSON.stringify(text)} is not of the form registry.example=http://10.0.0.9:5000`);
  }
  const [name, target] = [text.slice(0, equals), parseRegistryUrl(text.slice(equals + 1))];
  if (name === '_default') return { registry: name, registryUrl: undefined, target };
  const isUrl = name.includes('://');
  const url = parseRegistryUrl(isUrl ? name : `https://${name}`);
  return { registry: url.host, registryUrl: isUrl ? url : undefined, target };
}
