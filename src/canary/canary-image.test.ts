import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf, isDigest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { parseReference } from '../oci/reference.ts';
import { createCanaryImage } from './canary-image.ts';
import { isCanaryRepository } from './canary-name.ts';

const make = () =>
  createCanaryImage({
    registry: 'registry.lab:5000',
    architecture: 'arm64',
    random: () => randomBytes(16).toString('hex'),
  });

describe('createCanaryImage()', () => {
  test('makes an image whose digests and sizes are right', () => {
    const { manifest, contents, reference, repository, tag } = make();
    for (const [digest, bytes] of contents) expect(digestOf(bytes)).toBe(digest);
    const { references } = parseManifest(contents.get(manifest) ?? new Uint8Array());
    expect(references.map(({ digest, sizeBytes }) => [digest, sizeBytes])).toEqual(
      [...contents].filter(([digest]) => digest !== manifest).map(([digest, { length }]) => [digest, length]),
    );
    expect(parseReference(reference)).toEqual({ registry: 'registry.lab:5000', repository, tag });
    expect(isCanaryRepository(repository)).toBe(true);
  });

  test('has a layer that tar unpacks, and a config that names it', async () => {
    const [, config, layer] = [...make().contents.values()].map((bytes) => Uint8Array.from(bytes));
    if (config === undefined || layer === undefined) throw new Error('The image lacks content');
    const tar = Bun.gunzipSync(layer);
    const { architecture, os, rootfs } = JSON.parse(new TextDecoder().decode(config)) as {
      architecture: string;
      os: string;
      rootfs: { diff_ids: string[] };
    };
    expect({ architecture, os, diffs: rootfs.diff_ids }).toEqual({
      architecture: 'arm64',
      os: 'linux',
      diffs: [digestOf(tar)],
    });
    const folder = await mkdtemp(join(tmpdir(), 'spegel-canary-'));
    try {
      const unpacked = Bun.spawnSync(['tar', '-xvf', '-'], { cwd: folder, stdin: tar });
      expect([unpacked.stderr.toString(), unpacked.stdout.toString()]).toEqual(['', 'spegel-canary\n']);
      expect(await Bun.file(join(folder, 'spegel-canary')).text()).toMatch(/^[0-9a-f]{32}\n$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('has nothing in common with another one', () => {
    const [one, other] = [make(), make()];
    expect(one.reference).not.toBe(other.reference);
    expect(one.tag).not.toBe(other.tag);
    const digests = [...one.contents.keys(), ...other.contents.keys()];
    expect(digests.every(isDigest)).toBe(true);
    expect(new Set(digests).size).toBe(6);
  });
});
