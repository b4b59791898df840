import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createSelfSignedCertificate } from '../../scripts/lab/self-signed-certificate.ts';
import { failureOf } from '../runtime/conditions.fixture.ts';
import { createHttpBootstrapper } from './http-bootstrapper.ts';
import { readTlsFolder } from './tls-folder.ts';

const ENTRY = {
  ID: '12D3KooWDPgHJaDd8bfqssKonURarTz9V4XGkehuc6o91EXbPe7Y',
  Addrs: ['/ip4/10.0.0.1/tcp/5001'],
};
const never = new AbortController().signal;
/** Both sign themselves, so each is its own authority. */
const own = createSelfSignedCertificate('localhost');
const other = createSelfSignedCertificate('localhost');

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-tls-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

function filesOf({ certificate, privateKey }: typeof own) {
  return { 'ca.crt': certificate, 'tls.crt': certificate, 'tls.key': privateKey };
}

describe('readTlsFolder()', () => {
  test('reads the three files', async () => {
    await write(filesOf(own));
    expect(await readTlsFolder(folder)).toEqual({
      ca: own.certificate,
      cert: own.certificate,
      key: own.privateKey,
    });
  });

  test.each<[name: string, files: Readonly<Record<string, string>>, message: string]>([
    ['a missing file', { 'ca.crt': own.certificate, 'tls.crt': own.certificate }, 'tls.key'],
    ['an empty file', { ...filesOf(own), 'ca.crt': '' }, 'PEM'],
    ['something else', { ...filesOf(own), 'tls.crt': 'hello' }, 'PEM'],
    ['a file that is too large', { ...filesOf(own), 'ca.crt': 'x'.repeat(2_000_000) }, 'too large'],
    ['half of a rotation', { ...filesOf(own), 'tls.key': other.privateKey }, 'not the key of tls.crt'],
  ])('rejects %s', async (_name, files, message) => {
    await write(files);
    expect((await failureOf(readTlsFolder(folder))).message).toContain(message);
  });
});

describe('createHttpBootstrapper() with certificates', () => {
  test('shows and trusts the certificates in the folder at each request', async () => {
    await write(filesOf(own));
    const start = ({ certificate, privateKey }: typeof own) =>
      Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        tls: {
          ca: certificate,
          cert: certificate,
          key: privateKey,
          requestCert: true,
          rejectUnauthorized: true,
        },
        fetch: () => Response.json([ENTRY]),
      });
    const [first, second] = [start(own), start(other)];
    try {
      const [ofFirst, ofSecond] = [first, second].map(({ port }) =>
        createHttpBootstrapper({
          url: `https://localhost:${port}/ids`,
          readTls: async () => readTlsFolder(folder),
        }),
      );
      expect(await ofFirst?.peers(never)).toEqual([{ id: ENTRY.ID, multiaddrs: ENTRY.Addrs }]);
      expect((await failureOf(ofSecond?.peers(never) ?? Promise.resolve())).message).toContain('Cannot get');
      await write(filesOf(other));
      expect(await ofSecond?.peers(never)).toHaveLength(1);
      await rm(join(folder, 'tls.key'));
      expect((await failureOf(ofSecond?.peers(never) ?? Promise.resolve())).message).toContain('tls.key');
    } finally {
      await Promise.all([first.stop(true), second.stop(true)]);
    }
  });
});
