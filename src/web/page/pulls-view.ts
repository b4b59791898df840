import type { LivePull } from '../live-report.ts';
import { digestText } from './digest-text.ts';
import { formatAge, formatSpan } from './format-age.ts';
import { formatRate, formatSize } from './format-size.ts';
import { icon, type IconName } from './icon.ts';
import { imageName } from './image-name.ts';
import { h, type Child, type Markup } from './markup.ts';
import { missWords } from './miss-words.ts';
import { createNames, type Names } from './names.ts';
import type { PageFacts } from './page-facts.ts';
import { pullBlobs, type PullBlobsDeps } from './pull-blobs.ts';
import { type PullFigures, pullFigures } from './pull-figures.ts';
import { since } from './since.ts';
import { shareBar } from './tiles-view.ts';

/** What the reader has chosen to see of the pulls. */
export interface PullsChoice {
  /** Whether the row of a pull is open. */
  readonly isOpen: (pull: LivePull) => boolean;
  /** Whether its blobs are written. */
  readonly hasBlobs: (pull: LivePull) => boolean;
  readonly showsAll: boolean;
}

/** Ended pulls that are shown at first. */
const FIRST_PULLS = 8;

/** How each outcome is shown. */
const OUTCOMES: Readonly<
  Record<LivePull['outcome'], { readonly mark: IconName; readonly word: string; readonly title: string }>
> = {
  running: { mark: 'running', word: 'running', title: 'Under way' },
  served: { mark: 'check', word: 'served', title: 'The mirror gave all that it was asked for' },
  partly: { mark: 'half', word: 'partly', title: 'The mirror gave some of it, the registry the rest' },
  missing: { mark: 'ring', word: 'registry', title: 'The mirror had none of it: all came from the registry' },
  left: { mark: 'left', word: 'left', title: 'containerd went away' },
};
/** The pulls of this node's containerd: those that run first. */
export function pullsView(facts: PageFacts, { isOpen, hasBlobs, showsAll }: PullsChoice): readonly Markup[] {
  const { running, ended } = facts;
  if (running.length + ended.length === 0) {
    return [
      h(
        'p',
        { class: 'empty' },
        'No pull has asked this mirror since it started.',
        // The canary has shown that containerd does.
        facts.health.canary?.last?.outcome === 'used'
          ? ''
          : ' If this node pulls images, its containerd does not use the mirror: what stands on top of this page says why.',
      ),
    ];
  }
  const names = createNames(facts);
  const shown = showsAll ? ended : ended.slice(0, FIRST_PULLS);
  const row = (pull: LivePull) =>
    pullRow(pull, { facts, names, isOpen: isOpen(pull), hasBlobs: hasBlobs(pull) });
  return [
    h(
      'div',
      { class: 'pull-grid pull-head', 'aria-hidden': 'true' },
      ['Image', 'From', 'Bytes', 'Rate', 'Time', 'Missing'].map((title) => h('span', {}, title)),
    ),
    h('ul', { class: 'pulls' }, [...running, ...shown].map(row)),
    ended.length > FIRST_PULLS
      ? h(
          'button',
          {
            type: 'button',
            class: 'more js-only',
            'data-action': 'all-pulls',
            'aria-expanded': showsAll ? 'true' : 'false',
          },
          showsAll ? 'Show fewer' : `Show all ${ended.length} ended pulls`,
        )
      : '',
  ];
}

interface RowDeps {
  readonly facts: PageFacts;
  readonly names: Names;
  readonly isOpen: boolean;
  readonly hasBlobs: boolean;
}

function pullRow(pull: LivePull, { facts, names, isOpen, hasBlobs }: RowDeps): Markup {
  const figures = pullFigures(pull, facts.streams);
  const { mark, word, title } = OUTCOMES[pull.outcome];
  const isRunning = pull.outcome === 'running';
  const endMs = Date.parse(pull.startedAt) + pull.durationMs;
  return h(
    'li',
    { 'data-key': pull.id },
    h(
      'details',
      { class: `pull is-${pull.outcome}`, 'data-pull': pull.id, open: isOpen },
      h(
        'summary',
        { class: 'pull-grid' },
        h(
          'span',
          { class: 'pull-image' },
          h(
            'span',
            { class: `mark outcome-${pull.outcome}`, title },
            icon(mark),
            h('span', { class: 'hidden' }, `${word}: `),
          ),
          imageName(pull.image),
        ),
        cell('From', fromText(pull, figures, names)),
        cell('Bytes', bytesText(figures, isRunning), isRunning ? progress(figures) : undefined),
        cell('Rate', figures.bytesPerSecond === undefined ? '–' : formatRate(figures.bytesPerSecond)),
        cell(
          'Time',
          isRunning ? formatSpan(pull.durationMs) : formatAge(pull.durationMs),
          ' ',
          agoText(endMs, isRunning, facts.nowMs),
        ),
        cell('Missing', missingText(pull, figures)),
      ),
      hasBlobs ? pullBody(pull, { names, downloads: figures.downloads }) : h('div', { class: 'pull-body' }),
    ),
  );
}

function agoText(endMs: number, isRunning: boolean, nowMs: number): Child {
  if (isRunning) return h('span', { class: 'badge' }, 'running');
  return h('span', { class: 'muted ago' }, since(endMs, nowMs), ' ago');
}

/** A cell of a row; its name is shown where rows are cards, and read out everywhere. */
function cell(name: string, ...content: readonly Child[]): Markup {
  return h(
    'span',
    { class: `cell cell-${name.toLowerCase()}` },
    h('span', { class: 'cell-name' }, `${name}: `),
    h('span', { class: 'cell-value' }, ...content),
  );
}

function fromText(
  { localBytes, peers }: LivePull,
  { upstreamBytes, missing }: PullFigures,
  names: Names,
): string {
  const sources = peers.map(({ address }) => names.ofAddress(address));
  if (localBytes > 0 && peers.length === 0) sources.push('this node');
  if (upstreamBytes > 0 || (missing.length > 0 && sources.length === 0)) sources.push('registry');
  const [first = '–', second, ...others] = sources;
  if (second === undefined) return first;
  return others.length === 0 ? `${first}, ${second}` : `${first} and ${others.length + 1} more`;
}

function bytesText({ savedBytes, upstreamBytes, wantedBytes }: PullFigures, isRunning: boolean): string {
  if (savedBytes + upstreamBytes === 0) return '–';
  const moved = formatSize(savedBytes + upstreamBytes);
  return isRunning && wantedBytes !== undefined ? `${moved} of ${formatSize(wantedBytes)}` : moved;
}

function progress({ savedBytes, upstreamBytes, wantedBytes }: PullFigures): Markup | undefined {
  if (wantedBytes === undefined || wantedBytes === 0) return undefined;
  const rest = Math.max(0, wantedBytes - savedBytes - upstreamBytes);
  return shareBar([
    ['bar-saved', savedBytes],
    ['bar-upstream', upstreamBytes],
    ['bar-none', rest],
  ]);
}

function missingText({ outcome, upstreamBytes: bytes }: LivePull, { missing }: PullFigures): string {
  const [first] = missing;
  if (first === undefined) return outcome === 'running' ? '–' : 'nothing';
  const noun = missing.every(({ kind }) => kind === 'manifest') ? 'manifest' : 'blob';
  const count = `${missing.length} ${noun}${missing.length === 1 ? '' : 's'}`;
  return `${count}${bytes > 0 ? `, ${formatSize(bytes)}` : ''}: ${missWords(first.reason, missing.length)}`;
}

function pullBody({ digest, blobs, blobCount, peers, image }: LivePull, deps: PullBlobsDeps): Markup {
  const { names } = deps;
  return h(
    'div',
    { class: 'pull-body' },
    h(
      'p',
      { class: 'pull-meta' },
      digest === undefined ? h('span', {}, 'No manifest was found.') : digestText(digest),
      peers.map(({ address, bytes, bytesPerSecond }) =>
        h(
          'span',
          { class: 'nowrap' },
          `${names.ofAddress(address)}: ${formatSize(bytes)}, ${formatRate(bytesPerSecond)}`,
        ),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'link js-only',
          'data-why': digest === undefined ? image : nameWithDigest(image, digest),
        },
        'Who has it now?',
      ),
    ),
    blobs.length === 0 ? h('p', { class: 'muted' }, 'Nothing of it is known.') : pullBlobs(blobs, deps),
    blobCount > blobs.length ? h('p', { class: 'muted' }, `and ${blobCount - blobs.length} more`) : undefined,
  );
}

/** An image by its digest, with its name but without its tag. */
function nameWithDigest(image: string, digest: string): string {
  const [name = ''] = image.split('@');
  return `${name.replace(/:[^/:]+$/, '')}@${digest}`;
}
