import { addressShare } from '../../runtime/address-share.ts';
import type { RequestHandler } from '../http-server.ts';
import { LINGER_MS, MAX_HEAD_BYTES } from '../limits.ts';
import { requestUrl } from '../request-url.ts';
import type { ByteConnection } from './byte-connection.ts';
import { createClientResponse, type HttpClientResponse } from './client-response.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';
import { formatResponseHead } from './response-head.ts';
import { createResponseWriter } from './response-writer.ts';
import type { SendBuffers } from './send-buffers.ts';

const KIB = 1024;
/** Most bytes that wait for their turn on a connection: two heads. No client of a registry sends requests ahead; what sends more is cut off. */
const MAX_PIPELINED_BYTES = 32 * KIB;
/**
 * How long a client that sent FIN after its request waits for the next bytes of its answer. Some half-close and read on (nc,
 * socat): what is sent to the others comes back as RST. While there is nothing to send, only this tells that they have left.
 */
const HALF_CLOSED_WAIT_MS = 250;

/** A client's connection, one request after the other. */
export interface HttpConnection {
  /** What the client is counted as, see addressShare(). */
  readonly addressShare: string;
  /** A request is being answered, or a connection that ends is flushed. */
  readonly busy: boolean;
  /** Since when nothing was asked, or a head has not come whole, in ms of performance.now(). */
  readonly waitingSinceMs: number;
  /** A part of a head is there, or nothing ever came: it has to come soon. */
  readonly headDue: boolean;
  /** Answers no further request, and ends the connection at once if none is under way. */
  endWhenIdle(): void;
  /** Breaks off the response that is under way, short, with FIN. */
  breakOff(): void;
  close(): void;
  /** Settles when no request is being answered, and the kernel has all of the last answer. */
  idle(): Promise<void>;
}

/** Options of createHttpConnection. */
export interface HttpConnectionOptions {
  readonly handler: RequestHandler;
  readonly onError: (error: unknown) => void;
  readonly onClose: () => void;
  /** Told of each body that begins and ends. */
  readonly bodies: SendBuffers;
  readonly maxRequests: number;
  /** A client that takes no byte of an answer for this long is gone. */
  readonly clientStallTimeoutMs: number;
}

const CR = 0x0d;
const LF = 0x0a;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const EMPTY: Buffer = Buffer.alloc(0);
/** Answers up to this size go out in a single write with their head, in bytes. */
const JOINED_BYTES = 64 * 1024;

const now = () => performance.now();

/** Reads requests from a connection and answers them with the handler. */
export function createHttpConnection(
  connection: ByteConnection,
  { handler, onError, onClose, bodies, maxRequests, clientStallTimeoutMs }: HttpConnectionOptions,
): HttpConnection {
  const { remoteAddress } = connection;
  const writer = createResponseWriter(connection, { stallTimeoutMs: clientStallTimeoutMs, nowMs: now });
  let received: Buffer = EMPTY;
  /** The CR of an empty line came, its LF has not. */
  let splitEmptyLine = false;
  let requests = 0;
  let current: HttpClientResponse | undefined;
  let answering = false;
  /** What comes is read and dropped: FIN was sent, or will be. */
  let ending = false;
  /** The request that is being answered has a body, which is dropped. */
  let unread = false;
  let closed = false;
  /** A body was begun and counts among those that run. */
  let hasBody = false;
  let sendBufferBytes: number | undefined;
  let noMore = false;
  /** The client sent FIN. */
  let clientEnded = false;
  /** The handler has not given an answer yet. */
  let handling = false;
  let waitingSinceMs = now();
  let finished = false;
  /** Ends the wait for the client's FIN, or that of a client that sent FIN for its answer. */
  let linger: Timer | undefined;
  let whenIdle: (() => void)[] = [];

  /** Flushes, sends FIN, and goes on reading for a while: closing while the client's bytes are unread would send RST (RFC 9112, 9.6). */
  const end = () => {
    if (ending || closed) return;
    ending = true;
    received = EMPTY;
    writer.finishWhenSent(() => {
      finished = true;
      clearTimeout(linger);
      if (clientEnded) connection.close();
      else linger = setTimeout(() => connection.close(), LINGER_MS);
    });
  };
  /** For a client that sent FIN: closes when the handler has nothing for it for a while. */
  const closeIfNothingComes = () => {
    const was = current;
    const movedBytes = was?.movedBytes;
    linger = setTimeout(() => {
      const isWaiting = handling && current === was && was?.movedBytes === movedBytes && was?.stalledMs === 0;
      if (isWaiting) connection.close();
      else if (!ending) closeIfNothingComes();
    }, HALF_CLOSED_WAIT_MS);
  };
  const refuse = (status: number, message: string, { bodyless = false } = {}) => {
    const body = Buffer.from(message);
    const headers = [['Content-Length', String(body.length)]] as const;
    const head = formatResponseHead(status, headers, { keepAlive: false });
    writer.send(bodyless ? head : Buffer.concat([head, body]));
    end();
  };

  const onBody = () => {
    hasBody = true;
    const bytes = bodies.begin();
    if (bytes !== sendBufferBytes) connection.boundSendBuffer(bytes);
    sendBufferBytes = bytes;
  };

  const answer = async (head: RequestHead) => {
    const bodyless = head.method === 'HEAD';
    const target = requestUrl(head.target, { scheme: connection.scheme, host: head.host });
    if (!('url' in target)) {
      refuse(target.status, target.message, { bodyless });
      return;
    }
    requests += 1;
    unread = head.hasBody;
    if (unread) received = EMPTY;
    const keepAlive = head.keepAlive && !head.hasBody && !noMore && requests < maxRequests;
    const client = createClientResponse({
      writer,
      remoteAddress,
      bodyless,
      keepAlive,
      nowMs: now,
      onBody,
      onBreakOff: end,
    });
    current = client;
    handling = true;
    let response: Response;
    try {
      const { method, headers } = head;
      response = await handler(makeRequest(target.url, method, headers), client);
    } catch (error) {
      if (error instanceof UnusableRequestError) {
        refuse(400, error.message, { bodyless });
        return;
      }
      onError(error);
      response = new Response(null, { status: 500 });
    } finally {
      handling = false;
      client.handled();
    }
    if (!client.begun && !ending && !closed) await sendResponse(response, { bodyless, keepAlive });
    // A handler that leaves a body short means to break it off.
    else if (client.begun && !client.complete) client.breakOff();
    if (!keepAlive) end();
  };

  const sendResponse = async (
    response: Response,
    { bodyless, keepAlive }: { readonly bodyless: boolean; readonly keepAlive: boolean },
  ) => {
    const body = response.body === null ? EMPTY : new Uint8Array(await response.arrayBuffer());
    if (ending || closed) return;
    const { status } = response;
    const hasNoBody = status === 204 || status === 304;
    const headers: [string, string][] = [];
    let lengthGiven: string | undefined;
    response.headers.forEach((value, name) => {
      if (name === 'content-length') lengthGiven = value;
      else if (name !== 'transfer-encoding' && name !== 'connection') headers.push([name, value]);
    });
    // A HEAD's is that of the GET, or none where nothing says what that would be (RFC 9110, 8.6).
    const ownLength = bodyless && response.body === null ? undefined : `${body.length}`;
    const length = bodyless ? (lengthGiven ?? ownLength) : ownLength;
    if (!hasNoBody && length !== undefined) headers.push(['Content-Length', length]);
    const head = formatResponseHead(status, headers, { keepAlive });
    if (bodyless || hasNoBody || body.length === 0) writer.send(head);
    else if (head.length + body.length <= JOINED_BYTES) writer.send(Buffer.concat([head, body]));
    else {
      writer.send(head);
      await sendLarge(body);
    }
  };
  /** Not copied: what the kernel does not take waits where it is. */
  const sendLarge = (body: Uint8Array) =>
    new Promise<void>((resolve) => {
      let rest = body;
      const go = () => {
        rest = rest.subarray(writer.offer(rest));
        if (rest.length === 0 || closed || ending) resolve();
        else writer.whenWritable(go);
      };
      whenIdle.push(resolve);
      go();
    });
  /** Settles when nothing waits in the writer: before that the next request is not answered, or answers would pile up there. */
  const sent = async () => {
    if (writer.idle || closed) return;
    await new Promise<void>((resolve) => {
      whenIdle.push(resolve);
      writer.whenWritable(resolve);
    });
  };

  /** The next head of what was received, or undefined if it is not whole or was refused. */
  const takeHead = (): RequestHead | undefined => {
    // Empty lines before a request are passed over (RFC 9112, 2.2).
    let start = 0;
    if (splitEmptyLine && received.length > 0) {
      splitEmptyLine = false;
      if (received[0] !== LF) {
        refuse(400, 'Malformed request');
        return undefined;
      }
      start = 1;
    }
    while (received[start] === CR && received[start + 1] === LF) start += 2;
    if (received[start] === CR && start + 1 === received.length) {
      splitEmptyLine = true;
      start += 1;
    }
    if (start > 0) received = received.subarray(start);
    if (received.length === 0) return undefined;
    const found = received.subarray(0, MAX_HEAD_BYTES).indexOf(END_OF_HEAD);
    const part = found === -1 ? received.subarray(0, MAX_HEAD_BYTES) : received.subarray(0, found);
    if (!mayBeHead(part)) {
      refuse(400, 'Malformed request');
      return undefined;
    }
    if (found === -1) {
      if (received.length >= MAX_HEAD_BYTES) refuse(431, `The head is longer than ${MAX_HEAD_BYTES} bytes`);
      return undefined;
    }
    const head = parseRequestHead(part.toString('latin1'));
    received = received.subarray(found + END_OF_HEAD.length);
    // A small rest must not keep the large buffer that it came in.
    if (received.length === 0) received = EMPTY;
    if ('method' in head) return head;
    refuse(head.status, head.message);
    return undefined;
  };
  const run = async () => {
    answering = true;
    for (;;) {
      const head = closed || ending ? undefined : takeHead();
      if (head === undefined) break;
      await answer(head);
      await sent();
      waitingSinceMs = now();
      current = undefined;
      if (hasBody) bodies.end();
      hasBody = false;
    }
    answering = false;
    if (noMore || clientEnded) end();
    for (const wake of whenIdle.splice(0)) wake();
  };

  connection.owner = {
    onData(bytes) {
      if (ending || unread) return;
      received =
        received.length === 0
          ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
          : Buffer.concat([received, bytes]);
      if (!answering) {
        const isFirst = received.length === bytes.length;
        void run().catch((error: unknown) => {
          onError(error);
          connection.close();
        });
        // From its first byte on, however many follow; empty lines are not a part of it.
        if (isFirst && received.length > 0 && !answering) waitingSinceMs = now();
      }
      // No client of a registry sends requests ahead: more than a few is a flood.
      if (answering && received.length > MAX_PIPELINED_BYTES) connection.close();
    },
    onWritable: () => writer.writable(),
    onEnd() {
      clientEnded = true;
      if (ending ? finished : !answering) connection.close();
      else if (!ending) closeIfNothingComes();
    },
    onClose() {
      closed = true;
      clearTimeout(linger);
      received = EMPTY;
      writer.stop();
      current?.lost();
      for (const wake of whenIdle.splice(0)) wake();
      onClose();
    },
  };

  return {
    addressShare: addressShare(remoteAddress),
    get busy() {
      return answering || ending;
    },
    get waitingSinceMs() {
      return waitingSinceMs;
    },
    get headDue() {
      return requests === 0 || received.length > 0;
    },
    endWhenIdle() {
      noMore = true;
      if (!answering) end();
    },
    breakOff: () => current?.breakOff(),
    close: () => connection.close(),
    idle() {
      if (!answering || closed) return Promise.resolve();
      return new Promise((resolve) => {
        whenIdle.push(resolve);
      });
    },
  };
}

/** A method that the platform forbids (TRACE), or a header that it does not take. */
class UnusableRequestError extends Error {
  override readonly name = 'UnusableRequestError';
}

function makeRequest(url: string, method: string, headers: RequestHead['headers']): Request {
  try {
    const all = new Headers();
    for (const [name, value] of headers) all.append(name, value);
    return new Request(url, { method, headers: all });
  } catch (cause) {
    throw new UnusableRequestError('Unusable method or header', { cause });
  }
}

/** False for what cannot become a head any more: TLS, a bare line feed, a NUL. */
function mayBeHead(bytes: Buffer): boolean {
  const first = bytes[0] ?? 0;
  if (first < 0x21 || first > 0x7e) return false;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at - 1] !== CR) return false;
  }
  return !bytes.includes(0);
}
