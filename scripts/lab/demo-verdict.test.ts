import { expect, test } from 'bun:test';
import { type DemoPull, judgeDemo } from './demo-verdict.ts';

const MBIT = 100;
/** 75 MB take 6 s at 100 Mbit/s. */
const FROM_REGISTRY: DemoPull = {
  node: 'n1',
  image: 'web:v1',
  registryWas: 'needed',
  ms: 6_400,
  blobs: 6,
  contentBytes: 75e6,
  registryRequests: 7,
  registryBytes: 75.2e6,
  hits: 0,
  misses: 7,
};
const FROM_NODE: DemoPull = {
  ...FROM_REGISTRY,
  node: 'n2',
  registryWas: 'not needed',
  ms: 1_400,
  registryRequests: 0,
  registryBytes: 300,
  hits: 7,
  misses: 0,
};
/** However long it takes: there is no pull from the registry to compare it with. */
const GONE: DemoPull = { ...FROM_NODE, image: 'shop:v1', registryWas: 'gone', ms: 20_000 };
const RUN: readonly DemoPull[] = [
  FROM_REGISTRY,
  FROM_NODE,
  { ...FROM_NODE, node: 'n3', ms: 900 },
  { ...FROM_REGISTRY, image: 'shop:v1' },
  GONE,
];

test('judgeDemo() sums up what a good run has shown', () => {
  expect(judgeDemo(RUN, MBIT)).toEqual({
    findings: [
      '3 of 5 pulls came from other nodes, with every blob: 225.0 MB that the registry was not asked for.',
      'web:v1 took n1 6.40 s from the registry, n2 1.40 s and n3 0.90 s from other nodes: ' +
        "10.50 s saved, against as many pulls like n1's.",
      '1 pull, 75.0 MB, succeeded while the registry was gone, which could have served none of it.',
    ],
    failures: [],
  });
});

test.each<[string, Partial<DemoPull>, string]>([
  ['a request reached the registry', { registryRequests: 1 }, '1 request reached the registry'],
  ['the registry sent content', { registryBytes: 40e6 }, 'the registry sent 40.0 MB'],
  ['a blob came from elsewhere', { hits: 5 }, 'its mirror had 5 of 6 blobs from them'],
  ['a request had no source', { misses: 1 }, 'its mirror found no source for 1 request'],
])('judgeDemo() does not count a pull as one from other nodes when %s', (_when, change, because) => {
  const bad = { ...FROM_NODE, ...change };
  const { findings, failures } = judgeDemo([FROM_REGISTRY, bad, { ...bad, registryWas: 'gone' }], MBIT);
  const failure = `n2 should have had web:v1 from other nodes, but ${because}.`;
  expect(failures).toEqual([failure, failure]);
  expect(findings).toEqual([
    '0 of 3 pulls came from other nodes, with every blob: 0.0 MB that the registry was not asked for.',
  ]);
});

test('judgeDemo() claims no time saved when the pulls from other nodes were not faster', () => {
  const slow = { ...FROM_NODE, ms: FROM_REGISTRY.ms };
  const { findings, failures } = judgeDemo([FROM_REGISTRY, slow, GONE], MBIT);
  expect(findings.join()).not.toContain('saved');
  expect(failures).toEqual([
    'web:v1 took n1 6.40 s from the registry, n2 6.40 s from other nodes: that saved no time. ' +
      'This machine may be too busy.',
  ]);
});

test('judgeDemo() sets what a slow pull has lost against what the others have saved', () => {
  const slow = { ...FROM_NODE, ms: 7_400 };
  const { findings, failures } = judgeDemo([FROM_REGISTRY, slow, FROM_NODE, GONE], MBIT);
  expect(findings[1]).toContain(': 4.00 s saved,');
  expect(failures).toEqual([]);
});

test.each<[string, Partial<DemoPull>, string]>([
  [
    'from the registry',
    { registryBytes: 20e6 },
    'n1 should have had web:v1 from the registry, but that sent only 20.0 MB.',
  ],
  [
    'over its link',
    { ms: 2_000 },
    'n1 pulled web:v1 in 2.00 s, faster than a link of 100 Mbit/s can carry it.',
  ],
])('judgeDemo() fails a first pull that did not come %s', (_how, change, failure) => {
  expect(
    judgeDemo([{ ...FROM_REGISTRY, ...change }, { ...FROM_NODE, ms: 900 }, GONE], MBIT).failures,
  ).toEqual([failure]);
});

test('judgeDemo() fails a run in which a part of the story is missing', () => {
  expect(judgeDemo([FROM_REGISTRY, FROM_NODE], MBIT).failures).toEqual([
    'There was no pull while the registry was gone.',
  ]);
  expect(judgeDemo([FROM_REGISTRY, GONE], MBIT).failures).toEqual([
    'There was no pull while the registry was not needed.',
  ]);
});
