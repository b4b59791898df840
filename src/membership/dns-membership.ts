import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { canonicalIp, isIpv4, isIpv6 } from '../runtime/ip-address.ts';
import { createKeyedBackoff } from '../runtime/keyed-backoff.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import { createAddressRules, type AddressRulesOptions } from './address-rules.ts';
import type { DomainAddresses, NamedAddresses } from '../bootstrap/domain-addresses.ts';
import { createPendingPeers } from './pending-peers.ts';
import { createMemberSet } from './member-set.ts';
import type { Membership, MembershipChange } from './membership.ts';
import { createEndpointNames } from './endpoint-names.ts';
import { createDeniedLog } from './denied-log.ts';
import { createDomainQuestions } from './domain-questions.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** How often the addresses are resolved when nothing happens: as long as clusters' name servers cache an answer. */
const REFRESH_MS = 30 * SECOND_MS;
/** Least time between two questions: a peer that connects must not make this node flood the name server. */
const LEAST_PAUSE_MS = SECOND_MS;
/** How long a node stays a member when DNS does not name it any more and it is connected all the while. */
const GRACE_MS = 5 * MINUTE_MS;
/**
 * How long a node that DNS does not name yet may stay: name servers cache for up to 30 s, twice over (node, cluster).
 */
const PENDING_MS = 90 * SECOND_MS;
/** Addresses that were named by others and asked about: remembered so that each is asked about ever more rarely. */
const MAX_ASKED_ABOUT = 1024;

/** What createDnsMembership needs. */
export interface DnsMembershipDeps {
  readonly addresses: DomainAddresses;
  readonly logger: Logger;
  readonly clock: Clock;
  /** From 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

/** Settings of createDnsMembership. */
export interface DnsMembershipOptions extends AddressRulesOptions {
  /** This node's own addresses at this moment: always a member's. */
  readonly own: () => readonly string[];
  /** Default 30 s. */
  readonly refreshMs?: number;
  /** Default 5 min. */
  readonly graceMs?: number;
  /** Default 90 s. */
  readonly pendingMs?: number;
  /** Default 1 s. */
  readonly leastPauseMs?: number;
}

/**
 * Membership by DNS: the members are the addresses that the domain resolves to, and addresses that have a name of their
 * own below it. Starts to resolve the domain at once, then every 30 s, and when an unknown peer connects. No answer,
 * and an answer without any address, change nothing.
 */
export function createDnsMembership(
  { addresses, logger, clock, random = Math.random }: DnsMembershipDeps,
  options: DnsMembershipOptions,
): Membership {
  const { refreshMs = REFRESH_MS, leastPauseMs = LEAST_PAUSE_MS, pendingMs = PENDING_MS } = options;
  const rules = createAddressRules(options);
  const isOwn = (ip: string) => options.own().some((each) => canonicalIp(each) === ip);
  const members = createMemberSet(options.graceMs ?? GRACE_MS, pendingMs);
  const pending = createPendingPeers({ pendingMs, firstWaitMs: leastPauseMs, maxWaitMs: refreshMs });
  const denied = createDeniedLog(
    { logger, clock },
    `Refused a peer: if it is a node, ${addresses.domain} has to name its address (or use --membership-check=false)`,
  );
  const listeners = new Set<(change: MembershipChange) => void>();
  /** Addresses that this node asked about because others named them: the same is not asked about at each turn. */
  const askedAbout = createKeyedBackoff(() => clock.nowMs(), {
    initialMs: leastPauseMs,
    maxMs: refreshMs,
    maxKeys: MAX_ASKED_ABOUT,
  });
  const stopped = new AbortController();
  const endpointNames = createEndpointNames({ addresses, logger, clock }, { signal: stopped.signal });
  const wakeUp = createWakeUp();
  const questions = createDomainQuestions(
    {
      addresses,
      memberCount: () => members.count(clock.nowMs()),
      onAsk: (nowMs) => pending.asked(nowMs),
      logger,
      clock,
      random,
    },
    { refreshMs, leastPauseMs },
    stopped.signal,
  );

  /** `isTold` says of which addresses the source has just told. */
  const tell = (isTold: (ip: string) => boolean) => {
    const { joined, left, expired } = members.changes(clock.nowMs());
    for (const ip of joined) pending.forget(ip);
    for (const ip of expired) pending.refuse(ip, clock.nowMs());
    const judged = pending.judge(isTold, clock.nowMs());
    if (joined.length + left.length + judged.length === 0) return;
    for (const listener of listeners) listener({ joined, left });
  };
  const take = ({ ip4, ip6 }: NamedAddresses) => {
    // No address at all, not even this node's: a name server that lost its data, or has none yet.
    if ((ip4?.length ?? 0) + (ip6?.length ?? 0) === 0) return;
    const nowMs = clock.nowMs();
    const usable = (ips: readonly string[]) => ips.flatMap((ip) => rules(ip) ?? []);
    if (ip4 !== undefined) members.name(isIpv4, usable(ip4), nowMs);
    if (ip6 !== undefined) members.name(isIpv6, usable(ip6), nowMs);
    tell((ip) => (isIpv4(ip) ? ip4 : ip6) !== undefined);
  };
  /** The list of all may be in caches for a while yet; the name of one address is not. */
  const askForOne = async (ip: string) => {
    if (!(await endpointNames.ask(ip)) || stopped.signal.aborted) return;
    members.vouch(ip, clock.nowMs());
    tell(() => false);
  };
  /** Not at once: it may be there before the name server has heard of it, and "no such name" is kept in caches, too. */
  const followPending = async (ip: string) => {
    for (let waitMs = leastPauseMs; pending.isPending(ip); waitMs = Math.min(2 * waitMs, refreshMs)) {
      await clock.sleep(waitMs, stopped.signal).catch(() => {});
      if (stopped.signal.aborted) return;
      if (pending.isPending(ip)) await askForOne(ip);
    }
  };
  const run = async () => {
    while (!stopped.signal.aborted) {
      if (clock.nowMs() >= questions.nextMs(pending.nextQuestionMs())) await questions.ask();
      tell(() => false);
      const untilMs = Math.min(questions.nextMs(pending.nextQuestionMs()), members.nextExpiryMs());
      await wakeUp.sleep(clock, Math.max(0, untilMs - clock.nowMs()), stopped.signal);
    }
  };

  const stopListening = addresses.onAnswer(take);
  const running = run();
  const isMember = (ip: string) => members.has(ip, clock.nowMs()) || isOwn(ip);
  const usable = (ip: string) => {
    const usual = rules(ip);
    if (usual !== undefined) return usual;
    // The rules are about other nodes.
    const canonical = canonicalIp(ip);
    return canonical !== undefined && isOwn(canonical) ? canonical : undefined;
  };

  return {
    admits(ip) {
      const address = usable(ip);
      return address !== undefined && isMember(address);
    },
    async knock(ip) {
      const address = usable(ip);
      if (address === undefined) return false;
      if (isMember(address)) return true;
      if (stopped.signal.aborted || !askedAbout.start(address)) return false;
      await askForOne(address);
      if (isMember(address)) return true;
      if (questions.asking !== undefined) await questions.asking;
      else if (!questions.isPausing()) await questions.ask();
      return isMember(address);
    },
    standing(ip) {
      const address = usable(ip);
      if (address === undefined) return 'denied';
      return isMember(address) ? 'member' : pending.standing(address);
    },
    arrive(ip) {
      const address = usable(ip);
      if (address !== undefined && isMember(address)) return 'member';
      const isNew = address !== undefined && !pending.isPending(address);
      const standing = address === undefined ? 'denied' : pending.arrive(address, clock.nowMs());
      if (standing === 'denied') denied.refused(address ?? ip);
      else if (isNew) void followPending(address);
      wakeUp.wake();
      return standing;
    },
    opened(ip) {
      const address = usable(ip);
      if (address === undefined) return () => {};
      const close = members.opened(address);
      return () => {
        close();
        // It may have been the last connection of an address that had its grace.
        wakeUp.wake();
      };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stats: () => ({
      members: members.count(clock.nowMs()),
      pending: pending.pendingCount,
      refused: denied.count,
    }),
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      stopListening();
      await running;
      await questions.asking;
    },
  };
}
