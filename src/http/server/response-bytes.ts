import type { PlainAnswer } from '../http-server.ts';
import { formatResponseHead, type ResponseHeadOptions } from './response-head.ts';

/** A Response as it goes over the wire. */
export interface ResponseBytes {
  readonly head: Uint8Array;
  /** Empty where none is owed. */
  readonly body: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** How an answer goes out. */
export interface AnswerOptions extends ResponseHeadOptions {
  /** It answers a HEAD. */
  readonly bodyless: boolean;
}

/** Reads a response whole. Throws what formatResponseHead throws. */
export async function readResponse(response: Response, options: AnswerOptions): Promise<ResponseBytes> {
  const body = response.body === null ? undefined : new Uint8Array(await response.arrayBuffer());
  return format(response.status, [...response.headers], body, options);
}

/** A plain answer as it goes over the wire. Throws what formatResponseHead throws. */
export function formatPlainAnswer(
  { status, headers, body }: PlainAnswer,
  options: AnswerOptions,
): ResponseBytes {
  return format(status, Object.entries(headers), body, options);
}

function format(
  status: number,
  given: readonly (readonly [name: string, value: string])[],
  body: Uint8Array | undefined,
  { bodyless, keepAlive }: AnswerOptions,
): ResponseBytes {
  const hasNoBody = status === 204 || status === 304;
  const headers: (readonly [string, string])[] = [];
  let lengthGiven: string | undefined;
  for (const header of given) {
    const [name, value] = header;
    if (name === 'content-length') lengthGiven = value;
    else if (name !== 'transfer-encoding' && name !== 'connection') headers.push(header);
  }
  // A HEAD's is that of the GET, or none where nothing says what that would be (RFC 9110, 8.6).
  const ownLength = bodyless && body === undefined ? undefined : `${body?.length ?? 0}`;
  const length = bodyless ? (lengthGiven ?? ownLength) : ownLength;
  if (!hasNoBody && length !== undefined) headers.push(['Content-Length', length]);
  return {
    head: formatResponseHead(status, headers, { keepAlive }),
    body: bodyless || hasNoBody ? EMPTY : (body ?? EMPTY),
  };
}
