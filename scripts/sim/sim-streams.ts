import { encodePing } from '../../src/dht/wire/add-provider-message.ts';
import type { NamedPeer } from '../../src/dht/wire/dht-message.ts';
import { MAX_MESSAGE_BYTES, SLOW_ANSWER_MS } from '../../src/dht/limits.ts';
import { createMessageSplitter } from '../../src/dht/wire/message-splitter.ts';
import { concat } from '../../src/dht/wire/protocol-buffers.ts';
import { ANSWER_TIMEOUT_MS } from '../../src/p2p/limits.ts';
import type { Link, Process, SimNetwork, TrafficKind } from './sim-network.ts';
import type { VirtualTime } from './virtual-time.ts';
import { KEEP_STREAM_MS } from '../../src/p2p/rpc/kept-stream.ts';
import { MAX_KEPT_STREAMS, SILENCE_INITIAL_MS, SILENCE_MAX_MS } from '../../src/p2p/rpc/kept-streams.ts';

/** Another node, as streams see it. */
export interface Answering extends Process {
  readonly id: Uint8Array;
  /** Takes a message without its length, returns the answer with its length. Throws when the stream is to be reset. */
  receive(from: Answering, message: Uint8Array): Uint8Array | undefined;
}

/** Questions to other nodes over kept streams, as src/p2p/rpc/rpc-client.ts asks them of libp2p. */
export interface SimStreams {
  /** Sends the messages and resolves to what the last of them is answered, without the length. */
  ask(peer: NamedPeer, kind: TrafficKind, messages: Uint8Array): Promise<Uint8Array>;
  /** Sends the messages and a PING behind them; resolves when that is answered. */
  deliver(peer: NamedPeer, messages: Uint8Array): Promise<void>;
  isSilent(peer: NamedPeer): boolean;
  heard(name: string): void;
  /** The link has ended: what was asked over it is not answered any more. */
  closed(link: Link): void;
  /** Streams that were opened. */
  readonly openedCount: number;
}

/** What createSimStreams needs. */
export interface SimStreamsDeps {
  readonly self: Answering;
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  /** The link to the peer, dialled if there is none. */
  readonly linkTo: (peer: NamedPeer) => Promise<Link>;
}

interface Question {
  readonly sinceMs: number;
  readonly link: Link;
  reject(cause: Error): void;
}

/** The stream ended before the answer came. */
class LostError extends Error {
  override readonly name = 'LostError';
}

const PING = encodePing();
/** A message without its length, which takes one byte here. */
const withoutLength = (message: Uint8Array) => message.subarray(1);
const BARE_PING = withoutLength(PING);

/** Makes the streams of one node. */
export function createSimStreams({ self, time, network, linkTo }: SimStreamsDeps): SimStreams {
  /** When a stream was used last; who was asked last comes last. */
  const kept = new Map<string, number>();
  const waiting = new Map<string, Set<Question>>();
  const silences = new Map<string, { readonly untilMs: number; readonly nextMs: number }>();
  let openedCount = 0;

  const noteFailure = (name: string) => {
    const before = silences.get(name);
    if (before !== undefined && time.nowMs() < before.untilMs) return;
    const ms = before?.nextMs ?? SILENCE_INITIAL_MS;
    silences.set(name, { untilMs: time.nowMs() + ms, nextMs: Math.min(2 * ms, SILENCE_MAX_MS) });
  };
  const failAll = (name: string, cause: Error) => {
    kept.delete(name);
    const questions = waiting.get(name);
    waiting.delete(name);
    for (const question of questions ?? []) question.reject(cause);
  };
  /** What is added to the first question of a stream: the protocol is agreed on first. */
  const isNewStream = (name: string) => {
    const lastMs = kept.get(name);
    kept.delete(name);
    kept.set(name, time.nowMs());
    if (lastMs !== undefined && time.nowMs() - lastMs < KEEP_STREAM_MS) return false;
    openedCount++;
    const [oldest] = kept.keys();
    if (kept.size > MAX_KEPT_STREAMS && oldest !== undefined) kept.delete(oldest);
    return true;
  };
  const exchange = async (peer: NamedPeer, name: string, kind: TrafficKind, messages: Uint8Array) => {
    const link = await linkTo(peer);
    const other = link.ends[link.ends[0] === self ? 1 : 0] as Answering;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const question: Question = { sinceMs: time.nowMs(), link, reject };
    const questions = waiting.get(name) ?? new Set();
    waiting.set(name, questions);
    questions.add(question);
    const timeOut = time.after(ANSWER_TIMEOUT_MS, () => {
      if (questions.has(question)) failAll(name, new Error('The peer does not answer'));
    });
    const settle = (done: () => void) => {
      timeOut();
      questions.delete(question);
      done();
    };
    const answered = (answer: Uint8Array) => {
      if (!self.isGone && questions.has(question)) settle(() => resolve(answer));
    };
    const asked = () => {
      try {
        const answer = answerTo(other, self, messages);
        network.send(link, other, kind, answer.length, () => answered(answer));
      } catch {
        network.send(link, other, kind, 0, () => settle(() => reject(new LostError('The stream was reset'))));
      }
    };
    if (isNewStream(name)) {
      const header = () => network.send(link, other, kind, HEADER_BYTES, () => send());
      const send = () => network.send(link, self, kind, messages.length, asked);
      network.send(link, self, kind, HEADER_BYTES, header);
    } else network.send(link, self, kind, messages.length, asked);
    return promise;
  };
  const ask = async (peer: NamedPeer, kind: TrafficKind, messages: Uint8Array) => {
    const name = peer.id.toHex();
    try {
      const answer = await exchange(peer, name, kind, messages).catch(async (error: unknown) => {
        if (!(error instanceof LostError)) throw error;
        return exchange(peer, name, kind, messages);
      });
      silences.delete(name);
      return answer;
    } catch (error) {
      noteFailure(name);
      throw error;
    }
  };
  return {
    ask,
    async deliver(peer, messages) {
      const isPing = messages.length === 0;
      await ask(peer, isPing ? 'ping' : 'records', isPing ? PING : concat([messages, PING]));
    },
    isSilent(peer) {
      const name = peer.id.toHex();
      const [oldest] = waiting.get(name) ?? [];
      if (oldest !== undefined && time.nowMs() - oldest.sinceMs > SLOW_ANSWER_MS) return true;
      return time.nowMs() < (silences.get(name)?.untilMs ?? 0);
    },
    heard: (name) => void silences.delete(name),
    closed(link) {
      const other = link.ends[link.ends[0] === self ? 1 : 0];
      failAll(other.name, new LostError('The connection has ended'));
    },
    get openedCount() {
      return openedCount;
    },
  };
}

/** The protocol's name, as multistream-select sends it. */
const HEADER_BYTES = 40;

/** Lets the node answer all messages; the last one has an answer, returned without its length. */
function answerTo(node: Answering, from: Answering, messages: Uint8Array): Uint8Array {
  if (messages === PING) return withoutLength(node.receive(from, BARE_PING) ?? PING);
  let answer: Uint8Array | undefined;
  for (const message of createMessageSplitter(MAX_MESSAGE_BYTES).push(messages)) {
    answer = node.receive(from, message) ?? answer;
  }
  const [bare] = answer === undefined ? [] : createMessageSplitter(1024 * 1024).push(answer);
  if (bare === undefined) throw new Error('Nothing to answer');
  return bare;
}
