import { silentLogger } from '../../../src/observe/log.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import type { Peer } from '../../../src/routing/router.ts';
import { createTransfer } from '../../../src/transfer/transfer.ts';
import { createRandom } from '../random.ts';
import { createVirtualTime } from '../virtual-time.ts';
import { describePiece, type GivenPiece } from './sim-client-response.ts';
import { createSimContainerd, LONGEST_COLLECTION_MS } from './sim-containerd.ts';
import { createImages, nameOf, type TransferContent, type TransferImage } from './sim-contents.ts';
import { createSimFlights } from './sim-flights.ts';
import { createSimLookups } from './sim-lookups.ts';
import { createSimMirror, type SimMirror } from './sim-mirror.ts';
import { createSimPeer, type PeerFault, type SimPeer } from './sim-peers.ts';
import { createOpenSources } from './sim-source.ts';
import { createSimTransport, INVENTED_HOSTS } from './sim-transport.ts';
import { trackCollections } from './track-collections.ts';
import type { TransferCounts, TransferJudge, TransferPlay, TransferResult } from './transfer-play.ts';

const SECOND_MS = 1000;
/** Faults by which containerd gets what it refuses. */
const LIES: ReadonlySet<PeerFault> = new Set(['wrong-bytes', 'wrong-size', 'wrong-length']);
/** After so long a blob that containerd refused is found out, and thrown away. */
const FOUND_OUT_MS = 2 * SECOND_MS;
/** So long a peer is not asked for a blob of which it gave wrong bytes. */
const BAN_MS = 3600 * SECOND_MS;
/** The largest memory of the engine: that of failed peers. */
const MOST_ENTRIES = 10_000;
/** After so long all that was begun has ended, the search for wrong bytes too. */
const QUIET_MS = 700 * SECOND_MS;
const MOST_VIOLATIONS = 20;
const NAMED_BY_TOWERS = 3;
const CANCELLED_WITHIN_MS = 5 * SECOND_MS;
const OPTIONS = {
  registryPort: 5000,
  resolveTimeoutMs: 20,
  resolveRetries: 3,
  flightsMaxHoldMs: 25 * SECOND_MS,
};

/** Plays it. The same result for the same play. */
export async function playTransfers(play: TransferPlay): Promise<TransferResult> {
  const { pulls, parallel = 1, layers = 3, restMs = 2 * SECOND_MS, againMs = 3 * SECOND_MS } = play;
  const { hasFlights = false, layerSizes = 'mixed', strayRecords = 0, invented = 0 } = play;
  const random = createRandom(play.seed).fork(1);
  const time = createVirtualTime();
  const { clock } = time.ofProcess(() => false);
  const counts = noCounts();
  const violations: string[] = [];
  const judge: TransferJudge = {
    tell: (text) => play.trace?.(`${time.nowMs().toFixed(1)} ${text}`),
    check(isGood, text) {
      if (isGood) return;
      judge.tell(`VIOLATION ${text}`);
      if (violations.length < MOST_VIOLATIONS) violations.push(`${Math.round(time.nowMs())} ms: ${text}`);
    },
  };
  const sources = createOpenSources(judge);
  const images = createImages(play.seed, { layers, layerSizes });
  const catalog = Array.from({ length: play.images ?? 10 }, (_, number) => images.make(number));
  const contents = new Map<string, TransferContent>(
    catalog
      .flatMap(({ manifest, contents }) => [manifest, ...contents])
      .map((content) => [content.digest, content]),
  );
  const peers = play.peers.map((nature, index) => createSimPeer(index, nature, random.fork(100 + index)));
  const byHost = new Map<string, SimPeer>(peers.map((peer) => [peer.host, peer]));
  const askedOf = new Map<SimPeer, number>();
  const wrongOf = new Map<SimPeer, number>();

  let inventedBefore = 0;
  const invent = (): Peer => {
    const number = ++inventedBefore;
    return {
      id: `invented-${number}`,
      addresses: [`${INVENTED_HOSTS}${number >> 16}.${(number >> 8) & 255}.${number & 255}`],
    };
  };
  const named = (key: string): readonly Peer[] => {
    const content = contents.get(key);
    if (content === undefined) return [];
    const holders = peers.filter((peer) => peer.has(content) || random.next() < strayRecords);
    return [...holders.map(({ peer }) => peer), ...Array.from({ length: invented }, invent)];
  };
  const transport = createSimTransport({
    clock,
    random: random.fork(2),
    sources,
    peerAt: (host) => byHost.get(host),
    contentOf: (reference) => contents.get(reference),
    onAsked(registry, host) {
      counts.asked++;
      addTo(askedOf, byHost.get(host));
      mirror.peerAsked(registry, host);
    },
  });
  const router = createSimLookups(clock, random.fork(3), { named, lateShare: play.lateLookups ?? 0 });

  /** By content and peer: when containerd refused a blob with wrong bytes of it. */
  const wrongGiven = new Map<Digest, Map<SimPeer, number>>();
  let lastRefusedMs = -Infinity;
  /** A peer that said more of a blob whose size the node does not know was cut off: containerd has too much, and no way to ask. */
  let overfullUntilMs = -Infinity;
  /** What another pull gets rightly before it is found out tells the node that nothing was wrong. */
  const onStored = (digest: Digest) => {
    for (const [peer, refusedMs] of wrongGiven.get(digest) ?? []) {
      if (time.nowMs() - refusedMs < FOUND_OUT_MS) wrongGiven.get(digest)?.delete(peer);
    }
  };
  /** A peer may have given wrong bytes of a blob until that is found out, and never again. */
  const onRefused = (content: TransferContent, pieces: readonly GivenPiece[]) => {
    counts.refused++;
    lastRefusedMs = time.nowMs();
    const { digest, sizeBytes } = content;
    const text = `${sizeBytes} bytes of ${pieces.map(describePiece).join(', ')}`;
    judge.tell(`${nameOf(content)} refused: ${text}`);
    const wrong = pieces.filter(
      ({ isWrong, body }) => isWrong || (body !== undefined && body.saidSizeBytes !== sizeBytes),
    );
    const cameBytes = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0);
    const isOverfull = cameBytes > sizeBytes;
    if (isOverfull) overfullUntilMs = lastRefusedMs + LONGEST_COLLECTION_MS;
    judge.check(wrong.length > 0, `a blob was put together wrongly: ${text}`);
    const before = wrongGiven.get(digest) ?? new Map<SimPeer, number>();
    wrongGiven.set(digest, before);
    // Of these no peer can be found out.
    for (const { body } of isOverfull ? [] : wrong) {
      const peer = byHost.get(body?.host ?? '');
      if (body === undefined || peer === undefined) continue;
      const sinceMs = body.startedMs - (before.get(peer) ?? Infinity);
      const isAgain = sinceMs > FOUND_OUT_MS && sinceMs < BAN_MS;
      judge.check(!isAgain, `${body.host} gave wrong bytes of a blob once more: ${text}`);
      before.set(peer, time.nowMs());
      addTo(wrongOf, peer);
    }
  };
  const containerd = createSimContainerd({
    time,
    random: random.fork(4),
    refusalRule: play.refusalRule,
    askMirror: async (request) => mirror.ask(request),
    onUpstream: (sizeBytes) => void (counts.upstreamBytes += sizeBytes),
    onRefused,
    onStored,
  });
  const choices = random.fork(6);
  const engine = trackCollections(() =>
    createTransfer(
      {
        transport,
        router,
        flights: hasFlights
          ? createSimFlights((digest) => random.sample(named(digest), NAMED_BY_TOWERS))
          : undefined,
        refused: containerd,
        random: () => choices.next(),
        clock,
        logger: silentLogger,
        observer: {
          peerAsked: (result) => judge.tell(`  a peer: ${result}`),
          bytesMoved() {},
          lookupEnded() {},
          wrongBlob: () => void counts.convicted++,
        },
      },
      OPTIONS,
    ),
  );
  const unseen = new Set<TransferImage>();
  const mirror: SimMirror = createSimMirror({
    transfer: engine.made,
    time,
    random: random.fork(5),
    sources,
    counts,
    judge,
    hasFlights,
    seesManifest: (image) => !unseen.has(image),
  });

  const liars = play.peers.filter(({ faults }) => faults.some((fault) => LIES.has(fault)));
  /** Each liar may cost a try for each layer, and the last one succeeds. */
  const mostTries = 1 + liars.length * layers;
  const pullOne = async (pull: number): Promise<void> => {
    const image = catalog[pull % catalog.length];
    if (image === undefined) throw new RangeError('No image');
    if (random.next() < (play.unseenManifests ?? 0)) unseen.add(image);
    else unseen.delete(image);
    for (const { digest } of [image.manifest, ...image.contents]) containerd.remove(digest);
    for (let tries = 1; tries <= mostTries;) {
      counts.tries++;
      const cancel = new AbortController();
      const isCancelled = random.next() < (play.cancelled ?? 0);
      const afterMs = random.next() * CANCELLED_WITHIN_MS;
      if (isCancelled) time.after(afterMs, () => cancel.abort(new Error('Cancelled')));
      const startedMs = time.nowMs();
      judge.tell(`pull ${pull} of ${image.repository}, try ${tries}`);
      const isGood = await containerd.pull(image, cancel.signal);
      judge.tell(`pull ${pull} ${isGood ? 'done' : 'failed'}`);
      if (isGood) {
        counts.mostTries = Math.max(counts.mostTries, tries);
        return;
      }
      if (!cancel.signal.aborted && startedMs > overfullUntilMs) {
        tries++;
        // What another pull has got may be refused once more, until it is found out.
        const isExplained = lastRefusedMs >= startedMs - FOUND_OUT_MS;
        judge.check(isExplained, 'a pull failed although containerd refused nothing');
      }
      await clock.sleep(againMs * (1 + random.next()));
    }
    judge.check(false, `a pull does not succeed within ${mostTries} tries`);
  };

  let next = 0;
  const pullers = Array.from({ length: parallel }, async () => {
    while (next < pulls) {
      await pullOne(next++);
      if (random.next() < (play.turns ?? 0)) random.pick(peers).turn();
      await clock.sleep(random.next() * restMs);
    }
  });
  const end = { isOver: false };
  const ended = Promise.all(pullers).finally(() => (end.isOver = true));
  while (!end.isOver) await time.pass(SECOND_MS);
  await ended;
  await time.pass(QUIET_MS);

  judge.check(sources.count === 0, `${sources.count} sources were left open`);
  judge.check(transport.pending === 0, `${transport.pending} requests to peers never ended`);
  judge.check(router.open === 0, `${router.open} lookups were left open`);
  judge.check(containerd.openFiles === 0, `${containerd.openFiles} files of ingests were left open`);
  const mostEntries = engine.mostEntries();
  judge.check(mostEntries <= MOST_ENTRIES, `the engine remembers ${mostEntries} things of one kind`);
  const { upstreamBytes, peerBytes, ...rest } = counts;
  return {
    ...rest,
    pulls,
    upstreamShare: upstreamBytes / Math.max(1, upstreamBytes + peerBytes),
    askedOf: peers.map((peer) => askedOf.get(peer) ?? 0),
    wrongOf: peers.map((peer) => wrongOf.get(peer) ?? 0),
    mostEntries,
    virtualSeconds: time.nowMs() / SECOND_MS,
    violations,
  };
}

function noCounts(): TransferCounts {
  return {
    requests: 0,
    tries: 0,
    mostTries: 0,
    refused: 0,
    convicted: 0,
    brokenOff: 0,
    upstreamBytes: 0,
    peerBytes: 0,
    asked: 0,
    mostAsked: 0,
    longestFirstByteMs: 0,
    longestSmallMs: 0,
    longestSilenceMs: 0,
  };
}

function addTo<T>(counts: Map<T, number>, key: T | undefined): void {
  if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
}
