import type { WhyContent, WhyPeer, WhyReport } from '../../routing/why-report.ts';
import { missingWords, PEER_SAID, STANDING_WORDS } from '../../routing/why-words.ts';
import { digestText } from './digest-text.ts';
import { formatAge } from './format-age.ts';
import { formatRate, formatSize } from './format-size.ts';
import { icon } from './icon.ts';
import { h, type Child, type Markup } from './markup.ts';
import type { Names } from './names.ts';

/** The nodes that download a digest from the registry just now, as far as this node knows. */
export type Downloads = (
  digest: string,
) => { readonly isOwn: boolean; readonly others: readonly string[] } | undefined;

/** Why content is missing. */
const REASONS = missingWords('node');

/** The answer in words: the verdict first, then what holds for all of it, then each piece of content and which nodes have it. */
export function whyView(
  report: WhyReport,
  { names, downloads }: { readonly names: Names; readonly downloads: Downloads },
): readonly Markup[] {
  const pieces = report.contents.map((content) => ({ content, download: downloadOf(content, downloads) }));
  const isNowhere = ({ content, download }: (typeof pieces)[number]) =>
    content.outcome.how === 'missing' && (download?.others ?? []).length === 0;
  const missing = pieces.filter(isNowhere).length;
  const here = pieces.filter(({ content }) => content.isHere).length;
  const atPeers = pieces.filter(({ content }) => content.outcome.how === 'peer').length;
  const onTheWay = pieces.length - missing - here - atPeers;
  const canServe = missing === 0;
  const counts = [
    [here, 'on this node'],
    [atPeers, 'at other nodes'],
    [onTheWay, 'being downloaded'],
    [missing, 'missing'],
  ] as const;
  return [
    h(
      'p',
      { class: `verdict is-${canServe ? 'well' : 'attention'}`, 'data-key': 'verdict' },
      icon(canServe ? 'well' : 'attention'),
      h(
        'span',
        { class: 'verdict-text' },
        canServe
          ? 'The mirror can serve all of it.'
          : 'The mirror cannot serve all of it: containerd gets the rest from the registry.',
      ),
      h(
        'span',
        { class: 'muted' },
        counts
          .filter(([count]) => count > 0)
          .map(([count, where]) => `${count} ${where}`)
          .join(', '),
      ),
    ),
    h(
      'ul',
      { class: 'why-steps', 'data-key': 'steps' },
      steps(report).map((text) => h('li', {}, text)),
    ),
    h(
      'ul',
      { class: 'why-pieces', 'data-key': 'pieces' },
      pieces.map(({ content, download }) => pieceView(content, { report, names, download })),
    ),
  ];
}

function downloadOf({ outcome, key }: WhyContent, downloads: Downloads): ReturnType<Downloads> {
  return outcome.how === 'missing' && outcome.reason !== 'filter' ? downloads(key) : undefined;
}

function steps({
  isReady,
  isStoreConnected,
  registry,
  repository,
  isMirrored,
  filters,
  omitted,
  problem,
}: WhyReport): readonly string[] {
  return [
    isReady ? 'The mirror is ready.' : 'The mirror is not ready: it has found no other node yet.',
    isStoreConnected
      ? 'containerd answers the mirror.'
      : 'containerd does not answer the mirror: only what was seen of it before is served.',
    ...(registry === undefined
      ? ['No image is named: filters of names are not looked at.']
      : isMirrored === false
        ? [
            `${registry} is not one of --mirrored-registries: its images are not shared, and answered with 404.`,
          ]
        : filters.length > 0
          ? filters.map(
              (filter) => `The filter ${filter} leaves it out (--registry-filters): it is answered with 404.`,
            )
          : [`${registry} is mirrored, and no filter leaves ${repository ?? 'it'} out.`]),
    ...(omitted > 0 ? [`${omitted} more pieces of content were not looked at.`] : []),
    ...(problem === undefined ? [] : [`${problem}.`]),
  ];
}

interface PieceDeps {
  readonly report: WhyReport;
  readonly names: Names;
  readonly download: ReturnType<Downloads>;
}

function pieceView(content: WhyContent, deps: PieceDeps): Markup {
  const { kind, key, digest, sizeBytes, isHere, peers, outcome } = content;
  const is = outcome.how === 'missing' && (deps.download?.others ?? []).length === 0 ? 'missing' : 'given';
  return h(
    'li',
    { 'data-key': `${kind} ${key}` },
    h(
      'p',
      {},
      h('span', { class: `mark blob-${is}` }, icon(is === 'given' ? 'check' : 'cross'), h('b', {}, kind)),
      ' ',
      kind === 'tag' ? h('code', {}, key.slice(key.lastIndexOf(':') + 1)) : digestText(key),
      kind === 'tag' && digest !== undefined ? [' is ', digestText(digest)] : undefined,
      sizeBytes === undefined || sizeBytes === 0
        ? undefined
        : h('span', { class: 'muted num' }, ` ${formatSize(sizeBytes)}`),
    ),
    h(
      'p',
      { class: 'why-outcome' },
      isHere ? 'On this node: it would be served from here.' : outcomeText(content, deps),
    ),
    peers.length === 0
      ? undefined
      : h(
          'ul',
          { class: 'why-peers' },
          peers.map((peer) => h('li', { 'data-key': peer.id }, peerText(peer, deps.names))),
        ),
  );
}

function outcomeText({ outcome, peers }: WhyContent, { names, download, report }: PieceDeps): Child {
  const first = peers.find(({ order }) => order !== 'skipped');
  const late =
    first !== undefined && first.tookMs > report.resolveTimeoutMs
      ? ` The first node was found after ${formatAge(first.tookMs)}; a request waits for ${formatAge(report.resolveTimeoutMs)} (--mirror-resolve-timeout).`
      : '';
  if (outcome.how === 'peer') {
    return `Not on this node: ${outcome.from === undefined ? 'another node' : names.ofAddress(outcome.from)} would serve it.${late}`;
  }
  const others = download?.others ?? [];
  if (others.length > 0) {
    return `${others.join(' and ')} ${others.length === 1 ? 'downloads' : 'download'} it from the registry: a request would wait for that, and follow it.`;
  }
  const goes =
    download?.isOwn === true
      ? 'containerd was sent to the registry for it, and downloads it'
      : 'containerd goes to the registry';
  return `It would be answered with ${outcome.status}, because ${REASONS[outcome.reason ?? ''] ?? outcome.reason ?? 'it is not here'}: ${goes}.${late}`;
}

function peerText({ id, addresses, state, order, why, bytesPerSecond, said }: WhyPeer, names: Names): Child {
  const [address] = addresses;
  const name = names.ofPeer(id);
  const facts = [
    ...(address === undefined || address === name ? [] : [address]),
    state ?? 'not known to the router',
    ...(bytesPerSecond === undefined ? [] : [`gave ${formatRate(bytesPerSecond)} lately`]),
  ];
  const held = why === undefined ? '' : ` it ${STANDING_WORDS[why] ?? why},`;
  const text = said === undefined ? 'was not asked' : (PEER_SAID[said] ?? `answers ${said}`);
  const what =
    order === 'skipped'
      ? `is skipped:${held} and is left alone for now`
      : `${text}${order === 'last' ? `;${held} and is asked after all others` : ''}`;
  return [h('b', { title: id }, name), h('span', { class: 'muted' }, ` (${facts.join(', ')})`), ` ${what}.`];
}
