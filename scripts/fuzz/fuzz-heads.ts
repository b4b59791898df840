import type { PeerConnection } from '../../src/http/peer-connection.ts';
import { exchangeWithPeer } from '../../src/http/peer-exchange.ts';
import { parsePeerResponseHead } from '../../src/http/peer-response-head.ts';
import { parseRequestHead, type RefusedHead, type RequestHead } from '../../src/http/server/request-head.ts';
import { createRequestReader } from '../../src/http/server/request-reader.ts';
import { createRandom } from '../sim/random.ts';
import { findAmbiguity, mutateHead, splitText } from './mutate-head.ts';

const REQUESTS = [
  'GET /v2/ HTTP/1.1\r\nHost: node\r\n\r\n',
  'GET /v2/library/a/blobs/sha256:0?ns=docker.io HTTP/1.1\r\nHost: node:5000\r\nRange: bytes=5-\r\nUser-Agent: x/1.0\r\n\r\n',
  'HEAD / HTTP/1.0\r\nConnection: keep-alive\r\nAccept: a/b, c/d;q=0.5\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n',
  '\r\nGET /a HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n',
];
const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/10\r\nDocker-Content-Digest: sha256:0\r\n\r\n',
  'HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 304 x\r\nContent-Length: 7\r\nConnection: close\r\n\r\n',
  'HTTP/1.1 200\r\nContent-Encoding: identity\r\nContent-Length: 0\r\n\r\n',
];
/** Every so many answers are read from a connection, too, whole and in parts: that takes much longer than parsing. */
const EXCHANGE_EVERY = 16;

/** What fuzzing found. */
export interface FuzzResult {
  /** Sentences about inputs. */
  readonly faults: readonly string[];
  readonly inputs: number;
  /** Heads that were accepted, of requests and of answers. */
  readonly acceptedRequests: number;
  readonly acceptedAnswers: number;
  /** The longest time for an input, in ms, and that input's number. */
  readonly slowestMs: number;
  readonly slowest: number;
}

/** Options of fuzzHeads. */
export interface FuzzOptions {
  /** The number of the first input. */
  readonly first?: number;
  readonly inputs: number;
  readonly seed: number;
  readonly maxFaults?: number;
}

/** Gives mutations of valid heads, in parts and whole, to what reads the heads of requests and of peers' answers. */
export async function fuzzHeads({
  first = 0,
  inputs,
  seed,
  maxFaults = 20,
}: FuzzOptions): Promise<FuzzResult> {
  const chance = createRandom(seed);
  const faults: string[] = [];
  let [acceptedRequests, acceptedAnswers, slowestMs, slowest] = [0, 0, 0, first];
  for (let n = first; n < first + inputs && faults.length < maxFaults; n++) {
    const random = chance.fork(n);
    const isRequest = random.next() < 0.5;
    const times = random.next() < 0.2 ? 2 : 1;
    const text = Array.from({ length: times }, () =>
      mutateHead(random, random.pick(isRequest ? REQUESTS : ANSWERS)),
    ).join('');
    const parts = splitText(random, text);
    const startMs = performance.now();
    try {
      let fault: string | undefined;
      if (isRequest) {
        const heads = readRequests([text]);
        acceptedRequests += heads.filter((head) => 'method' in head).length;
        fault = judgeRequests(heads, text, parts);
      } else {
        const isAccepted = parsePeerResponseHead(headOf(text)) !== undefined;
        if (isAccepted) acceptedAnswers++;
        fault = judgeAnswer(text);
        if (n % EXCHANGE_EVERY === 0) fault ??= await judgeExchange(text, parts);
      }
      if (fault !== undefined) faults.push(`Input ${n} ${fault}: ${JSON.stringify(text.slice(0, 500))}`);
    } catch (error) {
      faults.push(`Input ${n} throws ${String(error)}: ${JSON.stringify(text.slice(0, 500))}`);
    }
    const ms = performance.now() - startMs;
    if (ms > slowestMs) [slowestMs, slowest] = [ms, n];
  }
  return { faults, inputs, acceptedRequests, acceptedAnswers, slowestMs, slowest };
}

const headOf = (text: string) => text.split('\r\n\r\n')[0] ?? '';

/** All that a reader makes of parts, up to a refusal. */
function readRequests(parts: readonly string[]): (RequestHead | RefusedHead)[] {
  const reader = createRequestReader();
  const heads: (RequestHead | RefusedHead)[] = [];
  for (const part of parts) {
    reader.add(Buffer.from(part, 'latin1'));
    for (let head = reader.next(); head !== undefined; head = reader.next()) {
      heads.push(head);
      if ('status' in head) return heads;
    }
  }
  return heads;
}

function judgeRequests(
  heads: readonly (RequestHead | RefusedHead)[],
  text: string,
  parts: readonly string[],
): string | undefined {
  if (!Bun.deepEquals(readRequests(parts), heads)) {
    return `is read otherwise in parts of ${parts.map(({ length }) => length).join(', ')} bytes`;
  }
  let rest = text;
  for (const head of heads) {
    if (!('method' in head)) break;
    rest = rest.replace(/^(?:\r\n)+/, '');
    const raw = headOf(rest);
    rest = rest.slice(raw.length + 4);
    const ambiguity = findAmbiguity(raw);
    if (ambiguity !== undefined) return `is accepted with ${ambiguity}`;
    const names = head.headers.map(([name]) => name.toLowerCase());
    const version = / HTTP\/1\.\d$/.exec(raw.split('\r\n')[0] ?? '')?.[0] ?? '';
    const hosts = names.filter((name) => name === 'host').length;
    if (hosts > 1 || (hosts === 0 && version !== ' HTTP/1.0')) return `is accepted with ${hosts} hosts`;
    const codings = head.headers.filter(([name]) => name.toLowerCase() === 'transfer-encoding');
    if (codings.some(([, value]) => value.toLowerCase() !== 'chunked') || codings.length > 1) {
      return 'is accepted with another coding than chunked';
    }
    const again = [`${head.method} ${head.target}${version}`];
    for (const [name, value] of head.headers) again.push(`${name}: ${value}`);
    const isSame = Bun.deepEquals(parseRequestHead(again.join('\r\n')), head);
    if (!isSame) return 'is read otherwise when written again';
  }
  return undefined;
}

function judgeAnswer(text: string): string | undefined {
  const raw = headOf(text);
  const head = parsePeerResponseHead(raw);
  if (head === undefined) return undefined;
  const ambiguity = findAmbiguity(raw);
  if (ambiguity !== undefined) return `is accepted with ${ambiguity}`;
  if (head.status < 200 || head.status > 599) return `is accepted with status ${head.status}`;
  const { contentLength } = head;
  if (contentLength !== undefined && !(Number.isSafeInteger(contentLength) && contentLength >= 0)) {
    return `is accepted with length ${contentLength}`;
  }
  if (head.headers.has('transfer-encoding') && (contentLength ?? 0) > 0) return 'has a length and a coding';
  const again = [
    `HTTP/1.1 ${head.status}`,
    ...Array.from(head.headers, ([name, value]) => `${name}: ${value}`),
  ];
  // Where the last of several values is empty, ", " stands at the end.
  const headers = new Map(Array.from(head.headers, ([name, value]) => [name, value.replace(/, $/, ',')]));
  return Bun.deepEquals(parsePeerResponseHead(again.join('\r\n')), { ...head, headers })
    ? undefined
    : 'is read otherwise when written again';
}

/** What is read of an answer that comes in parts, and what of it is left. */
async function exchange(parts: readonly string[]): Promise<unknown> {
  const connection: PeerConnection = {
    owner: { onData() {}, onClose() {} },
    closed: false,
    descriptor: undefined,
    unreadBytes: undefined,
    send() {},
    boundReceiveBuffer() {},
    stretchReceiveBuffer() {},
    pause() {},
    resume() {},
    destroy() {
      this.owner = { onData() {}, onClose() {} };
    },
  };
  let rest = '';
  const onHead = (head: unknown, first: Uint8Array) => {
    rest += Buffer.from(first).toString('latin1');
    connection.owner = {
      onData: (chunk) => {
        rest += Buffer.from(chunk).toString('latin1');
      },
      onClose() {},
    };
    return head;
  };
  const exchanged = exchangeWithPeer(connection, '', {
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onHead,
  });
  for (const part of parts) connection.owner.onData(Buffer.from(part, 'latin1'));
  connection.owner.onClose(undefined);
  try {
    return { head: await exchanged, rest };
  } catch (error) {
    return (error as { readonly code?: string }).code;
  }
}

async function judgeExchange(text: string, parts: readonly string[]): Promise<string | undefined> {
  // The connection gives no empty parts.
  const given = parts.filter((part) => part !== '');
  const [whole, split] = [await exchange([text].filter((part) => part !== '')), await exchange(given)];
  return Bun.deepEquals(whole, split)
    ? undefined
    : `is read otherwise in parts of ${given.map(({ length }) => length).join(', ')} bytes`;
}
