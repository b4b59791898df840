/** How this node finds its first peers. `dns` comes with a later version and is refused before these options exist. */
export type BootstrapKind = 'http' | 'static';

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
  /** Time for the first provider of a lookup, in ms. */
  readonly mirrorResolveTimeoutMs: number;
  /** Most peers that are tried for one request. */
  readonly mirrorResolveRetries: number;
  readonly debugWebEnabled: boolean;
  readonly bootstrapKind: BootstrapKind;
  /** Listen address of the HTTP bootstrap (GET /id, /ids); undefined: not served. */
  readonly httpBootstrapAddr: string | undefined;
  /** Base URL of the node to ask for `/id`, without a trailing slash. */
  readonly httpBootstrapPeer: string | undefined;
  /** Full URL that answers with one or several nodes. */
  readonly httpBootstrapUrl: string | undefined;
  /** Multiaddrs that end in `/p2p/<peer ID>`. */
  readonly staticBootstrapPeers: readonly string[];
  /** IP address of the machine, from NODE_IP in the environment; undefined: not known. */
  readonly nodeIp: string | undefined;
}
