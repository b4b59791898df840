import { expect, test } from 'bun:test';
import { digestOfNumber, factsOf } from './page-facts.fixture.ts';
import { readStreams } from './read-streams.ts';

test('readStreams() names the nodes and the image, and puts what is under way first', () => {
  const [own, tree, over] = readStreams(factsOf());
  // The node's own part of a tree that another node knows.
  expect(own).toMatchObject({
    digest: digestOfNumber(702),
    image: 'registry.example/team/web:v42',
    kind: 'layer',
    sizeBytes: 25_200_000,
    isOver: false,
    whole: { name: 'node-4', url: 'http://10.0.0.5:9090/debug/web/#streams' },
  });
  expect(
    own?.nodes.map(({ name, part, isSelf, readers, writtenBytes }) => ({
      name,
      part,
      isSelf,
      readers,
      writtenBytes,
    })),
  ).toEqual([
    { name: 'node-2', part: 'holder', isSelf: false, readers: 0, writtenBytes: undefined },
    { name: 'node-0', part: 'child', isSelf: true, readers: 1, writtenBytes: 8_400_000 },
  ]);
  expect(tree?.whole).toBeUndefined();
  expect(tree?.nodes.map(({ name, part }) => `${name} ${part}`)).toEqual([
    'registry registry',
    'node-0 root',
    'node-1 child',
    'node-2 child',
    'node-3 child',
    'node-4 waiting',
    'node-5 child',
  ]);
  expect(over).toMatchObject({ digest: digestOfNumber(701), isOver: true });
});

test('readStreams() reads nothing where flights are off, and links to no page at what is not an address', () => {
  expect(readStreams(factsOf({ streams: {} }))).toEqual([]);
  const { streams } = factsOf();
  const flights = streams.flights ?? { self: '', maxHoldMs: 0, downloads: [], flights: [] };
  const downloads = flights.downloads.map((download) => ({
    ...download,
    towers: [{ id: 'x', addresses: ['evil.test/#'] }],
  }));
  expect(
    readStreams(factsOf({ streams: { flights: { ...flights, downloads, flights: [] } } }))[0]?.whole,
  ).toBeUndefined();
});
