import type { FlightDownloadReport, FlightsReport } from '../routing/flights-report.ts';
import {
  askForFlights,
  askTowers,
  isUnderWay,
  type SeenFlight,
  type Towered,
  type UnknownFlight,
} from './ask-flights.ts';
import { parseRoutingKey } from '../oci/routing-key.ts';
import { formatByteCount } from '../runtime/byte-count.ts';
import { formatSpan } from '../terminal/format-age.ts';
import { type Fact, formatFacts, formatVerdict } from '../terminal/format-facts.ts';
import { formatItems } from '../terminal/format-items.ts';
import { type Cell, NAME_COLUMN, NUMBER_COLUMN } from '../terminal/format-table.ts';
import type { Look } from '../terminal/look.ts';
import { formatFlightTree } from './format-flight-tree.ts';
import type { AskOptions } from './peers.ts';
import { keyOf } from './peers-find.ts';
import { nameCell, peerIdCell, shortName } from './short-name.ts';
import { showAnswer, type WatchOutput } from './show-answer.ts';

/** Options of runPeersFlights. */
export interface PeersFlightsOptions extends AskOptions {
  /** An image name or a digest, as a user types it; undefined: what the asked node knows. */
  readonly name: string | undefined;
}

/** What `spegel peers flights --json` prints. */
export interface FlightsView extends Omit<FlightsReport, 'flights' | 'towers'> {
  readonly flights: readonly SeenFlight[];
  readonly unknown: readonly UnknownFlight[];
}

/** The daemon answers from memory. */
const TIMEOUT_MS = 5000;

/**
 * Prints the flights that the running spegel knows: its own downloads, and the trees that it keeps. With a name: the trees
 * of the digest, or of the image's digests that the node downloads now, as their towers know them. `unknown`: there may be
 * flights, but no tower can be asked. Throws UsageError and DaemonError.
 */
export async function runPeersFlights(
  { name, addr, json }: PeersFlightsOptions,
  output: WatchOutput,
): Promise<'found' | 'none' | 'unknown'> {
  const wanted = name === undefined ? undefined : parseRoutingKey(keyOf(name));
  const ask = async () => askForView(addr, wanted);
  const format = (view: FlightsView, look: Look) => formatView(view, name, look);
  const view = await showAnswer({ ask, format, json }, output);
  if (view === undefined) return 'none';
  if (view.downloads.length > 0 || view.flights.some(isUnderWay)) return 'found';
  return view.unknown.length > 0 ? 'unknown' : 'none';
}

async function askForView(addr: string, wanted: ReturnType<typeof parseRoutingKey>): Promise<FlightsView> {
  const digest = wanted !== undefined && 'digest' in wanted ? wanted.digest : undefined;
  const report = await askForFlights(addr, digest, TIMEOUT_MS);
  const downloads = report.downloads.filter(
    ({ registry, repository }) =>
      wanted === undefined ||
      'digest' in wanted ||
      ((registry ?? wanted.registry) === wanted.registry && repository === wanted.repository),
  );
  const self = { id: report.self, addresses: [] };
  const wantedTowers =
    digest === undefined ? downloads : [{ digest, towers: report.towers ?? [] } satisfies Towered];
  const looks =
    wanted === undefined
      ? report.flights.map((tree) => ({ ...tree, tower: self }))
      : await Promise.all(wantedTowers.map(async (towered) => askTowers(addr, report, towered)));
  const flights = looks.filter((look) => 'nodes' in look && look.nodes.length > 0) as SeenFlight[];
  const unknown = looks.filter((look) => 'reasons' in look);
  return { self: report.self, maxHoldMs: report.maxHoldMs, downloads, flights, unknown };
}

function formatView(view: FlightsView, name: string | undefined, look: Look): string {
  const { self, maxHoldMs, downloads, flights, unknown } = view;
  const underWay = flights.filter(isUnderWay);
  // Of what was asked for by its name, the end is of interest, too.
  const drawn = name === undefined ? underWay : flights;
  const over = flights.length - underWay.length;
  const isUnknown = downloads.length + underWay.length === 0 && unknown.length > 0;
  const verdict = isUnknown
    ? formatVerdict('It is not known what is under way: no tower could be asked.', 'poor', look)
    : formatVerdict(
        `Under way: ${counted(downloads.length, 'download')} of this node, and ${counted(underWay.length, 'flight')}.`,
        downloads.length + underWay.length > 0 ? 'good' : 'faint',
        look,
      );
  const head = formatFacts(
    [
      ['this node', self],
      ['max hold', formatSpan(maxHoldMs)],
      [
        'flights',
        `${underWay.length} under way, ${over} over, ${name === undefined ? 'of which this node is the tower' : `of ${shortName(name)}`}`,
      ],
    ],
    look,
  );
  const trees = drawn.map(({ digest, tower, nodes }) => {
    const by = tower.id === self ? 'this node' : `${tower.id} ${tower.addresses.join(' ')}`;
    const what: readonly Fact[] = [
      ['flight', digest],
      ['tower', by],
    ];
    return `${formatFacts(what, look)}${formatFlightTree(nodes, self, look)}`;
  });
  const missing = unknown.map(({ digest, reasons }) =>
    formatFacts(
      [['flight', digest], ...reasons.map((reason): Fact => ['tower', `not known: ${reason}`, 'poor'])],
      look,
    ),
  );
  const table = downloads.length === 0 ? [] : [downloadTable(downloads, look)];
  return [verdict, head, ...table, ...trees, ...missing].join('\n');
}

function counted(count: number, what: string): string {
  return `${count === 0 ? 'no' : count} ${what}${count === 1 ? '' : 's'}`;
}

function downloadTable(downloads: readonly FlightDownloadReport[], look: Look): string {
  const sizeText = (bytes: number | undefined) => (bytes === undefined ? '?' : formatByteCount(bytes));
  return formatItems(
    downloads,
    [
      { ...NAME_COLUMN, heading: 'DOWNLOAD', cell: ({ digest }) => nameCell(digest) },
      {
        heading: 'ROLE',
        cell: ({ role, isStuck }) => (isStuck ? { text: `${role} (too slow)`, tone: 'bad' } : role),
      },
      {
        heading: 'BYTES',
        least: 18,
        cell: ({ writtenBytes, sizeBytes }) => `${sizeText(writtenBytes)} of ${sizeText(sizeBytes)}`,
      },
      { ...NUMBER_COLUMN, heading: 'READERS', cell: ({ readers }) => String(readers) },
      { heading: 'FROM', cell: fromCell },
      {
        heading: 'IMAGE',
        cell: ({ registry, repository }) =>
          [registry, repository].filter((part) => part !== undefined).join('/'),
      },
    ],
    look,
  );
}

function fromCell({ role, parent }: FlightDownloadReport): Cell {
  if (role === 'root') return 'upstream';
  return parent === undefined ? '-' : (parent.addresses[0] ?? peerIdCell(parent.id));
}
