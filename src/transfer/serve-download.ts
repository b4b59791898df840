import type { TransportClient, BodyRelay, ClientResponse, MoveEnd } from '../http/transport.ts';
import type { FollowedDownload } from '../flights/follow-download.ts';
import type { Flights } from '../flights/flights.ts';
import { formatContentRange, type RangeSpec, rangeLength, resolveRange } from '../oci/byte-range.ts';
import { blobHeaders } from '../oci/content-headers.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import { FLIGHT_ANSWER_HOLD_MS, FLIGHT_SERVE_STALL_MS } from './budgets.ts';
import { FLIGHT_HEADER } from './peer-requests.ts';
import type { Relays } from './relays.ts';

/** What serving a download needs. */
export interface ServeDownloadDeps {
  readonly flights: Pick<Flights, 'follow' | 'isGivenUp' | 'isMoving' | 'onChange'>;
  readonly transport: Pick<TransportClient, 'openGrowingFile'>;
  readonly relays: Relays;
  readonly clock: Clock;
}

/** What another node asks for. */
export interface DownloadRequest {
  readonly digest: Digest;
  readonly registry: string | undefined;
  readonly range: RangeSpec | undefined;
  /** Further headers of the answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * How it ended. `absent`: there is no such download (any more: the blob may be in the store); `given-up`: nor will there
 * be, although this node was to download it for others. `waiting`: there is, and no
 * byte that was asked for is there yet; `queued`: and none will be before its turn comes. In all of them nothing has been sent.
 */
export type DownloadOutcome = 'absent' | 'given-up' | 'waiting' | 'queued' | 'unsatisfiable' | MoveEnd;

/**
 * Gives another node what this node is downloading, as it comes. Waits a moment for the first byte. A download that is given
 * up ends the body short, with FIN.
 */
export async function serveDownload(
  { flights, transport, relays, clock }: ServeDownloadDeps,
  { digest, registry, range: asked, headers: more }: DownloadRequest,
  client: ClientResponse,
): Promise<DownloadOutcome> {
  const start = asked !== undefined && 'start' in asked ? asked.start : 0;
  using followed = relays.follow(digest);
  const { relay } = followed;
  const found = await firstByte({ flights, clock }, { digest, start, relay }, client.gone);
  if (found === 'waiting') return flights.isMoving(digest) ? 'waiting' : 'queued';
  if (found === 'absent') return flights.isGivenUp(digest) ? 'given-up' : 'absent';
  const { path, sizeBytes } = found;
  const range = asked === undefined ? { start: 0, end: sizeBytes - 1 } : resolveRange(asked, sizeBytes);
  if (range === undefined) return 'unsatisfiable';
  const source = await transport
    .openGrowingFile(path, range, found, relay)
    .catch((error: unknown) => ((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'waiting' : 'absent'));
  // Committed since it was looked at, and not in the store yet, or removed: that is seen in a moment.
  if (typeof source === 'string') return source;
  const headers = {
    ...blobHeaders({ digest, registry, origin: 'local' }),
    [FLIGHT_HEADER]: 'growing',
    ...more,
  };
  const contentLength = rangeLength(range);
  if (asked === undefined) client.begin({ status: 200, headers, contentLength });
  else {
    const contentRange = formatContentRange(range, sizeBytes);
    client.begin({ status: 206, headers: { ...headers, 'content-range': contentRange }, contentLength });
  }
  const end = await client.move(source, { stallTimeoutMs: FLIGHT_SERVE_STALL_MS });
  if (end.how !== 'complete') client.breakOff();
  return end;
}

/**
 * Waits a moment for a small download of this node to end. `waiting`: it goes on; `over`: it does not, and the blob may
 * be in the store.
 */
export async function awaitDownload(
  { flights, clock }: FirstByteDeps,
  digest: Digest,
  gone: AbortSignal,
): Promise<'over' | 'waiting'> {
  const found = await firstByte({ flights, clock }, { digest, start: Infinity }, gone);
  return found === 'waiting' ? 'waiting' : 'over';
}

interface FirstByteDeps {
  readonly flights: Pick<Flights, 'follow' | 'onChange'>;
  readonly clock: Clock;
}

/** The download once it has a byte from the start on, or will never have. */
async function firstByte(
  { flights, clock }: FirstByteDeps,
  { digest, start, relay }: { readonly digest: Digest; readonly start: number; readonly relay?: BodyRelay },
  gone: AbortSignal,
): Promise<FollowedDownload | 'absent' | 'waiting'> {
  const endMs = clock.nowMs() + FLIGHT_ANSWER_HOLD_MS;
  const changed = createWakeUp();
  for (;;) {
    const found = flights.follow(digest);
    if (found === undefined) return 'absent';
    if (found !== 'waiting') {
      const isBeyond = start !== Infinity && start >= found.sizeBytes;
      if (found.writtenBytes > start || relay?.has(start) === true || isBeyond) return found;
    }
    const leftMs = endMs - clock.nowMs();
    if (leftMs <= 0 || gone.aborted) return 'waiting';
    const ends = [flights.onChange(digest, () => changed.wake()), relay?.subscribe(() => changed.wake())];
    try {
      await changed.sleep(clock, leftMs, gone);
    } finally {
      for (const end of ends) end?.();
    }
  }
}
