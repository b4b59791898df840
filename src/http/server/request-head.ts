import { lruSet } from '../../runtime/lru-set.ts';
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

/** Heads whose headers are kept: of some clients. */
const MAX_KEPT = 64;
/** Longer heads are not kept, in characters: containerd's and other nodes' have a few hundred. */
const MAX_KEPT_LENGTH = 1024;
/** Heads with this header are not kept: most are for a piece of a layer, and are not sent again. */
const RANGE = /^range:/im;

/** What the headers of a head say. */
interface HeaderFields {
  readonly headers: RequestHead['headers'];
  /** How many Host headers there are. */
  readonly hosts: number;
  readonly length: string | undefined;
  readonly coding: string | undefined;
  /** What the Connection headers say. */
  readonly close: boolean;
  readonly keepAlive: boolean;
}

/** A client sends the same headers with each request: they are parsed once. */
const known = new Map<string, HeaderFields | RefusedHead>();

const refuse = (status: RefusedHead['status'], message: string): RefusedHead => ({ status, message });

/**
 * Parses a request head (RFC 9112, sections 3, 5 and 6) without its final empty line, as Latin-1 text. What two parsers
 * could read differently is refused: folded lines, a space before the colon, lone CR or LF, NUL, several Host headers,
 * several or malformed lengths, a length beside a transfer coding.
 */
export function parseRequestHead(text: string): RequestHead | RefusedHead {
  const end = text.indexOf('\r\n');
  const match = REQUEST_LINE.exec(end === -1 ? text : text.slice(0, end));
  const [, method, target, major, minor] = match ?? [];
  if (method === undefined || target === undefined) return refuse(400, 'Malformed request line');
  if (major !== '1') return refuse(major === '2' ? 400 : 505, 'Only HTTP/1.1 is spoken here');
  const fields = end === -1 ? NO_HEADERS : fieldsOf(text.slice(end + 2), text.length);
  if ('status' in fields) return fields;
  const { headers, hosts, length, coding, close, keepAlive } = fields;
  // Several Host headers: what looked at the first and what looked at the second may not agree (RFC 9112, 3.2).
  if (hosts > 1 || (hosts === 0 && minor !== '0')) return refuse(400, 'Not exactly one Host header');
  return {
    method,
    target,
    headers,
    keepAlive: minor === '0' ? keepAlive : !close,
    hasBody: coding !== undefined || (length !== undefined && Number(length) > 0),
    bodyBytes: coding === undefined ? Number(length ?? 0) : undefined,
  };
}

const NO_HEADERS: HeaderFields = {
  headers: [],
  hosts: 0,
  length: undefined,
  coding: undefined,
  close: false,
  keepAlive: false,
};

function fieldsOf(lines: string, headLength: number): HeaderFields | RefusedHead {
  const kept = known.get(lines);
  if (kept !== undefined) return kept;
  const fields = parseFields(lines.split('\r\n'));
  if (headLength <= MAX_KEPT_LENGTH && !RANGE.test(lines)) lruSet(known, lines, fields, MAX_KEPT);
  return fields;
}

function parseFields(lines: readonly string[]): HeaderFields | RefusedHead {
  if (lines.length > MAX_HEADER_COUNT) return refuse(431, 'Too many headers');
  const headers: (readonly [name: string, value: string])[] = [];
  let hosts = 0;
  let length: string | undefined;
  let coding: string | undefined;
  let connection = '';
  for (const text of lines) {
    const line = parseHeaderLine(text);
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
  const tokens = connection === '' ? [] : connection.split(',').map((token) => token.trim());
  const [close, keepAlive] = [tokens.includes('close'), tokens.includes('keep-alive')];
  return { headers, hosts, length, coding, close, keepAlive };
}
