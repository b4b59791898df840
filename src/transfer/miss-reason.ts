import type { MissReason } from '../observe/transfer-log.ts';
import type { PeerSession } from './peer-session.ts';

/** Why no peer gave the content. `isSlow`: the peers that have it were too slow with it. */
export function missReason(
  session: Pick<PeerSession, 'attempts' | 'skipped' | 'refusals'> | undefined,
  { isSlow = false }: { readonly isSlow?: boolean } = {},
): MissReason {
  if (isSlow) return 'peers-slow';
  const { attempts = 0, skipped = 0, refusals = new Set() } = session ?? {};
  if (attempts === 0) return skipped > 0 ? 'peers-skipped' : 'no-record';
  if (refusals.has('busy')) return 'peers-busy';
  return refusals.size > 0 ? 'peers-refused' : 'peers-failed';
}
