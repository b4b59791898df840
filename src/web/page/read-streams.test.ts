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

test('readStreams() knows of itself whose child it is where it is the second tower, and that it does not know the rest', () => {
  const facts = factsOf();
  const { flights } = facts.streams;
  if (flights === undefined) throw new Error('There are no flights');
  const [download] = flights.downloads;
  const { self } = flights;
  const [known] = [...facts.peers.keys()].slice(1);
  const node = (id: string, role: string) => ({
    id,
    addresses: [],
    role,
    hasBegun: true,
    depth: 0,
    children: 0,
  });
  const nodes = [node(self, 'child'), node(known ?? '', 'child'), node('x', 'root')];
  const tree = { digest: download?.digest ?? '', nodes };
  const [stream] = readStreams(factsOf({ streams: { flights: { ...flights, flights: [tree] } } }));
  expect(stream).toMatchObject({ isPart: true, whole: { name: 'node-4' } });
  expect(stream?.nodes.map(({ parent }) => parent)).toEqual([undefined, known, undefined, 'registry']);
});
