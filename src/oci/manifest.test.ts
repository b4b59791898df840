import { describe, expect, test } from 'bun:test';
import { InvalidManifestError, parseManifest } from './manifest.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE } from './media-type.ts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const encode = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const digests = (value: unknown) =>
  parseManifest(encode(value)).references.map(({ digest }) => digest as string);

describe('parseManifest()', () => {
  test('reads an index', () => {
    const manifest = parseManifest(
      encode({
        mediaType: MEDIA_TYPE.dockerList,
        manifests: [{ digest: A, size: 5, mediaType: MEDIA_TYPE.dockerManifest }],
      }),
    );
    expect(manifest).toMatchObject({ kind: 'index', mediaType: MEDIA_TYPE.dockerList, declared: true });
    expect(manifest.references).toMatchObject([
      { digest: A, sizeBytes: 5, mediaType: MEDIA_TYPE.dockerManifest },
    ]);
  });

  test('reads a manifest, config first', () => {
    expect(digests({ config: { digest: B }, layers: [{ digest: A }] })).toEqual([B, A]);
  });

  test('tells the kind by the shape where mediaType is absent or unusable', () => {
    expect(parseManifest(encode({ manifests: [] }))).toMatchObject({
      mediaType: MEDIA_TYPE.ociIndex,
      declared: false,
    });
    for (const mediaType of [undefined, 7, '', 'a b', 'text/html\r\nx: y']) {
      expect(parseManifest(encode({ mediaType, layers: [] }))).toMatchObject({
        kind: 'manifest',
        mediaType: MEDIA_TYPE.ociManifest,
        declared: false,
      });
    }
  });

  test('reads an artifact whatever its types are', () => {
    const artifact = {
      artifactType: 'application/vnd.example+type',
      config: { digest: A, mediaType: 'application/vnd.oci.empty.v1+json', size: 2 },
      layers: [{ digest: B, mediaType: 'application/x-unheard-of', size: 1 }],
    };
    expect(digests(artifact)).toEqual([A, B]);
    expect(
      digests({ mediaType: 'application/vnd.oci.artifact.manifest.v1+json', blobs: [{ digest: A }] }),
    ).toEqual([A]);
  });

  test('leaves out descriptors that are unusable', () => {
    const layers = [
      null,
      1,
      'x',
      [],
      {},
      { digest: 5 },
      { digest: 'sha256:zz' },
      { digest: A, size: -1, mediaType: 3 },
    ];
    expect(parseManifest(encode({ layers })).references).toEqual([
      { digest: A as never, sizeBytes: 0, mediaType: MEDIA_TYPE.octetStream },
    ]);
  });

  const invalid: [string, Uint8Array][] = [
    ['no JSON', encode('hello')],
    ['an array', encode([])],
    ['null', encode('null')],
    ['an object of another kind', encode({ schemaVersion: 1, fsLayers: [] })],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe)],
    ['nothing', new Uint8Array()],
    ['more than 4 MiB', new Uint8Array(MAX_MANIFEST_BYTES + 1)],
  ];
  test.each(invalid)('refuses %s', (_name, bytes) =>
    expect(() => parseManifest(bytes)).toThrow(InvalidManifestError),
  );
});
