import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { formatSbom, lockedPackages } from './sbom.ts';

const root = join(import.meta.dir, '../..');

describe('lockedPackages()', () => {
  test('has what the binary is made of, directly and through others, and no development tools', async () => {
    const packages = await lockedPackages(root);
    const names = packages.map(({ name }) => name);
    expect(names).toContain('@libp2p/kad-dht');
    expect(names).toContain('uint8arrays');
    expect(names).not.toContain('typescript');
    expect(names).not.toContain('oxlint');
    const dht = packages.find(({ name }) => name === '@libp2p/kad-dht');
    expect(dht).toMatchObject({ purl: 'pkg:npm/%40libp2p/kad-dht@16.4.5', license: 'Apache-2.0 OR MIT' });
    expect(dht?.sha512).toMatch(/^[0-9a-f]{128}$/);
  });
});

describe('formatSbom()', () => {
  test('relates each package to the image, and gives equal text for equal input', async () => {
    const options = {
      name: 'spegel',
      version: '1.0.0',
      created: '2026-01-01T00:00:00Z',
      digest: 'sha256:abc',
      packages: await lockedPackages(root),
    };
    const text = formatSbom(options);
    expect(formatSbom(options)).toBe(text);
    const document = JSON.parse(text) as { packages: { SPDXID: string }[]; relationships: object[] };
    expect(document.packages).toHaveLength(options.packages.length + 1);
    expect(document.relationships).toHaveLength(options.packages.length + 1);
    expect(new Set(document.packages.map(({ SPDXID }) => SPDXID)).size).toBe(document.packages.length);
  });
});
