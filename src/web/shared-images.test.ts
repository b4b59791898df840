import { expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { listSharedImages } from './shared-images.ts';

const DIGEST = digestOf(new Uint8Array());
const tagOf = (repository: string) => ({ registry: 'r.lab', repository, tag: 'v1', digest: DIGEST });

test('listSharedImages() sorts by name and counts what is there of one kind only', () => {
  const counts = {
    imageTags: new Map([['r.lab', 2]]),
    imageDigests: new Map([['r.lab', 1]]),
    contentDigests: new Map([
      ['r.lab', 5],
      ['', 7],
    ]),
  };
  expect(listSharedImages(counts, [tagOf('b'), tagOf('a')])).toEqual({
    registries: [
      { registry: '', tags: 0, imageDigests: 0, contentDigests: 7 },
      { registry: 'r.lab', tags: 2, imageDigests: 1, contentDigests: 5 },
    ],
    tags: [tagOf('a'), tagOf('b')],
    tagCount: 2,
  });
});

test('listSharedImages() lists at most 1,000 tags, and tells how many there are', () => {
  const none = new Map<string, number>();
  const tags = Array.from({ length: 1500 }, (_, n) => tagOf(String(n).padStart(4, '0')));
  const { tags: listed, tagCount } = listSharedImages(
    { imageTags: none, imageDigests: none, contentDigests: none },
    tags,
  );
  expect({ listed: listed.length, tagCount }).toEqual({ listed: 1000, tagCount: 1500 });
});
