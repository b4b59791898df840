import { parseHeaderLine } from './header-line.ts';
import { MAX_HEADER_COUNT } from './limits.ts';

/** The head of a peer's response, checked. */
export interface PeerResponseHead {
  readonly status: number;
  /** Values by lower-case name; several are joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** Undefined: the body has no length that can be trusted, or is encoded. Zero for 204 and 304, and for HEAD what a GET would have. */
  readonly contentLength: number | undefined;
  /** The peer will read another request from this connection. */
  readonly keepAlive: boolean;
}

const STATUS_LINE = /^HTTP\/1\.1 ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/**
 * Parses a response head (RFC 9112, sections 4 and 5) without its final empty line. Stricter than the RFC, since
 * only registries of this kind are asked: HTTP/1.1 only, no interim responses, no line folding, no lone CR or
 * LF, a single Content-Length of digits, not together with a transfer coding. Undefined if it is not that.
 */
export function parsePeerResponseHead(text: string): PeerResponseHead | undefined {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
  if (!Number.isInteger(status) || lines.length > MAX_HEADER_COUNT) return undefined;

  const headers = new Map<string, string>();
  for (const line of lines) {
    const parsed = parseHeaderLine(line);
    if (parsed === undefined) return undefined;
    const [name, value] = parsed;
    const key = name.toLowerCase();
    const earlier = headers.get(key);
    headers.set(key, earlier === undefined ? value : `${earlier}, ${value}`);
  }

  const lengthText = headers.get('content-length');
  const length = lengthText === undefined ? undefined : parseContentLength(lengthText);
  const encoded = headers.has('transfer-encoding');
  if (lengthText !== undefined && (length === undefined || encoded)) return undefined;
  const hasContentCoding = !['', 'identity'].includes((headers.get('content-encoding') ?? '').toLowerCase());
  const tokens = (headers.get('connection') ?? '').toLowerCase().split(',');
  const bodyless = status === 204 || status === 304;
  return {
    status,
    headers,
    contentLength: bodyless ? 0 : hasContentCoding ? undefined : length,
    keepAlive: !tokens.some((token) => token.trim() === 'close') && !encoded,
  };
}

/** Digits only, a safe integer, a single value; undefined for anything else (no sign, no list: RFC 9112, 6.3 lets a client refuse those). */
function parseContentLength(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}
