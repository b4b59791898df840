import { createByteQueue } from './byte-queue.ts';
import type { LightIdentity } from './light-identity.ts';
import { createLightMuxer, type LightStream } from './light-muxer.ts';
import { framed, initiateNoise, MAX_MESSAGE_BYTES, type NoiseKey } from './noise-session.ts';
import { createSplitter, ipv4Multiaddr } from '../records/dht-messages.ts';

/** Options of connectLightPeer. */
export interface LightPeerOptions {
  readonly identity: LightIdentity;
  readonly key: NoiseKey;
  readonly host: string;
  readonly port: number;
  /** The address that it comes from. Default: the machine's own. */
  readonly localAddress?: string | undefined;
  /** The address that it says it listens on. */
  readonly announced: string;
}

/**
 * A client that speaks what a node of the cluster has to speak (TCP, Noise, yamux, identify and the DHT's messages) and
 * does nothing by itself: a process can be a thousand of them.
 */
export interface LightPeer {
  readonly identity: LightIdentity;
  /** Opens a stream of a protocol. Rejects when the other side does not speak it. */
  open(protocol: string): Promise<LightStream>;
  readonly isOpen: boolean;
  /** Resolves when the connection is over. */
  readonly ended: Promise<void>;
  /** What it was asked so far. */
  readonly questions: number;
  /** Ends the connection at once. */
  close(): void;
}

const MULTISTREAM = '/multistream/1.0.0';
const NOISE = '/noise';
const YAMUX = '/yamux/1.0.0';
const IDENTIFY = '/ipfs/id/1.0.0';
/** The DHT's protocol (the contract with Spegel). */
export const KAD = '/spegel/kad/1.0.0';
/** The port that the peers of a lab say they listen on. */
const ROUTER_PORT = 5001;
/** Fields of Identify (libp2p specs, identify). */
const IDENTIFY_TAGS = {
  publicKey: 0x0a,
  listenAddress: 0x12,
  protocol: 0x1a,
  protocolVersion: 0x2a,
  agent: 0x32,
};
/** Message.type = ADD_PROVIDER: the one message of the DHT that has no answer. */
const ADD_PROVIDER = Buffer.from([0x08, 0x02]);
/** Longest time for the connection with all handshakes, in ms. */
const CONNECT_TIMEOUT_MS = 30_000;

/** Connects and makes all handshakes. Rejects when the other side ends them, or takes longer than 30 s. */
export async function connectLightPeer(options: LightPeerOptions): Promise<LightPeer> {
  const { identity, key, host, port, localAddress, announced } = options;
  const incoming = createByteQueue();
  const ended = Promise.withResolvers<void>();
  let isOpen = true;
  let onData = (bytes: Uint8Array) => incoming.push(bytes);
  let unsent: Uint8Array[] = [];
  const onEnd = () => {
    isOpen = false;
    unsent = [];
    incoming.end();
    ended.resolve();
  };
  const socket = await Bun.connect({
    hostname: host,
    port,
    ...(localAddress === undefined ? {} : { localAddress }),
    socket: {
      data: (_, bytes) => onData(bytes),
      drain: () => flush(),
      close: onEnd,
      end: onEnd,
      error: onEnd,
    },
  });
  const flush = () => {
    for (let next = unsent[0]; next !== undefined; next = unsent[0]) {
      const written = socket.write(next);
      if (written < next.length) {
        unsent[0] = next.subarray(Math.max(0, written));
        return;
      }
      unsent.shift();
    }
  };
  const write = (bytes: Uint8Array) => {
    if (!isOpen) return;
    unsent.push(bytes);
    if (unsent.length === 1) flush();
  };
  const deadline = setTimeout(() => socket.terminate(), CONNECT_TIMEOUT_MS);
  try {
    await selectProtocol({ read: async (n) => incoming.read(n), write }, NOISE);
    const session = await initiateNoise({ read: async (n) => incoming.read(n), write }, { identity, key });
    const plain = createByteQueue();
    let handOn = (bytes: Uint8Array) => plain.push(bytes);
    let size: number | undefined;
    onData = (bytes) => {
      incoming.push(bytes);
      for (;;) {
        const head = size === undefined ? incoming.take(2) : undefined;
        if (head !== undefined) size = ((head[0] ?? 0) << 8) | (head[1] ?? 0);
        const sealed = size === undefined ? undefined : incoming.take(size);
        if (sealed === undefined) return;
        size = undefined;
        handOn(session.open(sealed));
      }
    };
    void ended.promise.then(() => plain.end());
    const secureWrite = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += MAX_MESSAGE_BYTES) {
        write(framed(session.seal(bytes.subarray(at, at + MAX_MESSAGE_BYTES))));
      }
    };
    // What came together with the last message of the handshake.
    onData(new Uint8Array());
    await selectProtocol({ read: async (n) => plain.read(n), write: secureWrite }, YAMUX);
    let questions = 0;
    const muxer = createLightMuxer(secureWrite, (stream) => {
      void answer(stream, {
        identify: () => identifyMessage(identity, announced),
        onQuestion: () => questions++,
      });
    });
    handOn = (bytes) => muxer.take(bytes);
    muxer.take(plain.takeAll());
    void ended.promise.then(() => muxer.end());
    return {
      identity,
      get isOpen() {
        return isOpen;
      },
      get questions() {
        return questions;
      },
      ended: ended.promise,
      open: async (protocol) => {
        const stream = muxer.open();
        const queue = createByteQueue();
        stream.onData = (bytes) => queue.push(bytes);
        stream.onEnd = () => queue.end();
        await selectProtocol(
          { read: async (n) => queue.read(n), write: (bytes) => void stream.send(bytes).catch(() => {}) },
          protocol,
        );
        stream.onEnd = () => {};
        return stream;
      },
      close: () => socket.terminate(),
    };
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    clearTimeout(deadline);
  }
}

interface Negotiation {
  readonly read: (n: number) => Promise<Uint8Array>;
  readonly write: (bytes: Uint8Array) => void;
}

/** Asks for a protocol (libp2p specs, multistream-select). */
async function selectProtocol({ read, write }: Negotiation, protocol: string): Promise<void> {
  write(Buffer.concat([line(MULTISTREAM), line(protocol)]));
  const [version, answer] = [await readLine(read), await readLine(read)];
  if (version !== MULTISTREAM || answer !== protocol) {
    throw new Error(`The other side answers ${JSON.stringify(answer)} to ${protocol}`);
  }
}

function line(text: string): Uint8Array {
  const bytes = Buffer.from(`${text}\n`);
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

async function readLine(read: Negotiation['read']): Promise<string> {
  const [length = 0] = await read(1);
  return Buffer.from(await read(length))
    .toString('latin1')
    .trimEnd();
}

interface Answers {
  readonly identify: () => Uint8Array;
  readonly onQuestion: () => void;
}

/** Serves a stream that the other side has opened. */
async function answer(stream: LightStream, { identify, onQuestion }: Answers): Promise<void> {
  const queue = createByteQueue();
  stream.onData = (bytes) => queue.push(bytes);
  stream.onEnd = () => queue.end();
  const read = async (n: number) => queue.read(n);
  try {
    await readLine(read);
    await stream.send(line(MULTISTREAM));
    for (;;) {
      const protocol = await readLine(read);
      if (protocol === IDENTIFY) {
        await stream.send(Buffer.concat([line(protocol), identify()]));
        stream.close();
        return;
      }
      if (protocol === KAD) {
        await stream.send(line(protocol));
        const split = createSplitter();
        const take = (bytes: Uint8Array) => {
          for (const message of split(bytes)) {
            onQuestion();
            if (ADD_PROVIDER.equals(message.subarray(0, ADD_PROVIDER.length))) continue;
            // The question without peers in it is a valid answer: it knows nothing.
            void stream.send(lengthDelimited(message)).catch(() => {});
          }
        };
        stream.onData = take;
        take(queue.takeAll());
        return;
      }
      await stream.send(line('na'));
    }
  } catch {
    // The other side has ended it.
  }
}

function identifyMessage({ publicKey }: LightIdentity, announced: string): Uint8Array {
  const field = (tag: number, value: Uint8Array | string) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Uint8Array.of(tag, bytes.length), bytes]);
  };
  return lengthDelimited(
    Buffer.concat([
      field(IDENTIFY_TAGS.publicKey, publicKey),
      field(IDENTIFY_TAGS.listenAddress, ipv4Multiaddr(announced, ROUTER_PORT)),
      ...[IDENTIFY, KAD].map((protocol) => field(IDENTIFY_TAGS.protocol, protocol)),
      field(IDENTIFY_TAGS.protocolVersion, 'ipfs/0.1.0'),
      field(IDENTIFY_TAGS.agent, 'light-peer'),
    ]),
  );
}

/** The message with its length as a varint in front. */
function lengthDelimited(message: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = message.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.from([...length, rest]), message]);
}
