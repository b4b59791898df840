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
  const client = createPlainClientResponse(response, { bodyless, clientStallTimeoutMs });
  onBegin(client);
  const { socket } = incoming;
  const reusable = !hasBody(incoming) && !lastOnConnection;
  if (!reusable) response.setHeader('Connection', 'close');

  try {
    const made = makeRequest(incoming, client.gone);
    const answer = made instanceof Request ? await handler(made, client) : made;
    if (!client.begun && !client.gone.aborted) await sendSmall(answer, response, bodyless);
  } catch (error) {
    onError(error);
    if (!client.begun && !response.headersSent) {
      response.writeHead(500, { 'Content-Length': 0 });
      response.end();
    }
  }
  // A handler that leaves a body short means to break it off.
  if (client.begun && !client.complete) client.breakOff();
  if (client.begun && !client.complete) return { reusable: false };
  await closed(response);
  if (!reusable) lingerClose(socket, clientStallTimeoutMs);
  return { reusable };
}

async function sendSmall(answer: Response, response: ServerResponse, bodyless: boolean): Promise<void> {
  const headers = [...answer.headers].filter(
    ([name]) => name !== 'transfer-encoding' && name !== 'connection',
  );
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const hasNoLength = answer.status === 204 || answer.status === 304;
  const lengthGiven = headers.some(([name]) => name === 'content-length');
  const kept = headers.filter(([name]) => name !== 'content-length' || (bodyless && !hasNoLength));
  if (!hasNoLength && !(bodyless && lengthGiven)) kept.push(['content-length', String(bytes.length)]);
  response.writeHead(answer.status, kept.flat());
  if (bodyless || hasNoLength) response.end();
  else response.end(bytes);
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
