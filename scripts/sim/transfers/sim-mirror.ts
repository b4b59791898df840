import type { Digest } from '../../../src/oci/digest.ts';
import type { Transfer } from '../../../src/transfer/transfer.ts';
import type { Random } from '../random.ts';
import type { VirtualTime } from '../virtual-time.ts';
import {
  createSimClientResponse,
  describePiece,
  type GivenPiece,
  type SimClientResponse,
} from './sim-client-response.ts';
import type { MirrorAnswer, MirrorRequest } from './sim-containerd.ts';
import { nameOf, type TransferContent, type TransferImage, VERIFIED_BYTES } from './sim-contents.ts';
import type { OpenSources } from './sim-source.ts';
import type { TransferCounts, TransferJudge } from './transfer-play.ts';

const SECOND_MS = 1000;
/** A manifest, or a HEAD request: 3 s over all peers. */
const SMALL_BUDGET_MS = 3.1 * SECOND_MS;
/** Until the first byte of a blob, or until containerd is told to go upstream. */
const FIRST_BYTE_BUDGET_MS = 8 * SECOND_MS;
/** The same where nodes of a flight are waited for, as they are restarted, it may be: containerd waits 30 s. */
const FLIGHT_BUDGET_MS = 29 * SECOND_MS;
/** In mid-body, while other sources are looked for. */
const SILENCE_BUDGET_MS = 20 * SECOND_MS;
/** All of a blob: so long, and the time that its bytes take at the least rate of use that several layers share. */
const BODY_BUDGET_MS = 60 * SECOND_MS;
const LEAST_BYTES_PER_MS = 8;
/** Requests to one address for one request of containerd, for each source that it needs. */
const MOST_ASKED_PER_SOURCE = 4;
/** The same in a flight: a node whose port refuses is asked again for 2.5 s, because it may be in a restart. */
const MOST_ASKED_IN_FLIGHT = 32;
/** The share of blobs of which containerd asks for the size first. */
const HEAD_SHARE = 1 / 50;

/** What the mirror needs. */
export interface SimMirrorDeps {
  readonly transfer: Transfer;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly sources: OpenSources;
  readonly counts: TransferCounts;
  readonly judge: TransferJudge;
  readonly hasFlights: boolean;
  /** True if the node sees the manifest of the image that is pulled. */
  readonly seesManifest: (image: TransferImage) => boolean;
}

/** What the node's containerd asks, and a judge of all that it is given. */
export interface SimMirror {
  ask(request: MirrorRequest): Promise<MirrorAnswer>;
  /** A peer was asked for content, in a request that names this registry. */
  peerAsked(registry: string, host: string): void;
}

/** A request of containerd that goes on. Its registry is its own: requests to peers are told apart by it. */
interface OwnRequest {
  readonly registry: string;
  /** By address: requests to it. */
  readonly hosts: Map<string, number>;
  /** Sources that it needed so far, and the next. */
  sources: number;
}

/** Makes a mirror that does with requests what the registry does, and checks each answer. */
export function createSimMirror({
  transfer,
  time,
  random,
  sources,
  counts,
  judge,
  hasFlights,
  seesManifest,
}: SimMirrorDeps): SimMirror {
  const running = new Map<string, OwnRequest>();
  /** Contents whose size the node knows: a manifest said it, and since then no request for it found no peer. */
  const known = new Set<Digest>();
  const mostPerSource = hasFlights ? MOST_ASKED_IN_FLIGHT : MOST_ASKED_PER_SOURCE;
  const smallBudgetMs = hasFlights ? FLIGHT_BUDGET_MS : SMALL_BUDGET_MS;
  const firstByteBudgetMs = hasFlights ? FLIGHT_BUDGET_MS : FIRST_BYTE_BUDGET_MS;

  /** Checks what a request took, and returns it, in ms. */
  const inTime = (what: string, tookMs: number, budgetMs: number): number => {
    judge.check(tookMs <= budgetMs, `${what} took ${Math.round(tookMs)} ms`);
    return tookMs;
  };

  const asRequest = async (work: (own: OwnRequest) => Promise<MirrorAnswer>): Promise<MirrorAnswer> => {
    const own = {
      registry: `registry-${++counts.requests}.test`,
      hosts: new Map<string, number>(),
      sources: 1,
    };
    running.set(own.registry, own);
    try {
      return await work(own);
    } catch (error) {
      judge.check(false, `a request was rejected: ${String(error)}`);
      return 'absent';
    } finally {
      running.delete(own.registry);
      let all = 0;
      for (const [host, times] of own.hosts) {
        all += times;
        judge.check(times <= mostPerSource * own.sources, `${host} was asked ${times} times for one request`);
      }
      counts.mostAsked = Math.max(counts.mostAsked, all);
    }
  };

  const askForManifest = async ({
    image,
    content,
    onPiece,
    signal,
  }: MirrorRequest): Promise<MirrorAnswer> => {
    const answer = await asRequest(async ({ registry }) => {
      const startedMs = time.nowMs();
      const reference = content.digest;
      const { repository } = image;
      const fetched = await transfer.fetchManifest(
        { key: reference, reference, repository, registry, isOwn: true },
        { gone: signal },
      );
      const tookMs = inTime('a manifest', time.nowMs() - startedMs, smallBudgetMs);
      counts.longestSmallMs = Math.max(counts.longestSmallMs, tookMs);
      if (!('bytes' in fetched)) return 'absent';
      const isWrong = content.bytes === undefined || Buffer.compare(fetched.bytes, content.bytes) !== 0;
      judge.check(!isWrong, 'a wrong manifest was given');
      onPiece({ sizeBytes: fetched.bytes.length, isWrong, body: undefined });
      return 'body';
    });
    if (seesManifest(image)) {
      transfer.learnSizes(image.references);
      for (const { digest } of image.references) known.add(digest);
    }
    return answer;
  };

  const askForSize = async (image: TransferImage, content: TransferContent, signal: AbortSignal) =>
    asRequest(async ({ registry }) => {
      const { digest, sizeBytes } = content;
      const startedMs = time.nowMs();
      const wasKnown = known.has(digest);
      const said = await transfer.statBlob(
        { digest, repository: image.repository, registry },
        { gone: signal },
      );
      const tookMs = inTime('a HEAD request', time.nowMs() - startedMs, SMALL_BUDGET_MS);
      counts.longestSmallMs = Math.max(counts.longestSmallMs, tookMs);
      const isWrong = 'sizeBytes' in said && said.sizeBytes !== sizeBytes;
      judge.check(!(isWrong && wasKnown && known.has(digest)), 'a wrong size was given');
      return 'absent';
    });

  /** Small blobs and configs are verified on their way, and so is the size of all once a manifest was seen. */
  const checkPiece = (content: TransferContent, { isWrong, body }: GivenPiece, isKnown: boolean) => {
    if (body === undefined) return;
    const { sizeBytes, kind } = content;
    const isVerified = sizeBytes <= VERIFIED_BYTES || kind === 'config';
    judge.check(!(isKnown && isVerified && isWrong), `wrong bytes of a small ${kind} were given`);
    judge.check(!isKnown || body.saidSizeBytes === sizeBytes, 'bytes of a blob of a wrong size were given');
    judge.check(
      body.saidSizeBytes > VERIFIED_BYTES,
      'bytes of a small blob were given before they were verified',
    );
  };

  /** Checks how long a body took, up to its first byte and in between. */
  const checkTimes = (client: SimClientResponse, startedMs: number, leftBytes: number) => {
    const nowMs = time.nowMs();
    const firstMs = inTime(
      'a blob, up to its first byte,',
      (client.begunMs ?? nowMs) - startedMs,
      firstByteBudgetMs,
    );
    counts.longestFirstByteMs = Math.max(counts.longestFirstByteMs, firstMs);
    inTime('a blob', nowMs - startedMs, BODY_BUDGET_MS + leftBytes / LEAST_BYTES_PER_MS);
    if (!client.begun) return;
    const silentMs = Math.max(client.longestSilenceMs, nowMs - client.lastByteMs);
    judge.check(silentMs <= SILENCE_BUDGET_MS, `a body stood still for ${Math.round(silentMs)} ms`);
    counts.longestSilenceMs = Math.max(counts.longestSilenceMs, silentMs);
  };

  const askForBlob = async (request: MirrorRequest): Promise<MirrorAnswer> => {
    const { image, content, fromByte, onPiece, onStart, signal } = request;
    const { digest, sizeBytes } = content;
    if (random.next() < HEAD_SHARE) await askForSize(image, content, signal);
    if (signal.aborted) return 'absent';
    return asRequest(async (own) => {
      const { registry } = own;
      const startedMs = time.nowMs();
      const wasKnown = known.has(digest);
      const client = createSimClientResponse({
        time,
        sources,
        content,
        judge,
        onPiece(piece) {
          counts.peerBytes += piece.sizeBytes;
          judge.tell(`${nameOf(content)} got ${describePiece(piece)}`);
          checkPiece(content, piece, wasKnown && known.has(digest));
          onPiece(piece);
        },
      });
      onStart(() => client.arrivedBytes);
      judge.tell(`${nameOf(content)} asked from ${fromByte} on, of ${sizeBytes}, as ${registry}`);
      signal.addEventListener('abort', () => client.leave(), { once: true });
      const outcome = await transfer.serveBlob(
        {
          digest,
          repository: image.repository,
          registry,
          range: fromByte === 0 ? undefined : { start: fromByte },
          local: undefined,
          mayAskPeers: true,
          isOwn: true,
          isJudged: true,
          onMoved: () => void own.sources++,
        },
        client,
      );
      judge.tell(`${nameOf(content)} ${JSON.stringify(outcome)} to ${registry}`);
      checkTimes(client, startedMs, sizeBytes - fromByte);
      const { owedBytes } = client;
      judge.check(
        outcome.how !== 'served' || owedBytes === 0,
        `a body was ended cleanly with ${owedBytes} bytes owing`,
      );
      judge.check(outcome.how !== 'broken-off' || client.isBrokenOff, 'a body was not broken off');
      if (outcome.how === 'broken-off') counts.brokenOff++;
      if (!client.begun) known.delete(digest);
      return client.begun ? 'body' : 'absent';
    });
  };

  return {
    ask: async (request) =>
      request.content.kind === 'manifest' ? askForManifest(request) : askForBlob(request),
    peerAsked(registry, host) {
      const own = running.get(registry);
      judge.check(own !== undefined, `a peer was asked for ${registry}, which has ended`);
      own?.hosts.set(host, (own.hosts.get(host) ?? 0) + 1);
    },
  };
}
