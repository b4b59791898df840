import {
  type FlightDownloadReport,
  FLIGHTS_PATH,
  flightsQuery,
  type FlightsReport,
  type FlightTreeReport,
} from '../routing/flights-report.ts';
import type { Peer } from '../routing/router.ts';
import { parseRoutingKey } from '../oci/routing-key.ts';
import { canonicalIp } from '../runtime/ip-address.ts';
import { formatDuration } from '../runtime/duration.ts';
import { askDaemon } from './daemon-client.ts';
import { DaemonError } from './daemon-error.ts';
import { parseEndpoint } from './endpoint.ts';
import { formatTable } from './format-table.ts';
import { type JsonFields, readJsonFields } from './json-fields.ts';
import { formatFlightTree } from './format-flight-tree.ts';
import type { PeersOptions } from './peers.ts';
import { keyOf } from './peers-find.ts';

/** Options of runPeersFlights. */
export interface PeersFlightsOptions extends PeersOptions {
  /** An image name or a digest, as a user types it; undefined: what the asked node knows. */
  readonly name: string | undefined;
}

/** A tree, and the node that keeps it. */
export interface SeenFlight extends FlightTreeReport {
  readonly tower: Peer;
}

/** What `spegel peers flights --json` prints. */
export interface FlightsView extends Omit<FlightsReport, 'flights' | 'towers'> {
  readonly flights: readonly SeenFlight[];
  /** Digests whose towers could not be asked, and why. */
  readonly unknown: ReadonlyArray<{ readonly digest: string; readonly reasons: readonly string[] }>;
}

/** The daemon answers from memory. */
const TIMEOUT_MS = 5000;
/** Another node that does not answer must not keep a person waiting: there is a second tower. */
const TOWER_TIMEOUT_MS = 2000;

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

/** Where all nodes have the content, it is kept for a minute, and brings nothing to anybody any more. */
function isUnderWay({ nodes }: FlightTreeReport): boolean {
  return nodes.some(({ role }) => role !== 'holder');
}

type Towered = Pick<FlightDownloadReport, 'digest' | 'towers'>;

async function askForFlights(
  addr: string,
  digest: string | undefined,
  timeoutMs: number,
): Promise<FlightsReport> {
  const query = digest === undefined ? '' : `?${flightsQuery(digest)}`;
  const absent = `What answers at ${addr} shows no flights: spegel there must not have --flights-enabled=false or --debug-web-enabled=false, and --addr has to be its --metrics-addr`;
  return parseFlightsReport(await askDaemon(addr, `${FLIGHTS_PATH}${query}`, timeoutMs, { absent }));
}

/**
 * The tree of a digest from the first of its towers that can be asked: nodes ask the closest one, the others only hear how
 * downloads go on.
 */
async function askTowers(
  addr: string,
  own: FlightsReport,
  { digest, towers }: Towered,
): Promise<SeenFlight | FlightsView['unknown'][number]> {
  const reasons: string[] = [];
  let isAnswered = false;
  for (const tower of towers) {
    const isSelf = tower.id === own.self;
    try {
      const { flights } = isSelf ? own : await askNode(addr, tower, digest);
      isAnswered = true;
      const tree = flights.find((each) => each.digest === digest);
      if (tree !== undefined) return { ...tree, tower };
    } catch (error) {
      if (!(error instanceof DaemonError)) throw error;
      reasons.push(error.message);
    }
  }
  if (isAnswered) return { digest, nodes: [], tower: { id: own.self, addresses: [] } };
  return { digest, reasons: reasons.length > 0 ? reasons : ['no tower is known'] };
}

/** Asks another node, at the port that this node is asked at. */
async function askNode(addr: string, { id, addresses }: Peer, digest: string): Promise<FlightsReport> {
  const { port } = parseEndpoint(addr);
  let last = new DaemonError(`No address of the node ${id} is known`);
  for (const address of addresses) {
    const host = canonicalIp(address);
    if (host === undefined) continue;
    try {
      return await askForFlights(
        host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
        digest,
        TOWER_TIMEOUT_MS,
      );
    } catch (error) {
      if (!(error instanceof DaemonError)) throw error;
      last = error;
    }
  }
  throw last;
}

/** Reads the answer of GET /debug/flights; throws DaemonError. */
function parseFlightsReport(answer: unknown): FlightsReport {
  const fields = readJsonFields(answer);
  return {
    self: fields.text('self'),
    maxHoldMs: fields.number('maxHoldMs'),
    downloads: fields.objects('downloads').map(parseDownload),
    flights: fields.objects('flights').map((flight) => ({
      digest: flight.text('digest'),
      nodes: flight.objects('nodes').map((node) => ({
        id: node.text('id'),
        addresses: node.texts('addresses'),
        parent: node.optionalText('parent'),
        role: node.text('role'),
        hasBegun: node.flag('hasBegun'),
        depth: node.number('depth'),
        children: node.number('children'),
      })),
    })),
    towers: fields.optionalObjects('towers')?.map(parsePeer),
  };
}

function parsePeer(peer: JsonFields): Peer {
  return { id: peer.text('id'), addresses: peer.texts('addresses') };
}

function parseDownload(download: JsonFields): FlightDownloadReport {
  const parent = download.optionalObject('parent');
  return {
    digest: download.text('digest'),
    registry: download.optionalText('registry'),
    repository: download.optionalText('repository'),
    role: download.text('role'),
    parent: parent && parsePeer(parent),
    writtenBytes: download.number('writtenBytes'),
    sizeBytes: download.optionalNumber('sizeBytes'),
    readers: download.number('readers'),
    isStuck: download.flag('isStuck'),
    towers: download.objects('towers').map(parsePeer),
  };
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
