import type { TransportClient, BodySource } from '../http/transport.ts';
import { type Digest, matchesDigest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline, type Deadline } from '../runtime/deadline.ts';
import type { ByteBudget, TakenBytes } from '../runtime/memory/byte-budget.ts';
import { FLOOR_BYTES_PER_SECOND, SMALL_ANSWER_TIMEOUT_MS, SMALL_BLOB_WAIT_MS } from './budgets.ts';
import type { PeerHealth } from './peer-health.ts';

/** What readVerified() needs. */
export interface SmallBlobDeps {
  readonly transport: Pick<TransportClient, 'readBody'>;
  readonly health: Pick<PeerHealth, 'wasSlow'>;
  readonly clock: Clock;
  /** The memory of all small blobs that are held. */
  readonly smallBlobs: ByteBudget;
}

/** A whole blob in memory whose bytes have the digest. Its memory is counted until it is released. */
export interface HeldBlob extends TakenBytes {
  readonly bytes: Uint8Array;
}

const SECOND_MS = 1000;

/**
 * Reads the whole body of a small blob and checks its digest; closes the body. `busy`: there was no memory for it in time.
 * Rejects with PeerRequestError; a host that took too long counts as slow.
 */
export async function readVerified(
  { transport, health, clock, smallBlobs }: SmallBlobDeps,
  { body, digest, host }: { readonly body: BodySource; readonly digest: Digest; readonly host: string },
  signal: AbortSignal,
): Promise<HeldBlob | 'wrong' | 'busy'> {
  const { sizeBytes } = body;
  const taken = await smallBlobs.take(sizeBytes, { waitMs: SMALL_BLOB_WAIT_MS, signal });
  if (taken === undefined) {
    body.close();
    return 'busy';
  }
  const timeoutMs = SMALL_ANSWER_TIMEOUT_MS + (sizeBytes / (2 * FLOOR_BYTES_PER_SECOND)) * SECOND_MS;
  // Begins when something has to be waited for.
  let deadline: Deadline | undefined;
  try {
    const bytes = await transport.readBody(body, {
      maxBytes: sizeBytes,
      get signal() {
        deadline ??= createDeadline(clock, timeoutMs, signal);
        return deadline.signal;
      },
    });
    if (matchesDigest(bytes, digest)) return { bytes, release: () => taken.release() };
    taken.release();
    return 'wrong';
  } catch (error) {
    taken.release();
    if (deadline?.signal.aborted === true && !signal.aborted) health.wasSlow(host);
    throw error;
  } finally {
    deadline?.[Symbol.dispose]();
  }
}
