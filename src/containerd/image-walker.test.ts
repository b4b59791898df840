import { describe, expect, test } from 'bun:test';
import { createLogger, silentLogger } from '../observe/log.ts';
import { type Digest, digestOf, parseDigest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { MAX_IMAGE_DEPTH, MAX_IMAGE_DIGESTS, createImageWalker } from './image-walker.ts';

const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const [ROOT, A, B, C, D] = [digest('root'), digest('a'), digest('b'), digest('c'), digest('d')];
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const index = (...digests: Digest[]) => json({ manifests: digests.map((digest) => ({ digest, size: 1 })) });
const manifest = (config: Digest, ...layers: { digest: Digest; mediaType?: string }[]) =>
  json({ config: { digest: config, size: 1 }, layers });

function walk(blobs: ReadonlyMap<Digest, Uint8Array>, name = 'r.test/app:v1') {
  return createImageWalker(silentLogger).walk({ name, target: ROOT }, async (digest) => blobs.get(digest));
}

describe('walk()', () => {
  const cases: [string, [Digest, Uint8Array][], Digest[]][] = [
    ['an image whose manifest is absent', [], [ROOT]],
    ['a manifest without media type', [[ROOT, manifest(A, { digest: B })]], [ROOT, A, B]],
    [
      'an index with an absent platform',
      [
        [ROOT, index(A, B)],
        [B, manifest(C, { digest: D })],
      ],
      [ROOT, A, B, C, D],
    ],
    [
      'an index in an index',
      [
        [ROOT, index(A)],
        [A, index(B)],
        [B, manifest(C)],
      ],
      [ROOT, A, B, C],
    ],
    [
      'an index that leads to itself',
      [
        [ROOT, index(ROOT, A)],
        [A, index(ROOT)],
      ],
      [ROOT, A],
    ],
    [
      'a layer that is a manifest',
      [
        [ROOT, manifest(A, { digest: B, mediaType: MEDIA_TYPE.ociManifest })],
        [B, manifest(C)],
      ],
      [ROOT, A, B, C],
    ],
    [
      'a layer that only looks like a manifest',
      [
        [ROOT, manifest(A, { digest: B })],
        [B, manifest(C)],
      ],
      [ROOT, A, B],
    ],
    [
      'an artifact of an unknown type',
      [
        [
          ROOT,
          json({
            artifactType: 'application/vnd.example',
            config: { digest: A },
            layers: [{ digest: B, mediaType: 'application/vnd.example.part' }],
          }),
        ],
      ],
      [ROOT, A, B],
    ],
    ['bytes that are no JSON', [[ROOT, new Uint8Array([0xff, 0])]], [ROOT]],
    ['JSON that is no manifest', [[ROOT, json([1])]], [ROOT]],
    [
      'descriptors that are unusable',
      [[ROOT, json({ manifests: [null, 1, { digest: '../../etc/passwd' }, { digest: A }] })]],
      [ROOT, A],
    ],
  ];
  for (const [what, blobs, digests] of cases) {
    test(`walk() follows ${what}`, async () => {
      expect((await walk(new Map(blobs))).digests).toEqual(digests);
    });
  }

  test('walk() ends at the limits of depth and number', async () => {
    const chain = Array.from({ length: 20 }, (_, i) => (i === 0 ? ROOT : digest(`chain ${i}`)));
    const deep = new Map(chain.slice(0, -1).map((from, i) => [from, index(chain[i + 1] ?? ROOT)] as const));
    expect((await walk(deep)).digests).toHaveLength(MAX_IMAGE_DEPTH + 1);
    const many = Array.from({ length: MAX_IMAGE_DIGESTS + 10 }, (_, i) =>
      parseDigest(`sha256:${i.toString(16).padStart(64, '0')}`),
    );
    expect((await walk(new Map([[ROOT, index(...many)]]))).digests).toHaveLength(MAX_IMAGE_DIGESTS);
  });

  test('walk() reads a manifest once, and one that was absent again', async () => {
    const walker = createImageWalker(silentLogger);
    const reads: Digest[] = [];
    const blobs = new Map<Digest, Uint8Array>();
    const run = () =>
      walker.walk({ name: 'r.test/app:v1', target: ROOT }, async (digest) => {
        reads.push(digest);
        return blobs.get(digest);
      });
    await run();
    blobs.set(ROOT, manifest(A));
    expect((await run()).digests).toEqual([ROOT, A]);
    await run();
    expect(reads).toEqual([ROOT, ROOT]);
    walker.keepOnly(new Set(), new Set());
    await run();
    expect(reads).toHaveLength(3);
  });

  test('walk() has no reference for a name that is none, and says so once', async () => {
    const lines: string[] = [];
    const walker = createImageWalker(
      createLogger({ level: 'debug', write: (line) => void lines.push(line) }),
    );
    const nothing = async () => undefined;
    for (const name of ['no-registry', `sha256:${'a'.repeat(64)}`, 'r.test/UPPER:v1', 'no-registry']) {
      expect((await walker.walk({ name, target: ROOT }, nothing)).reference).toBeUndefined();
    }
    expect(lines).toHaveLength(2);
  });
});
