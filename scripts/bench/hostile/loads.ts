import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PEERS_PATH, type PeersReport } from '../../../src/routing/peers-report.ts';
import type { LabNode } from '../../lab/lab-node.ts';
import { MIRROR_PORTS } from '../../lab/mirror.ts';
import { waitFor } from '../../lab/wait-for.ts';
import type { Endpoint } from '../../lab/network.ts';
import { type HostileCluster, layersAsManifestsOf, layersOf, type SharedImage } from './hostile-cluster.ts';
import { DRIP_LOAD } from './drip-load.ts';
import type { Load, StartedLoad } from './load.ts';
import type { HttpFigures, HttpLoad, HttpTarget, PeerFigures, PeerLoad } from './player-commands.ts';
import { startPulls } from './probes.ts';

const READERS = 20;
const FEW_READERS = 5;
const LEAVERS = 8;
const RANGE_READERS = 8;
const MANIFEST_CLIENTS = 16;
const UNREAD_CLIENTS = 400;
const UNREAD_STREAMS = 60;
const IDENTITIES = 360;
const PASSING_IDENTITIES = 64;
const RECORD_PEERS = 5;
const STOP_RECORD_PEERS = 4;
const RECORDS_EACH = 45_000;
const HALF_OPEN = 1000;
const CROWD = 1000;
/** Four of a crowd come from one address: behind a limit for each address there is still a crowd. */
const CROWD_ADDRESSES = 250;
/** Records that the stop waits for arrive within this, or are refused, in ms. */
const RECORDS_TIMEOUT_MS = 30_000;
/** Longest time that a node may take to join, in ms. */
const JOIN_TIMEOUT_MS = 120_000;

/** Clients of HTTP on a machine, of the victim's mirror. */
async function startClients(
  cluster: HostileCluster,
  machine: Endpoint,
  load: Pick<HttpLoad, 'manner' | 'clients' | 'targets' | 'isPatient'>,
): Promise<{ stop(): Promise<HttpFigures> }> {
  const player = await cluster.playHttp(machine);
  await player.control.start({ host: cluster.victim.endpoint.ipv4, port: MIRROR_PORTS.registry, ...load });
  return {
    stop: async () => {
      const figures = await player.control.stop({});
      await player.end();
      return figures;
    },
  };
}

/** Peers on the attacker's machine, of the victim's router. By default they share one address. */
async function startPeers(
  cluster: HostileCluster,
  load: Omit<PeerLoad, 'host' | 'port' | 'addresses'> & { readonly addresses?: readonly string[] },
): Promise<{ figures(): Promise<PeerFigures>; stop(): Promise<PeerFigures> }> {
  const player = await cluster.playPeers(cluster.attacker);
  await player.control.start({
    host: cluster.victim.endpoint.ipv4,
    port: MIRROR_PORTS.router,
    addresses: [cluster.attacker.ipv4],
    ...load,
  });
  return {
    figures: async () => player.control.figures({}),
    stop: async () => {
      const figures = await player.control.stop({});
      await player.end();
      return figures;
    },
  };
}

/** A load of well-behaved clients. */
function fair(
  name: string,
  summary: string,
  what: {
    readonly manner: 'read' | 'range';
    readonly clients: number;
    readonly of: keyof HostileCluster['content'];
  },
): Load {
  return {
    name,
    summary,
    start: async (cluster) => {
      const targets = layersOf(cluster.content[what.of]);
      const clients = await startClients(cluster, cluster.clients, { ...what, targets, isPatient: true });
      return { stop: async () => ({ fair: await clients.stop() }) };
    },
  };
}

/** A load of hostile clients. */
function unfair(
  name: string,
  summary: string,
  what: {
    readonly manner: HttpLoad['manner'];
    readonly clients: number;
    readonly of: keyof HostileCluster['content'];
    readonly targets?: (shared: SharedImage) => readonly HttpTarget[];
  },
): Load {
  const { manner, clients, targets = layersOf } = what;
  return {
    name,
    summary,
    start: async (cluster) => {
      const load = { manner, clients, targets: targets(cluster.content[what.of]), isPatient: false };
      const started = await startClients(cluster, cluster.attacker, load);
      return { stop: async () => ({ hostile: await started.stop() }) };
    },
  };
}

/** A load of peers. */
function peers(
  name: string,
  summary: string,
  load: Pick<PeerLoad, 'manner' | 'peers' | 'streams' | 'records'> & { readonly sources?: number },
  bootstrap: 'http' | 'dns' = 'http',
): Load {
  const { sources, ...rest } = load;
  return {
    name,
    summary,
    bootstrap,
    start: async (cluster) => {
      const keys = cluster.content.lookedUp.image.blobs.map(({ digest }) => digest);
      const started = await startPeers(cluster, {
        ...rest,
        keys,
        ...(sources === undefined ? {} : { addresses: await cluster.addresses(sources) }),
      });
      return {
        stop: async () => {
          const figures = await started.stop();
          const { answers, questionsSent, answerMs } = figures;
          // Peers that go with a question open, or that are shed, have no answer; that none has one is another matter.
          const isMute = load.manner === 'crowd' && questionsSent > 0 && answers === 0;
          return {
            peers: figures,
            notes:
              answerMs === undefined
                ? {}
                : { 'answers p50/p99': `${answerMs.p50.toFixed(0)}/${answerMs.p99.toFixed(0)} ms` },
            faults: isMute ? [`none of ${questionsSent} questions of peers was answered`] : [],
          };
        },
      };
    },
  };
}

/**
 * Time from the start of a node that was never there until it is connected to the victim, which it bootstraps from, in
 * ms.
 */
async function measureJoin({ lab, victim, other }: HostileCluster): Promise<number> {
  await other.mirror.kill();
  // With its old identity the victim would know it, and connect by itself.
  await rm(join(lab.directory, other.name, 'mirror', 'data'), { recursive: true, force: true });
  const startedMs = performance.now();
  await other.mirror.launch();
  const url = `http://${other.endpoint.ipv4}:${MIRROR_PORTS.metrics}${PEERS_PATH}`;
  await waitFor(
    `${other.name} to be connected to ${victim.name}`,
    async () => {
      const { peers } = (await (await lab.http.fetch(url)).json()) as PeersReport;
      return peers.some(({ addresses, connected }) => connected && addresses.includes(victim.endpoint.ipv4));
    },
    { timeoutMs: JOIN_TIMEOUT_MS },
  );
  return performance.now() - startedMs;
}

const HALF_OPEN_LOAD: Load = {
  name: 'half-open',
  summary: `${HALF_OPEN} half-open router connections of one address, while an honest node starts`,
  start: async (cluster) => {
    const started = await startPeers(cluster, { manner: 'half-open', peers: HALF_OPEN });
    return {
      stop: async () => {
        // With another node to connect to, that one would lead the victim to the new node.
        await cluster.holder.mirror.kill();
        const loaded = await measureJoin(cluster).catch((error: unknown) => error);
        const peers = await started.stop();
        const calm = await measureJoin(cluster).catch((error: unknown) => error);
        return {
          peers,
          notes: { join: formatJoin(loaded), 'join when it is over': formatJoin(calm) },
          faults: [loaded, calm].flatMap((outcome) => (typeof outcome === 'number' ? [] : [String(outcome)])),
        };
      },
    };
  },
};

function formatJoin(outcome: unknown): string {
  return typeof outcome === 'number' ? seconds(outcome) : 'never';
}

const STOP_LOAD: Load = {
  name: 'stop',
  summary: `SIGTERM with ${STOP_RECORD_PEERS * RECORDS_EACH} records of ${STOP_RECORD_PEERS} peers`,
  start: async (cluster) => {
    const { mirror } = cluster.victim;
    const started = await startPeers(cluster, {
      manner: 'records',
      peers: STOP_RECORD_PEERS,
      records: RECORDS_EACH,
      addresses: await cluster.addresses(STOP_RECORD_PEERS),
    });
    const notes: Record<string, string> = {};
    const faults: string[] = [];
    const done = (async () => {
      const all = STOP_RECORD_PEERS * RECORDS_EACH;
      // A node that refuses some of them, or that holds the sender back, is stopped with those that it has.
      await waitFor('the records', async () => (await started.figures()).recordsSent >= all, {
        timeoutMs: RECORDS_TIMEOUT_MS,
        intervalMs: 200,
      }).catch(() => undefined);
      const held = await mirror.metrics().then(
        (metrics) => metrics.sum('spegel_router_records'),
        () => undefined,
      );
      notes['records sent'] = String((await started.figures()).recordsSent);
      notes['records held'] = held === undefined ? '?' : String(held);
      const startedMs = performance.now();
      const exitCode = await mirror.stop();
      notes['stop'] = seconds(performance.now() - startedMs);
      notes['exit code'] = String(exitCode);
      if (exitCode !== 0) faults.push(`the daemon ended with ${exitCode}`);
    })();
    return {
      done,
      stop: async () => {
        await done;
        return { peers: await started.stop(), notes, faults };
      },
    };
  },
};

const SINGLE_LOADS: readonly Load[] = [
  fair('many-layers', `40 layers of 1 MB, read over and over by ${READERS} well-behaved clients`, {
    manner: 'read',
    clients: READERS,
    of: 'own',
  }),
  fair('few-readers', `the same by ${FEW_READERS}`, { manner: 'read', clients: FEW_READERS, of: 'own' }),
  unfair('early-leavers', `a 20 MB layer, left after a byte by ${LEAVERS} clients`, {
    manner: 'leave',
    clients: LEAVERS,
    of: 'ownBig',
  }),
  unfair('early-leaver', 'the same by a single client', { manner: 'leave', clients: 1, of: 'ownBig' }),
  fair('ranges', `ranges of 1 MiB of a 20 MB layer by ${RANGE_READERS} clients`, {
    manner: 'range',
    clients: RANGE_READERS,
    of: 'ownBig',
  }),
  unfair(
    'layer-as-manifest',
    `GET /manifests/<digest of a 3.9 MB layer> on ${MANIFEST_CLIENTS} connections`,
    {
      manner: 'read',
      clients: MANIFEST_CLIENTS,
      of: 'ownSmall',
      targets: layersAsManifestsOf,
    },
  ),
  fair('through', `40 layers of 1 MB that another node has, by ${READERS} clients`, {
    manner: 'read',
    clients: READERS,
    of: 'remote',
  }),
  unfair('through-leavers', 'the same, left after a byte', {
    manner: 'leave',
    clients: READERS,
    of: 'remote',
  }),
  peers('unread-queries', `GET_PROVIDERS on ${UNREAD_STREAMS} streams of a peer that reads no answer`, {
    manner: 'unread',
    peers: 1,
    streams: UNREAD_STREAMS,
  }),
  peers(
    'pending-queries',
    'the same of a peer that is not a member (dns)',
    { manner: 'unread', peers: 1, streams: UNREAD_STREAMS },
    'dns',
  ),
  peers('identities', `${IDENTITIES} identities of one address, which stay`, {
    manner: 'stay',
    peers: IDENTITIES,
  }),
  peers('passing-identities', `${PASSING_IDENTITIES} at a time of one address, which come and go`, {
    manner: 'come-and-go',
    peers: PASSING_IDENTITIES,
  }),
  peers('records', `${RECORD_PEERS} identities of one address with ${RECORDS_EACH} records each`, {
    manner: 'records',
    peers: RECORD_PEERS,
    records: RECORDS_EACH,
  }),
  STOP_LOAD,
  unfair('unread-bodies', `${UNREAD_CLIENTS} clients that do not read a 20 MB layer`, {
    manner: 'unread',
    clients: UNREAD_CLIENTS,
    of: 'ownBig',
  }),
  unfair('unread-bodies-through', 'the same of a layer that another node has', {
    manner: 'unread',
    clients: UNREAD_CLIENTS,
    of: 'remoteBig',
  }),
  HALF_OPEN_LOAD,
  DRIP_LOAD,
  peers('crowd', `${CROWD} peers of ${CROWD_ADDRESSES} addresses, which stay and look things up`, {
    manner: 'crowd',
    peers: CROWD,
    sources: CROWD_ADDRESSES,
  }),
];

/** Those that do not go together with the others: they start, stop or need another cluster. */
const ALONE = new Set(['stop', 'half-open', 'drip', 'pending-queries', 'few-readers', 'early-leaver']);

/** All loads at once, while the two other nodes pull from the victim. */
const ALL_LOAD: Load = {
  name: 'all',
  summary: 'all of them at once, while the two other nodes pull what the victim has',
  start: async (cluster) => {
    const pulls = await Promise.all(
      [cluster.holder, cluster.other].map(async (node: LabNode) =>
        startPulls(cluster, node, cluster.content.pulledFromVictim),
      ),
    );
    const started: StartedLoad[] = [];
    for (const load of SINGLE_LOADS) if (!ALONE.has(load.name)) started.push(await load.start(cluster));
    const halfOpen = await startPeers(cluster, { manner: 'half-open', peers: HALF_OPEN });
    return {
      stop: async () => {
        const figures = await Promise.all(started.map(async (load) => load.stop()));
        const peerFigures = [...figures.map((each) => each.peers), await halfOpen.stop()];
        const pulled = await Promise.all(pulls.map(async (each) => each.stop()));
        const failures = pulled.flatMap((each) => each.failures);
        const faults = figures.flatMap((each) => each.faults ?? []);
        return {
          fair: sumHttp(figures.map((each) => each.fair)),
          hostile: sumHttp(figures.map((each) => each.hostile)),
          peers: sumPeers(peerFigures),
          notes: {
            ...Object.assign({}, ...figures.map((each) => each.notes)),
            'pulls of the others': String(pulled.reduce((sum, { tookMs }) => sum + tookMs.length, 0)),
            'their requests upstream': String(pulled.reduce((sum, each) => sum + each.upstreamRequests, 0)),
          },
          faults:
            failures.length === 0
              ? faults
              : [...faults, `${failures.length} pulls of the others failed: ${failures[0]}`],
        };
      },
    };
  },
};

/** All loads, in the order in which they are put on nodes. */
export const LOADS: readonly Load[] = [...SINGLE_LOADS, ALL_LOAD];

function sumHttp(all: ReadonlyArray<HttpFigures | undefined>): HttpFigures {
  const statuses: Record<string, number> = {};
  const sum = { complete: 0, wrong: 0, short: 0, reset: 0 };
  for (const figures of all) {
    if (figures === undefined) continue;
    for (const [status, count] of Object.entries(figures.statuses)) {
      statuses[status] = (statuses[status] ?? 0) + count;
    }
    for (const name of ['complete', 'wrong', 'short', 'reset'] as const) sum[name] += figures[name];
  }
  return { statuses, ...sum };
}

function sumPeers(all: ReadonlyArray<PeerFigures | undefined>): PeerFigures {
  const names = [
    'connected',
    'joined',
    'refused',
    'ended',
    'recordsSent',
    'questionsSent',
    'answers',
  ] as const;
  const sum = Object.fromEntries(
    names.map((name) => [name, all.reduce((total, figures) => total + (figures?.[name] ?? 0), 0)]),
  ) as Record<(typeof names)[number], number>;
  return { ...sum, answerMs: all.find((figures) => figures?.answerMs !== undefined)?.answerMs };
}

/** Seconds as text. */
export function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`;
}
