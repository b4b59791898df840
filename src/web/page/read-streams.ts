import type { FlightsReport } from '../../routing/flights-report.ts';
import type { PageFacts } from './page-facts.ts';
import { createNames } from './names.ts';
import { peerPageUrl } from './peer-name.ts';

/** The registry, as the top of a tree. */
const REGISTRY_ID = 'registry';

/** What a node of a stream does: it is the registry, downloads from there, from another node, waits, or has all of it. */
export type StreamPart = 'registry' | 'root' | 'child' | 'waiting' | 'holder';

/** A node in a stream. */
export interface StreamNode {
  readonly id: string;
  readonly parent: string | undefined;
  readonly part: StreamPart;
  readonly name: string;
  readonly isSelf: boolean;
  /** Nodes of which only the number is known: they take it from this one. */
  readonly readers: number;
  /** How much of it is there; known of this node only. */
  readonly writtenBytes: number | undefined;
}

/** Which node takes one piece of content from which, just now. */
export interface Stream {
  readonly digest: string;
  /** Undefined: not known on this node. */
  readonly image: string | undefined;
  readonly kind: string;
  readonly sizeBytes: number | undefined;
  readonly nodes: readonly StreamNode[];
  /** All of it has arrived everywhere. */
  readonly isOver: boolean;
  /** The page where the whole tree is, if this node knows only its own part of it. */
  readonly whole: { readonly name: string; readonly url: string } | undefined;
}

/** Puts together what this node knows: the trees of which it is a tower, then its own downloads. Those that are under way first. */
export function readStreams(facts: PageFacts): readonly Stream[] {
  const { flights } = facts.streams;
  if (flights === undefined) return [];
  const blobs = new Map(
    [...facts.ended, ...facts.running].flatMap(({ image, blobs }) =>
      blobs.map((blob) => [blob.reference, { image, ...blob }] as const),
    ),
  );
  const own = new Map(flights.downloads.map((download) => [download.digest, download]));
  const trees = flights.flights.map(({ digest, nodes }) => ({ digest, nodes, isWhole: true }));
  const known = new Set(trees.map(({ digest }) => digest));
  const parts = flights.downloads
    .filter(({ digest }) => !known.has(digest))
    .map((download) => ({ digest: download.digest, nodes: ownPart(download, flights), isWhole: false }));
  const names = createNames(facts);
  const self = facts.health.self.id;
  const streams = [...trees, ...parts].map(({ digest, nodes, isWhole }): Stream => {
    const blob = blobs.get(digest);
    const download = own.get(digest);
    const isOver = nodes.every(({ role }) => role === 'holder');
    const shown = nodes.map((node): StreamNode => ({
      id: node.id,
      parent: node.parent ?? (node.role === 'root' ? REGISTRY_ID : undefined),
      part: partOf(node),
      name:
        node.id === self || facts.peers.has(node.id)
          ? names.ofPeer(node.id)
          : names.ofAddress(node.addresses[0] ?? `…${node.id.slice(-8)}`),
      isSelf: node.id === self,
      readers: node.id === self && !isWhole ? (download?.readers ?? 0) : 0,
      writtenBytes: node.id === self ? download?.writtenBytes : undefined,
    }));
    const tower = isWhole ? undefined : download?.towers.find(({ id }) => id !== self);
    const url = peerPageUrl(tower?.addresses[0], facts.port);
    return {
      digest,
      image:
        download?.registry !== undefined && download.repository !== undefined && blob === undefined
          ? `${download.registry}/${download.repository}`
          : blob?.image,
      kind: blob?.kind ?? 'content',
      sizeBytes: download?.sizeBytes ?? blob?.sizeBytes,
      nodes: shown.some(({ parent }) => parent === REGISTRY_ID) ? [registryNode(), ...shown] : shown,
      isOver,
      whole:
        tower === undefined || url === undefined
          ? undefined
          : { name: names.ofPeer(tower.id), url: `${url}#streams` },
    };
  });
  return streams.sort(
    (a, b) => Number(a.isOver) - Number(b.isOver) || (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0),
  );
}

type ReportNode = FlightsReport['flights'][number]['nodes'][number];

function ownPart(
  { role, parent, writtenBytes }: FlightsReport['downloads'][number],
  { self }: FlightsReport,
): readonly ReportNode[] {
  const node = {
    id: self,
    addresses: [],
    parent: parent?.id,
    role,
    hasBegun: writtenBytes > 0,
    depth: parent === undefined ? 0 : 1,
    children: 0,
  };
  if (parent === undefined) return [node];
  return [
    { id: parent.id, addresses: parent.addresses, role: 'holder', hasBegun: true, depth: 0, children: 1 },
    node,
  ];
}

function partOf({ role, hasBegun }: ReportNode): StreamPart {
  if (role === 'holder') return 'holder';
  if (!hasBegun) return 'waiting';
  return role === 'root' ? 'root' : 'child';
}

function registryNode(): StreamNode {
  return {
    id: REGISTRY_ID,
    parent: undefined,
    part: 'registry',
    name: 'registry',
    isSelf: false,
    readers: 0,
    writtenBytes: undefined,
  };
}
