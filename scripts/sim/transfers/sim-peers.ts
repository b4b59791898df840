import {
  formatContentRange,
  formatUnsatisfiedRange,
  type RangeSpec,
  resolveRange,
} from '../../../src/oci/byte-range.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import type { Peer } from '../../../src/routing/router.ts';
import type { Random } from '../random.ts';
import { type TransferContent, wrongBytesOf } from './sim-contents.ts';
import type { BodyEnd, SimBody } from './sim-source.ts';

/** What a peer does that it should not. */
export type PeerFault =
  | 'dead'
  | 'dead-machine'
  | 'silent'
  | 'hangs-up'
  | 'garbage'
  | 'absent'
  | 'busy'
  | 'error'
  | 'unsatisfiable'
  | 'slow'
  | 'drips'
  | 'stalls'
  | 'stalls-at-once'
  | 'ends-early'
  | 'breaks'
  | 'wrong-bytes'
  | 'wrong-size'
  | 'wrong-length'
  | 'wrong-digest'
  | 'no-digest'
  | 'no-length'
  | 'wrong-range'
  | 'whole-for-range';

export const PEER_FAULTS: readonly PeerFault[] = [
  'dead',
  'dead-machine',
  'silent',
  'hangs-up',
  'garbage',
  'absent',
  'busy',
  'error',
  'unsatisfiable',
  'slow',
  'drips',
  'stalls',
  'stalls-at-once',
  'ends-early',
  'breaks',
  'wrong-bytes',
  'wrong-size',
  'wrong-length',
  'wrong-digest',
  'no-digest',
  'no-length',
  'wrong-range',
  'whole-for-range',
];

/** What a peer is like. */
export interface PeerNature {
  /** What it does, all at the same time as far as that goes. None: it is good. */
  readonly faults: readonly PeerFault[];
  /** It is good for so long, and faulty for so long, in turns. Undefined: faulty all the time. */
  readonly flapMs?: number | undefined;
  /** The share of contents that it has. */
  readonly has: number;
  /** Bytes of what it has rot only in this share of contents, of a peer that gives wrong bytes. Default all. */
  readonly rots?: number | undefined;
  /** Of what is verified on its way it gives right bytes, of a peer that gives wrong ones. */
  readonly isRightIfVerified?: boolean | undefined;
  /** Its disk rots: it stops giving what it is told of. Otherwise it lies, and goes on. */
  readonly isHonest?: boolean | undefined;
  /** The first address of two is dead. */
  readonly hasDeadAddress?: boolean | undefined;
}

/** A peer of the simulated cluster. */
export interface SimPeer {
  readonly peer: Peer;
  /** The address at which it listens. */
  readonly host: string;
  /** Its faults at this time. */
  faultsAt(nowMs: number): ReadonlySet<PeerFault>;
  has(content: TransferContent): boolean;
  /** The bytes of it that it gives are wrong, when it gives wrong bytes. */
  hasWrong(content: TransferContent): boolean;
  /** It is told to hash its copy. */
  toldToVerify(digest: Digest, isWrong: boolean): void;
  /** Contents come and go. */
  turn(): void;
}

/** Makes peer number `index`, at 10.0.x.y. */
export function createSimPeer(index: number, nature: PeerNature, random: Random): SimPeer {
  const host = `10.0.${Math.floor(index / 250)}.${1 + (index % 250)}`;
  const deadHost = `10.200.${Math.floor(index / 250)}.${1 + (index % 250)}`;
  const phaseMs = random.next() * 2 * (nature.flapMs ?? 0);
  const damaged = new Set<Digest>();
  const all = new Set(nature.faults);
  const none = new Set<PeerFault>();
  let turns = 0;
  /** Chance that is always the same for one content. */
  const shareOf = (digest: Digest, label: number) =>
    random.fork(label + Number.parseInt(digest.slice(7, 14), 16)).next();
  return {
    peer: {
      id: `peer-${index}`,
      addresses: nature.hasDeadAddress === true ? [deadHost, host] : [host],
    },
    host,
    faultsAt(nowMs) {
      if (nature.flapMs === undefined) return all;
      return Math.floor((nowMs + phaseMs) / nature.flapMs) % 2 === 1 ? all : none;
    },
    has: ({ digest }) => !damaged.has(digest) && shareOf(digest, turns) < nature.has,
    hasWrong({ digest, bytes }) {
      if (!all.has('wrong-bytes') || (bytes !== undefined && nature.isRightIfVerified === true)) return false;
      return shareOf(digest, 7_000_000) < (nature.rots ?? 1);
    },
    toldToVerify(digest, isWrong) {
      if (isWrong && nature.isHonest === true) damaged.add(digest);
    },
    turn: () => void turns++,
  };
}

/** What is asked of a peer for content that it has. */
export interface Asked {
  readonly content: TransferContent;
  readonly spec: RangeSpec | undefined;
  readonly isHead: boolean;
  readonly host: string;
  readonly nowMs: number;
}

/** What it answers. */
export interface SimAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: SimBody | undefined;
}

/** Bytes per ms. */
const GOOD_RATES = [5000, 20_000, 100_000];
const SLOW_RATES = [10, 40, 110, 300];
const DRIP_RATES = [0.2, 1, 5];

/** The answer of a peer that does answer, with its faults of now. */
export function answerWithContent(
  peer: SimPeer,
  { content, spec, isHead, host, nowMs }: Asked,
  random: Random,
): SimAnswer {
  const faults = peer.faultsAt(nowMs);
  const isWrong = faults.has('wrong-bytes') && peer.hasWrong(content);
  // More, or fewer, by a byte or by many; large contents may become small ones by it, and the other way round.
  const sizeBytes = faults.has('wrong-size')
    ? Math.max(1, content.sizeBytes + random.pick([-1, 1, 70_000, -Math.floor(content.sizeBytes * 0.9)]))
    : content.sizeBytes;
  const asked = spec === undefined ? undefined : resolveRange(spec, sizeBytes);
  if ((spec !== undefined && asked === undefined) || faults.has('unsatisfiable')) {
    return { status: 416, headers: { 'content-range': formatUnsatisfiedRange(sizeBytes) }, body: undefined };
  }
  const isWhole = asked === undefined || faults.has('whole-for-range');
  const exact = isWhole ? { start: 0, end: sizeBytes - 1 } : asked;
  const range =
    !isWhole && faults.has('wrong-range') ? { start: Math.max(0, exact.start - 1), end: exact.end } : exact;
  const length = range.end - range.start + 1;
  const saidBytes = faults.has('wrong-length') ? length + random.pick([-1, 1, 1000]) : length;
  const digest = faults.has('wrong-digest') ? `sha256:${'ab'.repeat(32)}` : content.digest;
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    ...(faults.has('no-digest') ? {} : { 'docker-content-digest': digest }),
    ...(faults.has('no-length') ? {} : { 'content-length': String(saidBytes) }),
    ...(isWhole ? {} : { 'content-range': formatContentRange(range, sizeBytes) }),
  };
  const status = isWhole ? 200 : 206;
  if (isHead || faults.has('no-length') || saidBytes < 0) return { status, headers, body: undefined };
  const [end, comingBytes] = endOf(faults, saidBytes, random);
  const rates = faults.has('drips') ? DRIP_RATES : faults.has('slow') ? SLOW_RATES : GOOD_RATES;
  const has = isWrong || sizeBytes !== content.sizeBytes ? wrongBytesOf(content) : content.bytes;
  // What is read as a whole, and is longer than what there is, is filled up.
  const bytes = Buffer.alloc(saidBytes <= READ_BYTES ? saidBytes : 0);
  if (has !== undefined) bytes.set(has.subarray(range.start, range.start + bytes.length));
  const body: SimBody = {
    host,
    content,
    start: range.start,
    saidBytes,
    comingBytes,
    end,
    bytesPerMs: random.pick(rates),
    startedMs: nowMs,
    isWrong,
    saidSizeBytes: isWhole ? saidBytes : sizeBytes,
    bytes,
  };
  return { status, headers, body };
}

/** The largest body that production may read into memory: that of a config. */
const READ_BYTES = 256 * 1024;

function endOf(faults: ReadonlySet<PeerFault>, saidBytes: number, random: Random): [BodyEnd, number] {
  const some = random.below(saidBytes + 1);
  if (faults.has('stalls-at-once')) return ['stall', 0];
  if (faults.has('stalls')) return ['stall', some];
  if (faults.has('ends-early') && some < saidBytes) return ['fin', some];
  if (faults.has('breaks') && some < saidBytes) return ['lost', some];
  return ['complete', saidBytes];
}
