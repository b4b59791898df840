import { networkInterfaces } from 'node:os';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';

import type { Logger } from '../observe/log.ts';
import { parseIp } from '../runtime/ip-address.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import { DIAL_TIMEOUT_MS, KAD_PROTOCOL } from './limits.ts';
import { MAX_BOOTSTRAP_PEERS } from '../bootstrap/limits.ts';
import type { KadNode } from './kad-node.ts';
import type { BootstrapNetwork } from '../bootstrap/bootstrap-loop.ts';

/** Addresses of which it is remembered which peer was there: more than bootstrapping dials at a time. */
const MAX_MET = 128;

/** What createBootstrapNetwork needs. */
export interface BootstrapNetworkDeps {
  readonly node: Pick<KadNode, 'libp2p' | 'gate' | 'announced'>;
  /** True while a member is connected that has said what it is. */
  readonly hasPeers: () => boolean;
  /** True for a peer that is there and not needed now, see DhtNode.hasParted. */
  readonly hasParted: (peer: PeerId) => boolean;
  /** Called, while they are in it, when a member has said what it is. */
  readonly onMember: Set<() => void>;
  readonly logger: Logger;
}

/** Bootstrapping over a libp2p host. */
export function createBootstrapNetwork({
  node: { libp2p, gate, announced },
  hasPeers,
  hasParted,
  onMember,
  logger,
}: BootstrapNetworkDeps): BootstrapNetwork {
  const self = libp2p.peerId.toString();
  /** Addresses that were found to be this node's own, or its duplicate's: that is said once. */
  const selfElsewhere = new Set<string>();
  const isOwn = (address: string) => {
    const [own] = announced();
    return announced().includes(address) || (own !== undefined && isOfThisMachine(address, partsOf(own).tcp));
  };
  const noteSelf = (multiaddrs: readonly string[]) => {
    if (multiaddrs.some((address) => isOwn(address) || selfElsewhere.has(address))) return;
    for (const address of multiaddrs) selfElsewhere.add(address);
    logger.warn(
      'This identity is in use at another address: unless that leads back here (a service does), remove private.key from one of the two nodes and restart it',
      { id: self, addresses: multiaddrs },
    );
  };
  /** The peer at each address that bootstrap named without an ID; the latest last. */
  const metAt = new Map<string, PeerId>();
  return {
    isSelf({ id, multiaddrs }) {
      if (id === self) noteSelf(multiaddrs);
      if (id !== undefined) return id === self;
      const own = announced();
      return multiaddrs.every((address) => own.includes(address));
    },
    async connect({ id, multiaddrs }, signal) {
      for (const address of multiaddrs) gate.trust(address);
      const suffix = id === undefined ? '' : `/p2p/${id}`;
      try {
        const { remotePeer } = await libp2p.dial(
          multiaddrs.map((address) => multiaddr(`${address}${suffix}`)),
          { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]) },
        );
        if (id === undefined) lruSet(metAt, nameOf(multiaddrs), remotePeer, MAX_MET);
        return true;
      } catch (error) {
        // An address without an ID can be this node's own: a service's address leads back here at times.
        if (!isDialToSelf(error)) throw error;
        noteSelf(multiaddrs);
        return false;
      }
    },
    isConnected({ id, multiaddrs }) {
      const peer = id === undefined ? metAt.get(nameOf(multiaddrs)) : peerIdFromString(id);
      return peer === undefined || libp2p.getConnections(peer).length > 0 || hasParted(peer);
    },
    async knownPeers() {
      const peers = await libp2p.peerStore.all({
        filters: [(peer) => peer.protocols.includes(KAD_PROTOCOL) && peer.addresses.length > 0],
        limit: MAX_BOOTSTRAP_PEERS,
      });
      return peers.map(({ id, addresses }) => ({
        id: id.toString(),
        multiaddrs: addresses.map((address) => address.multiaddr.decapsulateCode(CODE_P2P).toString()),
      }));
    },
    peerCount: () => libp2p.getPeers().length,
    hasPeers,
    async peersChanged(signal) {
      const changed = createWakeUp();
      const onChange = () => changed.wake();
      onMember.add(onChange);
      libp2p.addEventListener('peer:connect', onChange);
      libp2p.addEventListener('peer:disconnect', onChange);
      try {
        await changed.next(signal);
      } finally {
        onMember.delete(onChange);
        libp2p.removeEventListener('peer:connect', onChange);
        libp2p.removeEventListener('peer:disconnect', onChange);
      }
    },
  };
}

/** True for an IP of this machine with the port. */
function isOfThisMachine(address: string, port: string | undefined): boolean {
  const { ip, tcp } = partsOf(address);
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return ip !== undefined && tcp === port && interfaces.some((own) => parseIp(own.address)?.toHex() === ip);
}

function partsOf(address: string): { readonly ip: string | undefined; readonly tcp: string | undefined } {
  const [ip, tcp] = multiaddr(address).getComponents();
  return { ip: parseIp(ip?.value ?? '')?.toHex(), tcp: tcp?.value };
}

function nameOf(multiaddrs: readonly string[]): string {
  return multiaddrs.join();
}

/** libp2p says so only in the text of its error, which may be wrapped. */
function isDialToSelf(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (/dial self/i.test(error.message)) return true;
  return error instanceof AggregateError ? error.errors.some(isDialToSelf) : isDialToSelf(error.cause);
}
