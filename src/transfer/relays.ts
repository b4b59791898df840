import type { TransportClient, BodyRelay } from '../http/transport.ts';
import type { Digest } from '../oci/digest.ts';

/** A relay that is used, by the request of this node's client or by a node that follows its download. */
export interface UsedRelay extends Disposable {
  readonly relay: BodyRelay;
}

/** What is given to this node's client, for nodes that follow its download. */
export interface Relays {
  /** The relay of the digest, until the result is disposed: all that use it at the same time have the same. */
  use(digest: Digest): UsedRelay;
  /** The same for who follows it: from now on it keeps what comes. */
  follow(digest: Digest): UsedRelay;
}

/** Makes the relays of a node that gives nothing to its client. */
export function createRelays(transport: Pick<TransportClient, 'createRelay'>): Relays {
  const used = new Map<Digest, { readonly relay: BodyRelay; users: number }>();
  const use = (digest: Digest): UsedRelay => {
    const entry = used.get(digest) ?? { relay: transport.createRelay(), users: 0 };
    used.set(digest, entry);
    entry.users++;
    return {
      relay: entry.relay,
      [Symbol.dispose]() {
        entry.users--;
        if (entry.users === 0) used.delete(digest);
      },
    };
  };
  return {
    use,
    follow(digest) {
      const followed = use(digest);
      const unsubscribe = followed.relay.subscribe(() => {});
      return {
        relay: followed.relay,
        [Symbol.dispose]() {
          unsubscribe();
          followed[Symbol.dispose]();
        },
      };
    },
  };
}
