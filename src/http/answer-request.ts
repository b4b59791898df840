import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from './http-server.ts';
import { CLIENT_STALL_TIMEOUT_MS, MAX_HEADER_COUNT } from './limits.ts';
import { lingerClose } from './linger-close.ts';
import { createPlainClientResponse, type PlainClientResponse } from './plain-client-response.ts';
import { requestUrl } from './request-url.ts';

/** How to answer. */
export interface AnswerRequestOptions {
  readonly handler: RequestHandler;
  readonly onError: (error: unknown) => void;
  readonly clientStallTimeoutMs?: number | undefined;
  /** The server is closing: the client is told not to send another request. */
  readonly lastOnConnection: boolean;
  /** Gets the response before the handler does. */
  readonly onBegin: (client: PlainClientResponse) => void;
}

/** Answers one request and resolves, never rejects, when its response is out or its client gone. The connection may be used again if `reusable`. */
export async function answerRequest(
  incoming: IncomingMessage,
  response: ServerResponse,
  {
    handler,
    onError,
    clientStallTimeoutMs = CLIENT_STALL_TIMEOUT_MS,
    lastOnConnection,
    onBegin,
  }: AnswerRequestOptions,
): Promise<{ reusable: boolean }> {
  const bodyless = incoming.method === 'HEAD';
  const { socket } = incoming;
  const client = createPlainClientResponse(response, { socket, bodyless, clientStallTimeoutMs });
  onBegin(client);
  const unread = hasBody(incoming);
  const reusable = !unread && !lastOnConnection;
  if (!reusable) response.setHeader('Connection', 'close');

  try {
    const made = makeRequest(incoming, client.gone);
    const answer = made instanceof Request ? await handler(made, client) : made;
    if (!client.begun && !client.gone.aborted) await sendSmall(answer, response, { bodyless, unread });
  } catch (error) {
    onError(error);
    if (!client.begun && !response.headersSent) {
      await sendSmall(new Response(null, { status: 500 }), response, { bodyless, unread });
    }
  }
  if (client.begun && !client.complete) {
    // A handler that leaves a body short means to break it off.
    client.breakOff();
    return { reusable: false };
  }
  if (unread && !client.begun) lingerClose(socket, clientStallTimeoutMs);
  const stalled = setTimeout(() => socket.destroy(), clientStallTimeoutMs);
  await closed(response);
  clearTimeout(stalled);
  return { reusable };
}

async function sendSmall(
  answer: Response,
  response: ServerResponse,
  { bodyless, unread }: { readonly bodyless: boolean; readonly unread: boolean },
): Promise<void> {
  const headers = [...answer.headers].filter(
    ([name]) => name !== 'transfer-encoding' && name !== 'connection',
  );
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const hasNoLength = answer.status === 204 || answer.status === 304;
  const lengthGiven = headers.some(([name]) => name === 'content-length');
  const kept = headers.filter(([name]) => name !== 'content-length' || (bodyless && !hasNoLength));
  if (!hasNoLength && !(bodyless && lengthGiven)) kept.push(['content-length', String(bytes.length)]);
  for (const [name, value] of kept) response.appendHeader(name, value);
  response.writeHead(answer.status);
  const body = bodyless || hasNoLength ? new Uint8Array() : bytes;
  if (!unread) response.end(body);
  // end() would make node close the connection at once, with RST while the request's body is unread: the caller does it.
  else if (body.length > 0) response.write(body);
  else response.flushHeaders();
}

/** The web Request, or the answer that refuses it. */
function makeRequest(incoming: IncomingMessage, signal: AbortSignal): Request | Response {
  const { rawHeaders, method = '' } = incoming;
  const target = requestUrl(incoming.url ?? '');
  if (!('url' in target)) return new Response(target.message, { status: target.status });
  if (rawHeaders.length / 2 > MAX_HEADER_COUNT) return new Response('Too many headers', { status: 431 });
  try {
    const headers = new Headers();
    let hosts = 0;
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] as string;
      if (name.toLowerCase() === 'host') hosts += 1;
      headers.append(name, rawHeaders[i + 1] as string);
    }
    // Two of them: who looked at the first and who at the second may not agree (RFC 9112, 3.2).
    if (hosts > 1) return new Response('More than one Host header', { status: 400 });
    return new Request(target.url, { method, headers, signal });
  } catch {
    // A method that the platform forbids (TRACE), or a header that it does not take.
    return new Response('Unusable method or header', { status: 400 });
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.closed || response.destroyed || response.socket?.destroyed === true) resolve();
    else response.once('close', () => resolve());
  });
}
