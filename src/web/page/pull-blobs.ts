import type { PullBlob } from '../../observe/pull-log.ts';
import type { FlightDownloadReport } from '../../routing/flights-report.ts';
import { digestText, shortDigest } from './digest-text.ts';
import { formatSize } from './format-size.ts';
import { icon, type IconName } from './icon.ts';
import { h, type Child, type Markup } from './markup.ts';
import { missWords } from './miss-words.ts';
import type { Names } from './names.ts';
import { shareBar } from './tiles-view.ts';

/** What the rows are made with. */
export interface PullBlobsDeps {
  readonly names: Names;
  /** What containerd downloads from the registry just now, by digest. */
  readonly downloads: ReadonlyMap<string, FlightDownloadReport>;
}

/** How a piece of content is, for its row. */
interface BlobLook {
  readonly mark: IconName;
  readonly look: PullBlob['state'];
  readonly word: string;
  readonly movedBytes: number;
  readonly sizeBytes: number | undefined;
  /** Undefined: it does not move. */
  readonly bar?: 'bar-saved' | 'bar-upstream';
}

const COLUMNS = ['Content', 'Size', 'From', 'State'] as const;
/** Where no node has it: what an image that is new to the cluster is like. */
const NORMAL_MISS = 'no-record';

/** The pieces of content of a pull as a table. */
export function pullBlobs(blobs: readonly PullBlob[], deps: PullBlobsDeps): Markup {
  return h(
    'table',
    { class: 'cards blobs' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        COLUMNS.map((title) => h('th', { scope: 'col' }, title)),
      ),
    ),
    h(
      'tbody',
      {},
      blobs.map((blob) => blobRow(blob, deps)),
    ),
  );
}

function blobRow(blob: PullBlob, { names, downloads }: PullBlobsDeps): Markup {
  const { kind, reference, from, reason } = blob;
  const { mark, look, word, movedBytes, sizeBytes, bar } = lookOf(blob, downloads.get(reference));
  const sources = from.map((each) => names.ofAddress(each)).join(', then ');
  const isMissing = blob.state === 'missing';
  const cells: ReadonlyArray<readonly Child[]> = [
    [
      h('span', { class: 'kind' }, kind),
      ' ',
      /^sha\d+:/.test(reference) ? digestText(reference) : h('code', {}, shortDigest(reference)),
    ],
    [sizeText(movedBytes, sizeBytes, bar !== undefined)],
    [sources === '' ? (isMissing ? 'registry' : '–') : sources],
    [
      h('span', { class: `mark blob-${look}` }, icon(mark), h('span', {}, word)),
      reason === undefined ? undefined : h('span', { class: 'muted' }, ` ${missWords(reason)}`),
      bar === undefined || sizeBytes === undefined
        ? undefined
        : shareBar([
            [bar, movedBytes],
            ['bar-none', Math.max(0, sizeBytes - movedBytes)],
          ]),
    ],
  ];
  return h(
    'tr',
    { 'data-key': `${kind} ${reference}` },
    cells.map((content, n) => h('td', { 'data-name': COLUMNS[n] }, ...content)),
  );
}

function lookOf(
  { state, movedBytes, sizeBytes, reason }: PullBlob,
  download: FlightDownloadReport | undefined,
): BlobLook {
  if (download !== undefined && state === 'missing') {
    return {
      mark: 'running',
      look: 'running',
      word: 'from the registry',
      movedBytes: download.writtenBytes,
      sizeBytes: sizeBytes ?? download.sizeBytes,
      bar: 'bar-upstream',
    };
  }
  const size = { movedBytes, sizeBytes };
  switch (state) {
    case 'waiting':
      return { mark: 'ring', look: state, word: 'waiting', ...size };
    case 'running':
      return { mark: 'running', look: state, word: 'running', ...size, bar: 'bar-saved' };
    case 'given':
      return { mark: 'check', look: state, word: 'given', ...size };
    case 'left':
      return { mark: 'left', look: state, word: 'left', ...size };
    case 'broken-off':
      return { mark: 'cross', look: state, word: 'broken off', ...size };
    case 'missing':
      break;
  }
  return reason === NORMAL_MISS
    ? { mark: 'ring', look: 'waiting', word: 'from the registry', ...size }
    : { mark: 'cross', look: state, word: 'missing', ...size };
}

function sizeText(movedBytes: number, sizeBytes: number | undefined, isMoving: boolean): string {
  if (sizeBytes === undefined) return movedBytes === 0 ? '–' : formatSize(movedBytes);
  return isMoving ? `${formatSize(movedBytes)} of ${formatSize(sizeBytes)}` : formatSize(sizeBytes);
}
