import {
  type FlightDownloadReport,
  FLIGHTS_PATH,
  flightsQuery,
  type FlightsReport,
  type FlightTreeReport,
} from '../routing/flights-report.ts';
import type { Peer } from '../routing/router.ts';
import { canonicalIp } from '../runtime/ip-address.ts';
import { askDaemon } from './daemon-client.ts';
import { DaemonError } from './daemon-error.ts';
import { parseEndpoint } from './endpoint.ts';
import { type JsonFields, readJsonFields } from './json-fields.ts';

/** A tree, and the node that keeps it. */
export interface SeenFlight extends FlightTreeReport {
  readonly tower: Peer;
}

/** A digest whose towers could not be asked, and why. */
export interface UnknownFlight {
  readonly digest: string;
  readonly reasons: readonly string[];
}

/** Another node that does not answer must not keep a person waiting: there is a second tower. */
const TOWER_TIMEOUT_MS = 2000;

/** Where all nodes have the content, it is kept for a minute, and brings nothing to anybody any more. */
export function isUnderWay({ nodes }: FlightTreeReport): boolean {
  return nodes.some(({ role }) => role !== 'holder');
}

/** A digest and its towers. */
export type Towered = Pick<FlightDownloadReport, 'digest' | 'towers'>;

/** Asks a running spegel for what it knows of flights, of one digest if that is given. Throws DaemonError. */
export async function askForFlights(
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
export async function askTowers(
  addr: string,
  own: FlightsReport,
  { digest, towers }: Towered,
): Promise<SeenFlight | UnknownFlight> {
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
