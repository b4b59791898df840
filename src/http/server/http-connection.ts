import { addressShare } from '../../runtime/address-share.ts';
import type { PlainAnswer, RequestHandler } from '../http-server.ts';
import { requestUrl } from '../request-url.ts';
import { UnusableRequestError } from '../to-request.ts';
import type { ByteConnection } from './byte-connection.ts';
import { createClientResponse, type HttpClientResponse } from './client-response.ts';
import { createConnectionEnd } from './connection-end.ts';
import type { KernelMover } from '../kernel/kernel-mover.ts';
import { createKernelHandOver } from './kernel-hand-over.ts';
import { createHeaderLines } from './header-lines.ts';
import type { RequestHead } from './request-head.ts';
import { createRequestReader } from './request-reader.ts';
import { formatPlainAnswer, readResponse, type ResponseBytes } from './response-bytes.ts';
import { formatResponseHead } from './response-head.ts';
import { createResponseWriter } from './response-writer.ts';
import type { SendBuffers } from './send-buffers.ts';

const KIB = 1024;
/** Most bytes that wait for their turn on a connection: two heads. No client of a registry sends requests ahead; what sends more is cut off. */
const MAX_PIPELINED_BYTES = 32 * KIB;

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
  /** Moves bodies; without it all are moved through this process's memory. */
  readonly kernel: Pick<KernelMover, 'begin' | 'hasRoom' | 'minBytes'> | undefined;
  readonly maxRequests: number;
  /** A client that takes no byte of an answer for this long is gone. */
  readonly clientStallTimeoutMs: number;
}

/** Answers up to this size go out in a single write with their head, in bytes. */
const JOINED_BYTES = 64 * KIB;

const now = () => performance.now();

/** Reads requests from a connection and answers them with the handler. */
export function createHttpConnection(
  connection: ByteConnection,
  { handler, onError, onClose, bodies, kernel, maxRequests, clientStallTimeoutMs }: HttpConnectionOptions,
): HttpConnection {
  const { remoteAddress } = connection;
  const writer = createResponseWriter(connection, { stallTimeoutMs: clientStallTimeoutMs, nowMs: now });
  let sendBufferBytes: number | undefined;
  /** Of the body that runs, while the kernel does not move it. */
  let bodyBufferBytes = 0;
  const boundSendBuffer = (bytes: number) => {
    if (bytes !== sendBufferBytes) connection.boundSendBuffer(bytes);
    sendBufferBytes = bytes;
  };
  let limitedTo: number | undefined;
  const limitRate = (bytesPerSecond: number | undefined) => {
    if (bytesPerSecond !== limitedTo) connection.limitRate(bytesPerSecond);
    limitedTo = bytesPerSecond;
  };
  const handOver = createKernelHandOver({
    kernel,
    connection,
    clientStallTimeoutMs,
    onBegin: () => boundSendBuffer(bodies.forKernel()),
    onEnd: () => boundSendBuffer(bodyBufferBytes),
  });
  const reader = createRequestReader();
  let requests = 0;
  let current: HttpClientResponse | undefined;
  let answering = false;
  /** The request that is being answered has a body, which is dropped. */
  let unread = false;
  /** A body was begun and counts among those that run. */
  let hasBody = false;
  let noMore = false;
  /** The handler has not given an answer yet. */
  let handling = false;
  let waitingSinceMs = now();
  let whenIdle: (() => void)[] = [];
  const closing = createConnectionEnd({
    connection,
    writer,
    unanswered: () => (handling ? current : undefined),
  });
  const end = () => {
    closing.begin();
    if (closing.isEnding) reader.clear();
  };
  const isLost = () => closing.isEnding || closing.isOver;
  const refuse = (status: number, message: string, { bodyless = false } = {}) => {
    const body = Buffer.from(message);
    const headers = [['Content-Length', String(body.length)]] as const;
    const head = formatResponseHead(status, headers, { keepAlive: false });
    writer.send(bodyless ? head : Buffer.concat([head, body]));
    end();
  };

  const onBody = () => {
    hasBody = true;
    bodyBufferBytes = bodies.begin();
    boundSendBuffer(bodyBufferBytes);
  };

  const answer = async (head: RequestHead) => {
    const bodyless = head.method === 'HEAD';
    const target = requestUrl(head.target, { scheme: connection.scheme });
    if (!('url' in target)) {
      refuse(target.status, target.message, { bodyless });
      return;
    }
    requests += 1;
    unread = head.hasBody;
    if (unread) reader.clear();
    const keepAlive = head.keepAlive && !head.hasBody && !noMore && requests < maxRequests;
    const client = createClientResponse({
      writer,
      kernel: handOver,
      remoteAddress,
      limitRate,
      bodyless,
      keepAlive,
      nowMs: now,
      onBody,
      onBreakOff: end,
    });
    current = client;
    handling = true;
    let response: Response | PlainAnswer;
    try {
      const headers = createHeaderLines(head.headers);
      response = await handler({ method: head.method, url: target.url, headers }, client);
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
    if (!client.begun && !isLost()) {
      const options = { bodyless, keepAlive };
      await sendAnswer(
        response instanceof Response
          ? await readResponse(response, options)
          : formatPlainAnswer(response, options),
      );
    }
    // A handler that leaves a body short means to break it off.
    else if (client.begun && !client.complete) client.breakOff();
    if (!keepAlive) end();
  };

  const sendAnswer = async ({ head, body }: ResponseBytes) => {
    if (isLost()) return;
    if (body.length === 0) writer.send(head);
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
        if (rest.length === 0 || isLost()) resolve();
        else writer.whenWritable(go);
      };
      whenIdle.push(resolve);
      go();
    });
  /** Settles when nothing waits in the writer: before that the next request is not answered, or answers would pile up there. */
  const sent = async () => {
    if (writer.idle || closing.isOver) return;
    await new Promise<void>((resolve) => {
      whenIdle.push(resolve);
      writer.whenWritable(resolve);
    });
  };

  /** The next head, or undefined if it is not whole or was refused. */
  const takeHead = (): RequestHead | undefined => {
    const head = reader.next();
    if (head === undefined || 'method' in head) return head;
    refuse(head.status, head.message);
    return undefined;
  };
  const run = async () => {
    answering = true;
    for (;;) {
      const head = isLost() ? undefined : takeHead();
      if (head === undefined) break;
      await answer(head);
      await sent();
      waitingSinceMs = now();
      current = undefined;
      if (hasBody) bodies.end();
      hasBody = false;
    }
    answering = false;
    if (noMore || closing.isHalfClosed) end();
    for (const wake of whenIdle.splice(0)) wake();
  };

  connection.owner = {
    onData(bytes) {
      if (closing.isEnding || unread) return;
      const isFirst = reader.heldBytes === 0;
      reader.add(bytes);
      if (!answering) {
        void run().catch((error: unknown) => {
          onError(error);
          connection.close();
        });
        // From its first byte on, however many follow; empty lines are not a part of it.
        if (isFirst && reader.heldBytes > 0 && !answering) waitingSinceMs = now();
      }
      // No client of a registry sends requests ahead: more than a few is a flood.
      if (answering && reader.heldBytes > MAX_PIPELINED_BYTES) connection.close();
    },
    onWritable: () => writer.writable(),
    onEnd: () => closing.halfClosed(answering),
    onClose() {
      closing.over();
      reader.clear();
      writer.stop();
      current?.lost();
      for (const wake of whenIdle.splice(0)) wake();
      onClose();
    },
  };

  return {
    addressShare: addressShare(remoteAddress),
    get busy() {
      return answering || closing.isEnding;
    },
    get waitingSinceMs() {
      return waitingSinceMs;
    },
    get headDue() {
      return requests === 0 || reader.heldBytes > 0;
    },
    endWhenIdle() {
      noMore = true;
      if (!answering) end();
    },
    breakOff: () => current?.breakOff(),
    close: () => connection.close(),
    idle() {
      if (!answering || closing.isOver) return Promise.resolve();
      return new Promise((resolve) => {
        whenIdle.push(resolve);
      });
    },
  };
}
