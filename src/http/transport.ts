import type { ByteRange } from '../oci/byte-range.ts';
import type { HttpServer, HttpServerOptions } from './http-server.ts';

/*
 * Deciding and moving are apart: src/transfer decides where the bytes of a body come from, an implementation of
 * this contract moves them. No bytes and no streams in these types, so that the same decisions run over buffered
 * streams, over sendfile and splice, and in a simulation. Every implementation passes transport.conformance.ts.
 */

/** Bytes that are ready to be moved, once. Opened by a transport, only understood by that transport. */
export interface BodySource {
  /** How many bytes the source promised: the file range's length, or the peer's Content-Length. */
  readonly sizeBytes: number;
  /** How many of the bytes that were not moved have come, and can be moved at once; undefined where that is not known. */
  readonly arrivedBytes?: number | undefined;
  /** Gives up the descriptor or connection behind it. Needed when it is not moved; a move closes its source however it ends. Harmless otherwise. */
  close(): void;
}

/** A request to another node. */
export interface PeerRequest {
  /** None has a body. */
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** IP address, IPv6 without brackets; a name is a TypeError. */
  readonly host: string;
  readonly port: number;
  /** Path and query, as sent; what would not arrive as it is (spaces, control characters) is a TypeError. */
  readonly path: string;
  /** Host, Connection, Accept-Encoding (identity) and the like are the transport's: given here they are ignored. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How long the parts of a peer request may take. */
export interface PeerRequestLimits {
  /** Until the connection is up. */
  readonly connectTimeoutMs: number;
  /** From then until the whole response head is there. */
  readonly headTimeoutMs: number;
  /** Gives the request up. Has no effect on the body once the answer is there. */
  readonly signal: AbortSignal;
  /**
   * So much of the body may come before it is moved, and waits in the kernel, which takes up to twice as much memory for it.
   * The caller counts that memory. Default: as much as the transport has room for, and little until the body is moved.
   */
  readonly aheadBytes?: number | undefined;
  /**
   * Told when the peer, which has not answered yet, is known to be there: it has taken a connection. May be told twice; never for
   * a peer that answers at once on a connection that was kept. Must not throw.
   */
  readonly onReached?: (() => void) | undefined;
}

/** How long the parts of a small peer request may take, and how much it may bring. */
export interface SmallRequestLimits extends PeerRequestLimits {
  readonly maxBytes: number;
  /** Asked with the body's size before it is read: whether there is room for it. If not, that is TOO_LARGE. */
  readonly admit?: ((sizeBytes: number) => Promise<boolean>) | undefined;
}

/** The head of a peer's answer. Its body has not been read. */
export interface PeerAnswer {
  readonly status: number;
  /** A response header by its lower-case name; undefined if absent. Several values are joined by ", ". */
  header(name: string): string | undefined;
  /** The body. An answer without a valid Content-Length, with a transfer coding or a content coding has none that can be moved: then undefined, and the connection is closed. Also undefined for HEAD, 204 and 304. */
  readonly body: BodySource | undefined;
}

/** Why a peer did not answer. */
export type PeerRequestErrorCode =
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  | 'HEAD_TIMEOUT'
  | 'CONNECTION_LOST'
  | 'INVALID_RESPONSE'
  | 'CANCELLED'
  | 'TOO_LARGE';

/** A peer request that got no usable answer; `cause` has the transport's error. */
export class PeerRequestError extends Error {
  override readonly name = 'PeerRequestError';
  readonly code: PeerRequestErrorCode;

  constructor(code: PeerRequestErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A peer's answer with its small body read. */
export interface SmallPeerAnswer {
  readonly status: number;
  header(name: string): string | undefined;
  readonly bytes: Uint8Array;
}

/** How far a move has come, and how much of its time was the source's. */
export interface MoveProgress {
  readonly movedBytes: number;
  /** For how long the client would have taken bytes and the source gave none, in ms. Grows while the source is waited for. */
  readonly waitedMs: number;
}

/** Decides whether a source gives too little, or nothing for too long. */
export interface PaceJudge {
  /** How often it is asked while bytes are moved, in ms. */
  readonly everyMs: number;
  /** A reason breaks the source with it, at the byte where it is. Must not throw. */
  judge(progress: MoveProgress): 'slow' | 'stalled' | undefined;
}

/** Limits of one move. */
export interface MoveOptions {
  /** The source is broken ("stalled") if it gives no byte for this long while the client would take some. Time spent waiting for the client does not count. */
  readonly stallTimeoutMs: number;
  /** Judges the source's pace within that; without it, a source may be as slow as it likes as long as it does not stall. */
  readonly pace?: PaceJudge | undefined;
  /** Stops the move at the byte where it is. The response stays open for another source. Not needed for a client that is gone. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes moved so far by this move, at most once per chunk. Must not throw. */
  readonly onProgress?: ((movedBytes: number) => void) | undefined;
  /** Gives what is moved to those who follow the relay, too. `fromByte`: where the source begins in the whole. */
  readonly relayed?: { readonly relay: BodyRelay; readonly fromByte: number } | undefined;
}

/** Why a source broke. */
export type BrokenReason = 'stalled' | 'slow' | 'ended-early' | 'connection-lost' | 'read-failed';

/** How a move ended. `movedBytes` were handed to the client's connection, in order, and will not be taken back. */
export type MoveEnd =
  /** All of the source's bytes were moved. If the response is full by that, it has been ended cleanly and flushed. */
  | { readonly how: 'complete'; readonly movedBytes: number }
  | {
      readonly how: 'source-broken';
      readonly movedBytes: number;
      readonly reason: BrokenReason;
      readonly cause?: unknown;
    }
  | { readonly how: 'client-gone'; readonly movedBytes: number }
  | { readonly how: 'cancelled'; readonly movedBytes: number };

/** Status and headers of a response whose body will be moved. */
export interface ResponseHead {
  readonly status: 200 | 206;
  /** Without Content-Length. */
  readonly headers: Readonly<Record<string, string>>;
  /** Exactly this many body bytes are owed to the client. Always sent as Content-Length, never chunked. */
  readonly contentLength: number;
}

/** The response to one request of one client. */
export interface ClientResponse {
  /** The client's IP address, as the connection has it. */
  readonly remoteAddress: string;
  /** For how long the client has taken no byte although there were some, in ms; 0 while it takes what comes. */
  readonly stalledMs: number;
  /** Aborts when the client's connection is gone before its response was complete. */
  readonly gone: AbortSignal;
  /** True once begin() was called. */
  readonly begun: boolean;
  /** Body bytes moved so far by all moves. */
  readonly movedBytes: number;
  /**
   * Limits what the connection gives to the client from now on, in bytes per second, for later responses on it, too;
   * undefined lifts that. The kernel sees to it, whichever way the bytes come; where it cannot, and with TLS, nothing is limited.
   * What is sent already, or shortly before, may be faster. Harmless after the end.
   */
  limitRate(bytesPerSecond: number | undefined): void;
  /** Sets the head, once; it may be sent together with the first bytes. Throws if called twice, and after the handler has returned. A response of zero bytes, and one to a HEAD, is complete by this. */
  begin(head: ResponseHead): void;
  /**
   * Moves the source's bytes to the client, never faster than it reads. One move at a time, after begin().
   * A source of more bytes than the response still owes is a RangeError (the source is closed).
   * Never rejects otherwise: failures are ends.
   */
  move(source: BodySource, options: MoveOptions): Promise<MoveEnd>;
  /** Moves bytes from memory, which must not change meanwhile; like move() otherwise. */
  moveBytes(bytes: Uint8Array): Promise<MoveEnd>;
  /**
   * Ends a response that is short of bytes so that the client can tell: what was moved is flushed, then FIN, with
   * Content-Length still owing. Never a RST, never a clean end (containerd resumes after the first and
   * fails the pull after the second). Harmless if the response is complete or the client gone. A move that is under way,
   * or is begun later, ends as if the client were gone: `gone` aborts.
   */
  breakOff(): void;
}

/** How far a file has been written that still grows. */
export interface FileGrowth {
  /** Bytes that are there, from the start of the file. Never less than before. */
  readonly writtenBytes: number;
  /** True when nothing more will be written: what is missing then never comes. */
  readonly isOver: boolean;
  /** Calls the listener at each change of the above. Returns what ends that. */
  subscribe(listener: () => void): () => void;
}

/**
 * The last bytes that were moved to the program which writes a growing file, for those who follow that file: they need not
 * wait until that program has written them. Made by a transport, only used with that transport. Without followers it costs nothing.
 */
export interface BodyRelay {
  /** True while it has that byte of the whole. */
  has(byte: number): boolean;
  /** The byte behind the last that follows on this byte; the byte itself if it does not have it. */
  endOf(byte: number): number;
  /** Calls the listener now and then while bytes come, and at the end of each move. Returns what ends that. */
  subscribe(listener: () => void): () => void;
}

/** What the kernel moves for a transport. */
export interface KernelFigures {
  /** It can be used. */
  readonly isOn: boolean;
  /** Bytes that it moved to clients since the start. */
  readonly movedBytes: number;
}

/**
 * Serves clients, asks peers and opens sources. The responses to its clients move the sources that it opened itself, and no
 * others. Every implementation passes transport.conformance.ts.
 */
export interface Transport {
  /** Listens and answers. Rejects if the address is malformed (TypeError) or cannot be had. */
  serve(options: HttpServerOptions): Promise<HttpServer>;
  /** How much of what was moved to clients stayed in the kernel. */
  kernelFigures(): KernelFigures;
  /**
   * Opens a range of a file; rejects with the file system's error (code ENOENT if it is gone), with RangeError if
   * the file is shorter than the range. `{start: n, end: n - 1}` is no bytes: the whole of an empty file.
   */
  openFile(path: string, range: ByteRange): Promise<BodySource>;
  /**
   * Opens a range of a file that is still being written; the range may end beyond what is written. Rejects as openFile()
   * does, but with RangeError if the range starts beyond `growth.writtenBytes`; a range that starts there waits.
   * Bytes beyond `growth.writtenBytes` are not read, even if the file has them. While more is waited for, the move waits
   * for its source, and no memory is held. The file may be renamed or deleted meanwhile. The source breaks with
   * "ended-early" where the bytes end if growth is over before, and with "read-failed" if the file has fewer bytes
   * than `growth.writtenBytes`. Closing the source ends its subscription. Bytes that the relay has are taken from there,
   * whether they are written or not.
   */
  openGrowingFile(path: string, range: ByteRange, growth: FileGrowth, relay?: BodyRelay): Promise<BodySource>;
  /** A relay that has nothing. */
  createRelay(): BodyRelay;
  /** Bytes in memory as a source. They must not change until its move has ended. */
  openBytes(bytes: Uint8Array): BodySource;
  /**
   * Reads a body that request() gave into memory and closes it. Rejects with PeerRequestError: TOO_LARGE above maxBytes,
   * CANCELLED when the signal aborts while more is waited for, CONNECTION_LOST if it breaks. The signal is only read then: what
   * has come with the head needs none.
   */
  readBody(
    body: BodySource,
    limits: { readonly maxBytes: number; readonly signal: AbortSignal },
  ): Promise<Uint8Array>;
  /** Sends a request and resolves at the answer's head; rejects with PeerRequestError. */
  request(request: PeerRequest, limits: PeerRequestLimits): Promise<PeerAnswer>;
  /**
   * Sends a request and reads the whole body, at most maxBytes (PeerRequestError TOO_LARGE) and, once the head is
   * there, until the signal aborts. A body that request() could not give is INVALID_RESPONSE with a 2xx, empty with another status.
   */
  requestSmall(request: PeerRequest, limits: SmallRequestLimits): Promise<SmallPeerAnswer>;
  /** Closes idle connections, refuses further requests, and stops moves that still run. Listeners are closed before, each by itself. */
  close(): Promise<void>;
}

/** A transport without its listeners, for what decides where the bytes of a body come from. */
export type TransportClient = Omit<Transport, 'serve' | 'kernelFigures'>;
