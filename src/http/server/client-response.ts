import type { BodySource, ClientResponse, MoveEnd, MoveOptions, ResponseHead } from '../transport.ts';
import { createBytesSource } from '../bytes-source.ts';
import { asBufferedSource, type BufferedSource, type LentSource } from '../buffered-source.ts';
import type { KernelMove, KernelMoveEnd } from '../kernel/kernel-mover.ts';
import { JOINED_BYTES, joinBytes } from './join-bytes.ts';
import type { KernelHandOver } from './kernel-hand-over.ts';
import { moveSource } from './move-source.ts';
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

/** What the responses of a connection share. */
export interface ResponseChannel {
  readonly writer: ResponseWriter;
  readonly kernel: KernelHandOver;
  readonly remoteAddress: string;
  /** See ClientResponse.limitRate. */
  readonly limitRate: (bytesPerSecond: number | undefined) => void;
  readonly nowMs: () => number;
  /** Called before the first byte of a body that is owed. */
  readonly onBody: () => void;
  /** Ends the connection with FIN, once what was sent is out. */
  readonly onBreakOff: () => void;
}

/** How a request is answered. */
export interface ClientResponseOptions {
  /** The request was a HEAD: the head is all that is owed. */
  readonly bodyless: boolean;
  /** Another request may follow on the connection. */
  readonly keepAlive: boolean;
}

/** The response to one request. */
export function createClientResponse(
  channel: ResponseChannel,
  options: ClientResponseOptions,
): HttpClientResponse {
  return new ConnectionResponse(channel, options);
}

/** A class, because each request makes such an object, and most need little of it. */
class ConnectionResponse implements HttpClientResponse {
  readonly #channel: ResponseChannel;
  readonly #options: ClientResponseOptions;
  #gone: AbortController | undefined;
  #isGone: Error | undefined;
  #begun = false;
  #moving = false;
  #isHandled = false;
  #brokenOff = false;
  #owedBytes = 0;
  #movedBytes = 0;
  /** The head, until the first bytes follow it. */
  #head: Uint8Array | undefined;

  constructor(channel: ResponseChannel, options: ClientResponseOptions) {
    this.#channel = channel;
    this.#options = options;
  }

  get remoteAddress(): string {
    return this.#channel.remoteAddress;
  }

  get gone(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      if (this.#isGone !== undefined) this.#gone.abort(this.#isGone);
    }
    return this.#gone.signal;
  }

  get begun(): boolean {
    return this.#begun;
  }

  get movedBytes(): number {
    return this.#movedBytes + (this.#channel.kernel.move?.movedBytes ?? 0);
  }

  get stalledMs(): number {
    const { kernel, writer, nowMs } = this.#channel;
    if (kernel.move !== undefined) return kernel.move.blockedMs;
    return writer.blockedSinceMs === undefined ? 0 : nowMs() - writer.blockedSinceMs;
  }

  get complete(): boolean {
    const isAll = this.#head === undefined && this.#movedBytes === this.#owedBytes;
    return this.#begun && !this.#brokenOff && isAll;
  }

  limitRate(bytesPerSecond: number | undefined): void {
    this.#channel.limitRate(bytesPerSecond);
  }

  handled(): void {
    this.#isHandled = true;
  }

  lost(): void {
    if (!this.#isAllMoved()) this.#loseClient('The client closed its connection');
  }

  begin({ status, headers, contentLength }: ResponseHead): void {
    if (this.#begun) throw new Error('Cannot begin a response twice');
    if (this.#isHandled) throw new Error('Cannot begin a response after the handler has returned');
    if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
      throw new RangeError(`Cannot begin a response of ${contentLength} bytes`);
    }
    const { bodyless, keepAlive } = this.#options;
    const all = { ...headers, 'Content-Length': String(contentLength) };
    this.#head = formatResponseHead(status, all, { keepAlive });
    this.#begun = true;
    this.#owedBytes = bodyless ? 0 : contentLength;
    if (this.#owedBytes === 0) this.#sendHead();
    else this.#channel.onBody();
  }

  async move(body: BodySource, options: MoveOptions): Promise<MoveEnd> {
    return this.#move(asBufferedSource(body), options);
  }

  async moveBytes(bytes: Uint8Array): Promise<MoveEnd> {
    // The source is never waited for.
    return this.#move(createBytesSource(bytes), { stallTimeoutMs: Number.MAX_SAFE_INTEGER });
  }

  breakOff(): void {
    if (this.#brokenOff || this.#isGone !== undefined || this.#isAllMoved()) return;
    this.#brokenOff = true;
    this.#sendHead();
    // Also between two moves: nobody waits for what the handler may still be looking for.
    this.#loseClient('The response was broken off');
    this.#channel.onBreakOff();
  }

  #loseClient(message: string): void {
    if (this.#isGone !== undefined) return;
    this.#isGone = new Error(message);
    this.#gone?.abort(this.#isGone);
  }

  /** Also if the kernel has moved all of it, and has not told so yet. */
  #isAllMoved(): boolean {
    return this.#begun && this.#head === undefined && this.movedBytes === this.#owedBytes;
  }

  #sendHead(): void {
    if (this.#head !== undefined) this.#channel.writer.send(this.#head);
    this.#head = undefined;
  }

  #write(chunk: Uint8Array): number {
    // Also of what is in memory, which is not asked first whether the client is gone.
    if (this.#isGone !== undefined) return 0;
    const { writer } = this.#channel;
    const head = this.#head;
    let written: number;
    if (head === undefined) written = writer.offer(chunk);
    else if (head.length + chunk.length > JOINED_BYTES || !writer.idle) {
      this.#sendHead();
      written = writer.offer(chunk);
    } else {
      const taken = writer.offer(joinBytes(head, chunk));
      written = Math.max(0, taken - head.length);
      if (taken < head.length) writer.send(head.subarray(taken));
      this.#head = undefined;
    }
    this.#movedBytes += written;
    return written;
  }

  #handOver(source: LentSource, onEnd: (end: KernelMoveEnd) => void): KernelMove | undefined {
    const { kernel, writer } = this.#channel;
    this.#sendHead();
    // What waits in the writer comes first.
    if (!writer.idle) return undefined;
    return kernel.begin(source, (end) => {
      this.#movedBytes += end.movedBytes;
      onEnd(end);
    });
  }

  async #move(source: BufferedSource, options: MoveOptions): Promise<MoveEnd> {
    const leftBytes = this.#owedBytes - this.#movedBytes;
    const refusal = this.#moving
      ? new Error('Cannot move two sources at once')
      : !this.#begun
        ? new Error('Cannot move a source before begin()')
        : source.sizeBytes > leftBytes
          ? new RangeError(`Cannot move ${source.sizeBytes} bytes: ${leftBytes} are owed`)
          : undefined;
    if (refusal !== undefined) {
      source.close();
      throw refusal;
    }
    const { kernel, writer } = this.#channel;
    this.#moving = true;
    try {
      return await moveSource(source, {
        ...options,
        gone: () => this.gone,
        write: (chunk) => this.#write(chunk),
        whenWritable: (onWritable) => writer.whenWritable(onWritable),
        mayTake: (bytes) => kernel.mayTake(bytes),
        handOver: (lent, onEnd) => this.#handOver(lent, onEnd),
      });
    } finally {
      this.#moving = false;
    }
  }
}
