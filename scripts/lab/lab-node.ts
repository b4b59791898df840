import { mkdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Containerd, type CtrOptions, startContainerd } from './containerd.ts';
import { createMemoryCgroup, type LimitView } from './memory-cgroup.ts';
import { createMirror, type Mirror, type MirrorDeps } from './mirror.ts';
import type { Credentials } from './cri-client.ts';
import { type Endpoint, ipv4Of, type LinkShape } from './network.ts';
import { writeImageArchive } from './image-archive.ts';
import type { TestImage } from './test-image.ts';
import { REGISTRY, UPSTREAM_HOST } from './upstream.ts';
import { verifyImage } from './verify-image.ts';

/** What asks for the image: the CRI as kubelet does, `ctr images pull`, or `ctr content fetch`, which unpacks nothing. */
export type PullClient = 'cri' | 'ctr' | 'ctr-fetch';

/** Options of a pull. */
export interface PullOptions {
  /** Default cri. */
  readonly via?: PullClient;
  /** Default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** For registries that ask for them; with cri only. Default none. */
  readonly credentials?: Credentials | undefined;
}

/** What a node may have different from the others. */
export interface NodeOptions {
  /** The mirror's binary; `none` is a node without a mirror. */
  readonly binary?: string;
  /** Folder with containerd, ctr and the shim. Default: those on PATH. */
  readonly containerdBinDir?: string;
  /** Added to the mirror's `registry` command. */
  readonly mirrorArgs?: readonly string[];
  readonly mirrorEnv?: Readonly<Record<string, string>>;
  /** Added to containerd's environment. */
  readonly containerdEnv?: Readonly<Record<string, string>>;
  /** Size of the Range requests that containerd gets layers in, in bytes; from 2.1 on. Default: one request a layer. */
  readonly fetchBufferBytes?: number | undefined;
  /** Size of a file system of its own that containerd's content gets, see fillContent. Default: it shares that of the lab. */
  readonly contentBytes?: number;
  /** Registries whose pulls go through the mirror; empty is all. Default: upstream's two http names. */
  readonly mirroredRegistries?: readonly string[];
  readonly link?: LinkShape;
  /** Other nodes reach the mirror through a front whose pace can be set, see Mirror. */
  readonly hasFront?: boolean;
  /** Runs the mirror in a memory cgroup of this size, TCP's buffers included. Default: no limit. */
  readonly memoryLimitBytes?: number;
  /** Whether the mirror can find that limit. Default hidden. */
  readonly limitView?: LimitView;
}

/** A machine with a containerd and, unless it was made without, a mirror. */
export interface LabNode {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly containerd: Containerd;
  /** Throws on a node without a mirror. */
  readonly mirror: Mirror;
  readonly hasMirror: boolean;
  /** Pulls an image by name. Returns the time it took, in ms. */
  pull(reference: string, options?: PullOptions): Promise<number>;
  /** Loads an image with `ctr images import`, under the name. All its platforms have to be in it. */
  importImage(image: TestImage, reference: string, options?: CtrOptions): Promise<void>;
  /** Removes all names of an image and, before it returns, content that nothing else needs. */
  removeImage(image: TestImage): Promise<void>;
  /** Throws unless every blob of the image is there, with the right bytes. */
  verify(image: TestImage, platform?: string): Promise<void>;
}

/** Options of startLabNode that the lab fills in. */
export interface LabNodeOptions extends NodeOptions {
  readonly directory: string;
  readonly caFile: string;
  readonly bootstrapHost: () => string;
}

/** Upstream without TLS, with a port and without. */
export const HTTP_REGISTRIES: readonly string[] = [`http://${REGISTRY}`, `http://${UPSTREAM_HOST}`];

/** Any image of a lab is there long before; a pull that hangs has to end. */
const PULL_TIMEOUT_MS = 60_000;

/** The binary of a node without a mirror. */
export const NO_MIRROR = 'none';

/** Addresses of nodes start here, so that those of the hub and of upstream are free. */
const FIRST_NODE_HOST = 256;

/** The address of node n, counted from 1. */
export function nodeHost(n: number): { readonly host: number; readonly ipv4: string } {
  return { host: FIRST_NODE_HOST + n, ipv4: ipv4Of(FIRST_NODE_HOST + n) };
}

/** Starts a node's containerd and configures it; the mirror is only made, not launched. */
export async function startLabNode(
  deps: Omit<MirrorDeps, 'containerd'>,
  options: LabNodeOptions,
): Promise<LabNode> {
  const { endpoint, cleanup } = deps;
  const { directory, caFile, binary = NO_MIRROR, mirroredRegistries = HTTP_REGISTRIES } = options;
  mkdirSync(directory, { recursive: true });
  if (options.link !== undefined) await endpoint.shape(options.link);
  const env = { SSL_CERT_FILE: caFile };
  const containerd = await startContainerd(
    { cleanup, namespace: endpoint.namespace },
    {
      directory,
      name: endpoint.name,
      binDir: options.containerdBinDir,
      env: { ...env, ...options.containerdEnv },
      fetchBufferBytes: options.fetchBufferBytes,
      contentBytes: options.contentBytes,
    },
  );
  let mirror: Mirror | undefined;
  if (binary === NO_MIRROR) await writeUpstreamHosts(containerd.paths.certsDir);
  else {
    mirror = await createMirror(
      { ...deps, containerd },
      {
        binary,
        directory: join(directory, 'mirror'),
        args: options.mirrorArgs ?? [],
        env: { ...env, ...options.mirrorEnv },
        mirroredRegistries,
        bootstrapHost: options.bootstrapHost,
        hasFront: options.hasFront,
        memory:
          options.memoryLimitBytes === undefined
            ? undefined
            : createMemoryCgroup(deps, {
                name: endpoint.namespace.name,
                limitBytes: options.memoryLimitBytes,
                view: options.limitView,
              }),
      },
    );
  }
  return {
    name: endpoint.name,
    endpoint,
    containerd,
    hasMirror: mirror !== undefined,
    get mirror() {
      if (mirror === undefined) throw new Error(`${endpoint.name} has no mirror`);
      return mirror;
    },
    pull: async (reference, { via = 'cri', timeoutMs = PULL_TIMEOUT_MS, signal, credentials } = {}) => {
      const limits = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
      const startedMs = performance.now();
      if (via === 'cri') {
        await containerd.cri.pullImage(reference, { ...limits, credentials });
      } else {
        // Since 2.0 ctr leaves pulls to the daemon unless told otherwise.
        const local = via === 'ctr' && !containerd.version.startsWith('1.') ? ['--local'] : [];
        const command = via === 'ctr' ? ['images', 'pull'] : ['content', 'fetch'];
        await containerd.ctr(
          [...command, ...local, '--hosts-dir', containerd.paths.certsDir, reference],
          limits,
        );
      }
      return performance.now() - startedMs;
    },
    importImage: async (image, reference, options) => {
      const archive = join(directory, 'import.tar');
      await writeImageArchive(image, reference, archive);
      await containerd.ctr(['images', 'import', '--all-platforms', archive], options);
      await rm(archive);
    },
    removeImage: async (image) => {
      const rows = (await containerd.ctr(['images', 'ls'])).split('\n').slice(1);
      const names = rows.flatMap((row) => {
        const [name, , digest] = row.split(/\s+/);
        return name !== undefined && digest === image.root.digest ? [name] : [];
      });
      if (names.length > 0) await containerd.ctr(['images', 'rm', '--sync', ...names]);
    },
    verify: async (image, platform) => verifyImage(containerd, image, platform),
  };
}

/** Without a mirror a node still has to be told that upstream speaks plain http. */
async function writeUpstreamHosts(certsDir: string): Promise<void> {
  for (const url of HTTP_REGISTRIES) {
    const folder = join(certsDir, new URL(url).host);
    mkdirSync(folder, { recursive: true });
    // containerd 1.6 takes no notice of `server` unless there is a host besides.
    const host = `[host."${url}"]\ncapabilities = ["pull", "resolve"]\n`;
    await writeFile(join(folder, 'hosts.toml'), `server = "${url}"\n${host}`);
  }
}
