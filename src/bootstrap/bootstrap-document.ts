import type { BootstrapPeer } from './bootstrapper.ts';
import { MAX_ADDRESSES_PER_PEER } from '../dht/limits.ts';
import type { PeerState, SelfState } from '../routing/router.ts';
import { MAX_BOOTSTRAP_PEERS } from './limits.ts';
import { parseBootstrapAddress, parsePeerId } from './static-bootstrapper.ts';

/** A node as bootstrap documents name it (the contract with Spegel). */
export interface BootstrapEntry {
  readonly ID: string;
  /** Multiaddrs without /p2p. */
  readonly Addrs: readonly string[];
}

/** What this node serves on --http-bootstrap-addr. */
export interface BootstrapDocuments {
  /** GET /id: this node. Spegel v0.7.4 reads this. */
  readonly id: BootstrapEntry;
  /** GET /ids: this node and live peers, 20 in all. Spegel's successor reads this. */
  readonly ids: readonly BootstrapEntry[];
}

/** What this node serves: itself, and known peers that are connected members, MAX_BOOTSTRAP_PEERS in all. */
export function bootstrapDocuments(self: SelfState, known: readonly PeerState[]): BootstrapDocuments {
  const id = { ID: self.id, Addrs: self.multiaddrs };
  const others = known
    .filter(({ connected, multiaddrs, isMember }) => connected && multiaddrs.length > 0 && isMember)
    .slice(0, MAX_BOOTSTRAP_PEERS - 1);
  return { id, ids: [id, ...others.map((peer) => ({ ID: peer.id, Addrs: peer.multiaddrs }))] };
}

/**
 * Parses a bootstrap document: one object `{"ID","Addrs"}`, or an array of them in which the ID may be absent.
 * The document is hostile: entries that make no sense are left out, and there are bounds for both lists.
 * Returns undefined if it is not such a document at all.
 */
export function parseBootstrapDocument(text: string): readonly BootstrapPeer[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (Array.isArray(document)) return document.slice(0, MAX_BOOTSTRAP_PEERS).flatMap(parseEntry);
  if (typeof document !== 'object' || document === null || !('Addrs' in document)) return undefined;
  return parseEntry(document);
}

function parseEntry(entry: unknown): BootstrapPeer[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const { ID: rawId, Addrs: rawAddresses } = entry as { ID?: unknown; Addrs?: unknown };
  if (!Array.isArray(rawAddresses)) return [];
  const given = typeof rawId === 'string' && rawId !== '' ? parsePeerId(rawId) : undefined;
  if (given === undefined && rawId !== undefined && rawId !== null && rawId !== '') return [];
  const id = given?.toString();
  const multiaddrs = rawAddresses.slice(0, MAX_ADDRESSES_PER_PEER).flatMap((address: unknown) => {
    const peer = typeof address === 'string' ? parseBootstrapAddress(address) : undefined;
    if (peer === undefined || (peer.id !== undefined && id !== undefined && peer.id !== id)) return [];
    return peer.multiaddrs;
  });
  return multiaddrs.length === 0 ? [] : [{ id, multiaddrs }];
}
