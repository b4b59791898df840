import type { PullMiss, PullPeer } from '../observe/pull-log.ts';
import type { TransferFlight, TransferSource } from '../observe/transfer-log.ts';
import { askDaemon } from './daemon-client.ts';
import { type JsonFields, readJsonFields } from './json-fields.ts';

/** A pull that has ended, as GET /debug/pulls tells it. A newer version may have other words than LoggedPull. */
export interface SeenPull {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly image: string;
  readonly digest: string | undefined;
  readonly outcome: string;
  readonly durationMs: number;
  readonly localBytes: number;
  readonly peerBytes: number;
  readonly flightBytes: number;
  readonly peers: readonly PullPeer[];
  readonly misses: readonly Readonly<Record<keyof PullMiss, string>>[];
  readonly missCount: number;
}

/** A manifest or blob that was asked for, as GET /debug/transfers tells it. */
export interface SeenTransfer {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly kind: string;
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  readonly forwarded: boolean;
  readonly sources: readonly TransferSource[];
  readonly flight: SeenFlightPart | undefined;
  readonly movedBytes: number;
  readonly durationMs: number;
  readonly outcome: string;
  readonly missing: string | undefined;
}

/** The part that a flight had. */
export interface SeenFlightPart {
  readonly role: string | undefined;
  readonly parent: TransferFlight['parent'];
  readonly heldMs: number;
  readonly aside: string | undefined;
}

/** What `spegel peers transfers --json` prints; the newest come first. */
export interface TransfersView {
  readonly pulls: readonly SeenPull[];
  readonly transfers: readonly SeenTransfer[];
}

const PULLS_PATH = '/debug/pulls';
const TRANSFERS_PATH = '/debug/transfers';
/** The daemon answers from memory. */
const TIMEOUT_MS = 5000;

/** Asks a running spegel for its last pulls and transfers. Throws DaemonError. */
export async function askForTransfers(addr: string): Promise<TransfersView> {
  const absent = `What answers at ${addr} tells of no transfers: spegel there must not have --debug-web-enabled=false, and --addr has to be its --metrics-addr`;
  const [pulls, transfers] = await Promise.all(
    [PULLS_PATH, TRANSFERS_PATH].map(async (path) =>
      readJsonFields(await askDaemon(addr, path, TIMEOUT_MS, { absent })),
    ),
  );
  return {
    pulls: pulls?.objects('pulls').map(parsePull) ?? [],
    transfers: transfers?.objects('transfers').map(parseTransfer) ?? [],
  };
}

function parsePull(pull: JsonFields): SeenPull {
  return {
    startedAt: pull.text('startedAt'),
    image: pull.text('image'),
    digest: pull.optionalText('digest'),
    outcome: pull.text('outcome'),
    durationMs: pull.number('durationMs'),
    localBytes: pull.number('localBytes'),
    peerBytes: pull.number('peerBytes'),
    flightBytes: pull.number('flightBytes'),
    peers: pull.objects('peers').map((peer) => ({
      address: peer.text('address'),
      bytes: peer.number('bytes'),
      bytesPerSecond: peer.number('bytesPerSecond'),
    })),
    misses: pull.objects('misses').map((miss) => ({
      kind: miss.text('kind'),
      reference: miss.text('reference'),
      reason: miss.text('reason'),
    })),
    missCount: pull.number('missCount'),
  };
}

function parseTransfer(transfer: JsonFields): SeenTransfer {
  const flight = transfer.optionalObject('flight');
  return {
    startedAt: transfer.text('startedAt'),
    kind: transfer.text('kind'),
    registry: transfer.optionalText('registry'),
    repository: transfer.text('repository'),
    tag: transfer.optionalText('tag'),
    digest: transfer.optionalText('digest'),
    forwarded: transfer.flag('forwarded'),
    sources: transfer.objects('sources').map((source) => ({
      origin: source.text('origin'),
      movedBytes: source.number('movedBytes'),
      ended: source.text('ended'),
    })),
    flight: flight && parseFlightPart(flight),
    movedBytes: transfer.number('movedBytes'),
    durationMs: transfer.number('durationMs'),
    outcome: transfer.text('outcome'),
    missing: transfer.optionalText('missing'),
  };
}

function parseFlightPart(flight: JsonFields): SeenFlightPart | undefined {
  const parent = flight.optionalObject('parent');
  return {
    role: flight.optionalText('role'),
    parent: parent && { origin: parent.text('origin'), peer: parent.text('peer') },
    heldMs: flight.number('heldMs'),
    aside: flight.optionalText('aside'),
  };
}
