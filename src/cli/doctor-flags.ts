import { nodeAddresses } from '../doctor/node-addresses.ts';
import type { DoctorOptions } from '../commands/doctor.ts';
import { parseContainerdVersion } from '../containerd-config/containerd-version.ts';
import { formatRegistryUrl, parseRegistryUrl } from '../mirror-config/registry-url.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import type { FlagValues } from './flag.ts';
import { wideFlag } from './peers-flags.ts';
import {
  addressFlag,
  booleanFlag,
  endpointFlag,
  listFlag,
  nodeFlags,
  ofDistribution,
  textFlag,
} from './flag-kinds.ts';

/** The flags of `spegel doctor`. Those that `registry` and `configure` have are to be given as there. */
export const doctorFlags = {
  ...nodeFlags,
  containerdVersion: {
    ...textFlag('version', 'such as 2.1.5, for when the socket does not answer', undefined),
    parse: ([text = '']: readonly string[]) => {
      if (parseContainerdVersion(text) === undefined) {
        throw new TypeError(`${JSON.stringify(text)} is no version such as 1.7.20`);
      }
      return text;
    },
  },
  containerdSock: ofDistribution(textFlag('path', "containerd's socket", undefined)),
  containerdNamespace: textFlag('name', 'containerd namespace whose content is shared', 'k8s.io'),
  containerdContentPath: ofDistribution(textFlag('path', "containerd's content store", undefined)),
  mirrorTargets: listFlag({
    argument: 'url',
    help: 'URLs of the mirror; default: what configure has written',
    parse: (text) => formatRegistryUrl(parseRegistryUrl(text)),
  }),
  mirroredRegistries: listFlag({
    argument: 'url',
    help: 'registries that configure was given; none or _default: all',
    parse: (text) =>
      text === '_default' || text === '*' ? undefined : formatRegistryUrl(parseRegistryUrl(text)),
  }),
  registryAddr: addressFlag('where the mirrors listen, on this and on other nodes', ':5000'),
  addr: endpointFlag('metrics address of the running spegel', '127.0.0.1:9090'),
  canary: booleanFlag(
    'have the running spegel tell containerd to pull an image that only the mirror can answer for',
    false,
  ),
  json: booleanFlag('print JSON', false),
  wide: wideFlag,
};

/** What the flags ask for. */
export function doctorOptions(flags: FlagValues<typeof doctorFlags>): DoctorOptions {
  const { hostRoot, json, distribution, containerdConfig, containerdVersion, mirrorTargets, addr } = flags;
  return {
    hostRoot,
    json,
    canary: flags.canary,
    distribution,
    containerdConfig,
    containerdVersion:
      containerdVersion === undefined ? undefined : parseContainerdVersion(containerdVersion),
    registryConfigPath: flags.containerdRegistryConfigPath,
    socket: flags.containerdSock,
    contentPath: flags.containerdContentPath,
    namespace: flags.containerdNamespace,
    mirrorTargets,
    mirroredRegistries: flags.mirroredRegistries.includes(undefined)
      ? []
      : flags.mirroredRegistries.filter((url) => url !== undefined),
    metricsAddr: addr,
    nodeAddresses: nodeAddresses(),
    registryPort: parseListenAddress(flags.registryAddr).port,
  };
}
