import { asBuffer } from '../../runtime/as-buffer.ts';
import { MAX_HEAD_BYTES } from '../limits.ts';
import { parseRequestHead, type RefusedHead, type RequestHead } from './request-head.ts';

/** Finds the heads of requests in what a client sends. */
export interface RequestReader {
  /** Bytes that are here and not read. */
  readonly heldBytes: number;
  /** Adds what has come; the bytes are the reader's. */
  add(bytes: Uint8Array): void;
  /** The next head, why it is refused, or undefined while it is not whole. After a refusal there is nothing more to read. */
  next(): RequestHead | RefusedHead | undefined;
  /** The next bytes, as many as that; undefined while they are not all here. For the body of the request that was read last. */
  take(sizeBytes: number): Uint8Array | undefined;
  /** Drops what is here. */
  clear(): void;
}

const CR = 0x0d;
const LF = 0x0a;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const EMPTY: Buffer = Buffer.alloc(0);
const MALFORMED: RefusedHead = { status: 400, message: 'Malformed request' };

/** Makes a reader of a connection on which nothing has come. */
export function createRequestReader(): RequestReader {
  let received: Buffer = EMPTY;
  /** The CR of an empty line came, its LF has not. */
  let splitEmptyLine = false;

  /** Passes over empty lines before a request (RFC 9112, 2.2). False for a CR that is not a part of such a line. */
  const skipEmptyLines = (): boolean => {
    let start = 0;
    if (splitEmptyLine && received.length > 0) {
      splitEmptyLine = false;
      if (received[0] !== LF) return false;
      start = 1;
    }
    while (received[start] === CR && received[start + 1] === LF) start += 2;
    if (received[start] === CR && start + 1 === received.length) {
      splitEmptyLine = true;
      start += 1;
    }
    if (start > 0) received = received.subarray(start);
    return true;
  };

  return {
    get heldBytes() {
      return received.length;
    },
    add(bytes) {
      received = received.length === 0 ? asBuffer(bytes) : Buffer.concat([received, bytes]);
    },
    next() {
      if (!skipEmptyLines()) return MALFORMED;
      if (received.length === 0) return undefined;
      const found = received.subarray(0, MAX_HEAD_BYTES).indexOf(END_OF_HEAD);
      const part = received.subarray(0, found === -1 ? MAX_HEAD_BYTES : found);
      if (!mayBeHead(part)) return MALFORMED;
      if (found === -1) {
        if (received.length < MAX_HEAD_BYTES) return undefined;
        return { status: 431, message: `The head is longer than ${MAX_HEAD_BYTES} bytes` };
      }
      const head = parseRequestHead(part.toString('latin1'));
      received = received.subarray(found + END_OF_HEAD.length);
      // A small rest must not keep the large buffer that it came in.
      if (received.length === 0) received = EMPTY;
      return head;
    },
    take(sizeBytes) {
      if (received.length < sizeBytes) return undefined;
      const taken = received.subarray(0, sizeBytes);
      received = received.length === sizeBytes ? EMPTY : received.subarray(sizeBytes);
      return taken;
    },
    clear() {
      received = EMPTY;
    },
  };
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
