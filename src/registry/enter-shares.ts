import { addressShare } from '../runtime/address-share.ts';
import type { FairShares, HeldShare } from '../runtime/fair-shares.ts';
import type { AdmittedRequest } from './content-request.ts';
import { overloaded } from './responses.ts';

/** A share of so much weight for the request, at once if it is free; undefined if there is none in time. */
export function tryEnter(
  shares: FairShares,
  weight: number,
  { client, favoured, isFromSelf }: Pick<AdmittedRequest, 'client' | 'favoured' | 'isFromSelf'>,
): HeldShare | Promise<HeldShare | undefined> {
  const key = addressShare(client.remoteAddress);
  return shares.enter({ key, weight, favoured, isFirst: isFromSelf, owner: client });
}

/** A share of what nothing is reserved for, for a request that can do without it; undefined if none is free. */
export async function enterNow(
  shares: FairShares,
  weight: number,
  { client }: AdmittedRequest,
): Promise<HeldShare | undefined> {
  return shares.enter({ key: addressShare(client.remoteAddress), weight, mayWait: false });
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
