import { sumMetric } from '../observe/sum-metric.ts';
import type { Finding, Findings } from './finding.ts';
import type { HttpAsk } from './http-ask.ts';

/** What the daemon says of itself, or why it does not. */
export type DaemonFacts =
  | { readonly error: unknown }
  | {
      readonly ready: boolean;
      /** An address of each peer, IPv6 without brackets. */
      readonly peerAddresses: readonly string[];
      /** How it looked for its first peers the last time: BootstrapState of src/routing; undefined: it does not say. */
      readonly bootstrap:
        | { readonly kind: string; readonly outcome: string; readonly reason: string | undefined }
        | undefined;
      /** GET /metrics. */
      readonly metrics: string;
    };

/** What the command was told. */
export interface DaemonExpectations {
  /** --metrics-addr as the daemon has it, as something to connect to. */
  readonly metricsAddr: string;
  /** The port of --registry-addr, which all nodes share. */
  readonly registryPort: number;
  /** See Distribution. */
  readonly isKubernetes: boolean;
}

/** Peers that are asked whether they can be reached: some may be down, all of them are not. */
const MAX_PEERS_ASKED = 5;
/** Requests without a hit that are no chance any more: each layer of an image is one. */
const MANY_MISSES = 100;

/** Finds that the mirror does not run, knows no peer, or never serves. */
export async function checkDaemon(
  daemon: DaemonFacts,
  expectations: DaemonExpectations,
  ask: HttpAsk,
): Promise<Findings> {
  const { metricsAddr } = expectations;
  if ('error' in daemon) {
    return {
      findings: [daemonUnreachable(daemon.error, expectations)],
      unknown: ['peers and counters were not looked at: no spegel answers'],
    };
  }
  const unreachable = await checkPeers(daemon.peerAddresses, expectations, ask);
  const findings = [
    daemon.ready ? undefined : daemonNotReady(metricsAddr),
    checkContainerdConnection(daemon.metrics, expectations),
    daemon.peerAddresses.length === 0 ? noPeers(daemon.bootstrap, expectations) : undefined,
    unreachable,
    checkHits(daemon.metrics, metricsAddr),
    checkDamage(daemon.metrics, metricsAddr),
  ];
  return { findings: findings.filter((finding) => finding !== undefined), unknown: [] };
}

function daemonUnreachable(
  error: unknown,
  { metricsAddr, isKubernetes }: Pick<DaemonExpectations, 'metricsAddr' | 'isKubernetes'>,
): Finding {
  const reason = error instanceof Error ? error.message : String(error);
  return {
    id: 'daemon-unreachable',
    severity: 'error',
    what: 'no spegel answers on this node: it does not run, or has its metrics elsewhere',
    seen: [reason.includes(metricsAddr) ? reason : `${metricsAddr}: ${reason}`],
    fix: [
      {
        do: 'note',
        text: 'look whether it runs, and at its log; if it does, name its --metrics-addr with --addr',
        lines: isKubernetes
          ? [
              'kubectl --namespace spegel get pods -o wide',
              'kubectl --namespace spegel logs POD --all-containers --previous',
            ]
          : ['systemctl status spegel', 'journalctl -u spegel'],
      },
    ],
  };
}

function daemonNotReady(metricsAddr: string): Finding {
  return {
    id: 'daemon-not-ready',
    severity: 'error',
    what: 'spegel is not ready: it has found neither peers nor that it is alone, so it cannot look anything up',
    seen: [`${metricsAddr}: ready is false`],
    fix: [
      {
        do: 'note',
        text: 'look at its log for "bootstrap"; check that the bootstrap name, address or peers of its flags are those of other nodes, and that the port of --router-addr (5001) is open between nodes',
      },
    ],
  };
}

function checkContainerdConnection(
  metrics: string,
  { metricsAddr, isKubernetes }: DaemonExpectations,
): Finding | undefined {
  if (sumMetric(metrics, 'spegel_containerd_connected') !== 0) return undefined;
  return {
    id: 'daemon-without-containerd',
    severity: 'error',
    what: 'spegel runs and has no connection to containerd: it does not learn which images this node has',
    seen: [`${metricsAddr}: spegel_containerd_connected 0`],
    fix: [
      {
        do: 'note',
        text: isKubernetes
          ? "its --containerd-sock has to be containerd's socket, mounted into its pod; in the chart spegel.containerdSock"
          : "its --containerd-sock has to be containerd's socket, and it has to run as root",
      },
    ],
  };
}

function noPeers(
  bootstrap: Extract<DaemonFacts, { ready: boolean }>['bootstrap'],
  { metricsAddr, isKubernetes }: DaemonExpectations,
): Finding {
  const reason = bootstrap?.reason;
  const isUnnamed = bootstrap?.outcome === 'unnamed';
  return {
    id: 'no-peers',
    severity: 'warning',
    what: `spegel knows no other node, so that no node can serve this one${isUnnamed ? ', and its bootstrap domain names no node at all' : ''}. That is right only for a single node`,
    seen: [`${metricsAddr}: 0 peers`, ...(reason === undefined ? [] : [`bootstrap: ${reason}`])],
    fix: [{ do: 'note', text: isUnnamed ? fixDomain(isKubernetes) : FIX_BOOTSTRAP }],
  };
}

function checkHits(metrics: string, metricsAddr: string): Finding | undefined {
  const misses = sumMetric(metrics, 'spegel_mirror_requests_total', { cache: 'miss' }) ?? 0;
  const hits = sumMetric(metrics, 'spegel_mirror_requests_total', { cache: 'hit' }) ?? 0;
  if (hits > 0 || misses < MANY_MISSES) return undefined;
  return {
    id: 'mirror-without-hits',
    severity: 'warning',
    what: 'containerd asks the mirror, and no other node ever had what it asked for',
    seen: [`${metricsAddr}: spegel_mirror_requests_total hit 0, miss ${misses}`],
    fix: [
      {
        do: 'note',
        text: 'run spegel doctor on a node that has the images: it may have nothing to serve; ask for one with',
        lines: ['spegel peers find <image>'],
      },
    ],
  };
}

function checkDamage(metrics: string, metricsAddr: string): Finding | undefined {
  const damaged = sumMetric(metrics, 'spegel_damaged_blobs') ?? 0;
  if (damaged === 0) return undefined;
  return {
    id: 'content-damaged',
    severity: 'error',
    what: 'bytes on the disk of this node are not what containerd wrote: the disk or its memory may be failing',
    seen: [`${metricsAddr}: spegel_damaged_blobs ${damaged}`],
    fix: [
      {
        do: 'note',
        text: 'spegel does not serve them. Find them in its log, with the images that they are of, look at the disk (dmesg, smartctl), and get these images anew',
        lines: ["kubectl logs … | grep 'damaged on the disk'", 'crictl rmi <image>', 'crictl pull <image>'],
      },
    ],
  };
}

const FIX_BOOTSTRAP =
  'check that the bootstrap of its flags leads to the other nodes, and that the port of --router-addr (5001) is open between nodes';

function fixDomain(isKubernetes: boolean): string {
  return isKubernetes
    ? "correct the name in --dns-bootstrap-domain: that of the headless service whose endpoints are all of spegel's pods, with its namespace (kubectl get services -A), and with a dot at its end"
    : 'correct the name in --dns-bootstrap-domain, or give it the addresses of the nodes at the name server';
}

/** When the daemon started, in seconds since the epoch, and whether containerd has ever asked it for what it had not. */
export function mirrorUse(
  daemon: DaemonFacts,
): { readonly sinceSeconds: number; readonly asked: boolean } | undefined {
  if ('error' in daemon) return undefined;
  const sinceSeconds = sumMetric(daemon.metrics, 'process_start_time_seconds');
  const asked = (sumMetric(daemon.metrics, 'spegel_mirror_requests_total') ?? 0) > 0;
  return sinceSeconds === undefined ? undefined : { sinceSeconds, asked };
}

async function checkPeers(
  addresses: readonly string[],
  { registryPort: port, isKubernetes }: DaemonExpectations,
  ask: HttpAsk,
): Promise<Finding | undefined> {
  const asked = addresses.slice(0, MAX_PEERS_ASKED);
  const answers = await Promise.all(
    asked.map(async (address) => {
      const endpoint = `${address.includes(':') ? `[${address}]` : address}:${port}`;
      return ask(endpoint, { method: 'GET', path: '/livez' }).then(
        () => undefined,
        (error: unknown) => `${endpoint}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }),
  );
  const failures = answers.filter((answer) => answer !== undefined);
  if (asked.length === 0 || failures.length < asked.length) return undefined;
  return {
    id: 'peers-unreachable',
    severity: 'error',
    what: 'the other nodes are known and their mirrors cannot be reached: nothing can be fetched from them',
    seen: failures,
    fix: [
      {
        do: 'note',
        text: `open port ${port} (--registry-addr, the same on every node) between the nodes: ${isKubernetes ? 'NetworkPolicy, ' : ''}security group, firewall`,
      },
    ],
  };
}
