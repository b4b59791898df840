import type { DistributionId } from '../doctor/distribution.ts';

/** How this node finds its first peers. */
export type BootstrapKind = 'dns' | 'http' | 'static';

/** What `spegel registry` runs with: every flag, parsed and checked by the command line. */
export interface RegistryOptions {
  /** Listen address of the mirror, `host:port`, `[v6]:port` or `:port` for every address of both families. */
  readonly registryAddr: string;
  /** Listen address of libp2p, in the same form. */
  readonly routerAddr: string;
  /** Listen address of metrics and the debug endpoints, in the same form. */
  readonly metricsAddr: string;
  /** Path of containerd's socket. */
  readonly containerdSock: string;
  /** The containerd namespace whose content is shared. */
  readonly containerdNamespace: string;
  /** Path of containerd's content store, the folder that has `blobs` and `ingest`. */
  readonly containerdContentPath: string;
  /** Folder for the node's identity; undefined: a new identity at every start. */
  readonly dataDir: string | undefined;
  /** Hosts (with port) of the registries that are mirrored; undefined: all. */
  readonly mirroredRegistries: ReadonlySet<string> | undefined;
  /** The same as URLs; empty: all. */
  readonly mirroredRegistryUrls: readonly string[];
  /** Folder that is the host's `/` for the look at its configuration. */
  readonly hostRoot: string;
  /** What the machine runs; undefined: told by its files. */
  readonly distribution: DistributionId | undefined;
  /** The file that containerd was started with, path of the host; undefined: the distribution's. */
  readonly containerdConfig: string | undefined;
  /** The folder that configure writes to, path of the host; undefined: the distribution's. */
  readonly containerdRegistryConfigPath: string | undefined;
  /** Go regular expressions, checked; images whose `registry/repository[:tag]` one matches are not shared. */
  readonly registryFilters: readonly string[];
  /** Folder with the files `username` and `password`; without it there is no basic auth. */
  readonly basicAuthDir: string;
  /** Time for the first provider of a lookup, in ms. */
  readonly mirrorResolveTimeoutMs: number;
  /** Most peers that are tried for one request. */
  readonly mirrorResolveRetries: number;
  /** Moves layers by sendfile() and splice(), in a thread of its own. */
  readonly kernelTransportEnabled: boolean;
  /** Bytes per second of the slow check of all that is on the disk; 0: none. */
  readonly scrubBytesPerSecond: number;
  /** Most bodies of blobs that go to other machines at once; 0: no cap. */
  readonly maxUploads: number;
  /** Most bytes per second of these together; 0: no cap. */
  readonly maxUploadBytesPerSecond: number;
  /** Takes part in flights: one node downloads from upstream what many want at the same time. */
  readonly flightsEnabled: boolean;
  /** The longest that a request waits for the first byte of what another node is about to download, in ms. */
  readonly flightsMaxHoldMs: number;
  /** Has containerd pull an image now and then that only this mirror can answer for. */
  readonly canaryEnabled: boolean;
  readonly debugWebEnabled: boolean;
  readonly bootstrapKind: BootstrapKind;
  /** Name whose addresses are those of the nodes; set for the kind dns. */
  readonly dnsBootstrapDomain: string | undefined;
  /** Listen address of the HTTP bootstrap (GET /id, /ids); undefined: not served. */
  readonly httpBootstrapAddr: string | undefined;
  /** Base URL of the node to ask for `/id`, without a trailing slash. */
  readonly httpBootstrapPeer: string | undefined;
  /** Full URL that answers with one or several nodes. */
  readonly httpBootstrapUrl: string | undefined;
  /** Folder with ca.crt, tls.crt and tls.key, to serve the HTTP bootstrap and to ask others; undefined: none of our own. */
  readonly httpBootstrapCertDir: string | undefined;
  /** Multiaddrs that end in `/p2p/<peer ID>`. */
  readonly staticBootstrapPeers: readonly string[];
  /** With the kind dns: only the addresses that the domain names belong to the cluster. */
  readonly membershipCheck: boolean;
  /** Networks, `10.0.0.0/8` or one address, that all nodes are in, checked; empty: any. */
  readonly allowedNetworks: readonly string[];
  /** File with the key of libp2p's private network; undefined: none is needed. */
  readonly swarmKeyFile: string | undefined;
  /** Where this node is: peers there are asked first; undefined: that is not known. */
  readonly zone: string | undefined;
  /** Without a zone: the Node of Kubernetes that is asked for it; undefined: none is. */
  readonly zoneNode: string | undefined;
  /** What this node is called, see isNodeName(); undefined: by its hostname. */
  readonly nodeName: string | undefined;
  /** IP address of the machine, from NODE_IP in the environment; undefined: not known. */
  readonly nodeIp: string | undefined;
}
