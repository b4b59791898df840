import { describe, expect, test } from 'bun:test';

import { contentMultihash } from './wire/content-key.ts';
import { encodeMessage, encodePeer, MESSAGE_TYPES, parseMessage, parsePeer } from './wire/dht-message.ts';
import { createRpcHandler } from './rpc-handler.ts';
import { REPLICATION } from './limits.ts';
import { createMessageSplitter } from './wire/message-splitter.ts';
import { createPeerTable } from './peers/peer-table.ts';
import { bytesField, concat, numberField } from './wire/protocol-buffers.ts';
import { createProviderRecords } from './provide/provider-records.ts';

const KEY = contentMultihash('sha256:x');
const SELF = Uint8Array.of(0, 0);
const id = (number: number) => Uint8Array.of(1, number);
const address = (number: number) => Uint8Array.of(4, 10, 0, number >> 8, number & 255, 6, 0x13, 0x89);
const peer = (number: number) => encodePeer(id(number), [address(number)]);
/** A message without its length. */
const message = (...fields: Uint8Array[]) => concat(fields);
const withoutLength = (framed: Uint8Array) => {
  const [message] = createMessageSplitter(1_000_000).push(framed);
  return message ?? new Uint8Array(0);
};
const adding = (provider: Uint8Array, key = KEY) =>
  message(numberField(1, MESSAGE_TYPES.addProvider), bytesField(2, key), bytesField(9, provider));
const asking = (type: number, key = KEY) => message(numberField(1, type), bytesField(2, key));

function setUp({ known = 0 }: { known?: number } = {}) {
  const records = createProviderRecords({ nowMs: () => 0 });
  const peers = createPeerTable(SELF);
  const avoided = new Set<string>();
  const introduced: string[] = [];
  const told: string[] = [];
  for (let number = 1; number <= known; number++) {
    peers.put(id(number), { addresses: [address(number)], isConnected: true });
  }
  const responder = createRpcHandler({
    self: { name: SELF.toHex(), encoded: () => encodePeer(SELF, [address(0)]) },
    records,
    peers,
    describe: (name) => peers.get(name),
    isAvoided: (name) => avoided.has(name),
    introduce(from, addresses) {
      introduced.push(from.toHex());
      return peers.put(from, { addresses });
    },
    closerCount: (name) => (name === id(6).toHex() ? 5 : REPLICATION),
    onTold: (name) => void told.push(name),
    random: () => 0.999,
  });
  const ask = (type: number, { from = 200, key = KEY } = {}) => {
    const answer = responder.answer(id(from), asking(type, key));
    const parsed = parseMessage(withoutLength(answer ?? new Uint8Array()), 1000);
    const numbers = (list: readonly Uint8Array[]) => list.map((bytes) => parsePeer(bytes)?.id[1]);
    return { ...parsed, providers: numbers(parsed.providers), closer: numbers(parsed.closer) };
  };
  return { records, peers, avoided, introduced, told, responder, ask };
}

describe('createRpcHandler()', () => {
  test('takes a record of the peer that it names, and tells others', () => {
    const { responder, ask, introduced } = setUp();
    for (const key of ['a', 'b', 'c']) {
      expect(responder.answer(id(7), adding(peer(7), contentMultihash(key)))).toBeUndefined();
    }
    expect(introduced).toHaveLength(1);
    expect(ask(MESSAGE_TYPES.getProviders, { key: contentMultihash('b') }).providers).toEqual([7]);
    expect(ask(MESSAGE_TYPES.getProviders, { key: contentMultihash('z') }).providers).toEqual([]);
  });

  test('takes each record for what it is, whichever peer sends a record in between', () => {
    const { responder, records, peers } = setUp({ known: 8 });
    const add = (from: number, key: string, provider = peer(from)) =>
      responder.answer(id(from), adding(provider, contentMultihash(key)));
    const holders = (key: string) => records.providersOf(contentMultihash(key));
    add(7, 'a');
    add(7, 'b');
    add(8, 'b');
    add(7, 'c');
    // The same bytes from another peer name a peer that is not the sender.
    add(6, 'd', peer(7));
    add(7, 'd', peer(8));
    expect(['a', 'b', 'c', 'd'].map((key) => holders(key).length)).toEqual([1, 2, 1, 0]);
    const noHash = contentMultihash('e').with(0, 0);
    expect(() => responder.answer(id(7), adding(peer(7), noHash))).toThrow('no such key');
    // All but the key has to be the same: before it, and behind it.
    add(7, 'e');
    const cut = adding(peer(7), contentMultihash('f'));
    cut[0] = 0xff;
    expect(() => responder.answer(id(7), cut)).toThrow();
    const question = adding(peer(7), contentMultihash('f'));
    question[1] = MESSAGE_TYPES.getProviders;
    expect(responder.answer(id(7), question)).toBeInstanceOf(Uint8Array);
    expect(holders('f')).toEqual([]);
    const elsewhere = encodePeer(id(7), [address(99)]);
    expect(elsewhere.length).toBe(peer(7).length);
    add(7, 'f', elsewhere);
    expect(holders('f')).toHaveLength(1);
    expect(peers.get(id(7).toHex())?.addresses).toEqual([address(99)]);
  });

  test('takes no record that names another peer, or no peer that can be reached', () => {
    const { responder, records, peers } = setUp({ known: 8 });
    responder.answer(id(7), adding(peer(8)));
    responder.answer(id(9), adding(encodePeer(id(9), []).subarray(0, 0)));
    responder.answer(id(9), message(numberField(1, 2), bytesField(2, KEY)));
    expect([records.recordCount, records.providersOf(KEY)]).toEqual([0, []]);
    expect(peers.get(id(8).toHex())?.addresses).toEqual([address(8)]);
  });

  test('takes the addresses that a peer says last', () => {
    const { responder, peers } = setUp();
    responder.answer(id(7), adding(peer(7)));
    responder.answer(id(7), adding(encodePeer(id(7), [address(99)])));
    expect(peers.get(id(7).toHex())?.addresses).toEqual([address(99)]);
  });

  test('names itself among the providers, and leaves out peers that are unknown or avoided', () => {
    const { records, ask, avoided } = setUp({ known: 3 });
    for (const name of [SELF, id(1), id(2), id(50)].map((bytes) => bytes.toHex())) records.add(KEY, name);
    avoided.add(id(2).toHex());
    expect(new Set(ask(MESSAGE_TYPES.getProviders).providers)).toEqual(new Set([0, 1]));
    expect(new Set(ask(MESSAGE_TYPES.getProviders).closer)).toEqual(new Set([1, 3]));
  });

  test('names some of many providers', () => {
    const { records, ask, told } = setUp({ known: 200 });
    records.add(KEY, SELF.toHex());
    for (let number = 1; number <= 200; number++) records.add(KEY, id(number).toHex());
    const { providers } = ask(MESSAGE_TYPES.getProviders, { from: 250 });
    expect([providers.length, new Set(providers).size]).toEqual([64, 64]);
    const others = providers.filter((number) => number !== 0);
    expect(told.map((name) => Uint8Array.fromHex(name)[1])).toEqual(others);
  });

  test('names the closest twenty peers, without the peer that asks', () => {
    const { ask, peers } = setUp({ known: 100 });
    const { closer } = ask(MESSAGE_TYPES.findNode, { from: 5, key: id(5) });
    expect(closer).toHaveLength(20);
    expect(closer).not.toContain(5);
    expect(ask(MESSAGE_TYPES.findNode, { key: id(5) }).closer[0]).toBe(5);
    expect(peers.size).toBe(100);
    const providersFor = (from: number) => ask(MESSAGE_TYPES.getProviders, { from }).closer;
    expect(providersFor(5)).toHaveLength(REPLICATION);
    // Some peers that ask for providers are named a few closer peers, always the same; a peer that looks for peers is
    // not.
    expect(providersFor(6)).toEqual(
      providersFor(5)
        .filter((number) => number !== 6)
        .slice(0, 5),
    );
    expect(ask(MESSAGE_TYPES.findNode, { from: 6 }).closer).toHaveLength(REPLICATION);
  });

  test('tells its own addresses to a peer that asks for it', () => {
    expect(setUp({ known: 2 }).ask(MESSAGE_TYPES.findNode, { key: SELF }).closer[0]).toBe(0);
  });

  test('answers a PING', () => {
    const answer = setUp().responder.answer(id(1), message(numberField(1, MESSAGE_TYPES.ping)));
    expect(answer).toEqual(encodeMessage({ type: MESSAGE_TYPES.ping }));
  });

  const hostile: Record<string, Uint8Array> = {
    'no message': Uint8Array.of(0xff),
    'a value to keep': asking(MESSAGE_TYPES.putValue),
    'a question for a value': asking(MESSAGE_TYPES.getValue),
    'an unknown type': asking(9),
    'nothing, which is a value to keep': new Uint8Array(0),
    'a question without a key': message(numberField(1, MESSAGE_TYPES.getProviders)),
    'a walk to nowhere': message(numberField(1, MESSAGE_TYPES.findNode)),
    'a record whose key is too short': adding(peer(7), KEY.subarray(1)),
    'a record whose key is too long': adding(peer(7), concat([KEY, KEY])),
    'a record without a key': message(numberField(1, MESSAGE_TYPES.addProvider), bytesField(9, peer(7))),
    'a record that is cut off': adding(peer(7)).subarray(0, 50),
    'a provider that is cut off': adding(Uint8Array.of(0x0a, 5, 1)),
  };
  for (const [name, bytes] of Object.entries(hostile)) {
    test(`throws for ${name}, and changes nothing`, () => {
      const { responder, records, peers } = setUp({ known: 3 });
      expect(() => responder.answer(id(7), bytes)).toThrow(expect.objectContaining({ name: 'MessageError' }));
      expect([records.recordCount, peers.size]).toEqual([0, 3]);
    });
  }

  test('answers or throws MessageError for any bytes', () => {
    const { responder } = setUp({ known: 3 });
    const whole = adding(peer(7));
    for (let round = 0; round < 3000; round++) {
      const bytes = concat([whole, crypto.getRandomValues(new Uint8Array(round % 30))]);
      bytes[round % bytes.length] = round % 256;
      try {
        responder.answer(id(7), bytes);
      } catch (error) {
        expect((error as Error).name).toBe('MessageError');
      }
    }
  });
});
