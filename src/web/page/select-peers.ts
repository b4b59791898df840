import type { LivePeer } from '../live-report.ts';
import { formatPeerName } from './peer-name.ts';

/** What the reader has chosen to see of the peers. */
export interface PeersChoice {
  /** A part of the name, an address, the zone or the ID. */
  readonly text: string;
  /** A state; `skipped`: left alone for now; empty: all. */
  readonly state: string;
  readonly order: string;
  /** Counted from 0. */
  readonly page: number;
}

/** The part that is shown. */
export interface PeersPage {
  readonly peers: readonly LivePeer[];
  /** How many fit the choice. */
  readonly count: number;
  readonly page: number;
  readonly pages: number;
}

/** Rows of a page. */
export const PEERS_PER_PAGE = 50;

/** What there is to see first: a peer that has something wrong. */
const STATE_ORDER: Readonly<Record<LivePeer['state'], number>> = {
  dead: 0,
  suspect: 1,
  connected: 2,
  known: 3,
};
const ORDERS: Readonly<Record<string, (a: LivePeer, b: LivePeer) => number>> = {
  state: (a, b) => stateRank(a) - stateRank(b),
  name: () => 0,
  taken: (a, b) => b.takenBytes - a.takenBytes,
  given: (a, b) => b.givenBytes - a.givenBytes,
  rate: (a, b) => (b.bytesPerSecond ?? 0) - (a.bytesPerSecond ?? 0),
};

/** Filters and sorts the peers, and cuts out a page. */
export function selectPeers(all: Iterable<LivePeer>, choice: PeersChoice): PeersPage {
  const text = choice.text.trim().toLowerCase();
  const fitting = [...all].filter(
    (peer) => fitsState(peer, choice.state) && (text === '' || fitsText(peer, text)),
  );
  const first = ORDERS[choice.order] ?? (() => 0);
  const names = new Map(fitting.map((peer) => [peer, formatPeerName(peer)]));
  const byName = new Intl.Collator('en', { numeric: true });
  fitting.sort((a, b) => first(a, b) || byName.compare(names.get(a) ?? '', names.get(b) ?? ''));
  const pages = Math.max(1, Math.ceil(fitting.length / PEERS_PER_PAGE));
  const page = Math.min(Math.max(0, choice.page), pages - 1);
  return {
    peers: fitting.slice(page * PEERS_PER_PAGE, (page + 1) * PEERS_PER_PAGE),
    count: fitting.length,
    page,
    pages,
  };
}

function stateRank({ state, order }: LivePeer): number {
  return state === 'connected' && order !== 'first' ? 1.5 : STATE_ORDER[state];
}

function fitsState({ state, order, isMember }: LivePeer, wanted: string): boolean {
  if (wanted === '') return true;
  if (wanted === 'skipped') return order !== 'first';
  return wanted === 'other' ? !isMember : state === wanted;
}

function fitsText({ id, name, addresses, zone }: LivePeer, text: string): boolean {
  return [id, name ?? '', zone ?? '', ...addresses].some((each) => each.toLowerCase().includes(text));
}
