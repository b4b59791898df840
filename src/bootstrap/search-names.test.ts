import { describe, expect, test } from 'bun:test';

import { searchNames } from './search-names.ts';

/** What a pod has. */
const POD = `nameserver 10.96.0.10
search spegel.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
`;

describe('searchNames()', () => {
  const cases: [name: string, resolvConf: string, names: string[]][] = [
    ['boot.spegel.svc.cluster.local.', POD, ['boot.spegel.svc.cluster.local.']],
    ['boot.', POD, ['boot.']],
    [
      'boot',
      POD,
      ['boot.spegel.svc.cluster.local.', 'boot.svc.cluster.local.', 'boot.cluster.local.', 'boot.'],
    ],
    ['a.b.c.d.e.f', 'search x\noptions ndots:5', ['a.b.c.d.e.f.', 'a.b.c.d.e.f.x.']],
    ['boot.lab', 'search x', ['boot.lab.', 'boot.lab.x.']],
    ['boot', 'search x\nsearch y.\n', ['boot.y.', 'boot.']],
    ['boot', 'domain x\n', ['boot.x.', 'boot.']],
    ['boot', 'search .\noptions timeout:1 ndots:2 ndots:x ndots:99999', ['boot.']],
    ['a.b', 'options ndots:2 attempts:1\nsearch x', ['a.b.x.', 'a.b.']],
    ['boot', '', ['boot.']],
    ['boot', '# search x\n;search y\n\0', ['boot.']],
  ];
  test.each(cases)('gives for %j with %j', (name, resolvConf, names) => {
    expect(searchNames(name, resolvConf)).toEqual(names);
  });

  test('tries no more than eight search domains', () => {
    const domains = Array.from({ length: 50 }, (_, index) => `d${index}`);
    expect(searchNames('boot', `search ${domains.join(' ')}`)).toHaveLength(9);
  });
});
