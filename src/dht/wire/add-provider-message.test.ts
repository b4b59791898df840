import { expect, test } from 'bun:test';

import { encodeAddProviders, encodePing } from './add-provider-message.ts';
import { encodePeer } from './dht-message.ts';

/** The expected bytes are worked out by hand from the protocol's .proto (libp2p specs, kad-dht). */
test('encodeAddProviders() writes type, key and provider with the length in front, for each key', () => {
  const provider = encodePeer(Uint8Array.of(1, 2), [Uint8Array.of(3), Uint8Array.of(4, 5)]);
  expect([...provider]).toEqual([0x0a, 2, 1, 2, 0x12, 1, 3, 0x12, 2, 4, 5]);
  const message = (key: number) => [18, 0x08, 2, 0x12, 1, key, 0x4a, 11, ...provider];
  const messages = encodeAddProviders([Uint8Array.of(9), Uint8Array.of(7)], provider);
  expect([...messages]).toEqual([...message(9), ...message(7)]);
  expect(encodeAddProviders([], provider)).toHaveLength(0);
});

test('encodeAddProviders() writes lengths above 127 as varints', () => {
  const messages = encodeAddProviders([new Uint8Array(200)], new Uint8Array(0));
  // 2 of the type, 3 and 200 of the key, 2 of the provider.
  expect([...messages.subarray(0, 7)]).toEqual([0xcf, 0x01, 0x08, 2, 0x12, 0xc8, 0x01]);
  expect(messages).toHaveLength(2 + 207);
});

test('encodePing() writes the type only', () => {
  expect([...encodePing()]).toEqual([2, 0x08, 5]);
});
