import type { PlainAnswer } from '../http-server.ts';
import { formatHeader, formatHeadEnd, formatStatusLine, type ResponseHeadOptions } from './response-head.ts';

/** A Response as it goes over the wire. */
export interface ResponseBytes {
  /** As Latin-1 text. */
  readonly head: string;
  /** Empty where none is owed. */
  readonly body: Uint8Array;
}

/** How an answer goes out. */
export interface AnswerOptions extends ResponseHeadOptions {
  /** It answers a HEAD. */
  readonly bodyless: boolean;
}

const EMPTY = new Uint8Array(0);
/** The headers that the connection sets itself. */
const OWN_HEADERS = new Set(['content-length', 'transfer-encoding', 'connection']);

/** Reads a response whole. Throws what formatHeader throws. */
export async function readResponse(response: Response, options: AnswerOptions): Promise<ResponseBytes> {
  const { status, headers } = response;
  const body = response.body === null ? undefined : new Uint8Array(await response.arrayBuffer());
  let lines = '';
  for (const [name, value] of headers) if (!OWN_HEADERS.has(name)) lines += formatHeader(name, value);
  return format({ status, lines, lengthGiven: headers.get('content-length') ?? undefined, body }, options);
}

/** A plain answer as it goes over the wire. Throws what formatHeader throws. */
export function formatPlainAnswer(
  { status, headers, body }: PlainAnswer,
  options: AnswerOptions,
): ResponseBytes {
  let lines = '';
  for (const name of Object.keys(headers)) {
    if (!OWN_HEADERS.has(name)) lines += formatHeader(name, headers[name] ?? '');
  }
  return format({ status, lines, lengthGiven: headers['content-length'], body }, options);
}

/** The parts of an answer. */
interface AnswerParts {
  readonly status: number;
  /** Those of its headers, without Content-Length. */
  readonly lines: string;
  /** Its Content-Length, if it has that. */
  readonly lengthGiven: string | undefined;
  readonly body: Uint8Array | undefined;
}

function format({ status, lines, lengthGiven, body }: AnswerParts, options: AnswerOptions): ResponseBytes {
  const { bodyless } = options;
  const hasNoBody = status === 204 || status === 304;
  // A HEAD's is that of the GET, or none where nothing says what that would be (RFC 9110, 8.6).
  const ownLength = bodyless && body === undefined ? undefined : `${body?.length ?? 0}`;
  const length = hasNoBody ? undefined : bodyless ? (lengthGiven ?? ownLength) : ownLength;
  const lengthLine = length === undefined ? '' : formatHeader('Content-Length', length);
  return {
    head: formatStatusLine(status) + lines + lengthLine + formatHeadEnd(options),
    body: bodyless || hasNoBody ? EMPTY : (body ?? EMPTY),
  };
}
