import type { WhyPeer } from '../routing/why-report.ts';
import { missingWords, PEER_SAID, STANDING_WORDS } from '../routing/why-words.ts';
import { formatByteCount } from '../runtime/byte-count.ts';
import { formatSpan } from '../terminal/format-age.ts';
import { type Fact, formatFacts, formatText, formatVerdict } from '../terminal/format-facts.ts';
import { formatItems } from '../terminal/format-items.ts';
import { type Cell, NAME_COLUMN, NUMBER_COLUMN } from '../terminal/format-table.ts';
import type { Look } from '../terminal/look.ts';
import { stateCell } from './peers.ts';
import { PEER_ID_COLUMN, nameCell, peerIdCell, shortName } from './short-name.ts';
import { isNowhere, type WhyAnswer, type WhyDownload, type WhyView } from './why-answer.ts';

/** Why content is missing. */
const REASONS = missingWords('peer');

/** Writes the answer: the verdict, what holds for all of it, the pieces of content, and each peer of the pieces that are not here. */
export function formatWhy(answer: WhyAnswer, name: string, look: Look): string {
  const { contents, omitted, problem } = answer;
  const shown = contents.filter(({ outcome }) => outcome.reason !== 'filter');
  const notes = [
    ...(omitted > 0 ? [`${omitted} more pieces of content were not looked at.`] : []),
    ...(problem === undefined ? [] : [`${problem}.`]),
  ];
  return [
    formatVerdict(verdict(answer), verdictTone(answer), look),
    formatFacts(
      [
        ['asked for', `${name}${answer.key === name ? '' : ` (${answer.key})`}`],
        mirrorFact(answer),
        storeFact(answer),
        ...filterFacts(answer),
      ],
      look,
    ),
    ...(shown.length === 0 ? [] : [contentTable(shown, look)]),
    ...alike(
      shown.filter(({ isHere }) => !isHere),
      answer,
    ).map((contents) => contentText(contents, answer, look)),
    ...(notes.length === 0 ? [] : [notes.map((note) => formatText(note, look)).join('')]),
  ].join('\n');
}

function mirrorFact({ isReady }: WhyAnswer): Fact {
  return isReady
    ? ['mirror', 'ready']
    : ['mirror', 'not ready: it has found no other node yet. spegel peers shows where it looks.', 'bad'];
}

function storeFact({ isStoreConnected }: WhyAnswer): Fact {
  return isStoreConnected
    ? ['containerd', 'answers the mirror']
    : [
        'containerd',
        'does not answer the mirror: only what was seen of it before is served. See its log, and --containerd-sock.',
        'bad',
      ];
}

function filterFacts({ registry, repository, isMirrored, filters }: WhyAnswer): readonly Fact[] {
  if (registry === undefined) return [['filters', 'not looked at, because no image is named']];
  if (isMirrored === false) {
    return [
      [
        'filters',
        `${registry} is not one of --mirrored-registries: its images are not shared, and answered with 404.`,
        'bad',
      ],
    ];
  }
  if (filters.length > 0) {
    return filters.map((filter) => [
      'filters',
      `The filter ${filter} leaves it out (--registry-filters): it is answered with 404.`,
      'bad',
    ]);
  }
  return [['filters', `${registry} is mirrored, and no filter leaves ${repository ?? 'it'} out`]];
}

function contentTable(contents: readonly WhyView[], look: Look): string {
  return formatItems(
    contents,
    [
      {
        heading: 'CONTENT',
        cell: ({ kind, key }) => (kind === 'tag' ? `tag ${key.slice(key.lastIndexOf(':') + 1)}` : kind),
      },
      {
        ...NAME_COLUMN,
        heading: 'DIGEST',
        cell: ({ kind, key, digest }) => nameCell(kind === 'tag' ? (digest ?? '-') : key),
      },
      {
        ...NUMBER_COLUMN,
        heading: 'SIZE',
        cell: ({ sizeBytes = 0 }) => (sizeBytes === 0 ? '-' : formatByteCount(sizeBytes)),
      },
      { heading: 'WOULD COME FROM', cell: sourceCell },
    ],
    look,
  );
}

function sourceCell(content: WhyView): Cell {
  const { isHere, outcome, download } = content;
  if (isHere) return { text: 'this node', tone: 'good' };
  if (outcome.how === 'peer') return { text: outcome.from ?? 'a peer', tone: 'good' };
  if (isNowhere(content)) return { text: 'the registry', tone: 'bad' };
  return { text: `a download of ${(download?.others ?? []).join(' and ')}`, tone: 'poor' };
}

/** Pieces of which the same is to be told, together: those of an image are often on the same peers. */
function alike(
  contents: readonly WhyView[],
  { resolveTimeoutMs }: WhyAnswer,
): ReadonlyArray<readonly [WhyView, ...WhyView[]]> {
  const groups = Map.groupBy(contents, ({ peers, outcome, download }) =>
    JSON.stringify([
      peers.map(({ tookMs, ...peer }) => ({ ...peer, isLate: tookMs > resolveTimeoutMs })),
      outcome,
      download,
    ]),
  );
  return Array.from(groups.values(), (group) => group as [WhyView, ...WhyView[]]);
}

/** Of pieces that are not here: which peers have a record of them, what each says, and what follows. */
function contentText(
  contents: readonly [WhyView, ...WhyView[]],
  { resolveTimeoutMs }: WhyAnswer,
  look: Look,
): string {
  const [content] = contents;
  const { peers, outcome, download } = content;
  const isSingle = contents.length === 1;
  const [it, records] = isSingle ? ['it', 'a record of it'] : ['them', 'records of them'];
  const count =
    peers.length === 1 ? 'one peer has' : `${peers.length === 0 ? 'no' : peers.length} peers have`;
  const what = isSingle ? pieceName(content, look) : piecesName(contents);
  const head = formatText(`${what}: not in the store of this node; ${count} ${records}.`, look);
  const sentences: string[] = [];
  const first = peers.find(({ order }) => order !== 'skipped');
  if (first !== undefined && first.tookMs > resolveTimeoutMs) {
    const [took, wait] = [formatSpan(first.tookMs), formatSpan(resolveTimeoutMs)];
    sentences.push(
      `The first was found after ${took}: a request waits for ${wait} (--mirror-resolve-timeout).`,
    );
  }
  if (outcome.how === 'peer') sentences.push(`${outcome.from ?? 'A peer'} would serve ${it} (200).`);
  else if (!isNowhere(content) && download !== undefined) sentences.push(downloadText(download, it));
  else {
    const reason = REASONS[outcome.reason ?? ''] ?? outcome.reason ?? 'it is not here';
    const goes =
      download?.isOwn === true
        ? `containerd was sent to the registry for ${it}, and downloads ${it}, or is about to`
        : 'containerd goes to the registry';
    const be = isSingle ? 'It would be' : 'Each would be';
    sentences.push(`${be} answered with ${outcome.status}, because ${reason}: ${goes}.`);
  }
  return `${head}${peerTable(peers, look)}${sentences.map((text) => formatText(text, look)).join('')}`;
}

/** Such as `layer sha256:2cf2…`. */
function pieceName({ kind, key }: WhyView, look: Look): string {
  return `${kind} ${kind === 'tag' ? key.slice(key.lastIndexOf(':') + 1) : shortKey(key, look)}`;
}

/** Such as `tag, manifest, config and 2 layers`. */
function piecesName(contents: readonly WhyView[]): string {
  const kinds = Map.groupBy(contents, ({ kind }) => kind);
  const names = Array.from(kinds, ([kind, { length }]) => (length === 1 ? kind : `${length} ${kind}s`));
  return names.length === 1 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** The whole of a digest where lines have no end. */
function shortKey(key: string, { width }: Look): string {
  return width === Infinity ? key : shortName(key);
}

function peerTable(peers: readonly WhyPeer[], look: Look): string {
  if (peers.length === 0) return '';
  const hasRates = peers.some(({ bytesPerSecond }) => bytesPerSecond !== undefined);
  const rateText = ({ bytesPerSecond: rate }: WhyPeer) =>
    rate === undefined ? '-' : `${formatByteCount(rate)}/s`;
  return formatItems(
    peers,
    [
      { heading: 'ADDRESSES', cell: ({ addresses }) => addresses.join(' ') || '-' },
      {
        heading: 'STATE',
        cell: ({ state }) => (state === undefined ? { text: 'unknown', tone: 'faint' } : stateCell(state)),
      },
      { heading: 'SAYS', cell: saysCell },
      hasRates ? { heading: 'GAVE LATELY', cell: rateText } : undefined,
      { ...PEER_ID_COLUMN, heading: 'PEER', cell: ({ id }) => peerIdCell(id) },
    ],
    look,
  );
}

function saysCell({ order, why, said }: WhyPeer): Cell {
  const held = why === undefined ? [] : [STANDING_WORDS[why] ?? why];
  if (order === 'skipped') return { text: ['skipped', ...held].join(': '), tone: 'bad' };
  const text = said === undefined ? 'was not asked' : (PEER_SAID[said] ?? `answers ${said}`);
  const last = order === 'last' ? `; asked last: ${held.join('')}` : '';
  return { text: `${text}${last}`, tone: said === 'has-it' ? 'good' : 'poor' };
}

function downloadText({ others }: WhyDownload, it: string): string {
  const downloads = others.length === 1 ? 'downloads' : 'download';
  return `${others.join(' and ')} ${downloads} ${it} from the registry: the request would wait for that, and follow it.`;
}

function verdictTone({ canServe, contents }: WhyAnswer): 'good' | 'poor' | 'bad' {
  if (canServe) return 'good';
  return contents.every(isNowhere) ? 'bad' : 'poor';
}

function verdict({ canServe, contents }: WhyAnswer): string {
  const here = contents.filter(({ isHere }) => isHere).length;
  const missing = contents.filter(isNowhere);
  const peers = contents.filter(({ outcome }) => outcome.how === 'peer').length;
  const downloads = contents.length - here - missing.length - peers;
  const counts = `${here} here, ${peers} at peers, ${downloads} being downloaded, ${missing.length} missing`;
  if (contents.length === 1) {
    return canServe
      ? 'The mirror can serve it.'
      : 'The mirror cannot serve it: containerd gets it from the registry.';
  }
  const all = canServe
    ? 'The mirror can serve all of it'
    : 'The mirror cannot serve all of it, and containerd gets the rest from the registry';
  return `${all}: ${counts}. A containerd that does not ask the mirror at all: see spegel doctor.`;
}
