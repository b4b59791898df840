import { expect, test } from 'bun:test';
import { digestOf } from './digest.ts';
import { platformManifest } from './platform-manifest.ts';

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const [A, B] = [digestOf(encode('a')), digestOf(encode('b'))];
const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64', variant: 'v8' };

test.each([
  [
    'the one for it',
    {
      manifests: [
        { digest: A, platform: arm64 },
        { digest: B, platform: amd64 },
      ],
    },
    B,
  ],
  ['none for it', { manifests: [{ digest: A, platform: arm64 }] }, undefined],
  ['no platforms', { manifests: [null, { digest: A }] }, undefined],
  ['no digest that can be', { manifests: [{ digest: 'x', platform: amd64 }] }, undefined],
  ['no manifests', { layers: [] }, undefined],
])('platformManifest() of an index with %s', (_, index, expected) => {
  expect(platformManifest(encode(index), { os: 'linux', architecture: 'amd64' })).toBe(expected);
});

test('platformManifest() of what is not JSON is undefined', () => {
  expect(platformManifest(new Uint8Array([1]), amd64)).toBeUndefined();
});
