import { type LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { TransportClient } from '../http/transport.ts';
import { createBufferedClient } from '../http/buffered-client.ts';
import type { Logger } from '../observe/log.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';

/** What `spegel cleanup-wait` is told. */
export interface CleanupWaitOptions {
  /** host:port; the host may have many addresses. */
  readonly probeEndpoint: string;
  /** Rounds in a row in which every address has to answer. */
  readonly threshold: number;
  /** From the start of one round to that of the next, in ms. */
  readonly periodMs: number;
}

/** Collaborators that tests replace. */
export interface CleanupWaitContext {
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly lookUp?: (host: string) => Promise<readonly Pick<LookupAddress, 'address'>[]>;
}

/** As the original: a node that cleans up answers at once, and one round must not take much longer than a period. */
const PROBE_TIMEOUT_MS = 1000;
/** The resolver's own time-outs add up to far more, and a round would never end. */
const LOOKUP_TIMEOUT_MS = 5000;
/** As the original: a cluster of thousands of nodes is not asked all at once. */
const PARALLEL_PROBES = 10;

/** Thrown when the command is stopped before every node has answered: nobody may take that for done. */
export class CleanupWaitStoppedError extends Error {
  override readonly name = 'CleanupWaitStoppedError';
  readonly code = 'STOPPED';
}

/** A round that does not count. */
class ProbeError extends Error {
  override readonly name = 'ProbeError';
  readonly code = 'PROBE';
}

/**
 * Resolves after `threshold` rounds in a row in which GET /readyz of every address of the host gave 200. Goes on
 * through failures; rejects with CleanupWaitStoppedError when the signal aborts.
 */
export async function runCleanupWait(
  { probeEndpoint, threshold, periodMs }: CleanupWaitOptions,
  context: CleanupWaitContext,
): Promise<void> {
  const { logger, signal, clock = systemClock, lookUp = lookUpAll } = context;
  const endpoint = parseEndpoint(probeEndpoint);
  const transport = createBufferedClient();
  try {
    let rounds = 0;
    for (;;) {
      const startMs = clock.nowMs();
      try {
        const addresses = await within(LOOKUP_TIMEOUT_MS, signal, lookUp(endpoint.host), endpoint.host);
        await probeAll(transport, endpoint, addresses, signal);
        rounds += 1;
        logger.info('every node has answered', { nodes: addresses.length, round: rounds, threshold });
      } catch (error) {
        if (signal.aborted) break;
        rounds = 0;
        logger.warn('not every node has answered, trying again', { endpoint: probeEndpoint, error });
      }
      if (rounds >= threshold) return;
      await clock.sleep(Math.max(0, startMs + periodMs - clock.nowMs()), signal).catch(() => {});
      if (signal.aborted) break;
    }
    throw new CleanupWaitStoppedError(
      `Stopped before ${threshold} rounds in a row had an answer from every node of ${probeEndpoint}`,
    );
  } finally {
    await transport.close();
  }
}

async function probeAll(
  transport: TransportClient,
  { host, port }: Endpoint,
  addresses: readonly Pick<LookupAddress, 'address'>[],
  signal: AbortSignal,
): Promise<void> {
  if (addresses.length === 0) throw new ProbeError(`${host} has no address`);
  const waiting = Array.from(new Set(addresses.map(({ address }) => address)));
  const worker = async () => {
    for (let address = waiting.pop(); address !== undefined; address = waiting.pop()) {
      await probe(transport, address, port, signal);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_PROBES }, async () => worker()));
}

async function probe(
  transport: TransportClient,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  const answer = await transport
    .request(
      { method: 'GET', host: address, port, path: '/readyz', headers: {} },
      {
        connectTimeoutMs: PROBE_TIMEOUT_MS,
        headTimeoutMs: PROBE_TIMEOUT_MS,
        signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]),
      },
    )
    .catch((error: unknown) => {
      throw new ProbeError(`${address} port ${port} did not answer: is cleanup running there?`, {
        cause: error,
      });
    });
  answer.body?.close();
  if (answer.status !== 200) throw new ProbeError(`${address} port ${port} answered ${answer.status}`);
}

async function lookUpAll(host: string): Promise<readonly LookupAddress[]> {
  return lookup(host, { all: true });
}

/** A look-up cannot be stopped, only waited for no longer. */
async function within<T>(timeoutMs: number, signal: AbortSignal, work: Promise<T>, host: string): Promise<T> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.addEventListener('abort', () => reject(new ProbeError(`Looking ${host} up took too long`)), {
      once: true,
    });
  });
  try {
    return await Promise.race([work, stopped]);
  } catch (error) {
    if (error instanceof ProbeError) throw error;
    throw new ProbeError(`Cannot look ${host} up: is the name right, and the DNS server up?`, {
      cause: error,
    });
  }
}
