import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { type Cleanup, createCleanup } from '../lab/cleanup.ts';
import { type Container, type ContainerHost, createContainerHost } from '../lab/container.ts';
import { NO_MIRROR } from '../lab/lab-node.ts';
import { archiveNativeImage } from '../oci-image/native-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

/** Where the chart mounts the folder of containerd's socket, which has the mounts of all containers below it. */
const SOCKET_FOLDER = '/run/containerd';
/** Where it mounts that folder once more, for doctor. */
const DOCTOR_FOLDER = `/host${SOCKET_FOLDER}`;
const START_TIMEOUT_MS = 180_000;
/** Runs until it is told to stop. */
const FOREVER = ['/spegel', 'cleanup', '--addr=127.0.0.1:0', '--containerd-registry-config-path=/none'];

const lab = useLab({ nodes: 1, binary: NO_MIRROR });
const cleanup: Cleanup = createCleanup();
const running: Container[] = [];
let host: ContainerHost | undefined;

beforeAll(async () => {
  const { path, image } = await archiveNativeImage(BINARY, lab().directory);
  const node = lab().node(1);
  host = await createContainerHost({ cleanup, node }, { labId: lab().id, archive: path, image });
}, START_TIMEOUT_MS);

afterAll(async () => {
  await Promise.all(running.map(async (container) => container.stop()));
  cleanup.run();
}, START_TIMEOUT_MS);

async function start(name: string, folder?: string): Promise<Container> {
  if (host === undefined) throw new Error('The image was not imported');
  const mounts = [SOCKET_FOLDER, DOCTOR_FOLDER].flatMap((target) =>
    folder === undefined ? [] : [{ source: folder, target }],
  );
  const container = await host.start({ name, argv: FOREVER, mounts });
  running.push(container);
  // ctr passes a signal on only when the container runs.
  expect(await container.exec(['/spegel', 'version'])).toMatchObject({ exitCode: 0 });
  // The kernel drops a signal to the first process of a PID namespace that does not handle it yet.
  await waitFor(`${name} to wait for its end`, async () =>
    (await container.log()).includes('waiting to be stopped'),
  );
  return container;
}

/** The mounts below the two folders in a process' namespace, by their mount points. */
function mountsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .filter((point) => [SOCKET_FOLDER, DOCTOR_FOLDER].some((folder) => point.startsWith(`${folder}/`)));
}

// Why the chart needs no mountPropagation: Linux (3.18) detaches a mount in every namespace when its mount point is removed.
test('a pod with private copies of the mounts of containers keeps none of them when the containers end', async () => {
  const { containerd } = lab().node(1);
  const before = [await start('before-1'), await start('before-2')];
  const mirror = await start('mirror', containerd.paths.state);
  const rootsOf = (name: string) => mountsOf(mirror.pid).filter((point) => point.includes(`-${name}/rootfs`));
  // In both folders, and in the copy of the first folder that is below the mirror's own root in the second.
  expect([rootsOf('before-1').length, rootsOf('before-2').length]).toEqual([3, 3]);
  const copied = mountsOf(mirror.pid).length;

  for (let round = 0; round < 3; round++) {
    const container = await start(`during-${round}`);
    expect(await container.stop()).toBe(0);
  }
  expect(mountsOf(mirror.pid)).toHaveLength(copied);
  for (const container of before) expect(await container.stop()).toBe(0);
  expect([...rootsOf('before-1'), ...rootsOf('before-2')]).toEqual([]);

  // And on the node all of them are gone: nothing was busy.
  const tasks = join(containerd.paths.state, 'io.containerd.runtime.v2.task/k8s.io');
  const idOf = (name: string) => `${lab().id}-${lab().node(1).name}-${name}`;
  const ended = ['before-1', 'before-2', 'during-0', 'during-1', 'during-2'].map(idOf);
  expect(ended.filter((id) => existsSync(join(tasks, id)))).toEqual([]);
  const snapshots = await containerd.ctr(['snapshots', 'list']);
  expect(snapshots).toContain(idOf('mirror'));
  expect(ended.filter((id) => snapshots.includes(id))).toEqual([]);
  expect(await containerd.daemon.log()).not.toContain('resource busy');
  expect(mirror.running).toBe(true);
});
