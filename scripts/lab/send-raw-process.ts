/** The clients of sendRaw(), started inside a namespace: RawRequests on standard input, RawAnswers on standard output. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RawAnswer, RawRequest } from './send-raw.ts';

const DEFAULT_PATIENCE_MS = 3_000;
const MAX_TEXT = 4_000;

const requests = (await Bun.stdin.json()) as RawRequest[];
console.log(JSON.stringify(await Promise.all(requests.map(exchange))));
process.exit(0);

async function exchange(request: RawRequest): Promise<RawAnswer> {
  const { host, port, text, byteEveryMs, patienceMs = DEFAULT_PATIENCE_MS } = request;
  const startedMs = performance.now();
  let received = '';
  let end: RawAnswer['end'] = 'open';
  let connected = false;
  const over = Promise.withResolvers<void>();
  const ending = new AbortController();
  const ended = ending.signal;
  void over.promise.then(() => ending.abort());
  const finish = (how: RawAnswer['end']) => {
    end = how;
    over.resolve();
  };
  const socket = connect({ host, port, allowHalfOpen: true }, () => {
    connected = true;
  });
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('end', () => finish('fin'));
  socket.on('error', () => finish(connected ? 'reset' : 'refused'));
  socket.on('close', () => over.resolve());
  const deadline = setTimeout(() => over.resolve(), patienceMs);
  if (byteEveryMs === undefined) socket.write(text, 'latin1');
  else {
    for (let at = 0; at < text.length && !ended.aborted; at++) {
      socket.write(text.charAt(at), 'latin1');
      await Promise.race([sleep(byteEveryMs), over.promise]);
    }
  }
  await over.promise;
  clearTimeout(deadline);
  socket.destroy();
  return {
    text: received.slice(0, MAX_TEXT),
    statuses: Array.from(received.matchAll(/^HTTP\/1\.1 (\d{3}) /gm), ([, status]) => Number(status)),
    end,
    durationMs: performance.now() - startedMs,
  };
}
