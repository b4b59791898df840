import { createByteQueue } from './byte-queue.ts';

/** One stream of a connection. */
export interface LightStream {
  /** Hands over bytes as far as the other side makes room; resolves when all of them are sent. Rejects when it ends first. */
  send(bytes: Uint8Array): Promise<void>;
  /** Gets what comes. Set before anything else is awaited. */
  onData: (bytes: Uint8Array) => void;
  onEnd: () => void;
  /** False: the other side gets no more room once what it has is used up. Default true. */
  reads: boolean;
  readonly isOpen: boolean;
  /** Ends this side of it. */
  close(): void;
}

/** Streams over one connection, of the side that has dialled it (yamux specification, version 0). */
export interface LightMuxer {
  open(): LightStream;
  /** Gets bytes of the connection. */
  take(bytes: Uint8Array): void;
  /** The connection is over. */
  end(): void;
}

const HEADER_BYTES = 12;
/** What a stream may send before it is given more room, in bytes. */
const WINDOW_BYTES = 256 * 1024;
const MAX_FRAME_BYTES = 32 * 1024;
const TYPES = { data: 0, window: 1, ping: 2, goAway: 3 } as const;
const FLAGS = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;

interface StreamState {
  readonly stream: LightStream;
  isOpen: boolean;
  roomBytes: number;
  takenBytes: number;
  readonly waiting: { readonly bytes: Uint8Array; resolve(): void; reject(cause: Error): void }[];
}

/** Makes a muxer that writes to the connection. */
export function createLightMuxer(
  write: (bytes: Uint8Array) => void,
  onStream: (stream: LightStream) => void,
): LightMuxer {
  const incoming = createByteQueue();
  const streams = new Map<number, StreamState>();
  let nextId = 1;
  let header: Uint8Array | undefined;

  const frame = (type: number, flags: number, id: number, length: number, body?: Uint8Array) => {
    const head = Buffer.alloc(HEADER_BYTES);
    head[1] = type;
    head.writeUInt16BE(flags, 2);
    head.writeUInt32BE(id, 4);
    head.writeUInt32BE(length, 8);
    write(body === undefined ? head : Buffer.concat([head, body]));
  };
  const flush = (id: number, state: StreamState) => {
    for (let next = state.waiting[0]; next !== undefined && state.roomBytes > 0; next = state.waiting[0]) {
      const part = next.bytes.subarray(0, Math.min(state.roomBytes, MAX_FRAME_BYTES));
      state.roomBytes -= part.length;
      frame(TYPES.data, 0, id, part.length, part);
      const rest = next.bytes.subarray(part.length);
      if (rest.length > 0) state.waiting[0] = { ...next, bytes: rest };
      else {
        state.waiting.shift();
        next.resolve();
      }
    }
  };
  const drop = (id: number, state: StreamState) => {
    if (!state.isOpen) return;
    state.isOpen = false;
    streams.delete(id);
    for (const each of state.waiting.splice(0)) each.reject(new Error('The stream has ended'));
    state.stream.onEnd();
  };
  const create = (id: number): StreamState => {
    const stream: LightStream = {
      onData() {},
      onEnd() {},
      reads: true,
      get isOpen() {
        return state.isOpen;
      },
      async send(bytes) {
        if (!state.isOpen) throw new Error('The stream has ended');
        return new Promise((resolve, reject) => {
          state.waiting.push({ bytes, resolve, reject });
          flush(id, state);
        });
      },
      close() {
        if (!state.isOpen) return;
        frame(TYPES.window, FLAGS.fin, id, 0);
        drop(id, state);
      },
    };
    const state: StreamState = { stream, isOpen: true, roomBytes: WINDOW_BYTES, takenBytes: 0, waiting: [] };
    streams.set(id, state);
    return state;
  };
  const accept = (id: number): StreamState => {
    const state = create(id);
    frame(TYPES.window, FLAGS.ack, id, 0);
    onStream(state.stream);
    return state;
  };
  const onFrame = (head: Uint8Array, body: Uint8Array) => {
    const view = Buffer.from(head.buffer, head.byteOffset, HEADER_BYTES);
    const [type, flags, id, length] = [
      head[1],
      view.readUInt16BE(2),
      view.readUInt32BE(4),
      view.readUInt32BE(8),
    ];
    if (type === TYPES.ping) {
      if ((flags & FLAGS.syn) !== 0) frame(TYPES.ping, FLAGS.ack, 0, length);
      return;
    }
    if (type === TYPES.goAway) return;
    const state = (flags & FLAGS.syn) !== 0 ? accept(id) : streams.get(id);
    if (state === undefined) return;
    if (type === TYPES.window) {
      state.roomBytes += length;
      flush(id, state);
    } else if (body.length > 0) {
      state.stream.onData(body);
      state.takenBytes += body.length;
      if (state.stream.reads && state.isOpen && state.takenBytes >= WINDOW_BYTES / 2) {
        frame(TYPES.window, 0, id, state.takenBytes);
        state.takenBytes = 0;
      }
    }
    if ((flags & (FLAGS.fin | FLAGS.rst)) !== 0) drop(id, state);
  };

  return {
    open() {
      const id = nextId;
      nextId += 2;
      const { stream } = create(id);
      frame(TYPES.window, FLAGS.syn, id, 0);
      return stream;
    },
    take(bytes) {
      incoming.push(bytes);
      for (;;) {
        header ??= incoming.take(HEADER_BYTES);
        if (header === undefined) return;
        const bodyBytes = header[1] === TYPES.data ? Buffer.from(header).readUInt32BE(8) : 0;
        const body = incoming.take(bodyBytes);
        if (body === undefined) return;
        const head = header;
        header = undefined;
        onFrame(head, body);
      }
    },
    end() {
      for (const [id, state] of streams) drop(id, state);
    },
  };
}
