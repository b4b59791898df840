/** A folder of src/: what it is about, and what it may use. */
export interface Room {
  /** One line for docs/ARCHITECTURE.md. */
  readonly subject: string;
  /** The rooms that its files may import, beside its own. */
  readonly mayImport: readonly string[];
}

/**
 * The rooms of src/, from the bottom up: a room imports rooms above its own row only. `oxlint.config.ts` makes rules of this
 * table, and `bun run reference` prints it into docs/ARCHITECTURE.md.
 */
export const ROOMS: Readonly<Record<string, Room>> = {
  runtime: {
    subject: 'task groups, signals, durations, files, memory: no words of this subject',
    mayImport: [],
  },
  terminal: {
    subject: 'text that people read: widths, wrapping, tables, colours, ages. No words of this subject',
    mayImport: [],
  },
  observe: { subject: 'logs and metrics', mayImport: [] },
  oci: {
    subject: 'digests, references, paths, ranges, media types, errors of the distribution spec. Pure, no I/O',
    mayImport: [],
  },
  store: {
    subject:
      'the contract `ContentStore`: what this node has; and which of it is shared (`sharing-policy.ts`)',
    mayImport: ['runtime', 'oci'],
  },
  integrity: {
    subject:
      'whether the bytes on this node’s disk are those of their digests: hashed in a thread of its own',
    mayImport: ['runtime', 'observe', 'oci', 'store'],
  },
  canary: {
    subject:
      'whether containerd asks this mirror: an image that only it can answer for. Knows contracts and a clock, nothing else',
    mayImport: ['runtime', 'observe', 'oci', 'store'],
  },
  containerd: {
    subject: 'the contract `ContentStore` over containerd’s socket, content folder and events',
    mayImport: ['runtime', 'observe', 'oci', 'store'],
  },
  'containerd-config': {
    subject: 'containerd’s config.toml as each of its versions reads it; TOML with its lines',
    mayImport: ['runtime'],
  },
  'mirror-config': {
    subject: 'hosts.toml: as containerd reads it, what `spegel configure` plans, writes and restores',
    mayImport: ['runtime', 'observe', 'containerd-config'],
  },
  http: {
    subject: 'every listener, socket and byte in motion: the contract `Transport`',
    mayImport: ['runtime', 'oci'],
  },
  routing: {
    subject: 'the contract `Router`: who has what; the advertiser, which tells it what the store has',
    mayImport: ['runtime', 'observe', 'oci', 'store'],
  },
  flights: {
    subject:
      'which node downloads from upstream for all, and which takes it from which while it does. Knows contracts and a clock, nothing else',
    mayImport: ['runtime', 'observe', 'oci', 'store', 'routing'],
  },
  dht: {
    subject:
      'what a node of the DHT decides: records, providing, lookups, which peers are alive. Knows a clock and bytes, no packages',
    mayImport: ['runtime', 'observe', 'routing'],
  },
  bootstrap: {
    subject: 'where a node finds the first peers: DNS, HTTP, a list; and when it asks again',
    mayImport: ['runtime', 'observe', 'routing', 'dht'],
  },
  membership: {
    subject: 'which addresses belong to the cluster, and which connections are let in',
    mayImport: ['runtime', 'observe', 'bootstrap'],
  },
  p2p: {
    subject: 'the router over a Kademlia DHT: connections, streams, addresses, identity',
    mayImport: ['runtime', 'observe', 'oci', 'routing', 'flights', 'dht', 'bootstrap', 'membership'],
  },
  transfer: {
    subject:
      'which peer to ask, when to give up on it, where to go on. Knows contracts and a clock, nothing else',
    mayImport: ['runtime', 'observe', 'oci', 'store', 'integrity', 'http', 'routing', 'flights'],
  },
  registry: {
    subject: 'the distribution API: routes, headers, errors',
    mayImport: ['runtime', 'observe', 'oci', 'store', 'integrity', 'canary', 'http', 'flights', 'transfer'],
  },
  web: {
    subject: 'the metrics and bootstrap listeners’ routes, the debug page',
    mayImport: ['runtime', 'observe', 'oci', 'store', 'canary', 'http', 'routing'],
  },
  doctor: {
    subject: 'why the mirror is not used on a node: facts in, findings with their fixes out',
    mayImport: [
      'runtime',
      'terminal',
      'observe',
      'oci',
      'canary',
      'containerd',
      'containerd-config',
      'mirror-config',
    ],
  },
  daemon: {
    subject: 'what `spegel registry` runs: the only place where all the rooms meet',
    mayImport: [
      'runtime',
      'observe',
      'oci',
      'store',
      'integrity',
      'canary',
      'containerd',
      'containerd-config',
      'http',
      'routing',
      'flights',
      'dht',
      'bootstrap',
      'membership',
      'p2p',
      'transfer',
      'registry',
      'web',
      'doctor',
    ],
  },
  commands: {
    subject: 'what each other command does, and how it asks the daemon',
    mayImport: [
      'runtime',
      'terminal',
      'observe',
      'oci',
      'canary',
      'containerd',
      'mirror-config',
      'http',
      'routing',
      'doctor',
    ],
  },
  cli: {
    subject:
      'with `cli.ts`, the command line: flags, environment, exit codes; imports a command when it runs',
    mayImport: [
      'runtime',
      'terminal',
      'store',
      'containerd-config',
      'mirror-config',
      'doctor',
      'daemon',
      'commands',
    ],
  },
};

/** Packages that belong to rooms. */
export interface Owner {
  /** As they are named to people. */
  readonly packages: string;
  /** What the specifier of an import of them matches. */
  readonly pattern: string;
  readonly rooms: readonly string[];
}

/** Which rooms use which packages. What is not listed may be used everywhere. */
export const OWNERS: readonly Owner[] = [
  { packages: 're2js', pattern: '^re2js$', rooms: ['store'] },
  { packages: '@grpc/grpc-js, protobufjs', pattern: '^(@grpc/|protobufjs)', rooms: ['containerd'] },
  { packages: 'smol-toml', pattern: '^smol-toml$', rooms: ['containerd-config', 'mirror-config'] },
  {
    packages: '@libp2p/* and @multiformats/*',
    pattern: '^(@libp2p/|@multiformats/)',
    rooms: ['bootstrap', 'p2p'],
  },
  {
    packages: 'libp2p and what of it connects',
    pattern:
      '^(libp2p$|@libp2p/(crypto|identify|kad-dht|ping|tcp|utils)|@chainsafe/|@noble/|multiformats|datastore-core|interface-datastore)',
    rooms: ['p2p'],
  },
  { packages: 'hono', pattern: '^hono', rooms: ['web'] },
  { packages: 'commander', pattern: '^commander$', rooms: [] },
  { packages: 'prom-client', pattern: '^prom-client$', rooms: ['observe'] },
  { packages: 'sockets of node:', pattern: '^node:(http|https|net|tls|http2)$', rooms: ['http'] },
];
