import { describe, expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createLedImages } from './led-images.ts';
import type { ImageSource } from './leaders.ts';

const [config, first, second] = ['config', 'first', 'second'].map((text) => digestOf(Buffer.from(text)));
const stranger = digestOf(Buffer.from('of another image'));
const describeBlob = (digest: Digest | undefined) => ({ mediaType: 'application/x', digest, size: 1 });
const image = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    config: describeBlob(config),
    layers: [describeBlob(first), describeBlob(second)],
  }),
);
const source: ImageSource = { registry: 'r', repository: 'a' };
const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [describeBlob(first)] }));

function start({ manifest }: { readonly manifest: Uint8Array | undefined } = { manifest: image }) {
  const clock = createVirtualClock();
  const going = new Set<Digest>();
  const givenUp: ImageSource[] = [];
  const led = createLedImages({
    store: { read: async () => manifest },
    own: { isGoingOn: (digest) => going.has(digest) },
    clock,
    logger: silentLogger,
    onGivenUp: (source) => void givenUp.push(source),
  });
  const toCome = () => [config, first, second, stranger].map((digest) => led.isToCome(digest as Digest));
  return { clock, going, givenUp, led, toCome, manifest: digestOf(manifest ?? image) };
}

describe('createLedImages()', () => {
  test('what the image has is to come from when its manifest is there until this node asks for it', async () => {
    const { led, toCome, manifest } = start();
    led.begin(manifest, source);
    expect(toCome()).toEqual([false, false, false, false]);
    led.ended(manifest, true);
    await Bun.sleep(0);
    expect(toCome()).toEqual([true, true, true, false]);
    led.asked(first as Digest);
    expect(toCome()).toEqual([true, false, true, false]);
  });

  test('a manifest that another node has downloaded says nothing of what is to come', async () => {
    const { led, toCome, manifest } = start();
    led.ended(manifest, true);
    await Bun.sleep(0);
    expect(toCome()).toEqual([false, false, false, false]);
  });

  test('nothing more is to come when nothing is under way for a second', async () => {
    const { clock, going, led, toCome, manifest } = start();
    await led.lead(manifest, source);
    led.asked(first as Digest);
    going.add(first as Digest);
    await clock.advance(60_000);
    expect(toCome()).toEqual([true, false, true, false]);
    going.clear();
    led.ended(first as Digest, true);
    await clock.advance(999);
    expect(toCome()).toEqual([true, false, true, false]);
    await clock.advance(2);
    expect(toCome()).toEqual([false, false, false, false]);
  });

  test('nothing more is to come of an image whose pull was given up, and it says so for a minute', async () => {
    const { clock, going, givenUp, led, toCome, manifest } = start();
    await led.lead(manifest, source);
    led.asked(first as Digest);
    going.add(second as Digest);
    led.ended(first as Digest, false);
    expect([toCome(), led.isLed(second as Digest)]).toEqual([[false, false, false, false], false]);
    const isGivenUp = () => [second, stranger].map((digest) => led.isGivenUp(digest as Digest));
    expect([isGivenUp(), givenUp]).toEqual([[true, false], [source]]);
    await clock.advance(60_000);
    expect(isGivenUp()).toEqual([false, false]);
  });

  test('an image that this node leads again is not given up', async () => {
    const { led, manifest } = start();
    await led.lead(manifest, source);
    led.ended(first as Digest, false);
    await led.lead(manifest, source);
    expect(led.isGivenUp(second as Digest)).toBe(false);
  });

  test.each([
    [true, []],
    [false, [source]],
  ])('a manifest that it was to download, and has: %p', (isThere, lost) => {
    const { led, givenUp, manifest } = start();
    led.begin(manifest, source);
    led.ended(manifest, isThere);
    led.ended(manifest, false);
    expect(givenUp).toEqual(lost);
  });

  test.each([
    ['an index: this node takes one platform of it', index],
    ['what the store does not have', undefined],
    ['what is not a manifest', Buffer.from('no')],
  ])('%s', async (_, bytes) => {
    const { led, toCome, manifest } = start({ manifest: bytes });
    await led.lead(manifest, source);
    expect(toCome()).toEqual([false, false, false, false]);
  });
});
