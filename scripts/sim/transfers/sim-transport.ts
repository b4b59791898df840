import {
  type PeerAnswer,
  type PeerRequest,
  PeerRequestError,
  type PeerRequestErrorCode,
  type PeerRequestLimits,
  type TransportClient,
} from '../../../src/http/transport.ts';
import { parseRange } from '../../../src/oci/byte-range.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import { VERIFY_HEADER } from '../../../src/transfer/peer-requests.ts';
import type { Random } from '../random.ts';
import type { TransferContent } from './sim-contents.ts';
import { answerWithContent, type SimAnswer, type SimPeer } from './sim-peers.ts';
import { msUntilEnd, type OpenSources } from './sim-source.ts';

/** What the transport of the node needs. */
export interface SimTransportDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly sources: OpenSources;
  /** The peer at an address; undefined: no machine is there. */
  readonly peerAt: (host: string) => SimPeer | undefined;
  readonly contentOf: (reference: string) => TransferContent | undefined;
  /** Told of each request for content: the name of the registry in it, and the address. */
  readonly onAsked: (registry: string, host: string) => void;
}

/** The part of a transport that createTransfer() takes. */
export type TransferTransport = Pick<
  TransportClient,
  'createRelay' | 'openFile' | 'openGrowingFile' | 'openBytes' | 'request' | 'readBody' | 'requestSmall'
>;

/** Where the addresses of peers that do not exist begin: there connections are refused. */
export const INVENTED_HOSTS = '10.1';
const LONGEST_ROUND_TRIP_MS = 3;
const LONGER_THAN_ANY_REQUEST_MS = 600_000;

/** Makes the transport of the node to its peers. `pending`: requests that have not been answered. */
export function createSimTransport({
  clock,
  random,
  sources,
  peerAt,
  contentOf,
  onAsked,
}: SimTransportDeps): TransferTransport & { readonly pending: number } {
  let pending = 0;
  const wait = async (ms: number, signal: AbortSignal) =>
    clock.sleep(ms, signal).catch(() => fail('CANCELLED'));

  const ask = async (
    { method, host, path, headers }: PeerRequest,
    { connectTimeoutMs, headTimeoutMs, signal }: PeerRequestLimits,
  ): Promise<SimAnswer> => {
    const url = new URL(path, 'http://peer');
    const registry = url.searchParams.get('ns');
    if (registry !== null) onAsked(registry, host);
    if (signal.aborted) fail('CANCELLED');
    const peer = peerAt(host);
    const faults = peer?.faultsAt(clock.nowMs()) ?? new Set();
    if (peer === undefined && host.startsWith(INVENTED_HOSTS)) fail('CONNECT_FAILED');
    if (peer === undefined || faults.has('dead-machine')) {
      await wait(connectTimeoutMs, signal);
      fail('CONNECT_TIMEOUT');
    }
    await wait(random.next() * LONGEST_ROUND_TRIP_MS, signal);
    if (faults.has('dead')) fail('CONNECT_FAILED');
    if (faults.has('silent')) {
      await wait(headTimeoutMs, signal);
      fail('HEAD_TIMEOUT');
    }
    await wait(random.next() * LONGEST_ROUND_TRIP_MS, signal);
    if (faults.has('hangs-up')) fail('CONNECTION_LOST');
    if (faults.has('garbage')) fail('INVALID_RESPONSE');
    const content = contentOf(url.pathname.split('/').at(-1) ?? '');
    if (content !== undefined && headers[VERIFY_HEADER] === '1') {
      peer.toldToVerify(content.digest, faults.has('wrong-bytes') && peer.hasWrong(content));
    }
    const only = (status: number) => ({ status, headers: {}, body: undefined });
    if (faults.has('error')) return only(500);
    if (faults.has('busy')) return only(random.pick([429, 503]));
    if (faults.has('absent') || content === undefined || !peer.has(content)) return only(404);
    const asked = {
      content,
      spec: parseRange(headers['range']),
      isHead: method === 'HEAD',
      host,
      nowMs: clock.nowMs(),
    };
    return answerWithContent(peer, asked, random);
  };

  const request = async (peerRequest: PeerRequest, limits: PeerRequestLimits): Promise<PeerAnswer> => {
    pending++;
    try {
      const { status, headers, body } = await ask(peerRequest, limits);
      return { status, header: (name) => headers[name], body: body && sources.ofBody(body) };
    } finally {
      pending--;
    }
  };

  const readBody: TransferTransport['readBody'] = async (given, { maxBytes, signal }) => {
    const source = sources.take(given);
    try {
      if (source.sizeBytes > maxBytes) fail('TOO_LARGE');
      if (source.kind === 'memory') return source.bytes;
      const { body } = source;
      if (body.end === 'stall') await wait(LONGER_THAN_ANY_REQUEST_MS, signal);
      await wait(msUntilEnd(body, clock.nowMs()), signal);
      if (body.end !== 'complete') fail('CONNECTION_LOST');
      return body.bytes;
    } finally {
      source.close();
    }
  };

  return {
    get pending() {
      return pending;
    },
    request,
    readBody,
    async requestSmall(peerRequest, { maxBytes, ...limits }) {
      const answer = await request(peerRequest, limits);
      const { status, body } = answer;
      const hasBody = status >= 200 && status < 300 && peerRequest.method !== 'HEAD';
      if (hasBody && body === undefined) fail('INVALID_RESPONSE');
      const bytes =
        body === undefined ? new Uint8Array() : await readBody(body, { maxBytes, signal: limits.signal });
      return { status, header: (name) => answer.header(name), bytes };
    },
    openBytes: (bytes) => sources.ofMemory(bytes),
    createRelay: () => ({ has: () => false, endOf: (byte) => byte, subscribe: () => () => {} }),
    openFile: async () => {
      throw new Error('The node has nothing in its store that it is asked for');
    },
    openGrowingFile: async () => {
      throw new Error('No node follows what this node downloads');
    },
  };
}

function fail(code: PeerRequestErrorCode): never {
  throw new PeerRequestError(code, `simulated ${code}`);
}
