import {
  type TransportClient,
  type BodySource,
  type BrokenReason,
  type ClientResponse,
  PeerRequestError,
  type PeerRequestErrorCode,
  type ResponseHead,
} from '../../http/transport.ts';
import {
  formatContentRange,
  formatUnsatisfiedRange,
  parseRange,
  rangeLength,
  resolveRange,
} from '../../oci/byte-range.ts';
import type { FlightSeat } from '../../flights/flight-seat.ts';
import type { Flights } from '../../flights/flights.ts';
import { digestOf } from '../../oci/digest.ts';
import { silentLogger } from '../../observe/log.ts';
import type { Router } from '../../routing/router.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { aborted } from '../../runtime/abortable.ts';
import { createTransfer } from '../transfer.ts';

/** How a scripted peer behaves when it is asked for the blob. */
export interface PeerScript {
  /** The request fails like this, without an answer. */
  readonly fails?: PeerRequestErrorCode;
  /** Its small answers never come to their end. */
  readonly drips?: boolean;
  /** Answers this status and no body. */
  readonly status?: number;
  /** The body breaks after this many of the answer's bytes. */
  readonly breaksAfter?: number;
  readonly breaks?: BrokenReason;
  /** Answers this to a probe. Default 200. */
  readonly probeStatus?: number;
  /** Overrides headers of the answer. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Says this Content-Length instead of the true one. */
  readonly lengthSaid?: number;
  /** The bytes it has, if other than the blob. */
  readonly bytes?: Uint8Array;
}

interface ScriptedSource extends BodySource {
  readonly bytes: Uint8Array;
  readonly breaks: BrokenReason | undefined;
}

/** Peers p1, p2, … at 10.0.0.1, 10.0.0.2, …, found by a lookup in this order. No sockets, no waiting. */
export function createScriptedCluster(
  blob: Uint8Array,
  scripts: readonly PeerScript[],
  {
    authorization,
    wholeBytes = 0,
    clock = systemClock,
    flights,
    answerMs = 0,
    resolveRetries = 3,
    zone,
  }: {
    readonly authorization?: string;
    readonly wholeBytes?: number;
    readonly clock?: Clock;
    readonly flights?: Flights;
    /** How long a peer takes to answer a request for a blob, in ms. */
    readonly answerMs?: number;
    readonly resolveRetries?: number;
    /** Where the node that asks is. */
    readonly zone?: string;
  } = {},
) {
  const digest = digestOf(blob);
  const peers = scripts.map((script, index) => ({
    id: `p${index + 1}`,
    addresses: [`10.0.0.${index + 1}`],
    script,
  }));
  const asked: string[] = [];
  /** Peers that were asked whether they are there. */
  const probed: string[] = [];
  const closed: string[] = [];
  const results: string[] = [];
  /** Bytes that a flight brought. */
  const flown: string[] = [];
  /** Bytes by the zone of the peer that gave them. */
  const zoned: string[] = [];

  const source = (
    origin: string,
    bytes: Uint8Array,
    sizeBytes: number,
    breaks?: BrokenReason,
  ): ScriptedSource => ({
    sizeBytes,
    bytes,
    breaks,
    close: () => void closed.push(origin),
  });

  const answerOf = (host: string, headers: Readonly<Record<string, string>>, isHead: boolean) => {
    const peer = peers.find(({ addresses }) => addresses.includes(host));
    if (peer === undefined) throw new PeerRequestError('CONNECT_FAILED', `nobody listens at ${host}`);
    asked.push(`${peer.id} ${headers['range'] ?? 'all'}`);
    const { script } = peer;
    if (headers['authorization'] !== authorization) throw new Error('asked without the credentials');
    if (script.fails !== undefined) throw new PeerRequestError(script.fails, `scripted ${script.fails}`);
    const all = script.bytes ?? blob;
    const spec = parseRange(headers['range']);
    const range = spec === undefined ? { start: 0, end: all.length - 1 } : resolveRange(spec, all.length);
    const status = script.status ?? (range === undefined ? 416 : spec === undefined ? 200 : 206);
    if (range === undefined || status >= 400) {
      const header = (name: string) =>
        name === 'content-range' ? (script.headers?.[name] ?? formatUnsatisfiedRange(all.length)) : undefined;
      return { status, header, body: undefined, bytes: all, drips: script.drips };
    }
    const part = all.subarray(range.start, range.end + 1);
    const given = part.subarray(0, script.breaksAfter ?? part.length);
    const said = script.lengthSaid ?? rangeLength(range);
    const sent: Readonly<Record<string, string | undefined>> = {
      'content-length': String(said),
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      ...(spec === undefined ? {} : { 'content-range': formatContentRange(range, all.length) }),
      ...script.headers,
    };
    const breaks = given.length < said ? (script.breaks ?? 'ended-early') : undefined;
    const body = isHead ? undefined : source(host, given, said, breaks);
    return { status, header: (name: string) => sent[name], body, bytes: all, drips: script.drips };
  };

  const transport: Pick<
    TransportClient,
    'createRelay' | 'openFile' | 'openGrowingFile' | 'openBytes' | 'request' | 'readBody' | 'requestSmall'
  > = {
    openFile: async (path, range) => {
      if (path === 'gone') throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      const part = blob.subarray(range.start, range.end + 1);
      // A path such as `breaks:100` is a file that cannot be read past that byte.
      const limit = path.startsWith('breaks:') ? Number(path.slice('breaks:'.length)) : part.length;
      const given = part.subarray(0, limit);
      return source('file', given, part.length, given.length < part.length ? 'read-failed' : undefined);
    },
    openGrowingFile: async () => {
      throw new Error('Nothing is downloaded here');
    },
    createRelay: () => ({ has: () => false, endOf: (byte) => byte, subscribe: () => () => {} }),
    openBytes: (bytes) => source('memory', bytes, bytes.length),
    readBody: async (body) => {
      const { bytes, breaks } = body as ScriptedSource;
      if (breaks !== undefined) throw new PeerRequestError('CONNECTION_LOST', `scripted ${breaks}`);
      return bytes;
    },
    async request({ host, headers, method, path }) {
      if (path === '/v2/') {
        const { script, id } = peers.find(({ addresses }) => addresses.includes(host)) ?? {};
        probed.push(id ?? host);
        if (script?.fails !== undefined) throw new PeerRequestError(script.fails, 'scripted');
        return { status: script?.probeStatus ?? 200, header: () => undefined, body: undefined };
      }
      if (answerMs > 0) await clock.sleep(answerMs);
      return answerOf(host, headers, method === 'HEAD');
    },
    requestSmall: async ({ host, headers }, { signal, admit }) => {
      const answer = answerOf(host, headers, false);
      if (answer.body !== undefined && (await admit?.(answer.body.sizeBytes)) === false) {
        throw new PeerRequestError('TOO_LARGE', 'There is no room for it');
      }
      if (answer.drips !== true) return answer;
      await aborted(signal);
      throw new PeerRequestError('CANCELLED', 'scripted drip');
    },
  };

  const router: Pick<Router, 'lookup' | 'isUnsettled'> = {
    isUnsettled: () => false,
    async *lookup(_key, { limit }) {
      yield* peers.slice(0, limit);
    },
  };

  const transfer = createTransfer(
    {
      transport,
      router,
      flights,
      clock,
      logger: silentLogger,
      random: () => 0,
      observer: {
        peerAsked: (result) => void results.push(result),
        bytesMoved: () => {},
        flightBytesMoved: (source, bytes) => void flown.push(`${source} ${bytes}`),
        zoneBytesMoved: (from, bytes) => void zoned.push(`${from} ${bytes}`),
        lookupEnded: () => {},
      },
    },
    {
      registryPort: 5000,
      resolveTimeoutMs: 1000,
      resolveRetries,
      flightsMaxHoldMs: 25_000,
      authorization,
      wholeBytes,
      zone,
    },
  );
  return { digest, transfer, asked, probed, closed, results, flown, zoned };
}

/** A client that keeps what it gets. It leaves after `leavesAfter` bytes, if that is given. */
export function createScriptedClient(leavesAfter = Number.POSITIVE_INFINITY) {
  const gone = new AbortController();
  const received: Uint8Array[] = [];
  let head: ResponseHead | undefined;
  let movedBytes = 0;
  let brokenOff = false;
  const client: ClientResponse = {
    gone: gone.signal,
    remoteAddress: '127.0.0.1',
    stalledMs: 0,
    limitRate() {},
    get begun() {
      return head !== undefined;
    },
    get movedBytes() {
      return movedBytes;
    },
    begin(given) {
      if (head !== undefined) throw new Error('begun twice');
      head = given;
    },
    async move(source) {
      const { bytes, breaks } = source as ScriptedSource;
      const taken = bytes.subarray(0, Math.max(0, leavesAfter - movedBytes));
      received.push(taken);
      movedBytes += taken.length;
      if (taken.length < bytes.length) {
        gone.abort();
        return { how: 'client-gone', movedBytes: taken.length };
      }
      if (breaks !== undefined) return { how: 'source-broken', movedBytes: taken.length, reason: breaks };
      return { how: 'complete', movedBytes: taken.length };
    },
    async moveBytes(bytes) {
      received.push(bytes);
      movedBytes += bytes.length;
      return { how: 'complete', movedBytes: bytes.length };
    },
    breakOff() {
      brokenOff = true;
    },
  };
  return {
    client,
    head: () => head,
    body: () => Buffer.concat(received),
    brokenOff: () => brokenOff,
  };
}

/** Flights whose tower says this each time that it is asked. */
export function createScriptedFlights(next: FlightSeat['next']): Flights {
  return {
    seat: () => ({ next, bad() {}, gone() {}, full() {}, lags: async () => false }),
    asks: () => ({ [Symbol.dispose]() {} }),
    taken() {},
    left() {},
    lost() {},
    follow: () => undefined,
    onChange: () => () => {},
    isUrgent: () => false,
    leads: () => false,
    mayComeBack: () => false,
    isGivenUp: () => false,
    isMoving: () => false,
    report: () => ({ downloads: [], flights: [] }),
    count: () => ({ root: 0, child: 0 }),
    run: async () => {},
  };
}
