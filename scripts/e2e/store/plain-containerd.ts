import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOf, splitDigest } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { runCommand } from '../../lab/run-command.ts';
import { untilStopped } from '../../lab/until-stopped.ts';
import { waitFor } from '../../lab/wait-for.ts';

/** A containerd without CRI, for tests of the store: it starts in some 100 ms and needs no network. */
export interface PlainContainerd extends AsyncDisposable {
  readonly socketPath: string;
  readonly contentPath: string;
  /** Namespace that ctr() works in. */
  readonly namespace: string;
  ctr(argv: readonly string[], options?: CtrOptions): Promise<string>;
  /** Makes an image of a manifest (or index) and what else it takes, as `ctr images import` does. */
  importImage(
    name: string,
    manifest: Uint8Array,
    blobs: readonly Uint8Array[],
    options?: CtrOptions,
  ): Promise<void>;
  /** Adds a blob that no image names. */
  ingest(bytes: Uint8Array, options?: CtrOptions): Promise<void>;
  /** Starts to write a blob under a ref from what is sent; a `sizeBytes` of 0 is one that containerd is not told. */
  startIngest(ref: string, digest: Digest, sizeBytes: number): SlowIngest;
  /** Starts `ctr content fetch` or `ctr images pull`, which unpacks too, over plain HTTP. */
  startPull(name: string, options?: { readonly unpack?: boolean }): SlowPull;
  /** Starts it, and waits until it answers. */
  start(): Promise<void>;
  /** SIGSTOP; returns once it answers nothing any more. */
  hang(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** Kills it with SIGKILL and waits for its end. */
  kill(): Promise<void>;
}

/** A blob that is being written. */
export interface SlowIngest {
  /** Sends bytes; containerd gets them in steps of 1 MiB, and the rest with the end. */
  send(bytes: Uint8Array): Promise<void>;
  /** Sends no more, and waits for the commit. */
  end(): Promise<void>;
  /** Kills what writes. */
  kill(): Promise<void>;
}

/** A pull under way. */
export interface SlowPull {
  /** Waits for its end; throws if it failed. */
  end(): Promise<void>;
  /** Kills it, and waits for that. */
  cancel(): Promise<void>;
}

/** Options of a ctr call. */
export interface CtrOptions {
  readonly stdin?: string;
  readonly namespace?: string;
}

/** Prepares a containerd with folders of its own; CONTAINERD_BIN_DIR names the folder of its programs, else they are on PATH. */
export async function createPlainContainerd(): Promise<PlainContainerd> {
  const binDir = process.env['CONTAINERD_BIN_DIR'];
  const program = (name: string) => (binDir === undefined ? name : join(binDir, name));
  const folder = await mkdtemp(join(tmpdir(), `spegel-ctd-${process.pid}-`));
  const socketPath = join(folder, 'c.sock');
  const namespace = 'k8s.io';
  const configPath = join(folder, 'config.toml');
  await writeFile(
    configPath,
    `version = 2
root = ${JSON.stringify(join(folder, 'root'))}
state = ${JSON.stringify(join(folder, 'state'))}
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
  address = ${JSON.stringify(socketPath)}

# Garbage is collected by \`ctr images rm --sync\` only: what no image names is there to stay.
[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "1h"
  mutation_threshold = 1000000
`,
  );
  let child: Bun.Subprocess | undefined;
  let serial = 0;
  const running = new Set<Bun.Subprocess>();

  function spawnCtr<T extends 'pipe' | 'ignore'>(argv: readonly string[], stdin: T) {
    const command = [program('ctr'), '--address', socketPath, '--namespace', namespace, ...argv];
    const ctr = Bun.spawn(command, { stdin, stdout: 'ignore', stderr: 'pipe' });
    running.add(ctr);
    void ctr.exited.then(() => running.delete(ctr));
    return ctr;
  }
  async function finish(ctr: Bun.Subprocess<'pipe' | 'ignore', 'ignore', 'pipe'>): Promise<void> {
    const said = await new Response(ctr.stderr).text();
    if ((await ctr.exited) !== 0) throw new Error(`ctr failed: ${said}`);
  }

  const containerd: PlainContainerd = {
    socketPath,
    contentPath: join(folder, 'root', 'io.containerd.content.v1.content'),
    namespace,
    ctr(argv, { stdin, namespace: other = namespace } = {}) {
      return runCommand(
        [program('ctr'), '--address', socketPath, '--namespace', other, ...argv],
        stdin === undefined ? {} : { stdin },
      );
    },
    async importImage(name, manifest, blobs, options) {
      const layout = join(folder, `layout-${serial++}`);
      const blobFolder = join(layout, 'blobs', 'sha256');
      await mkdir(blobFolder, { recursive: true });
      for (const bytes of [manifest, ...blobs]) {
        await writeFile(join(blobFolder, splitDigest(digestOf(bytes)).hex), bytes);
      }
      const isIndex = 'manifests' in (JSON.parse(new TextDecoder().decode(manifest)) as object);
      const descriptor = {
        mediaType: isIndex ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest,
        digest: digestOf(manifest),
        size: manifest.byteLength,
        annotations: { 'io.containerd.image.name': name },
      };
      await writeFile(
        join(layout, 'index.json'),
        JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }),
      );
      await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      const archive = `${layout}.tar`;
      await runCommand(['tar', '-cf', archive, '-C', layout, '.']);
      await containerd.ctr(['images', 'import', '--no-unpack', archive], options);
      await rm(layout, { recursive: true });
    },
    async ingest(bytes, options) {
      await containerd.ctr(['content', 'ingest', `test-${serial++}`], {
        ...options,
        stdin: new TextDecoder().decode(bytes),
      });
    },
    startIngest(ref, digest, sizeBytes) {
      const size = sizeBytes === 0 ? [] : ['--expected-size', String(sizeBytes)];
      const ctr = spawnCtr(['content', 'ingest', ...size, '--expected-digest', digest, ref], 'pipe');
      return {
        async send(bytes) {
          await ctr.stdin.write(bytes);
          await ctr.stdin.flush();
        },
        async end() {
          await ctr.stdin.end();
          await finish(ctr);
        },
        async kill() {
          ctr.kill('SIGKILL');
          await ctr.exited;
        },
      };
    },
    startPull(name, { unpack = false } = {}) {
      const command = unpack ? ['images', 'pull'] : ['content', 'fetch'];
      const ctr = spawnCtr([...command, '--plain-http', name], 'ignore');
      return {
        end: () => finish(ctr),
        async cancel() {
          ctr.kill('SIGKILL');
          await ctr.exited;
        },
      };
    },
    async start() {
      const log = Bun.file(join(folder, 'containerd.log'));
      child = Bun.spawn([program('containerd'), '--config', configPath], { stdout: log, stderr: log });
      await waitFor(`containerd in ${folder}`, async () => (await containerd.ctr(['version'])) !== '');
    },
    async hang() {
      if (child === undefined) throw new Error('containerd was not started');
      child.kill('SIGSTOP');
      await untilStopped(child.pid);
    },
    resume() {
      child?.kill('SIGCONT');
    },
    async kill() {
      child?.kill('SIGKILL');
      await child?.exited;
    },
    async [Symbol.asyncDispose]() {
      for (const ctr of running) ctr.kill('SIGKILL');
      await containerd.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return containerd;
}
