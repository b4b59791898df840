import { describe, expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { imagesQuery } from './images-report.ts';
import { parseImagesQuestion, searchImages } from './search-images.ts';

const tagOf = (repository: string, tag = 'v1') => ({
  registry: 'registry.lab:5000',
  repository,
  tag,
  digest: digestOf(Buffer.from(repository + tag)),
});
const all = { search: '', offset: 0, limit: 100 };

describe('searchImages()', () => {
  const tags = ['team/web', 'team/api', 'Other/db', 'team/web-admin'].map((name) => tagOf(name));
  const names = (question: Partial<typeof all>) =>
    searchImages(tags, { ...all, ...question }).tags.map(({ repository }) => repository);

  test('gives all by name, and the routing key of each', () => {
    const found = searchImages(tags, all);
    expect(found).toMatchObject({ foundCount: 4, tagCount: 4, offset: 0 });
    expect(found.tags.map(({ key }) => key)).toEqual([
      'registry.lab:5000/Other/db:v1',
      'registry.lab:5000/team/api:v1',
      'registry.lab:5000/team/web-admin:v1',
      'registry.lab:5000/team/web:v1',
    ]);
  });

  test.each<[search: string, expected: string[]]>([
    ['web', ['team/web-admin', 'team/web']],
    ['TEAM/A', ['team/api']],
    ['other', ['Other/db']],
    ['web:v1', ['team/web']],
    [digestOf(Buffer.from('team/apiv1')).slice(0, 20), ['team/api']],
    ['nothing', []],
  ])('finds %p', (search, expected) => {
    expect(names({ search })).toEqual(expected);
  });

  test('gives a part, with the counts of all', () => {
    expect(names({ offset: 1, limit: 2 })).toEqual(['team/api', 'team/web-admin']);
    expect(searchImages(tags, { search: 'team', offset: 2, limit: 1 })).toMatchObject({
      foundCount: 3,
      tagCount: 4,
    });
    expect(names({ offset: 9 })).toEqual([]);
  });
});

describe('parseImagesQuestion()', () => {
  test('reads what imagesQuery() wrote', () => {
    const question = { search: 'a b&c', offset: 7, limit: 200 };
    expect(parseImagesQuestion(new URLSearchParams(imagesQuery(question)))).toEqual(question);
    expect(parseImagesQuestion(new URLSearchParams('search=a'))).toEqual({ ...all, search: 'a' });
  });

  test.each(['limit=201', 'limit=0', 'limit=-1', 'offset=x', 'offset=1e3', `search=${'a'.repeat(301)}`])(
    'refuses %p',
    (query) => {
      expect(parseImagesQuestion(new URLSearchParams(query))).toBeUndefined();
    },
  );
});
