import { describe, expect, test } from 'bun:test';
import { readHost } from '../mirror-config/hosts-reading.ts';
import type { HostSettings } from '../mirror-config/hosts-toml.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { viewHost } from './host-view.ts';
import { readSystemCa, readTargetTls } from './target-tls.ts';

const FILE = '/certs/a.io/hosts.toml';
const FILES = { '/certs/a.io/ca.crt': 'CA', '/certs/a.io/c.pem': 'CLIENT', '/keys/c.key': 'KEY' };
/** With these settings of a host. */
const askedWith = (settings: HostSettings) =>
  readHost({ url: 'https://a', settings }, { major: 2, minor: 3 });
const NONE = { ca: [], client: undefined, skipVerify: false };

describe('readTargetTls()', () => {
  test.each<[string, HostSettings, object]>([
    ['nothing', {}, NONE],
    ['one authority', { ca: 'ca.crt' }, { ...NONE, ca: ['CA'] }],
    ['several', { ca: ['ca.crt', '/certs/a.io/ca.crt'] }, { ...NONE, ca: ['CA', 'CA'] }],
    [
      'a client file with both',
      { client: 'c.pem' },
      { ...NONE, client: { certificate: 'CLIENT', key: 'CLIENT' } },
    ],
    ['a list of those', { client: ['c.pem'] }, { ...NONE, client: { certificate: 'CLIENT', key: 'CLIENT' } }],
    [
      'a list of pairs',
      { client: [['c.pem', '/keys/c.key']] },
      { ...NONE, client: { certificate: 'CLIENT', key: 'KEY' } },
    ],
    ['any certificate', { skip_verify: true }, { ...NONE, skipVerify: true }],
  ])('reads %s', async (_what, settings, expected) => {
    await using folder = await createHostFolder(FILES);
    const { host } = folder;
    expect(await readTargetTls({ host, view: await viewHost(host) }, FILE, askedWith(settings))).toEqual(
      expected as never,
    );
  });

  test.each<[string, HostSettings, string, string]>([
    ['a file that is not there', { ca: 'b.crt' }, 'TARGET_TLS', 'there is no /certs/a.io/b.crt'],
    ['a file that cannot be seen', { ca: '/etc/b.crt' }, 'UNSEEN', '/etc/b.crt cannot be seen'],
    ['a folder', { ca: '/certs/a.io' }, 'TARGET_TLS', 'cannot be read'],
    [
      'a second pair whose key is not there',
      { CLIENT: ['c.pem', ['c.pem', 'c.key']] },
      'TARGET_TLS',
      'there is no /certs/a.io/c.key',
    ],
  ])('refuses %s', async (_what, settings, code, message) => {
    await using folder = await createHostFolder(FILES);
    const { host } = folder;
    const refused = readTargetTls({ host, view: await viewHost(host) }, FILE, askedWith(settings));
    expect(await refused.catch((error: unknown) => error)).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

test('readSystemCa() takes the first file that is there', async () => {
  await using folder = await createHostFolder({ '/etc/ssl/cert.pem': 'B', '/etc/ssl/ca-bundle.pem': 'A' });
  expect(await readSystemCa(folder.host)).toBe('A');
  await using empty = await createHostFolder({});
  expect(await readSystemCa(empty.host)).toBeUndefined();
});
