import type { MissReason } from '../observe/transfer-log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Peer, Router } from '../routing/router.ts';
import type { PeerStanding, WhyOutcome, WhyPeer } from '../routing/why-report.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { type ContentStore, StoreUnavailableError } from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';

/** Longer than a pull waits for its first peer: a person asks who has it at all. In ms. */
const LOOKUP_TIMEOUT_MS = 1000;
/** Providers that a lookup for a request yields at most. */
const LOOKUP_LIMIT = 20;
/** Peers of one piece of content that are asked; a request asks three. */
const MAX_PROBED = 8;

/** What a peer is asked for. */
export interface ProbeTarget {
  readonly kind: 'manifest' | 'blob';
  readonly registry: string | undefined;
  readonly repository: string;
  /** The digest or tag. */
  readonly reference: string;
}

/** What explainContent needs. */
export interface ExplainContentDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat'>;
  readonly policy: Pick<SharingPolicy, 'sharesDigest'>;
  readonly router: Pick<Router, 'lookup'>;
  readonly standingOf: (peer: Peer) => PeerStanding;
  /** `has-it`, or why the peer would not give it. */
  readonly probe: (
    question: { readonly peer: Peer; readonly target: ProbeTarget },
    signal: AbortSignal,
  ) => Promise<string>;
  readonly clock: Clock;
}

/** What is explained. */
export interface ExplainedContent {
  /** The routing key. */
  readonly key: string;
  /** Undefined for a tag. */
  readonly digest: Digest | undefined;
  readonly target: ProbeTarget;
}

/** What was found out about it. */
export interface Explained {
  /** For a tag that is here: its digest. */
  readonly digest: Digest | undefined;
  readonly sizeBytes: number | undefined;
  readonly isHere: boolean;
  readonly peers: readonly WhyPeer[];
  readonly outcome: WhyOutcome;
}

/** Who would give one piece of content, and what becomes of a request for it. `states`: peers by their ID as the router sees them. */
export async function explainContent(
  deps: ExplainContentDeps,
  {
    resolveRetries,
    states,
  }: { readonly resolveRetries: number; readonly states: ReadonlyMap<string, WhyPeer['state']> },
  { key, digest: asked, target }: ExplainedContent,
  signal: AbortSignal,
): Promise<Explained> {
  const { store, policy, router, standingOf, probe, clock } = deps;
  const { registry, repository, reference } = target;
  const digest =
    asked ??
    (registry === undefined
      ? undefined
      : await unlessAway(() => store.resolve(registry, repository, reference, { signal })));
  const blob = digest === undefined ? undefined : await unlessAway(() => store.stat(digest, { signal }));
  const found = { digest, sizeBytes: blob?.sizeBytes };
  if (blob !== undefined && policy.sharesDigest(blob.digest)) {
    return { ...found, isHere: true, peers: [], outcome: { how: 'local', status: 200 } };
  }

  // Nobody waits for the answer any more: no peer is asked for it.
  if (signal.aborted) return { ...found, isHere: false, peers: [], outcome: outcomeOf([], resolveRetries) };
  const startedMs = clock.nowMs();
  using deadline = createDeadline(clock, LOOKUP_TIMEOUT_MS, signal);
  const providers: WhyPeer[] = [];
  for await (const peer of router.lookup(key, { signal: deadline.signal, limit: LOOKUP_LIMIT })) {
    const standing = standingOf(peer);
    const tookMs = clock.nowMs() - startedMs;
    providers.push({ ...peer, ...standing, tookMs, state: states.get(peer.id), said: undefined });
  }
  const asks = (order: string) => providers.filter((peer) => peer.order === order);
  const inOrder = [...asks('first'), ...asks('last')];
  const said = await Promise.all(
    inOrder.slice(0, MAX_PROBED).map(async (peer) => probe({ peer, target }, signal)),
  );
  const probed = said.map((text, n) => Object.assign({}, inOrder[n] as WhyPeer, { said: text }));
  const peers = [...probed, ...inOrder.slice(MAX_PROBED), ...asks('skipped')];
  return { ...found, isHere: false, peers, outcome: outcomeOf(peers, resolveRetries) };
}

/** While containerd is away, what needs its word is not here, as for a request. */
async function unlessAway<T>(ask: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof StoreUnavailableError) return undefined;
    throw error;
  }
}

/** The errors of peers that are gone: these do not count among those that a request may ask. */
const GONE = new Set(['CONNECT_FAILED', 'CONNECT_TIMEOUT', 'CONNECTION_LOST', 'HEAD_TIMEOUT']);
const REFUSALS = new Set(['absent', 'given-up', 'waiting', 'queued', 'wrong']);

/** What a request would get that asks the peers in this order. */
function outcomeOf(peers: readonly WhyPeer[], resolveRetries: number): WhyOutcome {
  const missing = (reason: MissReason) => ({ how: 'missing', status: 404, reason }) as const;
  if (peers.length === 0 || resolveRetries === 0) return missing('no-record');
  if (peers.every(({ order }) => order === 'skipped')) return missing('peers-skipped');
  const said: string[] = [];
  for (const peer of peers) {
    if (peer.said === undefined || said.filter((each) => !GONE.has(each)).length >= resolveRetries) break;
    if (peer.said === 'has-it') return { how: 'peer', status: 200, from: peer.addresses[0] ?? peer.id };
    said.push(peer.said);
  }
  if (said.includes('busy')) return missing('peers-busy');
  return missing(said.some((each) => REFUSALS.has(each)) ? 'peers-refused' : 'peers-failed');
}
