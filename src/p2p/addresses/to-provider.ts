import type { NamedPeer } from '../../dht/wire/dht-message.ts';
import { MAX_IPS_PER_PEER, MAX_KNOWN_PEERS } from '../../dht/limits.ts';
import { parsePeerAddress } from '../../dht/wire/peer-address.ts';
import type { Provider } from '../../dht/lookup/provider-lookups-contract.ts';
import { formatIp } from '../../runtime/ip-address.ts';
import { lruSet } from '../../runtime/lru-set.ts';
import { peerOf } from '../peer-names.ts';

/**
 * Makes the function that turns a peer as the DHT names it into a provider that can be asked for content. It returns
 * undefined when the ID makes no sense or the peer has no usable address.
 */
export function createToProvider(
  isUsable: (ip: Uint8Array) => boolean,
): (peer: NamedPeer) => Provider | undefined {
  /** Name -> ID in base58, which takes longer to write than all the rest. */
  const ids = new Map<string, string>();
  const idOf = (name: string, bytes: Uint8Array) => {
    const known = ids.get(name);
    if (known !== undefined) return known;
    try {
      // A copy: the digest keeps the bytes, and these may be a part of a message.
      const id = peerOf(Uint8Array.from(bytes)).toString();
      lruSet(ids, name, id, MAX_KNOWN_PEERS);
      return id;
    } catch {
      return undefined;
    }
  };
  return ({ id: bytes, addresses }) => {
    const ips = new Set<string>();
    for (const each of addresses) {
      const address = parsePeerAddress(each);
      if (address !== undefined && isUsable(address.ip)) ips.add(formatIp(address.ip));
      if (ips.size === MAX_IPS_PER_PEER) break;
    }
    if (ips.size === 0) return undefined;
    const name = bytes.toHex();
    const id = idOf(name, bytes);
    return id === undefined ? undefined : { id, name, addresses: [...ips] };
  };
}
