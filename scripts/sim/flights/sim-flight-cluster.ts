import { SLOW_ANSWER_MS } from '../../../src/dht/limits.ts';
import type { FlightNetwork } from '../../../src/flights/flight-network.ts';
import { type Logger, silentLogger } from '../../../src/observe/log.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { createRandom } from '../random.ts';
import { createVirtualTime } from '../virtual-time.ts';
import { createSimContainerd, type SimContainerd, type SlotRule } from './sim-containerd.ts';
import { createSimMirror, requestError, type SimMirror } from './sim-flight-node.ts';
import type { SimContent, SimImage } from './sim-image.ts';
import { createSimLinks, type SimLink } from './sim-links.ts';
import type { SendRequest, SimAnswer } from './sim-transport.ts';
import { createSimView, type SimView } from './sim-view.ts';
import { createSimWire, type SimWire } from './sim-wire.ts';

/** What a cluster is made with. Rates are in Mbit/s. */
export interface FlightClusterOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly images: readonly SimImage[];
  readonly slotRule: SlotRule;
  readonly upstreamMbits: number;
  readonly linkMbits: number;
  /** What one connection to upstream gets at most. */
  readonly connectionMbits?: number | undefined;
  /** Half of the nodes do not see this share of the others. */
  readonly unseenShare?: number | undefined;
  /** What a slow node receives. Without it both directions of its link carry a fiftieth of what they did. */
  readonly slowMbits?: number | undefined;
  /** False: flights are off. */
  readonly isOn?: boolean | undefined;
  /** Told what each node logs, a line each, and when its containerd goes upstream. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** What went wrong with a node. */
export type FaultKind = 'kill' | 'stop' | 'machine' | 'hang' | 'slow' | 'cancel';

/** A machine of the simulation. */
export interface FlightNode {
  readonly index: number;
  readonly name: string;
  readonly containerd: SimContainerd;
  readonly mirror: SimMirror;
  /** Something was done to it. */
  readonly isFaulty: boolean;
}

/** What the cluster has counted. */
export interface FlightCounts {
  readonly upstreamBytes: number;
  asks: number;
  reports: number;
  requests: number;
  longestHeldMs: number;
  /** Bodies that broke, by node, digest and where it came from. */
  readonly broken: Map<string, number>;
  readonly outcomes: Map<string, number>;
  readonly violations: string[];
}

/** A cluster that pulls. */
export interface FlightCluster {
  readonly nodes: readonly FlightNode[];
  readonly counts: FlightCounts;
  nowMs(): number;
  after(ms: number, work: () => void): void;
  pass(ms: number): Promise<void>;
  /** Makes the node a holder of the image whose records are there. */
  fill(node: FlightNode, image: SimImage): void;
  fault(node: FlightNode, kind: FaultKind): void;
  /** Starts the mirror of a node again, whose process was killed. */
  restart(node: FlightNode): void;
  /** Ends what the node's containerd hung at. */
  resume(node: FlightNode): void;
  towersOf(digest: Digest): readonly FlightNode[];
}

const BITS_PER_BYTE = 8;
const toBytesPerMs = (mbits: number) => (mbits * 1000) / BITS_PER_BYTE;
/** One way between two nodes, at least. */
const LATENCY_MS = 0.5;
const UPSTREAM_LATENCY_MS = 30;
/** A record is where it belongs so long after the store has the blob. */
const RECORD_AFTER_MS = 60;
const LOOKUP_MS = 5;
/** Others take a node for dead so long after its process or its machine went. */
const KILLED_SEEN_MS = 200;
const SILENT_SEEN_MS = 5000;
/** Those who have known it may ask it for so long all the same: its mirror may be restarting. */
const RESTART_MS = 5000;
/** The links of a slow node carry so much less: less than a sixth of upstream's rate. */
export const SLOW_FACTOR = 50;

type Node = {
  -readonly [Key in keyof FlightNode]: FlightNode[Key];
} & {
  readonly view: SimView;
  readonly out: SimLink;
  readonly in: SimLink;
  readonly latencyMs: number;
  isDown: boolean;
};

/** Makes a cluster whose nodes know each other. */
export function createFlightCluster(options: FlightClusterOptions): FlightCluster {
  const {
    seed,
    images,
    slotRule,
    upstreamMbits,
    linkMbits,
    connectionMbits,
    unseenShare = 0,
    slowMbits,
    isOn = true,
    trace,
  } = options;
  const time = createVirtualTime();
  const links = createSimLinks(time);
  const random = createRandom(seed);
  const upstream = links.link(toBytesPerMs(upstreamMbits));
  const contents = new Map<Digest, SimContent>();
  for (const image of images) {
    for (const content of [image.manifest, ...image.contents]) contents.set(content.digest, content);
  }
  const records = new Map<Digest, string[]>();
  const fromUpstream: SimWire[] = [];
  const counts: FlightCounts = {
    get upstreamBytes() {
      return fromUpstream.reduce((sum, { arrivedBytes }) => sum + arrivedBytes, 0);
    },
    asks: 0,
    reports: 0,
    requests: 0,
    longestHeldMs: 0,
    broken: new Map(),
    outcomes: new Map(),
    violations: [],
  };
  const nodes: Node[] = [];
  const byName = new Map<string, Node>();
  /** When nodes were found to be gone. */
  const goneMs = new Map<string, number>();
  const names = Array.from({ length: options.nodes }, () => Buffer.from(random.bytes(34)).toString('hex'));
  const views = [createSimView(names)];
  if (unseenShare > 0) {
    const seen = Math.ceil(names.length * (1 - unseenShare));
    views.push(createSimView(random.sample(names, seen)));
  }
  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  const hostOf = (index: number) => `n${index}`;
  const nodeAt = (host: string) => nodes[Number(host.slice(1))];

  const createNetwork = (node: Node): Omit<FlightNetwork, 'serve'> => {
    /** Questions that have no answer yet: when they were asked. */
    const waiting = new Map<string, number>();
    const isKnownTo = (other: Node) => other.view.has(node.name);
    return {
      self: node.name,
      towersOf: (digest, limit) => node.view.towersOf(digest, limit),
      ask: (tower, question, signal) =>
        new Promise((resolve, reject) => {
          counts.asks++;
          const other = byName.get(tower);
          const sinceMs = waiting.get(tower);
          if (other === undefined || (sinceMs !== undefined && time.nowMs() - sinceMs > SLOW_ANSWER_MS)) {
            reject(new Error('The node does not answer'));
            return;
          }
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          const { mirror } = other;
          const wayMs = node.latencyMs + other.latencyMs;
          waiting.set(tower, sinceMs ?? time.nowMs());
          time.after(wayMs, () => {
            const { handler, isGone } = other.mirror;
            const refused =
              other.mirror !== mirror ||
              (isGone && !isSilent(other)) ||
              handler === undefined ||
              !isKnownTo(other);
            if (!refused && isGone) return;
            const answer = refused ? undefined : handler.ask(node.name, question);
            time.after(wayMs, () => {
              waiting.delete(tower);
              if (answer === undefined) reject(new Error('The node is not there'));
              else resolve(answer);
            });
          });
        }),
      report(tower, report) {
        // What its containerd does wakes a process that is stopped.
        if (node.mirror.isGone) return;
        counts.reports++;
        const other = byName.get(tower);
        if (other === undefined) return;
        time.after(node.latencyMs + other.latencyMs, () => {
          if (!other.mirror.isGone && isKnownTo(other)) other.mirror.handler?.report(node.name, report);
        });
      },
      isThere: (name) => node.view.has(name),
      // Mirrors of the simulation end without a word.
      isPausing: () => false,
      zoneOf: () => undefined,
      peerOf(name) {
        const other = byName.get(name);
        const wasThere = time.nowMs() - (goneMs.get(name) ?? -Infinity) < RESTART_MS;
        return other !== undefined && (node.view.has(name) || wasThere)
          ? { id: name, addresses: [hostOf(other.index)] }
          : undefined;
      },
      holdersOf: (digest) => records.get(digest) ?? [],
    };
  };
  /** Its process or machine is there no more without a word. */
  const isSilent = (node: Node) => node.isDown || silent.has(node);
  const silent = new Set<Node>();

  const createSend =
    (node: Node): SendRequest =>
    (request, { connectTimeoutMs, headTimeoutMs, signal }) =>
      new Promise((resolve, reject) => {
        counts.requests++;
        const other = nodeAt(request.host);
        if (other === undefined) throw new RangeError(`No node is at ${request.host}`);
        const wayMs = node.latencyMs + other.latencyMs;
        const gone = new AbortController();
        let isOver = false;
        const ends: (() => void)[] = [];
        const over = (work: () => void) => {
          if (isOver) return;
          isOver = true;
          for (const end of ends) end();
          work();
        };
        const fail = (code: Parameters<typeof requestError>[0]) =>
          over(() => {
            gone.abort();
            reject(requestError(code));
          });
        if (signal.aborted) {
          fail('CANCELLED');
          return;
        }
        const onAbort = () => fail('CANCELLED');
        signal.addEventListener('abort', onAbort, { once: true });
        ends.push(() => signal.removeEventListener('abort', onAbort));
        if (other.isDown) {
          time.after(connectTimeoutMs, () => fail('CONNECT_TIMEOUT'));
          return;
        }
        ends.push(time.after(2 * wayMs + headTimeoutMs, () => fail('HEAD_TIMEOUT')));
        time.after(2 * wayMs, () => {
          if (isOver) return;
          const { mirror } = other;
          if (isSilent(other)) return;
          if (mirror.isGone) {
            fail('CONNECT_FAILED');
            return;
          }
          ends.push(onEnd(other, () => time.after(wayMs, () => fail('CONNECTION_LOST'))));
          const onHead = (answer: SimAnswer) =>
            void time.after(wayMs, () => {
              if (isOver) answer.wire?.close();
              else over(() => resolve(answer));
            });
          const { path, headers } = request;
          void mirror.answerPeer({ host: hostOf(node.index), path, headers, onHead, gone: gone.signal });
        });
      });
  /** What is to be done when the process of a node is killed. */
  const endings = new Map<Node, Set<() => void>>();
  const onEnd = (node: Node, work: () => void) => {
    const works = endings.get(node) ?? new Set();
    endings.set(node, works.add(work));
    return () => void works.delete(work);
  };

  /** A name or digest as far as a reader needs it. */
  const shortened = (value: unknown): unknown => {
    if (value instanceof Error) return value.message;
    if (typeof value !== 'string') return value;
    const node = byName.get(value);
    return node === undefined ? value.replace(/^sha256:(.{6}).*/, '$1') : `n${node.index}`;
  };
  const tracingLogger = (node: Node): Logger => {
    const log = (message: string, fields: object = {}) => {
      const text = JSON.stringify(fields, (_, value) => shortened(value));
      trace?.(`${time.nowMs().toFixed(0)} n${node.index} ${message} ${text}`);
    };
    return { ...silentLogger, debug: log, info: log, warn: log, error: log };
  };

  const startWire = (from: Node) => (host: string, start: number, lengthBytes: number) => {
    const to = nodeAt(host);
    if (to === undefined) throw new RangeError(`No node is at ${host}`);
    const latencyMs = from.latencyMs + to.latencyMs;
    return createSimWire({ time, links, over: [from.out, to.in], latencyMs, start, lengthBytes });
  };
  const startMirror = (node: Node): SimMirror =>
    createSimMirror({
      time,
      containerd: node.containerd,
      network: createNetwork(node),
      isOn,
      lookup: async (digest) => {
        await new Promise<void>((resolve) => void time.after(LOOKUP_MS, resolve));
        return records.get(digest) ?? [];
      },
      send: createSend(node),
      startWire: startWire(node),
      contentOf: (digest) => contents.get(digest),
      logger: trace === undefined ? silentLogger : tracingLogger(node),
      onOutcome: (outcome) => void count(counts.outcomes, outcome),
      onBroken: (digest, origin) => void count(counts.broken, `${node.index} ${digest} ${origin}`),
      onViolation: (text) => {
        // The mirror of a machine that is down, or a stopped one, answers its own containerd nothing.
        if (!isSilent(node)) counts.violations.push(`n${node.index}: ${text}`);
      },
    });
  const askUpstream =
    (node: Node) =>
    ({ sizeBytes, digest }: SimContent, fromByte: number): SimWire => {
      tracingLogger(node).debug('containerd goes upstream', { digest, fromByte, sizeBytes });
      const wire = createSimWire({
        time,
        links,
        over: [upstream, node.in],
        latencyMs: UPSTREAM_LATENCY_MS,
        start: fromByte,
        lengthBytes: sizeBytes - fromByte,
        maxBytesPerMs: connectionMbits === undefined ? undefined : toBytesPerMs(connectionMbits),
      });
      fromUpstream.push(wire);
      return wire;
    };

  const pickView = () => {
    const [first, second] = views;
    if (first === undefined) throw new RangeError('No view');
    return second !== undefined && random.next() < 1 / 2 ? second : first;
  };
  for (const [index, name] of names.entries()) {
    const base = { index, name, isFaulty: false, isDown: false, view: pickView() };
    const node = {
      ...base,
      out: links.link(toBytesPerMs(linkMbits)),
      in: links.link(toBytesPerMs(linkMbits)),
      latencyMs: LATENCY_MS / 2 + random.next(),
    } as Node;
    node.containerd = createSimContainerd({
      time,
      random: random.fork(index),
      slotRule,
      name: hostOf(index),
      askMirror: (request) =>
        node.isDown || silent.has(node) ? new Promise(() => {}) : node.mirror.answerOwn(request),
      askUpstream: askUpstream(node),
      upstreamLatencyMs: UPSTREAM_LATENCY_MS,
      onStored: (digest) =>
        void time.after(RECORD_AFTER_MS, () => {
          if (!node.mirror.isGone) records.set(digest, [...(records.get(digest) ?? []), name]);
        }),
      onHeld(heldMs) {
        if (!node.isFaulty) counts.longestHeldMs = Math.max(counts.longestHeldMs, heldMs);
      },
      onViolation: (text) => counts.violations.push(text),
    });
    node.mirror = startMirror(node);
    nodes.push(node);
    byName.set(name, node);
  }
  const seenGone = (node: Node, afterMs: number) =>
    void time.after(afterMs, () => {
      if (!node.mirror.isGone) return;
      goneMs.set(node.name, time.nowMs());
      for (const view of views) view.remove(node.name);
    });
  const toNode = ({ index }: FlightNode): Node => {
    const node = nodes[index];
    if (node === undefined) throw new RangeError(`No node ${index}`);
    return node;
  };

  return {
    nodes,
    counts,
    nowMs: () => time.nowMs(),
    after: (ms, work) => void time.after(ms, work),
    pass: (ms) => time.pass(ms),
    fill(node, image) {
      node.containerd.fill(image);
      for (const { digest } of [image.manifest, ...image.contents]) {
        records.set(digest, [...(records.get(digest) ?? []), node.name]);
      }
    },
    fault(which, kind) {
      const node = toNode(which);
      node.isFaulty = true;
      switch (kind) {
        case 'kill':
          node.mirror.end('kill');
          for (const work of endings.get(node) ?? []) work();
          endings.delete(node);
          seenGone(node, KILLED_SEEN_MS);
          break;
        case 'machine':
          node.isDown = true;
          node.containerd.hang(true);
          node.mirror.end('stop');
          seenGone(node, SILENT_SEEN_MS);
          break;
        case 'stop':
          silent.add(node);
          node.mirror.end('stop');
          seenGone(node, SILENT_SEEN_MS);
          break;
        case 'hang':
          node.containerd.hang(true);
          break;
        case 'slow':
          if (slowMbits === undefined) {
            for (const link of [node.in, node.out]) links.setRate(link, link.bytesPerMs / SLOW_FACTOR);
          } else links.setRate(node.in, toBytesPerMs(slowMbits));
          break;
        case 'cancel':
          break;
      }
    },
    restart(which) {
      const node = toNode(which);
      node.mirror = startMirror(node);
      for (const view of views) view.add(node.name);
    },
    resume: (node) => node.containerd.hang(false),
    towersOf(digest) {
      const [view] = views;
      return (view?.towersOf(digest, 2) ?? []).flatMap((name) => byName.get(name) ?? []);
    },
  };
}
