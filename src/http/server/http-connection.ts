import { addressShare } from '../../runtime/address-share.ts';
import type { HandlerAnswer, RequestHandler, StreamedAnswer } from '../http-server.ts';
import { requestUrl } from '../request-url.ts';
import { UnusableRequestError } from '../to-request.ts';
import type { ByteConnection } from './byte-connection.ts';
import { createClientResponse, type HttpClientResponse } from './client-response.ts';
import { createConnectionEnd } from './connection-end.ts';
import type { KernelMover } from '../kernel/kernel-mover.ts';
import { createKernelHandOver } from './kernel-hand-over.ts';
import { JOINED_BYTES, joinBytes } from './join-bytes.ts';
import { createHeaderLines } from './header-lines.ts';
import type { RequestHead } from './request-head.ts';
import { createRequestReader } from './request-reader.ts';
import { type AnswerOptions, formatPlainAnswer, readResponse, type ResponseBytes } from './response-bytes.ts';
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
  /** A request that has come whole is being answered, or a connection that ends is flushed. */
  readonly busy: boolean;
  /** Since when nothing was asked, or a request has not come whole, in ms of performance.now(). */
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
  /** Bodies of requests up to this size are read; 0: they are dropped. */
  readonly maxBodyBytes: number;
  /** How long such a body may take to come. */
  readonly bodyTimeoutMs: number;
}

/** Why a body is not read. */
interface BodyRefusal {
  readonly status: 400 | 408 | 411 | 413;
  readonly message: string;
}

const now = () => performance.now();

/** Reads requests from a connection and answers them with the handler. */
export function createHttpConnection(
  connection: ByteConnection,
  options: HttpConnectionOptions,
): HttpConnection {
  const { handler, onError, onClose, bodies, kernel, maxRequests, clientStallTimeoutMs, maxBodyBytes } =
    options;
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
  const whenIdle = new Set<() => void>();
  /** Looks whether the body of the request is here, or the connection is gone. */
  let onBodyBytes: (() => void) | undefined;
  /** The size of that body. */
  let awaitedBytes = 0;
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
    const headers = { 'Content-Length': String(body.length) };
    const head = formatResponseHead(status, headers, { keepAlive: false });
    writer.send(bodyless ? head : Buffer.concat([head, body]));
    end();
  };

  const onBody = () => {
    hasBody = true;
    bodyBufferBytes = bodies.begin();
    boundSendBuffer(bodyBufferBytes);
  };

  const channel = {
    writer,
    kernel: handOver,
    remoteAddress,
    limitRate,
    nowMs: now,
    onBody,
    onBreakOff: end,
  };

  const answer = async (head: RequestHead) => {
    const bodyless = head.method === 'HEAD';
    const target = requestUrl(head.target, { scheme: connection.scheme });
    if (!('url' in target)) {
      refuse(target.status, target.message, { bodyless });
      return;
    }
    requests += 1;
    unread = head.hasBody && maxBodyBytes === 0;
    if (unread) reader.clear();
    // At once: what is not read must not count as sent ahead.
    const refusal = unread ? undefined : bodyRefusal(head);
    const body = refusal ?? (head.hasBody && !unread ? await readBody(head.bodyBytes ?? 0) : undefined);
    if (body !== undefined && !(body instanceof Uint8Array)) {
      refuse(body.status, body.message, { bodyless });
      return;
    }
    const keepAlive = head.keepAlive && !unread && !noMore && requests < maxRequests;
    const client = createClientResponse(channel, { bodyless, keepAlive });
    current = client;
    handling = true;
    let response: HandlerAnswer;
    try {
      const headers = createHeaderLines(head.headers);
      response = await handler({ method: head.method, url: target.url, headers, body }, client);
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
    // A handler that leaves a body short means to break it off.
    if (client.begun && !client.complete) client.breakOff();
    else if (!client.begun && !isLost()) {
      const sending = send(response, client, { bodyless, keepAlive });
      if (sending !== undefined) await sending;
    }
    if (!keepAlive) end();
  };

  /** Undefined if it is sent, or waits in the writer. */
  const send = (
    response: HandlerAnswer,
    client: HttpClientResponse,
    options: AnswerOptions,
  ): Promise<void> | undefined => {
    if (response instanceof Response) return readResponse(response, options).then(sendAnswer);
    if ('next' in response) return sendUntilEnd(response, client, options);
    return sendAnswer(formatPlainAnswer(response, options));
  };
  const sendUntilEnd = async (
    response: StreamedAnswer,
    client: HttpClientResponse,
    { bodyless }: AnswerOptions,
  ) => {
    // Until its end: a client that leaves is noticed as while it waits for its answer.
    handling = true;
    await sendStream(response, client, bodyless).catch(onError);
    handling = false;
    end();
  };

  const bodyRefusal = ({ bodyBytes }: RequestHead): BodyRefusal | undefined => {
    if (bodyBytes === undefined) return { status: 411, message: 'A body needs a Content-Length here' };
    if (bodyBytes <= maxBodyBytes) return undefined;
    return { status: 413, message: `The body is longer than ${maxBodyBytes} bytes` };
  };
  /** The body of the request when it is here, or why it does not come. */
  const readBody = async (bodyBytes: number): Promise<Uint8Array | BodyRefusal> => {
    awaitedBytes = bodyBytes;
    waitingSinceMs = now();
    const { promise, resolve } = Promise.withResolvers<Uint8Array | BodyRefusal>();
    const late = setTimeout(
      () => resolve({ status: 408, message: 'The body did not come in time' }),
      options.bodyTimeoutMs,
    );
    onBodyBytes = () => {
      const body = reader.take(bodyBytes);
      if (body !== undefined) resolve(body);
      else if (isLost() || closing.isHalfClosed) resolve({ status: 400, message: 'The body is short' });
    };
    onBodyBytes();
    const read = await promise;
    clearTimeout(late);
    onBodyBytes = undefined;
    awaitedBytes = 0;
    return read;
  };
  /** The head, and what comes then until there is no more, or the client is gone. */
  const sendStream = async (
    { status, headers, next }: StreamedAnswer,
    client: HttpClientResponse,
    bodyless: boolean,
  ) => {
    const { gone } = client;
    writer.send(formatResponseHead(status, headers, { keepAlive: false }));
    if (bodyless) return;
    onBody();
    // The kernel takes the few bytes of a quiet stream for long after the client has gone without a word.
    connection.limitUnacknowledged(clientStallTimeoutMs);
    for (;;) {
      if (isUnsent()) await writable();
      const bytes = isLost() || gone.aborted ? undefined : await next(gone);
      if (bytes === undefined || isLost()) return;
      await sendLarge(bytes);
    }
  };
  const sendAnswer = ({ head, body }: ResponseBytes): Promise<void> | undefined => {
    if (isLost()) return undefined;
    if (head.length + body.length <= JOINED_BYTES) {
      writer.send(joinBytes(head, body));
      return undefined;
    }
    writer.send(Buffer.from(head, 'latin1'));
    return sendLarge(body);
  };
  /** Not copied: what the kernel does not take waits where it is. */
  const sendLarge = async (body: Uint8Array) => {
    let rest = body.subarray(writer.offer(body));
    while (rest.length > 0 && !isLost()) {
      await writable();
      rest = rest.subarray(writer.offer(rest));
    }
  };
  /** Settles when the client takes bytes again, or is gone. */
  const writable = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    whenIdle.add(resolve);
    writer.whenWritable(resolve);
    await promise;
    whenIdle.delete(resolve);
  };
  /** Something waits in the writer, for a client that is still there. */
  const isUnsent = () => !writer.idle && !closing.isOver;

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
      // Before that the next request is not answered, or answers would pile up in the writer.
      if (isUnsent()) await writable();
      waitingSinceMs = now();
      current = undefined;
      if (hasBody) bodies.end();
      hasBody = false;
    }
    answering = false;
    if (noMore || closing.isHalfClosed) end();
    wakeAll();
  };
  const wakeAll = () => {
    for (const wake of whenIdle) wake();
    whenIdle.clear();
  };

  connection.owner = {
    onData(bytes) {
      if (closing.isEnding || unread) return;
      const isFirst = reader.heldBytes === 0;
      reader.add(bytes);
      onBodyBytes?.();
      if (!answering) {
        void run().catch((error: unknown) => {
          onError(error);
          connection.close();
        });
        // From its first byte on, however many follow; empty lines are not a part of it.
        if (isFirst && reader.heldBytes > 0 && !answering) waitingSinceMs = now();
      }
      // No client of a registry sends requests ahead: more than a few is a flood.
      if (answering && reader.heldBytes > MAX_PIPELINED_BYTES + awaitedBytes) connection.close();
    },
    onWritable: () => writer.writable(),
    onEnd() {
      closing.halfClosed(answering);
      onBodyBytes?.();
    },
    onClose() {
      closing.over();
      reader.clear();
      writer.stop();
      current?.lost();
      wakeAll();
      onBodyBytes?.();
      onClose();
    },
  };

  return {
    addressShare: addressShare(remoteAddress),
    get busy() {
      const isBodyDue = onBodyBytes !== undefined;
      return (answering && !isBodyDue) || closing.isEnding;
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
        whenIdle.add(resolve);
      });
    },
  };
}
