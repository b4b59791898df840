import type { LivePeer } from '../live-report.ts';
import { formatAge } from './format-age.ts';
import { formatRate, formatSize } from './format-size.ts';
import { icon } from './icon.ts';
import { h, type Child, type Markup } from './markup.ts';
import type { PageFacts } from './page-facts.ts';
import { pager } from './pager.ts';
import { formatPeerName, peerPageUrl } from './peer-name.ts';
import { PEER_STATES } from './peer-states.ts';
import { PEERS_PER_PAGE, type PeersChoice, selectPeers } from './select-peers.ts';
import { since } from './since.ts';

const COLUMNS = ['Node', 'Zone', 'State', 'Rate', 'Answers in', 'Load', 'Taken', 'Given'] as const;
const WHY = {
  failed: 'failed a moment ago',
  late: 'was late a moment ago',
  slow: 'was slow a moment ago',
} as const;

/** The peers that fit the choice, a page of them. */
export function peersView(facts: PageFacts, choice: PeersChoice): readonly Markup[] {
  const { peers, count, page, pages } = selectPeers(facts.peers.values(), choice);
  const total = facts.peers.size;
  if (total === 0) return [h('p', { class: 'empty' }, 'This node knows no other node.')];
  if (count === 0) return [h('p', { class: 'empty' }, `None of the ${total} peers fits.`)];
  return [
    h(
      'table',
      { class: 'cards peers' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          COLUMNS.map((title, n) => h('th', { scope: 'col', class: n > 2 ? 'num' : undefined }, title)),
        ),
      ),
      h(
        'tbody',
        {},
        peers.map((peer) => peerRow(peer, facts)),
      ),
    ),
    pager({
      action: 'peers-page',
      what: 'peers',
      first: page * PEERS_PER_PAGE,
      shown: peers.length,
      count,
      page,
      pages,
    }),
  ];
}

function peerRow(peer: LivePeer, { nowMs, port }: PageFacts): Markup {
  const { id, name, addresses, zone, state, stateSinceMs, isMember, answerMs, bytesPerSecond, uploads } =
    peer;
  const shown = PEER_STATES.find((each) => each.state === state) ?? PEER_STATES[1];
  const [address, ...others] = addresses;
  const url = peerPageUrl(address, port);
  const title = formatPeerName(peer);
  const cells: ReadonlyArray<readonly Child[]> = [
    [
      url === undefined
        ? h('b', { title: id }, title)
        : h('a', { href: url, rel: 'noreferrer', title: `The page of ${title}, ${id}` }, title),
      name === undefined || address === undefined
        ? undefined
        : h('span', { class: 'muted sub', title: others.join(' ') }, address),
    ],
    [zone ?? '–'],
    [
      h(
        'span',
        { class: `mark state-${state}`, title: shown?.title },
        icon(shown?.mark ?? 'ring'),
        h('span', {}, shown?.word ?? state),
        stateSinceMs === undefined
          ? undefined
          : h('span', { class: 'muted' }, ' ', since(stateSinceMs, nowMs)),
      ),
      standing(peer),
      isMember ? undefined : h('span', { class: 'muted sub' }, 'not a member'),
    ],
    [bytesPerSecond === undefined ? '–' : formatRate(bytesPerSecond)],
    [answerMs === undefined ? '–' : formatAge(answerMs)],
    [uploads === undefined ? '–' : uploadsText(uploads)],
    [formatSize(peer.takenBytes)],
    [formatSize(peer.givenBytes)],
  ];
  return h(
    'tr',
    { 'data-key': id, class: state === 'dead' ? 'is-dead' : undefined },
    cells.map((content, n) =>
      h('td', { 'data-name': COLUMNS[n], class: n > 2 ? 'num' : undefined }, ...content),
    ),
  );
}

/** How many bodies a node sends to others. */
function uploadsText(uploads: number): string {
  if (uploads === 0) return 'idle';
  return `${uploads} ${uploads === 1 ? 'upload' : 'uploads'}`;
}

function standing({ order, why, state }: LivePeer): Markup | undefined {
  if (order === 'first' || state === 'dead') return undefined;
  const text = order === 'skipped' ? 'left alone' : 'asked last';
  return h(
    'span',
    { class: 'sub warn' },
    icon('triangle'),
    `${text}${why === undefined ? '' : `: ${WHY[why]}`}`,
  );
}
