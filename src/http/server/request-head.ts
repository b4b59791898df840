import { parseHeaderLine } from '../header-line.ts';
import { MAX_HEADER_COUNT } from '../limits.ts';

/** The head of a request, checked. */
export interface RequestHead {
  readonly method: string;
  /** As sent. */
  readonly target: string;
  /** Names as sent, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The client will read another answer from this connection. */
  readonly keepAlive: boolean;
  /** A body follows, or may follow. */
  readonly hasBody: boolean;
  /** How long it is, in bytes; undefined: the client does not say so before it. */
  readonly bodyBytes: number | undefined;
}

/** Why a head is refused. */
export interface RefusedHead {
  readonly status: 400 | 431 | 505;
  readonly message: string;
}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP\/(\d)\.(\d)$/;

const NO_TOKENS: ReadonlySet<string> = new Set();

const refuse = (status: RefusedHead['status'], message: string): RefusedHead => ({ status, message });

/**
 * Parses a request head (RFC 9112, sections 3, 5 and 6) without its final empty line, as Latin-1 text. What two parsers
 * could read differently is refused: folded lines, a space before the colon, lone CR or LF, NUL, several Host headers,
 * several or malformed lengths, a length beside a transfer coding.
 */
export function parseRequestHead(text: string): RequestHead | RefusedHead {
  const lines = text.split('\r\n');
  const [, method, target, major, minor] = REQUEST_LINE.exec(lines[0] ?? '') ?? [];
  if (method === undefined || target === undefined) return refuse(400, 'Malformed request line');
  if (major !== '1') return refuse(major === '2' ? 400 : 505, 'Only HTTP/1.1 is spoken here');
  if (lines.length - 1 > MAX_HEADER_COUNT) return refuse(431, 'Too many headers');

  const headers: (readonly [name: string, value: string])[] = [];
  let hosts = 0;
  let length: string | undefined;
  let coding: string | undefined;
  let connection = '';
  for (let i = 1; i < lines.length; i++) {
    const line = parseHeaderLine(lines[i] ?? '');
    if (line === undefined) return refuse(400, 'Malformed header');
    const [name, value] = line;
    headers.push(line);
    switch (name.toLowerCase()) {
      case 'host':
        hosts += 1;
        break;
      case 'content-length':
        if (length !== undefined || !/^\d{1,15}$/.test(value)) return refuse(400, 'Unusable Content-Length');
        length = value;
        break;
      case 'transfer-encoding':
        coding = coding === undefined ? value : `${coding}, ${value}`;
        break;
      case 'connection':
        connection += `,${value.toLowerCase()}`;
        break;
    }
  }
  if (coding !== undefined && (length !== undefined || coding.toLowerCase() !== 'chunked')) {
    return refuse(400, 'Unusable Transfer-Encoding');
  }
  // Several Host headers: what looked at the first and what looked at the second may not agree (RFC 9112, 3.2).
  if (hosts > 1 || (hosts === 0 && minor !== '0')) return refuse(400, 'Not exactly one Host header');
  const tokens = connection === '' ? NO_TOKENS : new Set(connection.split(',').map((token) => token.trim()));
  return {
    method,
    target,
    headers,
    keepAlive: minor === '0' ? tokens.has('keep-alive') : !tokens.has('close'),
    hasBody: coding !== undefined || (length !== undefined && Number(length) > 0),
    bodyBytes: coding === undefined ? Number(length ?? 0) : undefined,
  };
}
