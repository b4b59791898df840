import { DaemonError } from './daemon-error.ts';
import { countPeers, formatPeerCounts } from '../routing/peer-counts.ts';
import { PEERS_PATH, type PeersReport } from '../routing/peers-report.ts';
import type { PeerCondition } from '../routing/router.ts';
import { formatAge } from '../terminal/format-age.ts';
import { formatFacts, formatVerdict } from '../terminal/format-facts.ts';
import { formatItems } from '../terminal/format-items.ts';
import { type Cell, NAME_COLUMN } from '../terminal/format-table.ts';
import type { Look } from '../terminal/look.ts';
import type { Tone } from '../terminal/paint.ts';
import { askDaemon } from './daemon-client.ts';
import { type JsonFields, readJsonFields } from './json-fields.ts';
import { nodeNameCell, PEER_ID_COLUMN, peerIdCell } from './short-name.ts';
import { showAnswer, type WatchOutput } from './show-answer.ts';

/** Options of the commands that ask a running spegel. */
export interface AskOptions {
  /** Metrics address of the running spegel. */
  readonly addr: string;
  /** Print the answer as JSON. */
  readonly json: boolean;
}

/** The daemon answers from memory. */
const TIMEOUT_MS = 5000;

/** Prints what the running spegel knows of itself and of its peers. Throws DaemonError when none answers. */
export async function runPeers({ addr, json }: AskOptions, output: WatchOutput): Promise<void> {
  const ask = async () => parsePeersReport(await askDaemon(addr, PEERS_PATH, TIMEOUT_MS));
  await showAnswer({ ask, format: formatPeersReport, json }, output);
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

const STATE_TONES: Readonly<Record<PeerCondition, Tone>> = {
  connected: 'good',
  suspect: 'poor',
  dead: 'bad',
  known: 'faint',
};

/** The state of a peer for a table. */
export function stateCell(state: PeerCondition): Cell {
  return { text: state, tone: STATE_TONES[state] };
}

function formatPeersReport({ self, ready, bootstrap, counts, peers }: PeersReport, look: Look): string {
  const tone = ready ? (counts.connected > 0 ? 'good' : 'poor') : 'bad';
  const known =
    peers.length === 0
      ? 'knows no peers'
      : `knows ${formatPeerCounts(counts).replace(':', peers.length === 1 ? ' peer:' : ' peers:')}`;
  const verdict = formatVerdict(`This node is ${ready ? 'ready' : 'not ready'} and ${known}.`, tone, look);
  const facts = formatFacts(
    [
      ...(self.name === undefined ? [] : [['this node', self.name] as const]),
      [self.name === undefined ? 'this node' : 'peer ID', self.id],
      ['addresses', self.addresses.join(' ') || 'none'],
      ...(self.zone === undefined ? [] : [['zone', self.zone] as const]),
      // What is as it should be needs no line; with peers it is of no importance.
      ...(counts.connected > 0 || bootstrap?.reason === undefined
        ? []
        : [['bootstrap', bootstrap.reason, 'poor'] as const]),
    ],
    look,
  );
  if (peers.length === 0) return `${verdict}\n${facts}`;
  const hasZones = self.zone !== undefined || peers.some(({ zone }) => zone !== undefined);
  // A peer that has a name is known by it.
  const isNamed = peers.every(({ name }) => name !== undefined);
  // That all are members the verdict says.
  const hasOthers = peers.some(({ isMember }) => !isMember);
  const hasNames = peers.some(({ name }) => name !== undefined);
  const table = formatItems(
    peers,
    [
      hasNames
        ? {
            ...NAME_COLUMN,
            heading: 'NODE',
            cell: ({ name }) => (name === undefined ? '-' : nodeNameCell(name)),
          }
        : undefined,
      { heading: 'ADDRESSES', cell: ({ addresses }) => addresses.join(' ') || '-' },
      { heading: 'STATE', cell: ({ state }) => stateCell(state) },
      { heading: 'FOR', cell: ({ inStateMs }) => (inStateMs === undefined ? '-' : formatAge(inStateMs)) },
      {
        heading: 'SEEN',
        cell: ({ lastSeenMs }) => (lastSeenMs === undefined ? 'never' : `${formatAge(lastSeenMs)} ago`),
      },
      hasOthers ? { heading: 'MEMBER', cell: ({ isMember }) => (isMember ? 'yes' : 'no') } : undefined,
      hasZones ? { heading: 'ZONE', cell: ({ zone }) => zone ?? '-' } : undefined,
      { ...PEER_ID_COLUMN, isOptional: isNamed, heading: 'PEER', cell: ({ id }) => peerIdCell(id) },
    ],
    look,
  );
  return [verdict, facts, table].join('\n');
}
