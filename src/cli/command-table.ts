import { cleanupFlags, cleanupWaitFlags } from './cleanup-flags.ts';
import { configureFlags } from './configure-flags.ts';
import { doctorFlags } from './doctor-flags.ts';
import type { FlagTable } from './flag.ts';
import { choiceFlag } from './flag-kinds.ts';
import { askFlags, peersFlags } from './peers-flags.ts';
import { registryFlags } from './registry-flags.ts';

/** A command as its help and docs/REFERENCE.md show it. */
export interface CommandText {
  /** Name and arguments. */
  readonly usage: string;
  /** The command that it belongs to, whose flags it has. */
  readonly parent?: 'peers';
  readonly alias?: string;
  readonly description: string;
  readonly flags: FlagTable;
  /** Command lines, one per line. */
  readonly examples: string;
}

/** Flags that every command takes. */
export const globalFlags = {
  logLevel: choiceFlag(['DEBUG', 'INFO', 'WARN', 'ERROR'], 'least level of log lines', 'INFO'),
};

/** The flags of `spegel version`. */
export const versionFlags = { format: choiceFlag(['text', 'json'], 'form of the output', 'text') };

/** Every command, in the order of the help. */
export const COMMANDS = {
  configure: {
    usage: 'configure',
    alias: 'configuration',
    description: 'Points containerd at the mirror: writes a hosts.toml per registry.',
    flags: configureFlags,
    examples: `spegel configure --mirror-targets http://127.0.0.1:30020
spegel configure --mirrored-registries https://docker.io https://ghcr.io --mirror-targets http://10.0.0.1:30020 http://10.0.0.1:30021
spegel configure --mirror-targets http://127.0.0.1:30020 --prepend-existing --dry-run
spegel configure --mirror-targets http://127.0.0.1:30020 --additional-mirror-targets docker.io=https://cache.example`,
  },
  cleanup: {
    usage: 'cleanup',
    description: 'Restores what configure changed, then says so on GET /readyz until SIGTERM or SIGINT.',
    flags: cleanupFlags,
    examples: 'spegel cleanup --addr :8080',
  },
  cleanupWait: {
    usage: 'cleanup-wait',
    description: 'Waits until cleanup is done on every node.',
    flags: cleanupWaitFlags,
    examples: `spegel cleanup-wait --probe-endpoint spegel-cleanup.spegel.svc.cluster.local.:8080
spegel cleanup-wait --probe-endpoint 10.0.0.1:8080 --threshold 1 --period 500ms`,
  },
  registry: {
    usage: 'registry',
    description: 'Runs the mirror until SIGTERM or SIGINT.',
    flags: registryFlags,
    examples: `spegel registry --bootstrap-kind static
spegel registry --bootstrap-kind static --static-bootstrap-peers /ip4/10.0.0.1/tcp/5001/p2p/12D3KooW…
spegel registry --bootstrap-kind http --http-bootstrap-addr :5002 --http-bootstrap-peer http://10.0.0.1:5002`,
  },
  peers: {
    usage: 'peers',
    description: 'Shows the peers that the running spegel knows. Below it: find, flights, transfers.',
    flags: peersFlags,
    examples: `spegel peers
spegel peers --watch
spegel peers --wide
spegel peers --json --addr 10.0.0.1:9090`,
  },
  peersFind: {
    usage: 'find <image|digest>',
    parent: 'peers',
    description:
      'Says which nodes have an image or a digest. Exit 0: there are some, 1: there is none, 3: that cannot be found out, 2: a wrong command line.',
    flags: {},
    examples: `spegel peers find nginx
spegel peers find registry.lab:5000/app:1.2 --json
spegel peers find sha256:2cf2…`,
  },
  peersFlights: {
    usage: 'flights [image|digest]',
    parent: 'peers',
    description:
      'Shows who takes what from which node just now: the downloads of this node and the flights that it decides about, or those of a digest, or of an image that this node downloads. Exit 0: some are under way, 1: none, 3: that cannot be found out, 2: a wrong command line.',
    flags: {},
    examples: `spegel peers flights
spegel peers flights --watch=1s
spegel peers flights sha256:2cf2…
spegel peers flights registry.lab:5000/app:1.2 --json`,
  },
  peersTransfers: {
    usage: 'transfers',
    parent: 'peers',
    description:
      'Shows the last pulls of this node, and the last manifests and blobs that it and other nodes asked for: from where they came, how fast, and what was missing and why.',
    flags: {},
    examples: `spegel peers transfers
spegel peers transfers --watch
spegel peers transfers --watch=10s --json`,
  },
  why: {
    usage: 'why <image|digest>',
    description:
      'Says why the running spegel serves an image or a digest, or does not: its filters, its store, which peers have it and what they say, and what containerd would get now. Exit 0: the mirror can serve it, 1: it cannot, or not all of it, 3: that cannot be found out, 2: a wrong command line.',
    flags: askFlags,
    examples: `spegel why nginx
spegel why registry.lab:5000/app:1.2 --json
spegel why registry.lab:5000/app@sha256:2cf2…
spegel why sha256:2cf2… --addr 10.0.0.1:9090`,
  },
  doctor: {
    usage: 'doctor',
    description:
      'Says why the mirror is not used on this node, and what to change. Exit 0: nothing (or only info), 1: at least one error, 3: warnings and no error, 2: a wrong command line.',
    flags: doctorFlags,
    examples: `spegel doctor
spegel doctor --canary
spegel doctor --host-root /host --json
spegel doctor --containerd-config /etc/containerd/config.toml --mirror-targets http://127.0.0.1:30020`,
  },
  version: {
    usage: 'version',
    description: 'Prints the version and the commit it was built from.',
    flags: versionFlags,
    examples: `spegel version
spegel version --format json`,
  },
} as const satisfies Readonly<Record<string, CommandText>>;
