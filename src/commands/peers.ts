import { DaemonError } from './daemon-error.ts';
import { countPeers, formatPeerCounts } from '../routing/peer-counts.ts';
import { PEERS_PATH, type PeersReport } from '../routing/peers-report.ts';
import type { PeerCondition } from '../routing/router.ts';
import { formatDuration } from '../runtime/duration.ts';
import { askDaemon } from './daemon-client.ts';
import { formatTable } from './format-table.ts';
import { type JsonFields, readJsonFields } from './json-fields.ts';

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
  const report = parsePeersReport(await askDaemon(addr, PEERS_PATH, TIMEOUT_MS));
  writeOut(json ? `${JSON.stringify(report, undefined, 2)}\n` : formatPeersReport(report));
}

/** Reads the answer of GET /debug/peers; throws DaemonError. */
export function parsePeersReport(answer: unknown): PeersReport {
  const fields = readJsonFields(answer);
  const self = parseSelf(fields.object('self'));
  const peers = fields.objects('peers').map((peer) => ({
    id: peer.text('id'),
    name: peer.optionalText('name'),
    addresses: peer.texts('addresses'),
    multiaddrs: peer.texts('multiaddrs'),
    connected: peer.flag('connected'),
    state: parseCondition(peer.text('state')),
    inStateMs: peer.optionalNumber('inStateMs'),
    isMember: peer.flag('isMember'),
    zone: peer.optionalText('zone'),
    lastSeenMs: peer.optionalNumber('lastSeenMs'),
  }));
  return {
    self,
    ready: fields.flag('ready'),
    bootstrap: parseBootstrap(fields.optionalObject('bootstrap')),
    counts: countPeers(peers),
    peers,
  };
}

function parseBootstrap(bootstrap: JsonFields | undefined): PeersReport['bootstrap'] {
  if (bootstrap === undefined) return undefined;
  const [kind, outcome] = [bootstrap.text('kind'), bootstrap.text('outcome')];
  return { kind, outcome, reason: bootstrap.optionalText('reason') };
}

function parseSelf(self: JsonFields): PeersReport['self'] {
  return {
    id: self.text('id'),
    addresses: self.texts('addresses'),
    zone: self.optionalText('zone'),
    name: self.optionalText('name'),
  };
}

/** Reads the state of a peer; throws DaemonError. */
export function parseCondition(text: string): PeerCondition {
  if (text === 'connected' || text === 'suspect' || text === 'dead' || text === 'known') return text;
  throw new DaemonError(`Cannot read what spegel answered: no peer is "${text}"; is it another version?`);
}

function formatPeersReport({ self, ready, bootstrap, counts, peers }: PeersReport): string {
  const head = [
    ['self', self.id],
    ['addresses', self.addresses.join(' ') || 'none'],
    ...(self.zone === undefined ? [] : [['zone', self.zone]]),
    ['ready', ready ? 'yes' : 'no'],
    // What is as it should be needs no line; with peers it is of no importance.
    ...(counts.connected > 0 || bootstrap?.reason === undefined ? [] : [['bootstrap', bootstrap.reason]]),
    ['peers', formatPeerCounts(counts)],
  ];
  if (peers.length === 0) return formatTable(head);
  const hasZones = self.zone !== undefined || peers.some(({ zone }) => zone !== undefined);
  const rows = peers.map(({ id, addresses, state, inStateMs, isMember, lastSeenMs, zone }) => [
    id,
    state,
    inStateMs === undefined ? '-' : roundedDuration(inStateMs),
    isMember ? 'yes' : 'no',
    lastSeenMs === undefined ? 'never' : `${roundedDuration(lastSeenMs)} ago`,
    ...(hasZones ? [zone ?? '-'] : []),
    addresses.join(' '),
  ]);
  const columns = ['PEER', 'STATE', 'FOR', 'MEMBER', 'LAST SEEN', ...(hasZones ? ['ZONE'] : []), 'ADDRESSES'];
  return `${formatTable(head)}\n${formatTable([columns, ...rows])}`;
}

/** To a tenth of a second, and to seconds where that is little of it. */
function roundedDuration(ms: number): string {
  const step = ms < 10_000 ? 100 : 1000;
  return formatDuration(Math.round(ms / step) * step);
}
