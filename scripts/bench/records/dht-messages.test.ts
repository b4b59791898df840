import { expect, test } from 'bun:test';
import { createSplitter, encodeGetProviders, encodePing, multihashOf } from './dht-messages.ts';

test('encodePing() and encodeGetProviders() are what the specification says', () => {
  expect(encodePing().toHex()).toBe('020805');
  const key = multihashOf('a');
  expect(encodeGetProviders(key).toHex()).toBe(`2608031222${key.toHex()}`);
});

test('createSplitter() gives the messages back however they are cut', () => {
  const long = Buffer.alloc(300, 7);
  const stream = Buffer.concat([encodePing(), Buffer.from([0xac, 0x02]), long, encodePing()]);
  for (let size = 1; size <= stream.length; size += 50) {
    const split = createSplitter();
    const messages: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      messages.push(...split(stream.subarray(at, at + size)).map((each) => each.toHex()));
    }
    expect(messages).toEqual(['0805', long.toHex(), '0805']);
  }
});
