import type { ClientResponse, MoveEnd, MoveOptions, ResponseHead } from '../transport.ts';
import { createBytesSource } from '../bytes-source.ts';
import { asBufferedSource, type BufferedSource } from '../buffered-source.ts';
import type { KernelHandOver } from './kernel-hand-over.ts';
import { moveSource, type MoveTarget } from './move-source.ts';
import { formatResponseHead } from './response-head.ts';
import type { ResponseWriter } from './response-writer.ts';

/** A ClientResponse over a byte connection, with what its connection needs of it. */
export interface HttpClientResponse extends ClientResponse {
  /** Everything that is owed was taken by the kernel, or waits there to be. */
  readonly complete: boolean;
  /** The connection is gone. */
  lost(): void;
  /** The handler has returned: begin() throws from here on, because what it returned is sent, or the next answer. */
  handled(): void;
}

/** Options of createClientResponse. */
export interface ClientResponseOptions {
  readonly writer: ResponseWriter;
  readonly kernel: KernelHandOver;
  readonly remoteAddress: string;
  /** See ClientResponse.limitRate. */
  readonly limitRate: (bytesPerSecond: number | undefined) => void;
  /** The request was a HEAD: the head is all that is owed. */
  readonly bodyless: boolean;
  /** Another request may follow on the connection. */
  readonly keepAlive: boolean;
  readonly nowMs: () => number;
  /** Called once, before the first byte of a body that is owed. */
  readonly onBody: () => void;
  /** Ends the connection with FIN, once what was sent is out. */
  readonly onBreakOff: () => void;
}

/** A head and the first chunk go out in a single write up to this size together, in bytes. */
const JOINED_BYTES = 80 * 1024;
/** Where they are joined: writes are done when they return, so all responses share it. */
let joined: Uint8Array | undefined;

/** The response to one request. */
export function createClientResponse({
  writer,
  kernel,
  remoteAddress,
  limitRate,
  bodyless,
  keepAlive,
  nowMs,
  onBody,
  onBreakOff,
}: ClientResponseOptions): HttpClientResponse {
  let gone: AbortController | undefined;
  let isGone: Error | undefined;
  let begun = false;
  let moving = false;
  let isHandled = false;
  let brokenOff = false;
  let owedBytes = 0;
  let movedBytes = 0;
  /** The head, until the first bytes follow it. */
  let head: Uint8Array | undefined;

  const goneSignal = (): AbortSignal => {
    if (gone === undefined) {
      gone = new AbortController();
      if (isGone !== undefined) gone.abort(isGone);
    }
    return gone.signal;
  };
  const loseClient = (message: string) => {
    if (isGone !== undefined) return;
    isGone = new Error(message);
    gone?.abort(isGone);
  };
  /** Also if the kernel has moved all of it, and has not told so yet. */
  const isAllMoved = () =>
    begun && head === undefined && movedBytes + (kernel.move?.movedBytes ?? 0) === owedBytes;
  const sendHead = () => {
    if (head !== undefined) writer.send(head);
    head = undefined;
  };
  const write = (chunk: Uint8Array): number => {
    // Also of what is in memory, which is not asked first whether the client is gone.
    if (isGone !== undefined) return 0;
    let written: number;
    if (head === undefined) written = writer.offer(chunk);
    else if (head.length + chunk.length > JOINED_BYTES || !writer.idle) {
      sendHead();
      written = writer.offer(chunk);
    } else {
      joined ??= new Uint8Array(JOINED_BYTES);
      joined.set(head);
      joined.set(chunk, head.length);
      const taken = writer.offer(joined.subarray(0, head.length + chunk.length));
      written = Math.max(0, taken - head.length);
      if (taken < head.length) writer.send(head.subarray(taken));
      head = undefined;
    }
    movedBytes += written;
    return written;
  };

  const handOver: MoveTarget['handOver'] = (source, onEnd) => {
    sendHead();
    // What waits in the writer comes first.
    if (!writer.idle) return undefined;
    return kernel.begin(source, (end) => {
      movedBytes += end.movedBytes;
      onEnd(end);
    });
  };

  const move = async (source: BufferedSource, options: MoveOptions): Promise<MoveEnd> => {
    const refusal = moving
      ? new Error('Cannot move two sources at once')
      : !begun
        ? new Error('Cannot move a source before begin()')
        : source.sizeBytes > owedBytes - movedBytes
          ? new RangeError(`Cannot move ${source.sizeBytes} bytes: ${owedBytes - movedBytes} are owed`)
          : undefined;
    if (refusal !== undefined) {
      source.close();
      throw refusal;
    }
    moving = true;
    const whenWritable = (onWritable: (() => void) | undefined) => writer.whenWritable(onWritable);
    try {
      return await moveSource(source, {
        ...options,
        gone: goneSignal,
        write,
        whenWritable,
        mayTake: (bytes) => kernel.mayTake(bytes),
        handOver,
      });
    } finally {
      moving = false;
    }
  };

  return {
    remoteAddress,
    limitRate,
    get gone() {
      return goneSignal();
    },
    get begun() {
      return begun;
    },
    get movedBytes() {
      return movedBytes + (kernel.move?.movedBytes ?? 0);
    },
    get stalledMs() {
      if (kernel.move !== undefined) return kernel.move.blockedMs;
      return writer.blockedSinceMs === undefined ? 0 : nowMs() - writer.blockedSinceMs;
    },
    get complete() {
      return begun && !brokenOff && head === undefined && movedBytes === owedBytes;
    },
    handled() {
      isHandled = true;
    },
    lost() {
      if (!isAllMoved()) loseClient('The client closed its connection');
    },
    begin({ status, headers, contentLength }: ResponseHead) {
      if (begun) throw new Error('Cannot begin a response twice');
      if (isHandled) throw new Error('Cannot begin a response after the handler has returned');
      if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
        throw new RangeError(`Cannot begin a response of ${contentLength} bytes`);
      }
      const all = [...Object.entries(headers), ['Content-Length', String(contentLength)] as const];
      head = formatResponseHead(status, all, { keepAlive });
      begun = true;
      owedBytes = bodyless ? 0 : contentLength;
      if (owedBytes === 0) sendHead();
      else onBody();
    },
    move: async (body, options) => move(asBufferedSource(body), options),
    // The source is never waited for.
    moveBytes: async (bytes) => move(createBytesSource(bytes), { stallTimeoutMs: Number.MAX_SAFE_INTEGER }),
    breakOff() {
      if (brokenOff || isGone !== undefined) return;
      if (isAllMoved()) return;
      brokenOff = true;
      sendHead();
      // Also between two moves: nobody waits for what the handler may still be looking for.
      loseClient('The response was broken off');
      onBreakOff();
    },
  };
}
