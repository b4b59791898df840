import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';

import { failureOf } from '../runtime/conditions.fixture.ts';
import { loadIdentity } from './identity.ts';

/** A key as Go's crypto/x509 writes it (PKCS#8, no attributes), and the public key that belongs to it. */
const GO_KEY = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`;
const GO_PUBLIC_KEY = '03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spegel-identity-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function peerIdIn(dataDir?: string): Promise<string> {
  return peerIdFromPrivateKey(await loadIdentity(dataDir)).toString();
}

describe('loadIdentity()', () => {
  test('makes a new identity each time without a data directory', async () => {
    expect(await peerIdIn()).not.toBe(await peerIdIn(''));
  });

  test('keeps the identity in private.key with mode 0600', async () => {
    const dataDir = join(dir, 'not', 'there', 'yet');
    const first = await peerIdIn(dataDir);
    expect(first).toStartWith('12D3KooW');
    expect(await peerIdIn(dataDir)).toBe(first);
    const { mode } = await stat(join(dataDir, 'private.key'));
    expect(mode & 0o777).toBe(0o600);
    expect(await readFile(join(dataDir, 'private.key'), 'utf8')).toStartWith('-----BEGIN PRIVATE KEY-----\n');
    expect(await readdir(dataDir)).toEqual(['private.key']);
  });

  test('reads a key that was written elsewhere', async () => {
    await writeFile(join(dir, 'private.key'), GO_KEY, { mode: 0o600 });
    const key = await loadIdentity(dir);
    expect(Buffer.from(key.raw.subarray(0, 32))).toEqual(
      Buffer.from(Array.from({ length: 32 }, (_, at) => at)),
    );
    expect(key.publicKey.raw.toHex()).toBe(GO_PUBLIC_KEY);
    const signed = await key.sign(Buffer.from('text'));
    expect(await key.publicKey.verify(Buffer.from('text'), signed)).toBe(true);
    expect(await readFile(join(dir, 'private.key'), 'utf8')).toBe(GO_KEY);
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
    format: 'pem',
    type: 'pkcs8',
  });
  const broken: [string, string][] = [
    ['is empty', ''],
    ['is cut short', GO_KEY.slice(0, 60)],
    ['is something else', 'hello'],
    ['holds an RSA key', rsa],
    ['is huge', 'x'.repeat(10_000)],
  ];
  test.each(broken)('refuses a file that %s, and leaves it alone', async (_name, text) => {
    await writeFile(join(dir, 'private.key'), text, { mode: 0o600 });
    expect((await failureOf(loadIdentity(dir))).message).toContain('not an Ed25519 key in PEM PKCS#8 form');
    expect(await readFile(join(dir, 'private.key'), 'utf8')).toBe(text);
  });

  test('refuses a key that others can read', async () => {
    await writeFile(join(dir, 'private.key'), GO_KEY, { mode: 0o600 });
    await chmod(join(dir, 'private.key'), 0o644);
    expect((await failureOf(loadIdentity(dir))).message).toContain('chmod 600');
  });

  test('refuses a symbolic link', async () => {
    await writeFile(join(dir, 'other'), GO_KEY, { mode: 0o600 });
    await symlink(join(dir, 'other'), join(dir, 'private.key'));
    expect((await failureOf(loadIdentity(dir))).message).toContain('regular file');
  });

  test('says so when the folder cannot be written', async () => {
    await writeFile(join(dir, 'file'), '');
    expect(await failureOf(loadIdentity(join(dir, 'file')))).toBeInstanceOf(Error);
  });
});
