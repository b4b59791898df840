import type { Flights } from '../../../src/flights/flights.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import type { Peer } from '../../../src/routing/router.ts';
import { createScriptedFlights } from '../../../src/transfer/testing/scripted-cluster.ts';

/**
 * Flights whose tower names the peers that say that they have the content, one after the other, then upstream. What towers
 * decide is played by the simulation of flights; here they only name peers, good and bad.
 */
export function createSimFlights(namedFor: (digest: Digest) => readonly Peer[]): Flights {
  return {
    ...createScriptedFlights(async () => 'upstream'),
    seat({ digest }) {
      const left = new Map(namedFor(digest).map((peer) => [peer.id, peer]));
      return {
        async next() {
          for (const [name, peer] of left) return { name, peer, leader: undefined };
          return 'upstream';
        },
        bad: (name) => void left.delete(name),
        full: (name) => void left.delete(name),
        gone: (name) => void left.delete(name),
        lags: async () => false,
      };
    },
  };
}
