import { parseDigest } from '../../../src/oci/digest.ts';
import { damageBlob } from '../../lab/damage-blob.ts';
import { delayLink } from '../../lab/delay-link.ts';
import { fillContent } from '../../lab/fill-content.ts';
import type { Lab } from '../../lab/lab.ts';
import type { LabNode } from '../../lab/lab-node.ts';
import { runCommand } from '../../lab/run-command.ts';
import { MIRROR_PORTS } from '../../lab/mirror.ts';
import type { TestImage } from '../../lab/test-image.ts';

/** What can go wrong with a pull. `-only`: no other node has the image; else another one has it, too. */
export const FAULTS = [
  'kill',
  'kill-only',
  'stop',
  'stop-only',
  'blackhole',
  'blackhole-only',
  'reset',
  'reset-only',
  'zone',
  'zone-middle',
  'flipped-bit',
  'flipped-bit-only',
  'liar-only',
  'slow-dials',
  'containerd-restart',
  'disk-full',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** Where a fault is done. */
export interface FaultSite {
  readonly lab: Pick<Lab, 'hub' | 'directory'>;
  /** The node that pulls. */
  readonly node: LabNode;
  /** Nodes that have the image. */
  readonly holders: readonly LabNode[];
  /** The holder that has sent the most of it; the first one if none has sent anything yet. */
  readonly serving: LabNode;
  readonly image: TestImage;
}

/** A fault that has begun. */
export interface BegunFault {
  /** Takes back what the pull itself waits for, once so many tries have failed. Default: nothing. */
  readonly triesFailed?: (count: number) => void;
  /** Takes the fault back, whatever it is by then. */
  mend(): Promise<void>;
}

/** One kind of fault. */
export interface FaultKind {
  /** One entry a holder: what it has different from others. */
  readonly holders: readonly { readonly zone?: string; readonly hasFront?: boolean }[];
  /** Zone of the node that pulls; default none. */
  readonly zone?: string;
  /** `middle`: once a part of the image is there; `before`: before the pull begins. */
  readonly at: 'before' | 'middle';
  /** True if it hits a node without a mirror, too: then that is measured beside it. */
  readonly hitsBare: boolean;
  /** True if the nodes that pull have a file system for their content alone. */
  readonly ownDisk?: boolean;
  begin(site: FaultSite): Promise<BegunFault>;
}

/** What crosses the link of the node that pulls comes so many ms later, each way: a round trip takes twice as long. */
const DELAY_MS = 75;
/** Share of the image that there is room for. */
const ROOM_SHARE = 0.4;
/** Tries that have to fail before there is room again. */
const FULL_TRIES = 2;

const ONE = [{}];
const TWO = [{}, {}];
const ZONES = [{ zone: 'a' }, { zone: 'a' }, { zone: 'b' }];

/** A fault of the node that serves, with another holder and without. */
const ofServing = (begin: FaultKind['begin']) =>
  [TWO, ONE].map((holders): FaultKind => ({ holders, at: 'middle', hitsBare: false, begin })) as [
    FaultKind,
    FaultKind,
  ];

const nothing = async (): Promise<void> => {};

const [kill, killOnly] = ofServing(async ({ serving: { mirror } }) => {
  await mirror.kill();
  return {
    mend: async () => {
      await mirror.launch();
      await mirror.ready();
    },
  };
});
const [stop, stopOnly] = ofServing(async ({ serving: { mirror } }) => {
  await mirror.hang();
  return { mend: async () => mirror.resume() };
});
const [blackhole, blackholeOnly] = ofServing(async ({ serving: { endpoint } }) => {
  await endpoint.blackhole();
  return { mend: async () => endpoint.reconnect() };
});
const [reset, resetOnly] = ofServing(async ({ serving: { endpoint }, node }) => {
  const sockets = ['dst', node.endpoint.ipv4, 'sport', '=', `:${MIRROR_PORTS.registry}`];
  await runCommand([...endpoint.namespace.enter, 'ss', '--kill', '--tcp', ...sockets]);
  return { mend: nothing };
});

const cutOffZone = (at: FaultKind['at']): FaultKind => ({
  holders: ZONES,
  zone: 'a',
  at,
  hitsBare: false,
  begin: async ({ holders }) => {
    const cutOff = holders.filter((_, n) => ZONES[n]?.zone === 'a');
    await Promise.all(cutOff.map(async ({ endpoint }) => endpoint.blackhole()));
    return {
      mend: async () => {
        await Promise.all(cutOff.map(async ({ endpoint }) => endpoint.reconnect()));
      },
    };
  },
});

const flippedBit = (holders: FaultKind['holders']): FaultKind => ({
  holders,
  at: 'before',
  hitsBare: false,
  begin: async ({ serving, image }) => {
    const layer = image.blobs.find(({ kind }) => kind === 'layer');
    if (layer === undefined) throw new RangeError('The image has no layer');
    damageBlob(serving, parseDigest(layer.digest));
    return { mend: nothing };
  },
});

const KINDS: Readonly<Record<FaultName, FaultKind>> = {
  kill,
  'kill-only': killOnly,
  stop,
  'stop-only': stopOnly,
  blackhole,
  'blackhole-only': blackholeOnly,
  reset,
  'reset-only': resetOnly,
  zone: cutOffZone('before'),
  'zone-middle': cutOffZone('middle'),
  'flipped-bit': flippedBit(TWO),
  'flipped-bit-only': flippedBit(ONE),
  'liar-only': {
    holders: [{ hasFront: true }],
    at: 'before',
    hitsBare: false,
    begin: async ({ serving: { mirror } }) => {
      mirror.setPace('lie');
      return { mend: async () => mirror.setPace(undefined) };
    },
  },
  'slow-dials': {
    holders: TWO,
    at: 'before',
    hitsBare: true,
    begin: async ({ lab, node }) => {
      const delay = await delayLink(lab, node.endpoint, DELAY_MS);
      if (node.hasMirror) await node.mirror.restart();
      return { mend: async () => delay[Symbol.asyncDispose]() };
    },
  },
  'containerd-restart': {
    holders: ONE,
    at: 'middle',
    hitsBare: true,
    begin: async ({ node: { containerd } }) => {
      await containerd.restart();
      return { mend: nothing };
    },
  },
  'disk-full': {
    holders: ONE,
    at: 'before',
    hitsBare: true,
    ownDisk: true,
    begin: async ({ node, image }) => {
      const imageBytes = image.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const makeRoom = await fillContent(node, Math.floor(imageBytes * ROOM_SHARE));
      return {
        triesFailed: (count) => {
          if (count >= FULL_TRIES) makeRoom();
        },
        mend: async () => makeRoom(),
      };
    },
  },
};

/** The kind of a fault. */
export function faultOf(name: FaultName): FaultKind {
  return KINDS[name];
}
