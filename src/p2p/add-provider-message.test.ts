import { expect, test } from 'bun:test';

import { encodeAddProvider, encodePing, encodeProvider } from './add-provider-message.ts';

/** The expected bytes are worked out by hand from the protocol's .proto (libp2p specs, kad-dht). */
test('encodeAddProvider() writes type, key and provider with the length in front', () => {
  const provider = encodeProvider(Uint8Array.of(1, 2), [Uint8Array.of(3), Uint8Array.of(4, 5)]);
  expect([...provider]).toEqual([0x0a, 2, 1, 2, 0x12, 1, 3, 0x12, 2, 4, 5]);
  const message = encodeAddProvider(Uint8Array.of(9), provider);
  expect([...message]).toEqual([18, 0x08, 2, 0x12, 1, 9, 0x4a, 11, ...provider]);
});

test('encodeAddProvider() writes lengths above 127 as varints', () => {
  const message = encodeAddProvider(new Uint8Array(200), new Uint8Array(0));
  // 2 of the type, 3 and 200 of the key, 2 of the provider.
  expect([...message.subarray(0, 7)]).toEqual([0xcf, 0x01, 0x08, 2, 0x12, 0xc8, 0x01]);
  expect(message).toHaveLength(2 + 207);
});

test('encodePing() writes the type only', () => {
  expect([...encodePing()]).toEqual([2, 0x08, 5]);
});
