/**
 * The readers of startReaders(), started inside a namespace: an array of BlobReader on standard input; on standard
 * output a line once each of them has the first byte of a body or has ended, then one with an array of BlobReading. Raw
 * sockets, so that what is read is what came, and no sooner than it is wanted.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BlobReader, type BlobReading, UNDER_WAY } from './read-blobs.ts';

/** A slow reader takes its share so many times a second. */
const TAKES_PER_SECOND = 20;
/** Before the next request, in ms. */
const RETRY_PAUSE_MS = 200;
/** So many requests in a row that bring nothing: 10 s, in which a node that failed is asked again. */
const MAX_FRUITLESS = 50;

/** How one response ended. */
interface Response {
  readonly ended: BlobReading['ended'];
  readonly status: number;
  readonly receivedBytes: number;
  readonly wrongAt: number | undefined;
}

// Else the kernel would take a slow reader's whole body, and nobody would have to wait.
writeFileSync('/proc/sys/net/ipv4/tcp_rmem', '4096 65536 131072');

const readers = (await Bun.stdin.json()) as BlobReader[];
/** Readers that have no byte of a body yet. */
const waiting = new Set(readers);
const files = new Map<string, Buffer>();
for (const { file } of readers) if (!files.has(file)) files.set(file, readFileSync(file));
console.log(JSON.stringify(await Promise.all(readers.map(run))));
process.exit(0);

function noteUnderWay(reader: BlobReader): void {
  if (waiting.delete(reader) && waiting.size === 0) console.log(UNDER_WAY);
}

async function run(reader: BlobReader): Promise<BlobReading> {
  const { file, offset = 0, resumes = false } = reader;
  const expected = files.get(file) ?? Buffer.alloc(0);
  const startedMs = performance.now();
  let receivedBytes = 0;
  let requests = 0;
  for (let fruitless = 0; ;) {
    requests++;
    const response = await request(reader, expected, offset + receivedBytes, receivedBytes);
    receivedBytes += response.receivedBytes;
    fruitless = response.receivedBytes > 0 ? 0 : fruitless + 1;
    const { ended, status, wrongAt } = response;
    const over = ended === 'complete' || ended === 'aborted' || wrongAt !== undefined;
    if (over || !resumes || fruitless > MAX_FRUITLESS) {
      noteUnderWay(reader);
      return { ended, receivedBytes, wrongAt, requests, status, durationMs: performance.now() - startedMs };
    }
    await sleep(RETRY_PAUSE_MS);
  }
}

async function request(
  reader: BlobReader,
  expected: Buffer,
  from: number,
  readBefore: number,
): Promise<Response> {
  const { host, port, path, bytesPerSecond, abortAfterBytes = Infinity } = reader;
  const socket = connect({ host, port });
  const range = from === 0 ? '' : `Range: bytes=${from}-\r\n`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${range}Connection: close\r\n\r\n`);
  let head = Buffer.alloc(0);
  let status = 0;
  let receivedBytes = 0;
  let wrongAt: number | undefined;
  let failed = false;
  socket.on('error', () => {
    failed = true;
  });

  const take = (chunk: Buffer): void => {
    const at = from + receivedBytes;
    if (wrongAt === undefined && !chunk.equals(expected.subarray(at, at + chunk.length))) {
      wrongAt = at + chunk.findIndex((byte, index) => byte !== expected[at + index]);
    }
    receivedBytes += chunk.length;
  };
  let allowance = 0;
  let lastMs = performance.now();
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      let body = chunk;
      if (status === 0) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) continue;
        status = Number(head.subarray(9, 12).toString());
        if (status !== (from === 0 ? 200 : 206)) break;
        body = head.subarray(end + 4);
      }
      take(body);
      if (receivedBytes > 0) noteUnderWay(reader);
      if (wrongAt !== undefined || readBefore + receivedBytes >= abortAfterBytes) {
        // With unread bytes left this sends a reset.
        socket.resetAndDestroy();
        return { ended: 'aborted', status, receivedBytes, wrongAt };
      }
      if (bytesPerSecond === undefined) continue;
      allowance -= body.length;
      while (allowance < 0) {
        await sleep(1000 / TAKES_PER_SECOND);
        const nowMs = performance.now();
        allowance = Math.min(allowance + ((nowMs - lastMs) / 1000) * bytesPerSecond, bytesPerSecond);
        lastMs = nowMs;
      }
    }
  } catch {
    failed = true;
  }
  socket.destroy();
  if (from + receivedBytes === expected.length) return { ended: 'complete', status, receivedBytes, wrongAt };
  if (status !== 0 && status !== 200 && status !== 206) {
    return { ended: 'refused', status, receivedBytes, wrongAt };
  }
  return { ended: failed ? 'reset' : 'short', status, receivedBytes, wrongAt };
}
