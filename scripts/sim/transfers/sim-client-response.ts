import type {
  BrokenReason,
  ClientResponse,
  MoveEnd,
  MoveOptions,
  ResponseHead,
} from '../../../src/http/transport.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { TransferContent } from './sim-contents.ts';
import { arrivedBytes, msUntilEnd, type OpenSources, type SimBody } from './sim-source.ts';
import type { TransferJudge } from './transfer-play.ts';

/** What a response to containerd needs. */
export interface SimClientResponseDeps {
  readonly time: VirtualTime;
  readonly sources: OpenSources;
  readonly content: TransferContent;
  /** Told of a piece of the body: where it begins in the content, how many bytes, and whether they are wrong. */
  readonly onPiece: (piece: GivenPiece) => void;
  readonly judge: TransferJudge;
}

/** Bytes that were given to containerd. */
export interface GivenPiece {
  readonly sizeBytes: number;
  readonly isWrong: boolean;
  /** Undefined: they were verified. */
  readonly body: SimBody | undefined;
}

/** The response to one request of containerd. */
export interface SimClientResponse extends ClientResponse {
  /** containerd closes the connection. */
  leave(): void;
  /** Bytes of the body that are there now, those of a move that goes on, too. */
  readonly arrivedBytes: number;
  /** Bytes that the head promised and that did not come so far. */
  readonly owedBytes: number;
  /** When the head came, in ms. */
  readonly begunMs: number | undefined;
  readonly isBrokenOff: boolean;
  /** When the last byte came, in ms. */
  readonly lastByteMs: number;
  /** The longest that containerd waited for a byte of the body, in ms. */
  readonly longestSilenceMs: number;
}

/** Makes a response that has not begun. What it is given has to be what is due next. */
export function createSimClientResponse({
  time,
  sources,
  content,
  onPiece,
  judge,
}: SimClientResponseDeps): SimClientResponse {
  const gone = new AbortController();
  let head: ResponseHead | undefined;
  let moved = 0;
  let moving: SimBody | undefined;
  let isBrokenOff = false;
  let begunMs: number | undefined;
  let lastByteMs = 0;
  let longestSilenceMs = 0;
  const firstByte = () => Number(/^bytes (\d+)-/.exec(head?.headers['content-range'] ?? '')?.[1] ?? 0);
  const came = (piece: GivenPiece, firstMs: number, lastMs: number) => {
    if (piece.sizeBytes === 0) return;
    moved += piece.sizeBytes;
    longestSilenceMs = Math.max(longestSilenceMs, firstMs - lastByteMs);
    lastByteMs = lastMs;
    onPiece(piece);
  };
  const checkMove = (sizeBytes: number) => {
    if (head === undefined) throw new Error('Cannot move a source before begin()');
    if (moving !== undefined) throw new Error('Cannot move two sources at once');
    const due = head.contentLength - moved;
    judge.check(sizeBytes <= due, `${sizeBytes} bytes were given where ${due} were due`);
    if (sizeBytes > due) throw new RangeError('More bytes than are owed');
  };
  const moveMemory = (bytes: Uint8Array): MoveEnd => {
    const start = firstByte() + moved;
    const due = content.bytes?.subarray(start, start + bytes.length);
    const isWrong = due === undefined || Buffer.compare(due, bytes) !== 0;
    judge.check(!isWrong, `wrong bytes of a ${content.kind} were given as verified`);
    came({ sizeBytes: bytes.length, isWrong, body: undefined }, time.nowMs(), time.nowMs());
    return { how: 'complete', movedBytes: bytes.length };
  };

  const moveBody = (body: SimBody, { stallTimeoutMs, pace, signal }: MoveOptions): Promise<MoveEnd> =>
    new Promise((resolve) => {
      const due = firstByte() + moved;
      judge.check(body.content === content, 'bytes of another content were given');
      judge.check(
        body.start === due,
        `bytes from ${body.start} on were given where those from ${due} on were due`,
      );
      const startedMs = time.nowMs();
      moving = body;
      const timers: (() => void)[] = [];
      const finish = (make: (movedBytes: number) => MoveEnd) => {
        if (moving !== body) return;
        const nowMs = time.nowMs();
        const movedBytes = arrivedBytes(body, nowMs);
        moving = undefined;
        for (const cancel of timers) cancel();
        gone.signal.removeEventListener('abort', onGone);
        signal?.removeEventListener('abort', onCancel);
        const cameMs = (bytes: number) => Math.max(startedMs, body.startedMs + bytes / body.bytesPerMs);
        came({ sizeBytes: movedBytes, isWrong: body.isWrong, body }, cameMs(1), cameMs(movedBytes));
        resolve(make(movedBytes));
      };
      const broken = (reason: BrokenReason) =>
        finish((movedBytes) => ({ how: 'source-broken', movedBytes, reason }));
      const onGone = () => finish((movedBytes) => ({ how: 'client-gone', movedBytes }));
      const onCancel = () =>
        finish((movedBytes) => ({ how: gone.signal.aborted ? 'client-gone' : 'cancelled', movedBytes }));
      const onEnd = () => {
        if (body.end === 'complete') finish((movedBytes) => ({ how: 'complete', movedBytes }));
        else if (body.end === 'stall') timers.push(time.after(stallTimeoutMs, () => broken('stalled')));
        else broken(body.end === 'fin' ? 'ended-early' : 'connection-lost');
      };
      if (gone.signal.aborted) return onGone();
      gone.signal.addEventListener('abort', onGone, { once: true });
      signal?.addEventListener('abort', onCancel, { once: true });
      // From one byte to the next it may take longer than a stall.
      const betweenBytesMs = 1 / body.bytesPerMs;
      if (betweenBytesMs > stallTimeoutMs) timers.push(time.after(stallTimeoutMs, () => broken('stalled')));
      // A tenth of a millisecond later: the last byte is there by then.
      timers.push(time.after(msUntilEnd(body, startedMs) + 0.1, onEnd));
      const judgePace = () => {
        const nowMs = time.nowMs();
        const reason = pace?.judge({ movedBytes: arrivedBytes(body, nowMs), waitedMs: nowMs - startedMs });
        if (reason !== undefined) broken(reason);
        else if (pace !== undefined && moving === body) timers.push(time.after(pace.everyMs, judgePace));
      };
      if (pace !== undefined) timers.push(time.after(pace.everyMs, judgePace));
    });

  const response: SimClientResponse = {
    remoteAddress: '127.0.0.1',
    stalledMs: 0,
    limitRate() {},
    gone: gone.signal,
    get begun() {
      return head !== undefined;
    },
    get movedBytes() {
      return response.arrivedBytes;
    },
    get arrivedBytes() {
      return moved + (moving === undefined ? 0 : arrivedBytes(moving, time.nowMs()));
    },
    get owedBytes() {
      return head === undefined ? 0 : head.contentLength - response.arrivedBytes;
    },
    get begunMs() {
      return begunMs;
    },
    get isBrokenOff() {
      return isBrokenOff;
    },
    get lastByteMs() {
      return lastByteMs;
    },
    get longestSilenceMs() {
      return longestSilenceMs;
    },
    begin(begun) {
      if (head !== undefined) throw new Error('Cannot begin a response twice');
      head = begun;
      begunMs = lastByteMs = time.nowMs();
    },
    async move(given, options) {
      const source = sources.take(given);
      try {
        checkMove(source.sizeBytes);
        return source.kind === 'memory' ? moveMemory(source.bytes) : await moveBody(source.body, options);
      } finally {
        source.close();
      }
    },
    moveBytes: async (bytes) => moveMemory(bytes),
    leave: () => gone.abort(new Error('The client closed its connection')),
    breakOff() {
      if (head !== undefined && moved === head.contentLength) return;
      isBrokenOff = true;
      gone.abort(new Error('The response was broken off'));
    },
  };
  return response;
}

/** The piece, for a trace. */
export function describePiece({ body, sizeBytes, isWrong }: GivenPiece): string {
  return `${sizeBytes} ${isWrong ? 'wrong ' : ''}from ${body?.host ?? 'elsewhere'}`;
}
