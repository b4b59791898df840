import { formatName } from '../oci/reference.ts';
import { formatByteCount } from '../runtime/byte-count.ts';
import { formatAge, formatSpan } from '../terminal/format-age.ts';
import { formatVerdict } from '../terminal/format-facts.ts';
import { formatItems } from '../terminal/format-items.ts';
import { type Cell, NAME_COLUMN, NUMBER_COLUMN } from '../terminal/format-table.ts';
import type { Look } from '../terminal/look.ts';
import type { Tone } from '../terminal/paint.ts';
import { askForTransfers, type SeenPull, type SeenTransfer, type TransfersView } from './ask-transfers.ts';
import type { AskOptions } from './peers.ts';
import { nameCell, shortName } from './short-name.ts';
import { showAnswer, type WatchOutput } from './show-answer.ts';

/** Most pulls, and most transfers of each kind, that are shown; with lines without end, all are. */
const MAX_PULLS = 10;
const MAX_TRANSFERS = 20;

/** `blob` and a short digest: not broken while there is room elsewhere. */
const CONTENT_WIDTH = 25;

/** How an outcome is meant; all others are of less importance. */
const TONES: Readonly<Record<string, Tone>> = {
  served: 'good',
  resumed: 'good',
  partly: 'poor',
  missing: 'poor',
  'broken-off': 'bad',
};

/**
 * Prints the last pulls and transfers of the running spegel. `wallClockMs` is the time of day, in ms since the epoch. Throws
 * DaemonError when none answers.
 */
export async function runPeersTransfers(
  { addr, json }: AskOptions,
  output: WatchOutput,
  wallClockMs: () => number = Date.now,
): Promise<void> {
  const ask = async () => askForTransfers(addr);
  const format = (view: TransfersView, look: Look) => formatTransfers(view, wallClockMs(), look);
  await showAnswer({ ask, format, json }, output);
}

function formatTransfers({ pulls, transfers }: TransfersView, nowMs: number, look: Look): string {
  const own = transfers.filter(({ forwarded }) => !forwarded);
  const others = transfers.filter(({ forwarded }) => forwarded);
  const verdict = [
    pulls.length === 0 ? 'No pull of this node has ended so far.' : `${counts(pulls, 'pull')} of this node.`,
    ...(own.length === 0 ? [] : [`It asked for ${counts(own, 'piece')}.`]),
    ...(others.length === 0 ? [] : [`Other nodes asked it for ${counts(others, 'piece')}.`]),
  ].join(' ');
  const transferTables = (some: readonly SeenTransfer[]) => transferTable(some, nowMs, look);
  return [
    formatVerdict(verdict, verdictTone(pulls), look),
    ...section('Pulls', pulls, MAX_PULLS, look, (some) => pullTable(some, nowMs, look)),
    ...section('Asked for by this node', own, MAX_TRANSFERS, look, transferTables),
    ...section('Asked for by other nodes', others, MAX_TRANSFERS, look, transferTables),
  ].join('\n');
}

/** Such as `3 pulls (2 served, 1 missing)`. */
function counts(ended: ReadonlyArray<{ readonly outcome: string }>, what: string): string {
  const each = Array.from(
    Map.groupBy(ended, ({ outcome }) => outcome),
    ([outcome, same]) => `${same.length} ${outcome}`,
  );
  return `${ended.length} ${what}${ended.length === 1 ? '' : 's'} (${each.join(', ')})`;
}

/** That of the worst pull. */
function verdictTone(pulls: readonly SeenPull[]): Tone {
  const tones = new Set(pulls.map(({ outcome }) => TONES[outcome]));
  return (['bad', 'poor', 'good'] as const).find((tone) => tones.has(tone)) ?? 'faint';
}

/** A table below its title, of the first of all. */
function section<T>(
  title: string,
  all: readonly T[],
  max: number,
  look: Look,
  table: (some: readonly T[]) => string,
): readonly string[] {
  if (all.length === 0) return [];
  const some = look.width === Infinity ? all : all.slice(0, max);
  const part = some.length < all.length ? ` (the last ${some.length} of ${all.length})` : '';
  return [`${formatVerdict(`${title}${part}`, 'head', look)}${table(some)}`];
}

function pullTable(pulls: readonly SeenPull[], nowMs: number, look: Look): string {
  // Columns in which there is nothing would take the room of others.
  const hasLocal = pulls.some(({ localBytes }) => localBytes > 0);
  const hasMisses = pulls.some(({ missCount }) => missCount > 0);
  return formatItems(
    pulls,
    [
      { ...NUMBER_COLUMN, heading: 'AGE', cell: (pull) => ageText(pull, nowMs) },
      { ...NAME_COLUMN, heading: 'IMAGE', cell: ({ image }) => nameCell(image) },
      { heading: 'OUTCOME', cell: ({ outcome }) => outcomeCell(outcome) },
      { ...NUMBER_COLUMN, heading: 'TOOK', cell: ({ durationMs }) => formatSpan(durationMs) },
      { ...NUMBER_COLUMN, heading: 'PEERS', cell: ({ peerBytes }) => formatByteCount(peerBytes) },
      { heading: 'FROM', cell: ({ peers: [first, ...others] }) => peersText(first, others.length) },
      hasLocal
        ? { ...NUMBER_COLUMN, heading: 'LOCAL', cell: ({ localBytes }) => formatByteCount(localBytes) }
        : undefined,
      hasMisses ? { heading: 'MISSING', cell: missesCell } : undefined,
    ],
    look,
  );
}

function peersText(first: SeenPull['peers'][number] | undefined, others: number): string {
  if (first === undefined) return '-';
  return others === 0 ? first.address : `${first.address} +${others}`;
}

/** How many pieces, and why. */
function missesCell({ misses, missCount }: SeenPull): Cell {
  const reasons = [...new Set(misses.map(({ reason }) => reason))].join(', ');
  return missCount === 0 ? '-' : { text: `${missCount} ${reasons}`.trimEnd(), tone: 'poor' };
}

function outcomeCell(outcome: string, missing?: string): Cell {
  const text = missing === undefined ? outcome : `${outcome}: ${missing}`;
  return { text, tone: TONES[outcome] ?? 'faint' };
}

function transferTable(transfers: readonly SeenTransfer[], nowMs: number, look: Look): string {
  return formatItems(
    transfers,
    [
      { ...NUMBER_COLUMN, heading: 'AGE', cell: (transfer) => ageText(transfer, nowMs) },
      { least: CONTENT_WIDTH, heading: 'CONTENT', cell: contentCell },
      { ...NUMBER_COLUMN, heading: 'BYTES', cell: ({ movedBytes }) => formatByteCount(movedBytes) },
      { ...NUMBER_COLUMN, heading: 'TOOK', cell: ({ durationMs }) => formatSpan(durationMs) },
      { heading: 'FROM', cell: sourcesText },
      { heading: 'OUTCOME', cell: ({ outcome, missing }) => outcomeCell(outcome, missing) },
    ],
    look,
  );
}

/** Each source, with why it was left; then the role of this node in the flight, and why the flight stepped aside. */
function sourcesText({ sources, flight }: SeenTransfer): string {
  const from = sources.map(({ origin, ended }) => (ended === 'complete' ? origin : `${origin} (${ended})`));
  const parts = [
    ...(from.length === 0 ? [] : [from.join(', then ')]),
    // It was told to download it.
    ...(from.length === 0 && flight?.role === 'root' ? ['registry'] : []),
    ...(flight?.role === undefined ? [] : [flight.role]),
    ...(flight?.aside === undefined ? [] : [`flight aside (${flight.aside})`]),
  ];
  return parts.join(', ') || '-';
}

/** What it is and the whole name of its image; in short the name without the registry, or the digest. */
function contentCell(transfer: SeenTransfer): Cell {
  const { kind, repository, tag, digest } = transfer;
  const short = digest === undefined || tag !== undefined ? `${repository}:${tag ?? ''}` : shortName(digest);
  return { text: `${kind} ${formatName(transfer)}`, short: `${kind} ${short}` };
}

/** How long ago it ended. */
function ageText({ startedAt, durationMs }: SeenPull | SeenTransfer, nowMs: number): string {
  const endedAtMs = Date.parse(startedAt) + durationMs;
  return Number.isNaN(endedAtMs) ? '-' : formatAge(nowMs - endedAtMs);
}
