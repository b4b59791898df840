import type { FlightDownloadReport, FlightNodeReport, FlightsReport } from '../../routing/flights-report.ts';
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
  /** This node does not know from which node each takes it. */
  readonly isPart: boolean;
  /** The page of the node that knows the whole tree. */
  readonly whole: { readonly name: string; readonly url: string } | undefined;
}

/** Puts together what this node knows: the trees of which it is a tower, then its own downloads. Those that are under way first. */
export function readStreams(facts: PageFacts): readonly Stream[] {
  const { flights } = facts.streams;
  if (flights === undefined) return [];
  const trees = new Map(flights.flights.map(({ digest, nodes }) => [digest, nodes]));
  const own = new Map(flights.downloads.map((download) => [download.digest, download]));
  const read = createReader(facts);
  const streams = [...new Set([...trees.keys(), ...own.keys()])].map((digest) => {
    const download = own.get(digest);
    return read(digest, trees.get(digest) ?? ownPart(download, flights), download);
  });
  return streams.sort(
    (a, b) => Number(a.isOver) - Number(b.isOver) || (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0),
  );
}

function createReader(facts: PageFacts) {
  const names = createNames(facts);
  const self = facts.health.self.id;
  const blobs = new Map(
    [...facts.ended, ...facts.running].flatMap(({ image, blobs }) =>
      blobs.map((blob) => [blob.reference, { image, ...blob }] as const),
    ),
  );
  const nodeOf = (
    node: FlightNodeReport,
    reported: readonly FlightNodeReport[],
    download: FlightDownloadReport | undefined,
  ): StreamNode => {
    const isSelf = node.id === self;
    const isKnown = isSelf || facts.peers.has(node.id);
    return {
      id: node.id,
      // The second of two towers is told who takes part, and not from whom; of itself each node knows it.
      parent: node.parent ?? (node.role === 'root' ? REGISTRY_ID : isSelf ? download?.parent?.id : undefined),
      part: partOf(node),
      name: isKnown ? names.ofPeer(node.id) : names.ofAddress(node.addresses[0] ?? `…${node.id.slice(-8)}`),
      isSelf,
      // Else they stand below it.
      readers: isSelf && !reported.some(({ parent }) => parent === self) ? (download?.readers ?? 0) : 0,
      writtenBytes: isSelf ? download?.writtenBytes : undefined,
    };
  };
  return (
    digest: string,
    reported: readonly FlightNodeReport[],
    download: FlightDownloadReport | undefined,
  ): Stream => {
    const blob = blobs.get(digest);
    const nodes = reported.map((node) => nodeOf(node, reported, download));
    const ids = new Set(nodes.map(({ parent }) => parent));
    const isPart =
      nodes.some(({ part, parent }) => (part === 'child' || part === 'waiting') && parent === undefined) ||
      nodes.some(({ readers }) => readers > 0);
    const tower = isPart ? download?.towers.find(({ id }) => id !== self) : undefined;
    const url = peerPageUrl(tower?.addresses[0], facts.port);
    const { registry, repository } = download ?? {};
    const name = registry === undefined || repository === undefined ? undefined : `${registry}/${repository}`;
    return {
      digest,
      image: blob?.image ?? name,
      kind: blob?.kind ?? 'content',
      sizeBytes: download?.sizeBytes ?? blob?.sizeBytes,
      nodes: ids.has(REGISTRY_ID) ? [registryNode(), ...nodes] : nodes,
      isOver: reported.every(({ role }) => role === 'holder'),
      isPart,
      whole:
        tower === undefined || url === undefined
          ? undefined
          : { name: names.ofPeer(tower.id), url: `${url}#streams` },
    };
  };
}

/** What a node knows of a download of its own. */
function ownPart(
  download: FlightDownloadReport | undefined,
  { self }: FlightsReport,
): readonly FlightNodeReport[] {
  if (download === undefined) return [];
  const { role, parent, writtenBytes } = download;
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

function partOf({ role, hasBegun }: FlightNodeReport): StreamPart {
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
