import { describe, expect, test } from 'bun:test';

import { encodeGetProviders, parseProvidersAnswer } from './get-providers-message.ts';
import { bytesField, concat, numberField } from './protocol-buffers.ts';

const KEY = Uint8Array.of(7, 7);
const TYPE = numberField(1, 3);

/** A peer as answers name it. */
function peer(id: Uint8Array, ...addresses: Uint8Array[]): Uint8Array {
  return concat([
    bytesField(1, id),
    ...addresses.map((address) => bytesField(2, address)),
    numberField(3, 1),
  ]);
}

function answer(...fields: Uint8Array[]): Uint8Array {
  return concat([TYPE, bytesField(2, KEY), ...fields]);
}

test('encodeGetProviders() writes type and key with the length in front', () => {
  // Worked out by hand from the protocol's .proto (libp2p specs, kad-dht).
  expect([...encodeGetProviders(Uint8Array.of(9, 8))]).toEqual([6, 0x08, 3, 0x12, 2, 9, 8]);
});

describe('parseProvidersAnswer()', () => {
  test('reads providers and closer peers, and skips what it does not know', () => {
    const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
    const unknown = [
      numberField(10, 5),
      bytesField(3, one),
      Uint8Array.of(0x7d, 1, 2, 3, 4),
      numberField(99, 2 ** 40),
    ];
    const message = answer(...unknown, bytesField(8, peer(one)), bytesField(9, peer(two, one, two)));
    expect(parseProvidersAnswer(message, KEY)).toEqual({
      closer: [{ id: one, addresses: [] }],
      providers: [{ id: two, addresses: [one, two] }],
    });
  });

  test('takes an answer that does not repeat the key', () => {
    expect(parseProvidersAnswer(TYPE, KEY)).toEqual({ closer: [], providers: [] });
  });

  test('leaves out peers whose ID is missing or too long, and addresses that are too long', () => {
    const peers = [
      peer(new Uint8Array(0)),
      peer(new Uint8Array(65)),
      new Uint8Array(0),
      peer(KEY, new Uint8Array(257)),
    ];
    const message = answer(...peers.map((each) => bytesField(9, each)));
    expect(parseProvidersAnswer(message, KEY).providers).toEqual([{ id: KEY, addresses: [] }]);
  });

  test('stops at its bounds', () => {
    const many = Array.from({ length: 500 }, () => peer(KEY, ...Array<Uint8Array>(50).fill(KEY)));
    const { providers, closer } = parseProvidersAnswer(
      answer(...many.map((each) => bytesField(9, each)), ...many.map((each) => bytesField(8, each))),
      KEY,
    );
    expect([providers.length, closer.length]).toEqual([64, 20]);
    expect(providers[0]?.addresses).toHaveLength(16);
  });

  const whole = answer(bytesField(9, peer(KEY, KEY)));
  const hostile: Record<string, Uint8Array> = {
    nothing: new Uint8Array(0),
    'another type': concat([numberField(1, 4), bytesField(2, KEY)]),
    'a type that is bytes': bytesField(1, KEY),
    'another key': concat([TYPE, bytesField(2, Uint8Array.of(7, 8))]),
    'an endless number': concat([TYPE, Uint8Array.of(0x08), new Uint8Array(20).fill(0xff)]),
    'a length beyond its end': concat([TYPE, Uint8Array.of(0x4a, 0xff, 0xff, 0xff, 0xff, 0x7f)]),
    'a length of 2^63': concat([
      TYPE,
      Uint8Array.of(0x4a),
      new Uint8Array(8).fill(0xff),
      Uint8Array.of(0x7f),
    ]),
    'field 0': concat([TYPE, Uint8Array.of(0x02, 0)]),
    'a field beyond 32 bits': concat([TYPE, Uint8Array.of(0xca, 0x80, 0x80, 0x80, 0x80, 0x01, 0)]),
    'a group': concat([TYPE, Uint8Array.of(0x4b)]),
    'a provider that is cut off': answer(bytesField(9, Uint8Array.of(0x0a, 5, 1))),
    text: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    ...Object.fromEntries(
      // Where a field ends the rest is a whole message again.
      [1, 3, 5, 7, 9, 11, 12].map((length) => [`its first ${length} bytes`, whole.subarray(0, length)]),
    ),
  };
  for (const [name, bytes] of Object.entries(hostile)) {
    test(`throws for ${name}`, () => {
      expect(() => parseProvidersAnswer(bytes, KEY)).toThrow(/^Cannot (?:read a message|use an answer)/);
    });
  }

  test('returns or throws MessageError for any bytes', () => {
    for (let round = 0; round < 2000; round++) {
      const bytes = concat([whole, crypto.getRandomValues(new Uint8Array(round % 40))]);
      bytes[round % bytes.length] = round % 256;
      try {
        parseProvidersAnswer(bytes, KEY);
      } catch (error) {
        expect((error as Error).name).toBe('MessageError');
      }
    }
  });
});
