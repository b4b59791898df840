import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';

import { createLogger } from '../observe/log.ts';
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

/** A logger with what it has warned of. */
function listening() {
  const lines: string[] = [];
  const logger = createLogger({ level: 'warn', write: (line) => lines.push(line) });
  return { logger, warnings: () => lines.map((line): unknown => JSON.parse(line)) };
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

  test.each([
    [0o600, []],
    [0o400, []],
    [0o644, ['0644']],
    [0o440, ['0440']],
    [0o666, ['0666']],
  ])('reads a key with mode %o, with a warning if others can read it', async (mode, warned) => {
    const path = join(dir, 'private.key');
    await writeFile(path, GO_KEY);
    await chmod(path, mode);
    const { logger, warnings } = listening();
    expect((await loadIdentity(dir, { logger })).publicKey.raw.toHex()).toBe(GO_PUBLIC_KEY);
    expect(warnings()).toMatchObject(warned.map((text) => ({ level: 'WARN', path, mode: text })));
    expect((await stat(path)).mode & 0o777).toBe(mode);
  });

  test('reads a key through a symbolic link', async () => {
    await writeFile(join(dir, 'other'), GO_KEY, { mode: 0o600 });
    await symlink('other', join(dir, 'private.key'));
    expect((await loadIdentity(dir)).publicKey.raw.toHex()).toBe(GO_PUBLIC_KEY);
    expect(await readlink(join(dir, 'private.key'))).toBe('other');
  });

  test('reads a key of a mounted Secret, with a warning', async () => {
    // As the kubelet lays one out.
    await mkdir(join(dir, '..2026_07_01'));
    await writeFile(join(dir, '..2026_07_01/private.key'), GO_KEY, { mode: 0o644 });
    await symlink('..2026_07_01', join(dir, '..data'));
    await symlink('..data/private.key', join(dir, 'private.key'));
    await chmod(dir, 0o555);
    const { logger, warnings } = listening();
    expect((await loadIdentity(dir, { logger })).publicKey.raw.toHex()).toBe(GO_PUBLIC_KEY);
    expect(warnings()).toHaveLength(1);
    await chmod(dir, 0o755);
  });

  test('refuses a link that leads nowhere, and leaves it alone', async () => {
    await symlink('gone', join(dir, 'private.key'));
    expect((await failureOf(loadIdentity(dir))).message).toContain('leads nowhere');
    expect(await readdir(dir)).toEqual(['private.key']);
  });

  test.each(['a FIFO', 'a folder', 'a link to a device'])('refuses %s', async (what) => {
    const path = join(dir, 'private.key');
    if (what === 'a FIFO') Bun.spawnSync(['mkfifo', path]);
    else if (what === 'a folder') await mkdir(path);
    else await symlink('/dev/zero', path);
    expect((await failureOf(loadIdentity(dir))).message).toContain('regular file');
  });

  test('says so when the folder cannot be written', async () => {
    await writeFile(join(dir, 'file'), '');
    expect(await failureOf(loadIdentity(join(dir, 'file')))).toBeInstanceOf(Error);
  });
});
