import { describe, expect, test } from 'bun:test';
import { parseDigest } from '../oci/digest.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { checkContent } from './check-content.ts';

const PATH = '/var/lib/containerd/io.containerd.content.v1.content';
const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);
const BLOB = `${PATH}/blobs/sha256/${'a'.repeat(64)}`;

describe('checkContent()', () => {
  test.each<[string, Readonly<Record<string, string>>, string, readonly string[]]>([
    ['the same folder', { [BLOB]: '' }, PATH, []],
    ['a link to it', { [BLOB]: '', '/data': '-> /var/lib/containerd' }, `/data/${PATH.slice(20)}`, []],
    ['another folder that is there', { [BLOB]: '', '/data/x': '' }, '/data', ['content-path-wrong']],
    ['a name from outside of the pod, and its blobs are here', { [BLOB]: '' }, '/data', []],
    ['a folder outside of the pod', { [`${PATH}/x`]: '' }, '/data', ['content-path-wrong']],
    ['a folder that is not there', {}, PATH, ['content-unreadable']],
  ])('compares with %s', async (_what, files, contentRoot, ids) => {
    await using folder = await createHostFolder(files);
    const { findings } = await checkContent(folder.host, {
      contentPath: PATH,
      contentRoot,
      isVisible: true,
      isKubernetes: true,
      isServing: false,
      socket: '/s',
      digests: async () => [DIGEST],
    });
    expect(findings.map(({ id }) => id)).toEqual([...ids]);
  });

  test('says what it cannot see', async () => {
    await using folder = await createHostFolder({});
    const facts = {
      contentPath: PATH,
      isKubernetes: true,
      isServing: false,
      socket: '/s',
      digests: async () => [],
    };
    const hidden = await checkContent(folder.host, { ...facts, contentRoot: PATH, isVisible: false });
    expect(hidden).toMatchObject({ findings: [], unknown: [expect.stringContaining('cannot be seen')] });
  });

  test('tells a folder that this user may not read from one that is broken, except where it is served', async () => {
    await using folder = await createHostFolder({ [BLOB]: '' });
    const refused = Object.assign(new Error('EACCES: permission denied, scandir'), { code: 'EACCES' });
    const host = { ...folder.host, readNames: async () => Promise.reject(refused) };
    const facts = {
      contentPath: PATH,
      contentRoot: PATH,
      isVisible: true,
      isKubernetes: false,
      socket: '/s',
    };
    const digests = async () => [];
    expect(await checkContent(host, { ...facts, digests, isServing: false })).toEqual({
      findings: [],
      unknown: [`${PATH} was not looked at: this user may not read it; run as root`],
    });
    expect(await checkContent(host, { ...facts, digests, isServing: true })).toMatchObject({
      findings: [
        {
          id: 'content-unreadable',
          seen: [expect.stringContaining('EACCES')],
          fix: [{ text: expect.stringContaining('root') }],
        },
      ],
      unknown: [],
    });
  });
});
