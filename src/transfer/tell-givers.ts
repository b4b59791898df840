import type { TransportClient } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { CONNECT_TIMEOUT_MS, HEAD_TIMEOUT_MS, SMALL_ANSWER_TIMEOUT_MS } from './budgets.ts';
import type { TransferOptions } from './blob-sources-contract.ts';
import { peerHeaders, peerPath, VERIFY_HEADER } from './peer-requests.ts';
import type { Giver } from './wrong-peers.ts';

/** What tellGivers needs. */
export interface TellGiversDeps {
  readonly transport: Pick<TransportClient, 'requestSmall'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Any name does: a peer finds a blob by its digest. */
const REPOSITORY = 'spegel/verify';

/**
 * Tells peers that a blob which they gave has wrong bytes, so that they hash theirs. Returns at once: a peer that does not
 * understand answers as to any HEAD, and what it answers is of no interest.
 */
export function tellGivers(
  { transport, clock, logger }: TellGiversDeps,
  options: Pick<TransferOptions, 'registryPort' | 'authorization'>,
  digest: Digest,
  givers: readonly Giver[],
): void {
  const path = peerPath({ kind: 'blob', repository: REPOSITORY, reference: digest, registry: undefined });
  for (const { peer, host } of givers) {
    const deadline = createDeadline(clock, SMALL_ANSWER_TIMEOUT_MS);
    transport
      .requestSmall(
        {
          method: 'HEAD',
          host,
          port: options.registryPort,
          path,
          headers: { ...peerHeaders(options), [VERIFY_HEADER]: '1' },
        },
        {
          connectTimeoutMs: CONNECT_TIMEOUT_MS,
          headTimeoutMs: HEAD_TIMEOUT_MS,
          signal: deadline.signal,
          maxBytes: 0,
        },
      )
      .catch((error: unknown) => {
        logger.debug('a peer could not be told of a blob with wrong bytes', {
          digest,
          peer: peer.id,
          host,
          error,
        });
      })
      .finally(() => deadline[Symbol.dispose]());
  }
}
