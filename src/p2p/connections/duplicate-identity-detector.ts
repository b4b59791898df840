import type { Connection, IdentifyResult, Libp2p } from '@libp2p/interface';
import { CODE_P2P } from '@multiformats/multiaddr';

import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';

const SECOND_MS = 1000;
/**
 * How long two nodes must show one identity at a time before that is said. When a node restarts elsewhere, its old
 * connection ends before that.
 */
export const DUPLICATE_CONFIRM_MS = 30 * SECOND_MS;
/** Most peers of which that was said: it is said once each. */
const MAX_DUPLICATES_REPORTED = 1000;

/** What detectDuplicateIdentities needs. */
export interface DuplicateIdentityDeps {
  readonly libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'getConnections'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Warns when two nodes are connected that show one identity: machines that were cloned with their private.key. Other
 * nodes then take them for one node, and ask one for what the other has. They are told apart by the addresses that they
 * announce, because the addresses that a connection comes from may be translated on the way. Ends when the signal
 * aborts.
 */
export function detectDuplicateIdentities(
  { libp2p, logger, clock }: DuplicateIdentityDeps,
  signal: AbortSignal,
): void {
  /** What the node at the other end of each connection announces. */
  const announced = new WeakMap<Connection, ReadonlySet<string>>();
  const seen = new Set<string>();

  const duplicateOf = (connection: Connection) => {
    const own = announced.get(connection);
    return libp2p.getConnections(connection.remotePeer).find((other) => {
      const theirs = announced.get(other);
      return own !== undefined && theirs !== undefined && own.isDisjointFrom(theirs);
    });
  };
  const confirm = async (connection: Connection) => {
    const id = connection.remotePeer.toString();
    await clock.sleep(DUPLICATE_CONFIRM_MS, signal);
    const duplicate = connection.status === 'open' ? duplicateOf(connection) : undefined;
    if (duplicate === undefined) {
      seen.delete(id);
      return;
    }
    const addresses = [connection, duplicate].map((each) => Array.from(announced.get(each) ?? []).join(' '));
    logger.warn('Two nodes have the same identity: remove private.key from one of them and restart it', {
      id,
      addresses,
    });
  };
  const onIdentify = ({ detail: { connection, listenAddrs } }: CustomEvent<IdentifyResult>) => {
    if (listenAddrs.length === 0) return;
    announced.set(
      connection,
      new Set(listenAddrs.map((address) => address.decapsulateCode(CODE_P2P).toString())),
    );
    const id = connection.remotePeer.toString();
    if (seen.has(id) || seen.size >= MAX_DUPLICATES_REPORTED || duplicateOf(connection) === undefined) return;
    seen.add(id);
    confirm(connection).catch(() => {});
  };
  libp2p.addEventListener('peer:identify', onIdentify);
  signal.addEventListener('abort', () => libp2p.removeEventListener('peer:identify', onIdentify), {
    once: true,
  });
}
