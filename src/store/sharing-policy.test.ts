import { describe, expect, test } from 'bun:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { InvalidFilterError, parseImageFilter } from './image-filter.ts';
import { createSharingPolicy, type SharingRules } from './sharing-policy.ts';

const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const [A, B] = [digest('a'), digest('b')];
const HOUR_MS = 60 * 60 * 1000;

function setUp(rules: { registries?: string[]; filters?: string[] }, images: Record<string, Digest[]> = {}) {
  const clock = createVirtualClock();
  const parsed: SharingRules = {
    registries: rules.registries === undefined ? undefined : new Set(rules.registries),
    filters: (rules.filters ?? []).map(parseImageFilter),
  };
  const store = {
    references: (wanted: Digest) =>
      Object.entries(images)
        .filter(([, digests]) => digests.includes(wanted))
        .map(([name]) => parseReference(name)),
  };
  return { clock, policy: createSharingPolicy({ store, clock }, parsed) };
}
const name = (text: string) => parseReference(text);

describe('parseImageFilter()', () => {
  const cases: [string, string, boolean][] = [
    [':latest$', 'docker.io/library/nginx:latest', true],
    [':latest$', 'docker.io/library/nginx:latest-1', false],
    ['^registry.lab:5000/secret/', 'registry.lab:5000/secret/app:v1', true],
    ['^registry.lab:5000/secret/', 'registry.lab/secret/app:v1', false],
    ['(?i)DOCKER', 'docker.io/library/nginx:v1', true],
    ['nginx', 'docker.io/library/nginx:v1', true],
    ['^docker.io/library/nginx$', `docker.io/library/nginx@${A}`, true],
    ['\\pL+/x', 'docker.io/x:v1', true],
    ['', 'docker.io/x:v1', true],
  ];
  test.each(cases)('%j on %s is %p', (expression, text, expected) => {
    expect(parseImageFilter(expression)(name(text))).toBe(expected);
  });

  test.each(['a(?=b)', '\\1', '(?!a)', '[a', 'x**', 'a{1001}', '(?<=a)b', '\\C'])(
    'refuses %j, as Go does',
    (expression) => expect(() => parseImageFilter(expression)).toThrow(InvalidFilterError),
  );
});

describe('createSharingPolicy()', () => {
  test('shares everything without rules', () => {
    const { policy } = setUp({});
    expect(policy.sharesDigest(A)).toBe(true);
    expect(policy.sharesName(name('r.lab/a:v1'))).toBe(true);
  });

  test('shares only the registries that are mirrored, port included', () => {
    const { policy } = setUp({ registries: ['r.lab:5000'] });
    expect(policy.sharesName(name('r.lab:5000/a:v1'))).toBe(true);
    expect(policy.sharesName(name('r.lab/a:v1'))).toBe(false);
  });

  test('shares content that some shared image leads to', () => {
    const images = { 'r.lab/secret:v1': [A, B], 'r.lab/open:v1': [B] };
    const { policy } = setUp({ filters: ['/secret'] }, images);
    expect(policy.sharesDigest(A)).toBe(false);
    expect(policy.sharesDigest(B)).toBe(true);
  });

  test('goes by the tag of an image that the CRI names by its digest, too', () => {
    const images = {
      'r.lab/app:nightly': [A],
      [`r.lab/app@${A}`]: [A],
      'r.lab/twice:nightly': [B],
      'r.lab/twice:v1': [B],
      [`r.lab/twice@${B}`]: [B],
    };
    const { policy } = setUp({ filters: [':nightly$'] }, images);
    expect(policy.sharesDigest(A)).toBe(false);
    expect(policy.sharesDigest(B)).toBe(true);
  });

  test('shares what was pulled by digest unless its name is filtered', () => {
    const images = { [`r.lab/app@${A}`]: [A], [`r.lab/secret@${B}`]: [B] };
    const { policy } = setUp({ filters: [':nightly$', '/secret'] }, images);
    expect(policy.sharesDigest(A)).toBe(true);
    expect(policy.sharesDigest(B)).toBe(false);
  });

  test('does not share content that nobody can place', () => {
    expect(setUp({ filters: ['x'] }).policy.sharesDigest(A)).toBe(false);
  });

  test('goes by the requests until there is an image, and only by all of them', () => {
    const { policy } = setUp({ filters: ['/secret'] });
    policy.noteRequest({ registry: 'r.lab', repository: 'open' }, A);
    expect(policy.sharesDigest(A)).toBe(true);
    policy.noteRequest({ registry: 'r.lab', repository: 'secret' }, A);
    expect(policy.sharesDigest(A)).toBe(false);
  });

  test('an image has the last word over requests', () => {
    const { policy } = setUp({ filters: ['/secret'] }, { 'r.lab/secret:v1': [A] });
    policy.noteRequest({ registry: 'r.lab', repository: 'open' }, A);
    expect(policy.sharesDigest(A)).toBe(false);
  });

  test('content may belong to any tag that was asked for in its repository', () => {
    const { policy } = setUp({ filters: [':secret$'] });
    policy.noteRequest({ registry: 'r.lab', repository: 'app' }, A);
    expect(policy.sharesDigest(A)).toBe(true);
    policy.noteRequest({ registry: 'r.lab', repository: 'app', tag: 'secret' }, undefined);
    expect(policy.sharesDigest(A)).toBe(false);
  });

  test('forgets requests after an hour', async () => {
    const { policy, clock } = setUp({ filters: ['/secret'] });
    policy.noteRequest({ registry: 'r.lab', repository: 'open' }, A);
    await clock.advance(HOUR_MS);
    expect(policy.sharesDigest(A)).toBe(false);
  });

  test('keeps a bounded number of notes, and shares nothing that has too many', () => {
    const { policy } = setUp({ filters: ['/secret'] });
    for (let n = 0; n < 200; n++) policy.noteRequest({ registry: 'r.lab', repository: `open${n}` }, A);
    expect(policy.sharesDigest(A)).toBe(false);
    policy.noteRequest({ registry: 'r.lab', repository: 'open' }, B);
    for (let n = 0; n < 10_000; n++) {
      policy.noteRequest({ registry: 'r.lab', repository: 'open' }, digest(`x${n}`));
    }
    expect(policy.sharesDigest(B)).toBe(false);
  });
});
