import { isIP } from 'node:net';
import type { TransportClient, BodySource, PeerAnswer, PeerRequest, PeerRequestLimits } from './transport.ts';
import { PeerRequestError } from './transport.ts';
import { createBytesSource } from './bytes-source.ts';
import { createChunkPool } from './chunk-pool.ts';
import { openFileSource, openGrowingFileSource } from './file-source.ts';
import { MIN_FILE_CHUNK_BYTES } from './limits.ts';
import { asMemoryRelay, createMemoryRelay, createRelayMemory } from './memory-relay.ts';
import { connectPeer, type PeerConnection } from './peer-connection.ts';
import { createPeerReachability } from './peer-reachability.ts';
import { createPeerConnectionPool } from './peer-connection-pool.ts';
import { exchangeWithPeer, formatPeerRequest, NoAnswerError } from './peer-exchange.ts';
import { takeBody } from './take-body.ts';
import type { MemoryRoom } from '../runtime/memory/memory-room.ts';
import { readSmallBody, readWholeBody } from './read-small-body.ts';
import { createReceiveBudget } from './receive-budget.ts';

const SECOND_MS = 1000;
const KIB = 1024;
const MIB = 1024 * KIB;
/** Memory for reading files, shared by all bodies, in bytes, where the daemon's plan says nothing else. */
const FILE_BUFFER_BUDGET_BYTES = 8 * MIB;
/** Largest read of a file: above 1 MiB the throughput of one reader does not grow. */
const MAX_FILE_CHUNK_BYTES = 1 * MIB;
/** How long buffers are kept that no body uses. */
const FILE_BUFFER_KEEP_MS = 5 * SECOND_MS;
/**
 * Memory for the kernel's buffers of what peers send that are larger than the smallest, shared by all bodies, in bytes of payload (the
 * kernel counts twice as much). It bounds what slow readers cost, and how far ahead of its client a body is fetched.
 */
const PEER_RECEIVE_BUDGET_BYTES = 3 * MIB;
/** Largest such buffer: 512 MB/s at 1 ms round trip. */
const MAX_PEER_RECEIVE_BUFFER_BYTES = 512 * KIB;
/**
 * A body's buffer has the smallest size until so many bytes have come: what clients leave early, or do not read, is little
 * then.
 */
const PEER_RECEIVE_GROWS_AFTER_BYTES = 256 * KIB;
/** Bodies that are relayed to others at once, with 2 MiB each: as many layers as containerd takes at a time. */
const MAX_RELAYS = 3;
/** Smallest such buffer: 64 MB/s at 1 ms round trip, when 33 bodies or more share the link. */
const MIN_PEER_RECEIVE_BUFFER_BYTES = 64 * KIB;

/** A peer that takes no connection in so long is gone; the same as for a connection on which a peer is asked first. */
const REACHED_WITHIN_MS = 200;
/** Never aborts: the connection has its time limit. */
const NEVER = new AbortController().signal;

/** Limits of createBufferedClient. */
export interface BufferedClientOptions {
  /** Memory for reading files, shared by all moves, in bytes. */
  readonly fileBufferBudgetBytes?: number | undefined;
  /** How long an idle connection to a peer is kept. */
  readonly idleTimeoutMs?: number | undefined;
  /** What a peer sends is lent to the kernel when so many bytes of it have come: a client that does not read never gets that far. */
  readonly lendsFromBytes?: number | undefined;
  /** A peer without an answer on a kept connection after so long is tried on another one, see createPeerReachability. Default 50 ms. */
  readonly lateMs?: number | undefined;
  /** How much of the memory may be used just now. Default all of it. */
  readonly room?: MemoryRoom | undefined;
}

/** The client half of the buffered transport: reads into memory. Its sources are moved by the responses of createHttpServer. */
export function createBufferedClient({
  fileBufferBudgetBytes = FILE_BUFFER_BUDGET_BYTES,
  idleTimeoutMs,
  lendsFromBytes = PEER_RECEIVE_GROWS_AFTER_BYTES,
  lateMs,
  room,
}: BufferedClientOptions = {}): TransportClient {
  const pool = createPeerConnectionPool({ idleTimeoutMs });
  const chunks = createChunkPool({
    totalBytes: fileBufferBudgetBytes,
    minChunkBytes: MIN_FILE_CHUNK_BYTES,
    maxChunkBytes: MAX_FILE_CHUNK_BYTES,
    keepMs: FILE_BUFFER_KEEP_MS,
    room,
  });
  const receiveBudget = createReceiveBudget({
    totalBytes: PEER_RECEIVE_BUDGET_BYTES,
    minBytes: MIN_PEER_RECEIVE_BUFFER_BYTES,
    maxBytes: MAX_PEER_RECEIVE_BUFFER_BYTES,
  });
  const reachability = createPeerReachability({
    lateMs,
    async connect(peer) {
      const [host = '', port = ''] = peer.split(' ');
      return connectPeer(host, Number(port), { timeoutMs: REACHED_WITHIN_MS, signal: NEVER });
    },
    nowMs: () => performance.now(),
  });
  const relayMemory = createRelayMemory(MAX_RELAYS);
  let closed = false;

  const request = async (peerRequest: PeerRequest, limits: PeerRequestLimits): Promise<PeerAnswer> => {
    const { method, host, port } = peerRequest;
    if (isIP(host) === 0) throw new TypeError(`Cannot ask peer ${JSON.stringify(host)}: not an IP address`);
    const text = formatPeerRequest(peerRequest);
    if (closed) throw new PeerRequestError('CANCELLED', 'The transport is closed');

    const { connectTimeoutMs, headTimeoutMs: timeoutMs, signal, aheadBytes, onReached } = limits;
    const peer = `${host} ${port}`;
    // Those with room for what comes ahead are kept apart.
    const kept = aheadBytes === undefined ? peer : `${peer} ahead`;
    const ask = async (connection: PeerConnection): Promise<PeerAnswer> => {
      // What comes ahead is counted by the caller.
      const share = aheadBytes === undefined ? receiveBudget.take() : undefined;
      const receiveBytes = (receivedBytes: number) => {
        if (receivedBytes >= PEER_RECEIVE_GROWS_AFTER_BYTES) share?.grow();
        return share?.bytes ?? aheadBytes ?? 0;
      };
      if (aheadBytes !== undefined) connection.stretchReceiveBuffer(aheadBytes);
      const onReusable = (done: PeerConnection) => {
        // Its peer may fill the room that it was offered, whatever the next body is to have.
        if (share !== undefined && share.bytes > MIN_PEER_RECEIVE_BUFFER_BYTES) done.destroy();
        else pool.put(kept, done);
      };
      let body: BodySource | undefined;
      try {
        return await exchangeWithPeer(connection, text, {
          timeoutMs,
          signal,
          onHead: (head, first): PeerAnswer => {
            body = takeBody({
              head,
              first,
              connection,
              bodyless: method === 'HEAD',
              onReusable,
              receiveBytes,
              onClosed: () => share?.release(),
              lendsFromBytes: aheadBytes === undefined ? lendsFromBytes : 0,
            });
            return { status: head.status, header: (name) => head.headers.get(name), body };
          },
        });
      } finally {
        if (body === undefined) share?.release();
      }
    };
    const idle = pool.take(kept);
    if (idle !== undefined) {
      try {
        return await reachability.whileReachable(ask(idle), { name: peer, connection: idle, onReached });
      } catch (error) {
        // The peer may have closed the idle connection a moment ago: that is no failure of its, a new one is tried.
        if (!(error instanceof NoAnswerError)) throw error;
      }
    }
    const connection = await connectPeer(host, port, { timeoutMs: connectTimeoutMs, signal });
    onReached?.();
    // One that is used again has this size: see onReusable.
    if (aheadBytes === undefined) connection.boundReceiveBuffer(MIN_PEER_RECEIVE_BUFFER_BYTES);
    return ask(connection);
  };

  return {
    openFile: (path, range) => openFileSource(path, range, chunks),
    openGrowingFile: (path, range, growth, relay) =>
      openGrowingFileSource({ path, range, growth, relay: relay && asMemoryRelay(relay) }, chunks),
    createRelay: () => createMemoryRelay(relayMemory),
    openBytes: createBytesSource,
    readBody: readWholeBody,
    request,
    async requestSmall(peerRequest, { maxBytes, admit, ...limits }) {
      const answer = await request(peerRequest, limits);
      const { body } = answer;
      if (body !== undefined && body.sizeBytes <= maxBytes && (await admit?.(body.sizeBytes)) === false) {
        body.close();
        throw new PeerRequestError(
          'TOO_LARGE',
          `There is no room for an answer of ${body.sizeBytes} bytes now`,
        );
      }
      const bytes = await readSmallBody(peerRequest, answer, maxBytes, limits.signal);
      return { status: answer.status, header: (name) => answer.header(name), bytes };
    },
    async close() {
      closed = true;
      pool.close();
    },
  };
}
