import type { RegistryOptions } from '../daemon/registry-options.ts';
import type { FlagValues } from './flag.ts';
import {
  addressFlag,
  booleanFlag,
  byteRateFlag,
  choiceFlag,
  countFlag,
  domainFlag,
  durationFlag,
  ipFlag,
  labelFlag,
  nodeNameFlag,
  listFlag,
  nodeFlags,
  textFlag,
  urlFlag,
} from './flag-kinds.ts';
import { formatRegistryUrl, parseRegistryUrl, type RegistryUrl } from '../mirror-config/registry-url.ts';
import { BASIC_AUTH_FOLDER } from '../runtime/basic-auth.ts';
import { parseIpNetwork } from '../runtime/ip-network.ts';
import { parseImageFilter } from '../store/image-filter.ts';
import { UsageError } from '../commands/usage-error.ts';

/** Words for "all registries" in --mirrored-registries. */
const ALL_REGISTRIES = new Set(['_default', '*']);

/** The flags of `spegel registry`. */
export const registryFlags = {
  registryAddr: addressFlag('where the mirror listens', ':5000'),
  routerAddr: addressFlag('where the peer-to-peer router listens', ':5001'),
  metricsAddr: addressFlag('where metrics and debug endpoints listen', ':9090'),
  containerdSock: textFlag('path', "containerd's socket", '/run/containerd/containerd.sock'),
  containerdNamespace: textFlag('name', 'containerd namespace whose content is shared', 'k8s.io'),
  containerdContentPath: textFlag(
    'path',
    "containerd's content store",
    '/var/lib/containerd/io.containerd.content.v1.content',
  ),
  dataDir: textFlag(
    'path',
    "folder that keeps this node's identity; none: a new one at each start",
    undefined,
  ),
  mirroredRegistries: listFlag({
    argument: 'url',
    help: 'registries to mirror, such as https://docker.io; none or _default: all',
    parse: (text) => (ALL_REGISTRIES.has(text) ? undefined : parseRegistryUrl(text)),
  }),
  registryFilters: listFlag({
    argument: 'regexp',
    help: 'images that are never shared, by registry/repository[:tag], such as :latest$ (syntax of Go)',
    parse: (text) => {
      parseImageFilter(text);
      return text;
    },
  }),
  basicAuthDir: textFlag('path', 'folder with the files username and password', BASIC_AUTH_FOLDER),
  mirrorResolveTimeout: durationFlag('time to find the first peer that has something', '20ms'),
  mirrorResolveRetries: countFlag('most peers to try for one request, without those that are gone', {
    absent: 3,
    least: 0,
  }),
  kernelTransportEnabled: booleanFlag(
    'move layers inside the kernel, by sendfile and splice; false moves them through the memory of this process',
    true,
  ),
  maxUploads: countFlag(
    'most layers that are given to other nodes and to strangers at once: more get 503, and go elsewhere; 0: no cap',
    { absent: 0, least: 0 },
  ),
  maxUploadRate: byteRateFlag(
    'most bytes per second of all these layers together, such as 100MB or 64MiB; each of them gets at least 1MB; 0: no cap',
    { least: 1_000_000 },
  ),
  scrubRate: byteRateFlag(
    'bytes per second at which all blobs of this node are compared with their digests, over and over; 0: only what is served and was not verified yet',
    { least: 1024, defaultText: '1MiB' },
  ),
  flightsEnabled: booleanFlag(
    'let one node download from upstream what many want at the same time, and the others follow it',
    true,
  ),
  flightsMaxHold: durationFlag(
    'the longest that a request waits for the first byte of what another node is about to download; containerd 2.3 waits 30s',
    '25s',
    'to wait for no other node, set --flights-enabled=false',
  ),
  canaryEnabled: booleanFlag(
    'have containerd pull a tiny image after the start and each hour that only this mirror can answer for: whether it asks is the proof that the mirror is in use',
    true,
  ),
  debugWebEnabled: booleanFlag(
    'serve the live page of this node, with its pulls, peers and images, on the metrics address',
    true,
  ),
  bootstrapKind: {
    ...choiceFlag(
      ['dns', 'http', 'static'],
      'how to find the first peers: dns, http or static (static without peers for a single node)',
      'static',
    ),
    defaultText: undefined,
    required: true,
  },
  dnsBootstrapDomain: domainFlag('name whose addresses are the nodes (kind dns)'),
  httpBootstrapAddr: addressFlag('where to tell others about this node (kind http)', undefined),
  httpBootstrapPeer: urlFlag('base URL of a node to ask for /id (kind http)'),
  httpBootstrapUrl: urlFlag('full URL to ask for nodes (kind http)'),
  httpBootstrapCertDir: textFlag('path', 'folder with ca.crt, tls.crt and tls.key (kind http)', undefined),
  staticBootstrapPeers: listFlag({
    argument: 'multiaddr',
    help: 'first peers, such as /ip4/10.0.0.1/tcp/5001/p2p/12D3KooW… (kind static)',
    parse: (text) => {
      if (/^\/.+\/p2p\/\w+$/.test(text)) return text;
      throw new TypeError(`${JSON.stringify(text)} is no multiaddr that ends in /p2p/ and a peer ID`);
    },
  }),
  ...nodeFlags,
  membershipCheck: booleanFlag(
    'only addresses that the domain names may join, provide and be asked for content (kind dns)',
    true,
  ),
  allowedNetworks: listFlag({
    argument: 'network',
    help: 'networks that all nodes are in, such as 10.0.0.0/8 or fd00::/64; others are refused; none: any',
    parse: (text) => {
      parseIpNetwork(text);
      return text;
    },
  }),
  swarmKeyFile: textFlag(
    'path',
    "file with the key of libp2p's private network, the same on every node; Spegel (Go) cannot join then",
    undefined,
  ),
  zone: labelFlag(
    'where this node is, such as eu-central-1a: peers there are asked first; none: no peer is nearer than others',
  ),
  zoneNode: textFlag(
    'name',
    'where no zone is given: the Node of Kubernetes that is asked for it; the token of the pod must allow that',
    undefined,
  ),
  nodeName: nodeNameFlag('what this node is called, for those who look at the nodes of the cluster'),
  nodeIp: ipFlag("the machine's address, announced to peers when the host's network is used"),
};

/** What the flags ask for; throws UsageError for what does not go together. */
export function registryOptions(flags: FlagValues<typeof registryFlags>): RegistryOptions {
  const {
    bootstrapKind,
    mirroredRegistries,
    mirrorResolveTimeout,
    flightsMaxHold,
    maxUploadRate,
    scrubRate,
    ...options
  } = flags;
  const { dnsBootstrapDomain, httpBootstrapAddr, httpBootstrapPeer, httpBootstrapUrl } = options;
  if (bootstrapKind === 'dns' && dnsBootstrapDomain === undefined) {
    throw new UsageError('--bootstrap-kind dns needs --dns-bootstrap-domain');
  }
  if (bootstrapKind === 'dns' && options.routerAddr.endsWith(':0')) {
    throw new UsageError('--bootstrap-kind dns needs a fixed port in --router-addr, the same on every node');
  }
  if (bootstrapKind === 'http' && !httpBootstrapAddr && !httpBootstrapPeer && !httpBootstrapUrl) {
    throw new UsageError(
      '--bootstrap-kind http needs --http-bootstrap-peer, --http-bootstrap-url or --http-bootstrap-addr',
    );
  }
  return {
    ...options,
    bootstrapKind,
    mirrorResolveTimeoutMs: mirrorResolveTimeout,
    flightsMaxHoldMs: flightsMaxHold,
    maxUploadBytesPerSecond: maxUploadRate,
    scrubBytesPerSecond: scrubRate,
    mirroredRegistries: registrySet(mirroredRegistries),
    mirroredRegistryUrls: named(mirroredRegistries).map(formatRegistryUrl),
  };
}

/** Undefined for all registries. */
function registrySet(registries: readonly (RegistryUrl | undefined)[]): ReadonlySet<string> | undefined {
  const hosts = named(registries).map(({ host }) => host);
  return hosts.length === 0 ? undefined : new Set(hosts);
}

/** Empty for all registries: an empty list, or one with a wildcard in it. */
function named(registries: readonly (RegistryUrl | undefined)[]): readonly RegistryUrl[] {
  const urls = registries.filter((url) => url !== undefined);
  return urls.length < registries.length ? [] : urls;
}
