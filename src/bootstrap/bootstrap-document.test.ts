import { describe, expect, test } from 'bun:test';

import { parseBootstrapDocument } from './bootstrap-document.ts';
import type { BootstrapPeer } from './bootstrapper.ts';

const ID = '12D3KooWDPgHJaDd8bfqssKonURarTz9V4XGkehuc6o91EXbPe7Y';
const OTHER_ID = '12D3KooWNxp5Crg8sese6CQpsN6wJojy7xCe9vPyhfMMucgxjWGE';
const ADDRESS = '/ip4/10.0.0.1/tcp/5001';

describe('parseBootstrapDocument()', () => {
  const cases: [name: string, document: unknown, expected: BootstrapPeer[] | undefined][] = [
    ['an object', { ID, Addrs: [ADDRESS] }, [{ id: ID, multiaddrs: [ADDRESS] }]],
    ['an array', [{ ID, Addrs: [ADDRESS] }], [{ id: ID, multiaddrs: [ADDRESS] }]],
    ['an array without IDs', [{ Addrs: [ADDRESS] }], [{ id: undefined, multiaddrs: [ADDRESS] }]],
    [
      'an empty and a null ID',
      [
        { ID: '', Addrs: [ADDRESS] },
        { ID: null, Addrs: [ADDRESS] },
      ],
      [
        { id: undefined, multiaddrs: [ADDRESS] },
        { id: undefined, multiaddrs: [ADDRESS] },
      ],
    ],
    ['an address with /p2p', [{ ID, Addrs: [`${ADDRESS}/p2p/${ID}`] }], [{ id: ID, multiaddrs: [ADDRESS] }]],
    ['an address with the ID of another', { ID, Addrs: [`${ADDRESS}/p2p/${OTHER_ID}`] }, []],
    [
      'a wrong ID',
      [
        { ID: 'nonsense', Addrs: [ADDRESS] },
        { ID: 7, Addrs: [ADDRESS] },
      ],
      [],
    ],
    [
      'wrong addresses',
      { ID, Addrs: ['nonsense', 7, null, '', '/ip4/999.0.0.1/tcp/1', ADDRESS] },
      [{ id: ID, multiaddrs: [ADDRESS] }],
    ],
    ['no addresses', { ID, Addrs: [] }, []],
    ['an empty array', [], []],
    ['entries that are none', [null, 1, 'x', [], {}], []],
    ['another object', { peers: [] }, undefined],
    ['a string', 'x', undefined],
    ['null', null, undefined],
  ];
  test.each(cases)('reads %s', (_name, document, expected) => {
    expect(parseBootstrapDocument(JSON.stringify(document))).toEqual(expected as BootstrapPeer[]);
  });

  test('is undefined for what is not JSON', () => {
    expect(parseBootstrapDocument('<html>')).toBeUndefined();
  });

  test('takes 20 peers and 16 addresses of each, no more', () => {
    const Addrs = Array.from({ length: 100 }, (_, index) => `/ip4/10.0.0.${index}/tcp/5001`);
    const peers = parseBootstrapDocument(JSON.stringify(Array.from({ length: 1000 }, () => ({ Addrs }))));
    expect(peers).toHaveLength(20);
    expect(peers?.[0]?.multiaddrs).toHaveLength(16);
  });
});
