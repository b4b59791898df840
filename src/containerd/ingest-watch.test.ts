import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../observe/log.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createIngestWatch, type IngestWatch, type IngestWatchOptions } from './ingest-watch.ts';
import { beginTestIngest } from './ingest.fixture.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const digest = digestOf(encode('blob'));
/** Of a blob whose download has an inotify watch of its own. */
const LARGE_BYTES = 1024 * 1024;
const refOf = (blob: Digest, kind = 'layer') => `k8s.io/1/${kind}-${blob}`;
const id = (text: string) => new Bun.CryptoHasher('sha256').update(text).digest('hex');

/** A virtual clock that knows how many sleep. */
function createCountingClock() {
  const virtual = createVirtualClock();
  const clock = {
    advance: (ms: number) => virtual.advance(ms),
    nowMs: () => virtual.nowMs(),
    waiting: 0,
    sleep: (ms: number, signal?: AbortSignal) => {
      clock.waiting++;
      return virtual.sleep(ms, signal).finally(() => clock.waiting--);
    },
    after: (ms: number, work: () => void) => virtual.after(ms, work),
  };
  return clock;
}

/** The inotify watches of this process. */
async function countInotifyWatches(): Promise<number> {
  let count = 0;
  for (const fd of await readdir('/proc/self/fdinfo')) {
    const text = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '');
    count += text.split('\n').filter((line) => line.startsWith('inotify wd:')).length;
  }
  return count;
}

describe('createIngestWatch()', () => {
  let contentPath: string;
  let path: string;
  const started: Disposable[] = [];
  beforeEach(async () => {
    contentPath = await mkdtemp(join(tmpdir(), 'spegel-ingest-'));
    path = join(contentPath, 'ingest');
    await mkdir(path);
  });
  afterEach(async () => {
    for (const watch of started.splice(0)) watch[Symbol.dispose]();
    await rm(contentPath, { recursive: true });
  });

  function start(clock: Clock = systemClock, options: Partial<IngestWatchOptions> = {}): IngestWatch {
    const watch = createIngestWatch(
      { clock, logger: silentLogger },
      { path, namespace: 'k8s.io', ...options },
    );
    started.push(watch);
    return watch;
  }
  const begin = (ref = refOf(digest), total = 4) => beginTestIngest(contentPath, ref, total);
  const known = ({ downloads }: IngestWatch) => [...downloads.all()].map((download) => download.digest);

  test('finds the downloads that are there at its start, and those that were given up', async () => {
    const [running, cancelled, atOnce, empty] = ['1', '2', '3', '4'].map((text) =>
      digestOf(encode(text)),
    ) as [Digest, Digest, Digest, Digest];
    await (await begin(refOf(running))).write(encode('b'));
    const ended = await begin(refOf(cancelled));
    await ended.write(encode('bl'));
    // Long ago, so that the times of the files differ on any file system.
    await utimes(join(ended.folder, 'data'), 1000, 1000);
    await ended.close();
    // Closed within the step of the clock in which its last bytes were written.
    const sameStep = await begin(refOf(atOnce));
    await sameStep.write(encode('b'));
    await utimes(join(sameStep.folder, 'startedat'), 1000, 1000);
    for (const name of ['data', 'updatedat']) await utimes(join(sameStep.folder, name), 2000, 2000);
    const waiting = await begin(refOf(empty));
    await utimes(join(waiting.folder, 'data'), 1000, 1000);
    await waiting.close();
    const watch = start();
    const { downloads } = watch;
    watch.scan();
    await until(() => [...downloads.all()].length === 4);
    expect(downloads.get(running)).toMatchObject({ writtenBytes: 1, sizeBytes: 4, isRunning: true });
    expect(downloads.get(cancelled)).toMatchObject({ writtenBytes: 2, isRunning: false });
    expect(downloads.get(atOnce)).toMatchObject({ writtenBytes: 1, isRunning: false });
    expect(downloads.get(empty)).toMatchObject({ writtenBytes: 0, isRunning: false });
  });

  test('takes a writer that is closed for closed, whatever the times of its files are', async () => {
    const watch = start();
    const ingest = await begin();
    await ingest.write(encode('bl'));
    // As when the machine's clock is set back, or its steps are long.
    await utimes(join(ingest.folder, 'data'), 4e9, 4e9);
    watch.look(ingest.id);
    expect(watch.downloads.get(digest)?.isRunning).toBe(true);
    await ingest.close();
    await until(() => watch.downloads.get(digest)?.isRunning === false);
    await ingest.write(encode('o'));
    await until(() => watch.downloads.get(digest)?.isRunning === true);
  });

  test('counts a download that begins anew from 0', async () => {
    const watch = start();
    const ingest = await begin();
    await ingest.write(encode('blo'));
    watch.look(ingest.id);
    expect(watch.downloads.get(digest)?.writtenBytes).toBe(3);
    const sizes: (number | undefined)[] = [];
    watch.downloads.subscribe((changed) => sizes.push(watch.downloads.get(changed)?.writtenBytes));
    // Not seen at 0.
    await truncate(join(ingest.folder, 'data'), 1);
    await until(() => watch.downloads.get(digest)?.writtenBytes === 1);
    expect(sizes).toEqual([0, 1]);
  });

  test('follows an ingest that was removed and made again without its seeing it', async () => {
    const watch = start();
    const ingest = await begin();
    await ingest.write(encode('blob'));
    watch.look(ingest.id);
    const again = join(contentPath, 'again');
    await mkdir(again);
    const next = await beginTestIngest(again, refOf(digest), 4);
    await next.write(encode('b'));
    await rename(ingest.folder, join(contentPath, 'old'));
    await rename(next.folder, ingest.folder);
    watch.look(ingest.id);
    await until(() => watch.downloads.get(digest)?.writtenBytes === 1);
    expect(watch.downloads.get(digest)?.isRunning).toBe(true);
    await writeFile(join(ingest.folder, 'data'), 'bl');
    await until(() => watch.downloads.get(digest)?.writtenBytes === 2);
  });

  test('knows the downloads of its namespace only', async () => {
    const foreign = [
      `other/1/layer-${digest}`,
      `k8s.io2/1/layer-${digest}`,
      `k8s.iox/1/layer-${digest}`,
      `k8s.io/layer-${digest}`,
      `k8s.io/1/1/layer-${digest}`,
      `k8s.io/1/layer-${digest}0`,
      `k8s.io/1/layer-${digest.toUpperCase()}`,
      `k8s.io/1/layer-sha256:../../../etc/passwd`,
      `k8s.io/1/test`,
      '',
      `${refOf(digest)}\n${'x'.repeat(8192)}`,
      // Valid as far as it is read.
      `${refOf(digest, 'x'.repeat(4096 - refOf(digest, '').length))}x`,
    ];
    const ids: string[] = [];
    for (const ref of foreign) ids.push((await begin(ref)).id);
    const watch = start();
    for (const name of ids) watch.look(name);
    expect(known(watch)).toEqual([]);
    // Another number and another kind are of this namespace.
    const blobs = ['manifest', 'index', 'config', 'layer', 'unknown', 'a-b'].map((kind) => ({
      kind,
      blob: digestOf(encode(kind)),
    }));
    for (const { kind, blob } of blobs) watch.look((await begin(`k8s.io/42/${kind}-${blob}`)).id);
    expect(known(watch)).toEqual(blobs.map(({ blob }) => blob));
    const long = digestOf(encode('blob'), 'sha512');
    watch.look((await begin(refOf(long))).id);
    expect(watch.downloads.get(long)?.sizeBytes).toBe(4);
  });

  test('ignores whatever else is in the folder', async () => {
    const target = await beginTestIngest(join(contentPath, 'elsewhere'), refOf(digest), 4);
    await mkdir(join(path, 'no-digest'));
    await writeFile(join(path, id('file')), 'x');
    await symlink(target.folder, join(path, id('link to folder')));
    await symlink(join(path, id('link to nothing but itself')), join(path, id('link to nothing but itself')));
    await mkdir(join(path, id('empty')));
    await mkdir(join(path, id('data is a folder'), 'data'), { recursive: true });
    expect(Bun.spawnSync(['mkfifo', join(path, id('pipe'))]).exitCode).toBe(0);
    for (const kind of ['pipe', 'link', 'absent', 'data is a link']) {
      const { folder } = await begin(`k8s.io/1/${kind}-${digest}`);
      const file = join(folder, kind === 'data is a link' ? 'data' : 'ref');
      await rm(file);
      if (kind === 'pipe') expect(Bun.spawnSync(['mkfifo', file]).exitCode).toBe(0);
      if (kind === 'link') await symlink(join(target.folder, 'ref'), file);
      if (kind === 'data is a link') await symlink(join(target.folder, 'data'), file);
    }
    const other = digestOf(encode('other'));
    const good = await begin(refOf(other), 0);
    const watch = start();
    watch.scan();
    for (const name of ['', '..', '/', '\0', 'x'.repeat(5000), `${good.id}/data`]) watch.look(name);
    await until(() => known(watch).includes(other));
    expect(known(watch)).toEqual([other]);
    expect(watch.downloads.get(other)?.sizeBytes).toBeUndefined();
  });

  test.each(['-1', '0', '4 ', '1e3', '99999999999999999999', '9'.repeat(40)])(
    'does not know the size if total is %p',
    async (total) => {
      const ingest = await begin();
      await writeFile(join(ingest.folder, 'total'), total);
      const watch = start();
      watch.look(ingest.id);
      expect(watch.downloads.get(digest)).toMatchObject({ sizeBytes: undefined });
    },
  );

  test('survives a folder that cannot be read', async () => {
    await rm(path, { recursive: true });
    const watch = start();
    watch.scan();
    watch.look(id('absent'));
    await mkdir(path);
    await begin();
    await until(() => {
      watch.scan();
      return known(watch).length === 1;
    });
    await rm(path, { recursive: true });
    await until(() => known(watch).length === 0);
  });

  test('follows no more ingests than it may, and others once there is room', async () => {
    const watch = start(systemClock, { maxIngests: 2 });
    const ingests = [];
    for (const text of ['1', '2', '3']) {
      const ingest = await begin(refOf(digestOf(encode(text))));
      ingests.push(ingest);
      watch.look(ingest.id);
    }
    expect(known(watch)).toHaveLength(2);
    await ingests[0]?.remove();
    await until(() => known(watch).length === 1);
    watch.scan();
    await until(() => known(watch).includes(digestOf(encode('3'))));
  });

  test('sees a download grow and end without the poll', async () => {
    const never = new Promise<void>(() => {});
    const watch = start(
      createSleepingClock({
        nowMs: () => systemClock.nowMs(),
        sleep: (ms, signal) => (ms < 100 ? systemClock.sleep(ms, signal) : never),
      }),
    );
    const ingest = await begin(refOf(digest), LARGE_BYTES);
    watch.look(ingest.id);
    for (const writtenBytes of [1, 2]) {
      await ingest.write(encode('b'));
      await until(() => watch.downloads.get(digest)?.writtenBytes === writtenBytes);
    }
    await ingest.close();
    await until(() => watch.downloads.get(digest)?.isRunning === false);
  });

  test('has no more inotify watches than it may, and none after its end', async () => {
    const before = await countInotifyWatches();
    const watch = start(systemClock, { maxWatches: 2 });
    for (const text of ['1', '2', '3']) {
      watch.look((await begin(refOf(digestOf(encode(text))), LARGE_BYTES)).id);
    }
    expect(known(watch)).toHaveLength(3);
    expect((await countInotifyWatches()) - before).toBe(2);
    watch[Symbol.dispose]();
    await until(async () => (await countInotifyWatches()) === before);
  });

  test('watches no small download, and sees its end at once', async () => {
    const before = await countInotifyWatches();
    const never = new Promise<void>(() => {});
    const watch = start(
      createSleepingClock({
        nowMs: () => systemClock.nowMs(),
        sleep: (ms, signal) => (ms < 100 ? systemClock.sleep(ms, signal) : never),
      }),
    );
    const ingest = await begin();
    watch.look(ingest.id);
    expect(known(watch)).toEqual([digest]);
    expect(await countInotifyWatches()).toBe(before);
    await ingest.remove();
    watch.look(ingest.id);
    await until(() => known(watch).length === 0);
  });

  test('polls the ingests that it does not watch', async () => {
    const watch = start(systemClock, { maxWatches: 0 });
    const ingest = await begin();
    watch.look(ingest.id);
    await ingest.write(encode('bl'));
    await until(() => watch.downloads.get(digest)?.writtenBytes === 2);
    await ingest.close();
    await until(() => watch.downloads.get(digest)?.isRunning === false);
    await ingest.remove();
    await until(() => known(watch).length === 0);
  });

  test('has no timer while there is no download, nor for one that lies there unchanged', async () => {
    const clock = createCountingClock();
    const watch = start(clock, { maxWatches: 0 });
    watch.scan();
    const ingest = await begin();
    expect(clock.waiting).toBe(0);
    watch.look(ingest.id);
    expect(clock.waiting).toBe(1);
    await clock.advance(31_000);
    expect(clock.waiting).toBe(0);
    expect(watch.downloads.get(digest)).toMatchObject({ isRunning: true, grownMs: 0 });
    await ingest.write(encode('b'));
    watch.look(ingest.id);
    expect(watch.downloads.get(digest)).toMatchObject({ writtenBytes: 1, grownMs: 31_000 });
    expect(clock.waiting).toBe(1);
    await ingest.remove();
    await clock.advance(1000);
    expect(known(watch)).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  test('takes a download with all its bytes that is not committed for given up', async () => {
    const clock = createVirtualClock();
    const watch = start(clock, { maxWatches: 0 });
    const ingest = await begin();
    await ingest.write(encode('blub'));
    watch.look(ingest.id);
    await clock.advance(24_000);
    expect(watch.downloads.get(digest)?.isRunning).toBe(true);
    await clock.advance(2000);
    expect(watch.downloads.get(digest)?.isRunning).toBe(false);
  });

  test('tells of nothing after its end', async () => {
    const watch = start();
    const ingest = await begin();
    watch.look(ingest.id);
    const other = start();
    other.look(ingest.id);
    let told = 0;
    watch.downloads.subscribe(() => told++);
    watch[Symbol.dispose]();
    await ingest.write(encode('bl'));
    watch.look(ingest.id);
    watch.scan();
    await until(() => other.downloads.get(digest)?.writtenBytes === 2);
    expect(told).toBe(0);
  });
});
