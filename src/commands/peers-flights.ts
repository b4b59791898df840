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
import { formatDuration } from '../runtime/duration.ts';
import { formatTable } from './format-table.ts';
import { formatFlightTree } from './format-flight-tree.ts';
import type { PeersOptions } from './peers.ts';
import { keyOf } from './peers-find.ts';

/** Options of runPeersFlights. */
export interface PeersFlightsOptions extends PeersOptions {
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
  { writeOut }: { readonly writeOut: (text: string) => void },
): Promise<'found' | 'none' | 'unknown'> {
  const wanted = name === undefined ? undefined : parseRoutingKey(keyOf(name));
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
  const view = { self: report.self, maxHoldMs: report.maxHoldMs, downloads, flights, unknown };
  writeOut(json ? `${JSON.stringify(view, undefined, 2)}\n` : formatView(view, name));
  if (downloads.length > 0 || flights.some(isUnderWay)) return 'found';
  return unknown.length > 0 ? 'unknown' : 'none';
}

function formatView(
  { self, maxHoldMs, downloads, flights, unknown }: FlightsView,
  name: string | undefined,
): string {
  const underWay = flights.filter(isUnderWay);
  // Of what was asked for by its name, the end is of interest, too.
  const drawn = name === undefined ? underWay : flights;
  const over = flights.length - underWay.length;
  const head = formatTable([
    ['this node', self],
    ['max hold', formatDuration(maxHoldMs)],
    ['downloads', `${downloads.length} of this node`],
    [
      'flights',
      `${underWay.length} under way, ${over} over, ${name === undefined ? 'of which this node is the tower' : `of ${name}`}`,
    ],
  ]);
  const columns = ['DOWNLOAD', 'ROLE', 'BYTES', 'READERS', 'FROM', 'IMAGE'];
  const rows = downloads.map((download) => downloadRow(download));
  const trees = drawn.map(({ digest, tower, nodes }) => {
    const by = tower.id === self ? 'this node' : `${tower.id} ${tower.addresses.join(' ')}`;
    const what = [
      ['flight', digest],
      ['tower', by],
    ];
    return `${formatTable(what)}${formatFlightTree(nodes, self)}`;
  });
  const missing = unknown.map(({ digest, reasons }) =>
    formatTable([['flight', digest], ...reasons.map((reason) => ['tower', `not known: ${reason}`])]),
  );
  const table = rows.length === 0 ? [] : [formatTable([columns, ...rows])];
  return [head, ...table, ...trees, ...missing].join('\n');
}

function downloadRow(download: FlightDownloadReport): readonly string[] {
  const { digest, registry, repository, role, parent, writtenBytes, sizeBytes, readers, isStuck } = download;
  const from = parent?.addresses[0] ?? parent?.id ?? '-';
  return [
    digest,
    isStuck ? `${role} (too slow)` : role,
    `${writtenBytes} of ${sizeBytes ?? '?'}`,
    String(readers),
    role === 'root' ? 'upstream' : from,
    [registry, repository].filter((part) => part !== undefined).join('/'),
  ];
}
