import { addressShare } from '../runtime/address-share.ts';
import type { FairShares, HeldShare } from '../runtime/fair-shares.ts';
import type { AdmittedRequest } from './content-request.ts';
import { overloaded } from './responses.ts';

/** A share of so much weight for the request; undefined if there is none in time. */
export async function tryEnter(
  shares: FairShares,
  weight: number,
  { client, favoured, isFromSelf }: AdmittedRequest,
): Promise<HeldShare | undefined> {
  return shares.enter({
    key: addressShare(client.remoteAddress),
    weight,
    favoured,
    isFirst: isFromSelf,
    // Made for a request that waits only.
    get signal() {
      return client.gone;
    },
    stalledMs: () => client.stalledMs,
    evict: () => client.breakOff(),
  });
}

/** Nothing is waited for with it. */
const AT_ONCE = AbortSignal.abort();

/** A share of what nothing is reserved for, for a request that can do without it; undefined if none is free. */
export async function enterNow(
  shares: FairShares,
  weight: number,
  { client }: AdmittedRequest,
): Promise<HeldShare | undefined> {
  return shares.enter({ key: addressShare(client.remoteAddress), weight, signal: AT_ONCE });
}

/** A share as of tryEnter(); throws DistributionError, 503, if there is none in time. */
export async function enter(
  shares: FairShares,
  weight: number,
  request: AdmittedRequest,
): Promise<HeldShare> {
  const share = await tryEnter(shares, weight, request);
  if (share === undefined) throw overloaded();
  return share;
}
