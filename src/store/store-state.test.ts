import { describe, expect, test } from 'bun:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { createStoreState, type KnownImage, type StoreChange } from './store-state.ts';

const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const [A, B] = [digest('a'), digest('b')];
const image = (name: string, target: Digest, digests = [target]): KnownImage => ({
  name,
  target,
  digests,
  reference: parseReference(name),
});
const tag = (target: Digest) => ({ registry: 'r.test', repository: 'app', tag: 'v1', digest: target });

function start() {
  const changes: StoreChange[] = [];
  const images: StoreChange[] = [];
  const state = createStoreState((change) => {
    (change.kind === 'image-changed' ? images : changes).push(change);
  });
  return { state, take: () => changes.splice(0), takeImages: () => images.splice(0) };
}

describe('createStoreState()', () => {
  test('tells of a tag only while its manifest is here', () => {
    const { state, take } = start();
    state.setImage(image('r.test/app:v1', A));
    expect(take()).toEqual([]);
    state.addBlob(A, 1);
    expect(take()).toEqual([
      { kind: 'blob-added', digest: A },
      { kind: 'tag-added', tag: tag(A) },
    ]);
    state.addBlob(A, 1);
    state.setImage(image('r.test/app:v1', A));
    expect(take()).toEqual([]);
    state.removeBlob(A);
    expect(take()).toEqual([
      { kind: 'tag-removed', tag: tag(A) },
      { kind: 'blob-removed', digest: A },
    ]);
    expect(state.snapshot().tags).toEqual([]);
  });

  test('tells of a tag that moves to a manifest that is here, or to one that is not', () => {
    const { state, take } = start();
    state.addBlob(A, 1);
    state.addBlob(B, 1);
    state.setImage(image('r.test/app:v1', A));
    take();
    state.setImage(image('r.test/app:v1', B));
    expect(take()).toEqual([{ kind: 'tag-added', tag: tag(B) }]);
    state.setImage(image('r.test/app:v1', digest('absent')));
    expect(take()).toEqual([{ kind: 'tag-removed', tag: tag(B) }]);
  });

  test('tells of an image that comes, leads elsewhere or goes, and of whom it leads to', () => {
    const { state, takeImages } = start();
    const name = 'r.test/app:v1';
    const reference = parseReference(name);
    state.setImage(image(name, A, [A, B]));
    expect(takeImages()).toEqual([{ kind: 'image-changed', name, digests: [A, B] }]);
    expect(state.references(B)).toEqual([reference]);
    state.setImage(image(name, A, [A, B]));
    expect(takeImages()).toEqual([]);
    state.setImage(image(name, A));
    expect(takeImages()).toEqual([{ kind: 'image-changed', name, digests: [A, B] }]);
    expect(state.references(B)).toEqual([]);
    state.removeImage(name);
    expect(takeImages()).toEqual([{ kind: 'image-changed', name, digests: [A] }]);
    expect(state.references(A)).toEqual([]);
  });

  test('has no tag for names with a digest', () => {
    const { state, take } = start();
    state.addBlob(A, 1);
    take();
    state.setImage(image(`r.test/app:v1@${A}`, A));
    state.setImage(image(`r.test/app@${A}`, A));
    expect(take()).toEqual([]);
    expect(state.snapshot()).toEqual({ tags: [], blobs: new Set([A]) });
    expect(state.references(A)).toHaveLength(2);
  });

  test('startListing() lets changes since its start stand', () => {
    const { state } = start();
    const gone = digest('gone');
    state.addBlob(A, 1);
    using update = state.startListing();
    state.addBlob(B, 2);
    state.removeBlob(gone);
    expect(update.finish(new Map([[gone, 3]]), [])).toBe(true);
    expect([...state.blobs]).toEqual([[B, 2]]);
  });

  test('startListing() says whether anything is different', () => {
    const { state } = start();
    const listings: readonly (readonly [ReadonlyMap<Digest, number>, readonly KnownImage[], boolean])[] = [
      [new Map(), [], false],
      [new Map([[A, 1]]), [], true],
      [new Map([[A, 1]]), [], false],
      [new Map([[B, 1]]), [], true],
      [new Map([[B, 1]]), [image('r.test/app:v1', A)], true],
      [new Map([[B, 1]]), [image('r.test/app:v1', B)], true],
      [new Map([[B, 1]]), [image('r.test/app:v1', B)], false],
    ];
    for (const [blobs, images, changed] of listings) {
      using update = state.startListing();
      expect(update.finish(blobs, images)).toBe(changed);
    }
  });
});
