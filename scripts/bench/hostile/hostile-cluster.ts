import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cleanup, createCleanup } from '../../lab/cleanup.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import { writeImageArchive } from '../../lab/image-archive.ts';
import { createLab, type Lab } from '../../lab/lab.ts';
import { type LabNode, nodeHost } from '../../lab/lab-node.ts';
import type { LimitView } from '../../lab/memory-cgroup.ts';
import type { Endpoint } from '../../lab/network.ts';
import { createArtifact, createImage, type TestBlob, type TestImage } from '../../lab/test-image.ts';
import { contentPath, untilFound } from '../../lab/until-found.ts';
import { REGISTRY } from '../../lab/upstream.ts';
import { blobPath } from '../../lab/verify-image.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { connectControl, type Control, type Handlers } from '../cluster/control.ts';
import type {
  HttpPlayerCommands,
  HttpTarget,
  LookupProbeCommands,
  PeerPlayerCommands,
  SlowHolderCommands,
} from './player-commands.ts';

/** A started program. */
export interface Player<C extends Handlers<C>> {
  readonly control: Control<C>;
  /** Ends the process. */
  end(): Promise<void>;
}

/** Content of a node, as others ask for it. */
export interface SharedImage {
  readonly repository: string;
  readonly image: TestImage;
  readonly holder: LabNode;
}

/** Three nodes, the first of which is loaded and bounded, and machines that are not nodes. */
export interface HostileCluster extends AsyncDisposable {
  readonly lab: Lab;
  /** The node that the load is put on; also the one that the others bootstrap from. */
  readonly victim: LabNode;
  readonly holder: LabNode;
  readonly other: LabNode;
  /** A machine with well-behaved clients. */
  readonly clients: Endpoint;
  /** A machine with hostile ones. */
  readonly attacker: Endpoint;
  /** A machine with a slow holder. */
  readonly slow: Endpoint;
  readonly content: {
    /** The victim has them. */
    readonly own: SharedImage;
    readonly ownBig: SharedImage;
    readonly ownSmall: SharedImage;
    /** The holder has them, the victim does not. */
    readonly remote: SharedImage;
    readonly remoteBig: SharedImage;
    /** The holder has many tiny blobs, for lookups. */
    readonly lookedUp: SharedImage;
    /** The holder has it, and upstream: what the victim's containerd pulls. */
    readonly pulled: SharedImage;
    /** The victim has it, and upstream: what the other two pull. */
    readonly pulledFromVictim: SharedImage;
  };
  /** Starts all mirrors anew, the victim's with its memory counted from zero; returns when all content is found. */
  restart(): Promise<void>;
  /** Gives a node an image, as its containerd's content. */
  share(node: LabNode, repository: string, image: TestImage): Promise<SharedImage>;
  /** Source addresses on the attacker's machine, which the nodes reach. */
  addresses(count: number): Promise<readonly string[]>;
  playHttp(machine: Endpoint): Promise<Player<HttpPlayerCommands>>;
  playPeers(machine: Endpoint): Promise<Player<PeerPlayerCommands>>;
  playSlowHolder(machine: Endpoint): Promise<Player<SlowHolderCommands>>;
  playLookups(machine: Endpoint): Promise<Player<LookupProbeCommands>>;
}

/** Options of createHostileCluster. */
export interface HostileClusterOptions {
  readonly binary: string;
  readonly limitBytes: number;
  readonly limitView: LimitView;
  readonly containerdBinDir?: string | undefined;
  /** How nodes find each other; with `dns` only those that the domain names are members. */
  readonly bootstrap: 'http' | 'dns';
}

const MB = 1e6;
const MANY_LAYERS = 40;
const BIG_LAYER_BYTES = 20 * MB;
/** Just below what is taken for a manifest. */
const SMALL_LAYER_BYTES = 3_900_000;
const SMALL_LAYERS = 4;
const LOOKED_UP_BLOBS = 300;
const DOMAIN = 'spegel-bootstrap.spegel.svc.cluster.local.';
/** Addresses of the attacker beside its own are in this network: 10.98.0.0/16. */
const SOURCES_PREFIX = '10.98';
const NODES = 3;
const ROOM_BYTES = 3 * 1024 ** 3;
const FOUND_TIMEOUT_MS = 60_000;

/** Starts the cluster and gives its nodes their content. Needs root. */
export async function createHostileCluster(options: HostileClusterOptions): Promise<HostileCluster> {
  const { binary, limitBytes, limitView, containerdBinDir, bootstrap } = options;
  const numbers = Array.from({ length: NODES }, (_, n) => n + 1);
  const zone = { [DOMAIN.replace(/\.$/, '')]: numbers.map((n) => nodeHost(n).ipv4) };
  const lab = await createLab({
    nodes: numbers.map((n) => (n === 1 ? { memoryLimitBytes: limitBytes, limitView } : {})),
    binary,
    roomBytes: ROOM_BYTES,
    zone,
    ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
    // A log in a tmpfs counts as memory of the process that writes it, and under load at DEBUG that is MiBs a minute.
    mirrorArgs: [
      '--log-level=WARN',
      ...(bootstrap === 'dns' ? ['--bootstrap-kind', 'dns', '--dns-bootstrap-domain', DOMAIN] : []),
    ],
  });
  const cleanup = createCleanup();
  const dispose = async () => {
    cleanup.run();
    await lab[Symbol.asyncDispose]();
  };
  try {
    return await fill(lab, cleanup, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function fill(lab: Lab, cleanup: Cleanup, dispose: () => Promise<void>): Promise<HostileCluster> {
  const [victim, holder, other] = [lab.node(1), lab.node(2), lab.node(3)];
  const [clients, attacker, slow] = await Promise.all([
    lab.attach('clients'),
    lab.attach('attacker'),
    lab.attach('slow'),
  ]);
  const layers = (count: number, sizeBytes: number) => Array.from({ length: count }, () => ({ sizeBytes }));
  const share = async (node: LabNode, repository: string, image: TestImage): Promise<SharedImage> => {
    const archive = join(lab.directory, `${repository}.tar`);
    const reference = `${REGISTRY}/${repository}:v1`;
    await writeImageArchive(image, reference, archive);
    await node.containerd.ctr(['images', 'import', '--no-unpack', '--all-platforms', archive]);
    await rm(archive);
    return { repository, image, holder: node };
  };
  const make = (seed: string, count: number, sizeBytes: number) =>
    createImage({ seed, layers: layers(count, sizeBytes) });
  const content: HostileCluster['content'] = {
    own: await share(victim, 'own', make('own', MANY_LAYERS, MB)),
    ownBig: await share(victim, 'own-big', make('own-big', 1, BIG_LAYER_BYTES)),
    ownSmall: await share(victim, 'own-small', make('own-small', SMALL_LAYERS, SMALL_LAYER_BYTES)),
    remote: await share(holder, 'remote', make('remote', MANY_LAYERS, MB)),
    remoteBig: await share(holder, 'remote-big', make('remote-big', 1, BIG_LAYER_BYTES)),
    lookedUp: await share(
      holder,
      'looked-up',
      createArtifact(
        'looked-up',
        Array.from({ length: LOOKED_UP_BLOBS }, () => 100),
      ),
    ),
    pulled: await share(holder, 'pulled', make('pulled', 3, MB)),
    pulledFromVictim: await share(victim, 'pulled-from-victim', make('pulled-from-victim', 3, MB)),
  };
  for (const { repository, image } of [content.pulled, content.pulledFromVictim]) {
    await lab.upstream.push(image, repository, 'v1');
  }
  const untilReady = async () => {
    for (const { image, repository, holder: node } of Object.values(content)) {
      const seeker = node === victim ? holder : victim;
      const [last] = image.blobs.slice(-1);
      if (last === undefined) continue;
      await waitFor(
        `${repository} to be found through ${seeker.name}`,
        async () => {
          const path = contentPath(repository, last);
          return (await seeker.mirror.fetch(path, { method: 'HEAD' })).status === 200;
        },
        { timeoutMs: FOUND_TIMEOUT_MS },
      );
    }
    const { image, repository } = content.lookedUp;
    await untilFound(victim, image, repository);
  };
  const enter = async () => {
    const [seed, ...rest] = lab.nodes.map(({ mirror }) => mirror);
    await seed?.launch();
    await Promise.all(rest.map(async (mirror) => mirror.launch()));
    await Promise.all(lab.nodes.map(async ({ mirror }) => mirror.ready()));
    await untilReady();
  };
  await untilReady();

  let sources = 0;
  let players = 0;
  const play = async <C extends Handlers<C>>(url: string, machine: Endpoint): Promise<Player<C>> => {
    const script = fileURLToPath(url);
    const name = `${basename(script, '-process.ts')}-${++players}`;
    const socket = join(lab.directory, `${name}.sock`);
    const daemon: Daemon = startDaemon(
      { cleanup, namespace: machine.namespace },
      {
        name,
        argv: [process.execPath, script, socket],
        logPath: join(lab.directory, `${name}.log`),
        cwd: lab.directory,
      },
    );
    await waitFor(`${name} to start`, async () => {
      // Any answer will do.
      await (await fetch('http://player/', { unix: socket })).text();
      return true;
    });
    return { control: connectControl<C>(socket), end: async () => daemon.kill() };
  };
  return {
    lab,
    victim,
    holder,
    other,
    clients,
    attacker,
    slow,
    content,
    share,
    restart: async () => {
      await Promise.all(lab.nodes.map(async ({ mirror }) => mirror.kill()));
      victim.mirror.memory?.reset();
      await enter();
    },
    addresses: async (count) => {
      const all = Array.from({ length: count }, (_, n) => `${SOURCES_PREFIX}.${n >> 8}.${n & 0xff}`);
      const added = all.slice(sources);
      sources = Math.max(sources, count);
      if (added.length > 0) {
        await attacker.namespace.ip(added.map((ip) => `addr add ${ip}/32 dev lo`));
        for (const { endpoint } of lab.nodes) {
          await endpoint.namespace.ip([`route replace ${SOURCES_PREFIX}.0.0/16 via ${attacker.ipv4}`]);
        }
      }
      return all;
    },
    playHttp: async (machine) =>
      play<HttpPlayerCommands>(import.meta.resolve('./http-player-process.ts'), machine),
    playPeers: async (machine) =>
      play<PeerPlayerCommands>(import.meta.resolve('./peer-player-process.ts'), machine),
    playSlowHolder: async (machine) =>
      play<SlowHolderCommands>(import.meta.resolve('./slow-holder-process.ts'), machine),
    playLookups: async (machine) =>
      play<LookupProbeCommands>(import.meta.resolve('./lookup-probe-process.ts'), machine),
    [Symbol.asyncDispose]: dispose,
  };
}

/** The image's layers as clients of its holder, or of another node, ask for them. */
export function layersOf(shared: SharedImage): HttpTarget[] {
  return layerBlobs(shared).map((blob) => ({
    path: contentPath(shared.repository, blob),
    file: blobPath(shared.holder.containerd, blob.digest),
    sizeBytes: blob.sizeBytes,
  }));
}

/** The same, asked for as if they were manifests. */
export function layersAsManifestsOf(shared: SharedImage): HttpTarget[] {
  return layersOf(shared).map(({ path, sizeBytes }) => ({
    path: path.replace('/blobs/', '/manifests/'),
    file: undefined,
    sizeBytes,
  }));
}

function layerBlobs({ image }: SharedImage): readonly TestBlob[] {
  return image.blobs.filter(({ kind }) => kind === 'layer');
}
