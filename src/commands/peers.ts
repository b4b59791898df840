import { formatDuration } from '../runtime/duration.ts';
import { askDaemon } from './daemon-client.ts';
import { formatTable } from './format-table.ts';
import { readJsonFields } from './json-fields.ts';

/** Options of runPeers. */
export interface PeersOptions {
  /** Metrics address of the running spegel. */
  readonly addr: string;
  /** Print the answer as JSON. */
  readonly json: boolean;
}

/** The daemon answers from memory. */
const TIMEOUT_MS = 5000;

/** Prints what the running spegel knows of itself and of its peers. Throws DaemonError when none answers. */
export async function runPeers(
  { addr, json }: PeersOptions,
  { writeOut }: { readonly writeOut: (text: string) => void },
): Promise<void> {
  const report = parsePeersReport(await askDaemon(addr, '/debug/peers', TIMEOUT_MS));
  writeOut(json ? `${JSON.stringify(report, undefined, 2)}\n` : formatPeersReport(report));
}

/** The answer of GET /debug/peers. */
export interface PeersReport {
  /** This node; its addresses are multiaddrs. */
  readonly self: { readonly id: string; readonly addresses: readonly string[] };
  readonly ready: boolean;
  readonly peers: ReadonlyArray<{
    readonly id: string;
    /** IP addresses. */
    readonly addresses: readonly string[];
    readonly multiaddrs: readonly string[];
    readonly connected: boolean;
    /** Milliseconds since the last contact; undefined: there was none. */
    readonly lastSeenMs: number | undefined;
  }>;
}

/** Reads the answer of GET /debug/peers; throws DaemonError. */
export function parsePeersReport(answer: unknown): PeersReport {
  const fields = readJsonFields(answer);
  const self = fields.object('self');
  return {
    self: { id: self.text('id'), addresses: self.texts('addresses') },
    ready: fields.flag('ready'),
    peers: fields.objects('peers').map((peer) => ({
      id: peer.text('id'),
      addresses: peer.texts('addresses'),
      multiaddrs: peer.texts('multiaddrs'),
      connected: peer.flag('connected'),
      lastSeenMs: peer.optionalNumber('lastSeenMs'),
    })),
  };
}

function formatPeersReport({ self, ready, peers }: PeersReport): string {
  const head = [
    ['self', self.id],
    ['addresses', self.addresses.join(' ') || 'none'],
    ['ready', ready ? 'yes' : 'no'],
    ['peers', String(peers.length)],
  ];
  if (peers.length === 0) return formatTable(head);
  const rows = peers.map(({ id, addresses, connected, lastSeenMs }) => [
    id,
    connected ? 'connected' : 'known',
    lastSeenMs === undefined ? 'never' : `${formatDuration(Math.round(lastSeenMs))} ago`,
    addresses.join(' '),
  ]);
  return `${formatTable(head)}\n${formatTable([['PEER', 'STATE', 'LAST SEEN', 'ADDRESSES'], ...rows])}`;
}
