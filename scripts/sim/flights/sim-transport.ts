import type {
  TransportClient,
  BodySource,
  ClientResponse,
  FileGrowth,
  MoveEnd,
  MoveOptions,
  PeerAnswer,
  PeerRequest,
  PeerRequestLimits,
  ResponseHead,
} from '../../../src/http/transport.ts';
import { PeerRequestError } from '../../../src/http/transport.ts';
import { rangeLength, type ByteRange } from '../../../src/oci/byte-range.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import type { SimWire } from './sim-wire.ts';

/** A source that only the simulation understands. */
export type SimSource = BodySource &
  (
    | { readonly kind: 'file'; readonly path: string; readonly range: ByteRange }
    | {
        readonly kind: 'growing';
        readonly path: string;
        readonly range: ByteRange;
        readonly growth: FileGrowth;
      }
    | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
    | { readonly kind: 'wire'; readonly wire: SimWire; readonly bytes: Uint8Array | undefined }
  );

/** An answer of another node, whole or with a body on its way. */
export interface SimAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly wire?: SimWire | undefined;
  /** A body that is small enough to be there with its head; also what a wire brings, where its bytes are looked at. */
  readonly bytes?: Uint8Array | undefined;
}

/** Sends a request to another node. Rejects with PeerRequestError. */
export type SendRequest = (request: PeerRequest, limits: PeerRequestLimits) => Promise<SimAnswer>;

/** Makes the transport of one node: what is decided is production's, what is moved are numbers. */
export function createSimTransport(send: SendRequest): TransportClient {
  const toSource = ({ wire, bytes }: SimAnswer): SimSource | undefined => {
    if (wire !== undefined) {
      return { kind: 'wire', wire, bytes, sizeBytes: wire.lengthBytes, close: () => wire.close() };
    }
    return bytes === undefined
      ? undefined
      : { kind: 'bytes', bytes, sizeBytes: bytes.length, close: () => {} };
  };
  return {
    openFile: async (path, range) =>
      ({ kind: 'file', path, range, sizeBytes: rangeLength(range), close: () => {} }) satisfies SimSource,
    openGrowingFile: async (path, range, growth) => {
      if (range.start > growth.writtenBytes) throw new RangeError('The range starts beyond what is written');
      return {
        kind: 'growing',
        path,
        range,
        growth,
        sizeBytes: rangeLength(range),
        close: () => {},
      } satisfies SimSource;
    },
    // The pessimistic side: a hop waits until containerd has written.
    createRelay: () => ({ has: () => false, endOf: (byte) => byte, subscribe: () => () => {} }),
    openBytes: (bytes) =>
      ({ kind: 'bytes', bytes, sizeBytes: bytes.length, close: () => {} }) satisfies SimSource,
    async readBody(body, { signal }) {
      const source = body as SimSource;
      if (source.kind === 'bytes') return source.bytes;
      if (source.kind !== 'wire') throw new TypeError('Only what was received can be read');
      const { wire, bytes } = source;
      await new Promise<void>((resolve, reject) => {
        const lost = (code: 'CONNECTION_LOST' | 'CANCELLED') => {
          wire.close();
          reject(new PeerRequestError(code, 'The body was broken off'));
        };
        signal.addEventListener('abort', () => lost('CANCELLED'), { once: true });
        wire.read({
          onBytes: () => {},
          onMoving: () => {},
          onEnd: (how) => (how === 'complete' ? resolve() : lost('CONNECTION_LOST')),
        });
      });
      if (bytes === undefined) throw new TypeError('A body without known bytes was read');
      return bytes;
    },
    async request(request, limits): Promise<PeerAnswer> {
      const answer = await send(request, limits);
      return { status: answer.status, header: (name) => answer.headers[name], body: toSource(answer) };
    },
    async requestSmall(request, limits) {
      const { status, headers, bytes = new Uint8Array() } = await send(request, limits);
      return { status, header: (name) => headers[name], bytes };
    },
    close: async () => {},
  };
}

/** What a sending response needs. */
export interface SendingResponseDeps {
  /** Sends the head; returns the body's way. */
  readonly start: (head: ResponseHead, firstByte: number) => SimWire;
  readonly clock: Clock;
  /** Told of bytes of a file that are offered: so many from its first byte. */
  readonly onOffered: (path: string, toByte: number) => void;
}

/** The response to another node. */
export function createSendingResponse({
  start,
  clock,
  onOffered,
}: SendingResponseDeps): ClientResponse & { readonly wire: SimWire | undefined; leave(): void } {
  const gone = new AbortController();
  let wire: SimWire | undefined;
  let head: ResponseHead | undefined;
  const response = {
    remoteAddress: 'peer',
    stalledMs: 0,
    limitRate() {},
    gone: gone.signal,
    get begun() {
      return head !== undefined;
    },
    get movedBytes() {
      return wire?.arrivedBytes ?? 0;
    },
    get wire() {
      return wire;
    },
    leave: () => gone.abort(),
    begin(begun: ResponseHead) {
      head = begun;
    },
    async move(body: BodySource, { stallTimeoutMs }: MoveOptions): Promise<MoveEnd> {
      const source = body as SimSource;
      if (head === undefined) throw new TypeError('Not begun');
      if (source.kind !== 'file' && source.kind !== 'growing') throw new TypeError('Only files are sent');
      const { range, path } = source;
      const way = start(head, range.start);
      wire = way;
      return new Promise((resolve) => {
        let offeredMs = clock.nowMs();
        const ends: (() => void)[] = [];
        const end = (how: MoveEnd) => {
          for (const each of ends.splice(0)) each();
          resolve(how);
        };
        way.onOver = () => {
          const movedBytes = way.arrivedBytes;
          if (way.ended === 'complete') end({ how: 'complete', movedBytes });
          else {
            gone.abort();
            end({ how: 'client-gone', movedBytes });
          }
        };
        const offer = (toByte: number) => {
          offeredMs = clock.nowMs();
          onOffered(path, toByte);
          way.offer(toByte - range.start);
        };
        if (source.kind === 'file') {
          offer(range.end + 1);
          return;
        }
        const { growth } = source;
        const broken = (reason: 'ended-early' | 'stalled') =>
          end({ how: 'source-broken', movedBytes: way.arrivedBytes, reason });
        const look = () => {
          if (growth.isOver && growth.writtenBytes <= range.end) broken('ended-early');
          else offer(Math.min(growth.writtenBytes, range.end + 1));
        };
        ends.push(growth.subscribe(look));
        look();
        void (async () => {
          const isDone = () => ends.length === 0;
          while (!isDone()) {
            const leftMs = offeredMs + stallTimeoutMs - clock.nowMs();
            if (leftMs <= 0) broken('stalled');
            else await clock.sleep(leftMs);
          }
        })();
      });
    },
    moveBytes: async (): Promise<MoveEnd> => {
      throw new TypeError('Not used between nodes');
    },
    breakOff() {
      wire?.end('fin');
    },
  };
  return response;
}

/** Where bytes for containerd end up. */
export interface Receiver {
  onHead(head: ResponseHead): void;
  /** Bytes of the blob are there up to this one. */
  onBytes(toByte: number): void;
  onOver(): void;
}

/** The first byte of the body that the head announces. */
function firstByteOf({ headers }: ResponseHead): number {
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0);
}

/** The response to this node's own containerd. */
export function createOwnResponse({
  clock,
  receiver,
}: {
  readonly clock: Clock;
  readonly receiver: Receiver;
}): ClientResponse & { leave(): void } {
  const gone = new AbortController();
  let head: ResponseHead | undefined;
  let moved = 0;
  const take = (bytes: number) => {
    moved += bytes;
    if (head !== undefined) receiver.onBytes(firstByteOf(head) + moved);
  };
  const response: ClientResponse & { leave(): void } = {
    remoteAddress: '127.0.0.1',
    stalledMs: 0,
    limitRate() {},
    gone: gone.signal,
    get begun() {
      return head !== undefined;
    },
    get movedBytes() {
      return moved;
    },
    leave: () => gone.abort(),
    begin(begun) {
      head = begun;
      receiver.onHead(begun);
    },
    async move(body, { stallTimeoutMs, pace, signal = gone.signal }) {
      const source = body as SimSource;
      if (source.kind === 'bytes') {
        take(source.sizeBytes);
        return { how: 'complete', movedBytes: source.sizeBytes };
      }
      if (source.kind !== 'wire') throw new TypeError('containerd asks for nothing that it has');
      const { wire } = source;
      if (wire.start !== (head === undefined ? 0 : firstByteOf(head)) + moved) {
        throw new Error(`Wrong bytes: those from ${wire.start} on, after ${moved}`);
      }
      return new Promise((resolve) => {
        const startedMs = clock.nowMs();
        let taken = 0;
        let idleMs = startedMs;
        let isWatched = false;
        const over = new AbortController();
        const end = (how: MoveEnd) => {
          over.abort();
          signal.removeEventListener('abort', leave);
          wire.close();
          resolve(how);
        };
        const arrived = (bytes: number) => {
          take(bytes - taken);
          taken = bytes;
        };
        const broken = (reason: 'stalled' | 'slow' | 'ended-early' | 'connection-lost') => {
          arrived(Math.max(taken, wire.arrivedBytes));
          end({ how: 'source-broken', movedBytes: taken, reason });
        };
        const leave = () => end({ how: 'client-gone', movedBytes: taken });
        /** Finds out that nothing comes any more; at rest while something does. */
        const watchIdle = async () => {
          if (isWatched) return;
          isWatched = true;
          while (!over.signal.aborted && !wire.isMoving) {
            const leftMs = idleMs + stallTimeoutMs - clock.nowMs();
            if (leftMs <= 0) broken('stalled');
            else await clock.sleep(leftMs, over.signal).catch(() => {});
          }
          isWatched = false;
        };
        if (signal.aborted) {
          leave();
          return;
        }
        signal.addEventListener('abort', leave, { once: true });
        void watchIdle();
        wire.read({
          onBytes: arrived,
          onMoving: (isMoving) => {
            if (over.signal.aborted) return;
            if (isMoving) return;
            idleMs = clock.nowMs();
            void watchIdle();
          },
          onEnd: (how) => {
            if (how === 'complete') end({ how: 'complete', movedBytes: taken });
            else broken(how === 'fin' ? 'ended-early' : 'connection-lost');
          },
        });
        if (pace === undefined) return;
        void (async () => {
          for (;;) {
            await clock.sleep(pace.everyMs, over.signal).catch(() => {});
            if (over.signal.aborted) return;
            const reason = pace.judge({ movedBytes: wire.arrivedBytes, waitedMs: clock.nowMs() - startedMs });
            if (reason !== undefined) broken(reason);
          }
        })();
      });
    },
    moveBytes: async () => {
      throw new TypeError('Not used by containerd');
    },
    breakOff() {
      gone.abort();
      receiver.onOver();
    },
  };
  return response;
}

/** Headers of an answer with a body, as the client gets them. */
export function headersOf(head: ResponseHead): Readonly<Record<string, string>> {
  return { ...head.headers, 'content-length': String(head.contentLength) };
}
