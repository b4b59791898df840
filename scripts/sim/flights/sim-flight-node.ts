import { createFlights, type Flights } from '../../../src/flights/flights.ts';
import { createReportQueue } from '../../../src/flights/report-queue.ts';
import type { FlightHandler, FlightNetwork } from '../../../src/flights/flight-network.ts';
import { PeerRequestError, type ResponseHead } from '../../../src/http/transport.ts';
import type { Logger } from '../../../src/observe/log.ts';
import { parseRange } from '../../../src/oci/byte-range.ts';
import { manifestHeaders } from '../../../src/oci/content-headers.ts';
import { type Digest, isDigest } from '../../../src/oci/digest.ts';
import { parseManifest } from '../../../src/oci/manifest.ts';
import { FLIGHT_HEADER } from '../../../src/transfer/peer-requests.ts';
import { createTransfer } from '../../../src/transfer/transfer.ts';
import type { FlightOutcome } from '../../../src/transfer/transfer-observer.ts';
import type { VirtualTime } from '../virtual-time.ts';
import {
  CONTAINERD_HEAD_TIMEOUT_MS,
  type MirrorAnswer,
  type MirrorRequest,
  type SimContainerd,
} from './sim-containerd.ts';
import type { SimContent } from './sim-image.ts';
import {
  createOwnResponse,
  createSendingResponse,
  createSimTransport,
  headersOf,
  type SendRequest,
  type SimAnswer,
} from './sim-transport.ts';
import type { SimWire } from './sim-wire.ts';

/** What a mirror of the simulation needs. */
export interface SimMirrorDeps {
  readonly time: VirtualTime;
  readonly containerd: Pick<SimContainerd, 'store' | 'bytesAt'>;
  /** The cluster as this node sees it. */
  readonly network: Omit<FlightNetwork, 'serve'>;
  readonly isOn: boolean;
  readonly lookup: (digest: Digest) => Promise<readonly string[]>;
  readonly send: SendRequest;
  /** Starts the body of an answer to the host. */
  readonly startWire: (host: string, start: number, lengthBytes: number) => SimWire;
  readonly contentOf: (digest: Digest) => SimContent | undefined;
  readonly logger: Logger;
  readonly onOutcome: (outcome: FlightOutcome) => void;
  readonly onBroken: (digest: Digest, origin: string) => void;
  readonly onViolation: (text: string) => void;
}

/** The mirror's process on one node: production's flights and transfer, with the registry's handlers in short. */
export interface SimMirror {
  readonly handler: FlightHandler | undefined;
  readonly flights: Flights | undefined;
  /** Answers containerd. */
  answerOwn(request: MirrorRequest): Promise<MirrorAnswer>;
  /** Answers another node; the promise ends when the body has, `onHead` comes before. */
  answerPeer(request: SimPeerRequest): Promise<void>;
  /** The process ends. Its connections break, or stay where they are. */
  end(how: 'kill' | 'stop'): void;
  readonly isGone: boolean;
}

/** A request of another node. */
export interface SimPeerRequest {
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly onHead: (answer: SimAnswer) => void;
  /** The other node gives it up before its head was sent. */
  readonly gone: AbortSignal;
}

const REGISTRY = 'docker.io';
/** The default of --flights-max-hold. */
const MAX_HOLD_MS = 25_000;

/** Starts the process. */
export function createSimMirror(deps: SimMirrorDeps): SimMirror {
  const { time, containerd, network, contentOf, logger } = deps;
  let isGone = false;
  let handler: FlightHandler | undefined;
  const { clock } = time.ofProcess(() => isGone);
  const { store } = containerd;
  const wires = new Set<SimWire>();
  const incoming = new Set<SimWire>();
  const ownEnds = new Set<() => void>();
  const lifetime = new AbortController();
  const flights = deps.isOn
    ? createFlights({
        network: {
          ...network,
          ...createReportQueue({
            clock,
            send: (tower, report) => network.report(tower, report, true),
            isToldFirst: () => true,
          }),
          serve: (served) => void (handler = served),
        },
        store,
        adoptsDownloads: true,
        clock,
        logger,
      })
    : undefined;
  const transport = createSimTransport(async (request, limits) => {
    const answer = await deps.send(request, limits);
    if (isGone) return new Promise<SimAnswer>(() => {});
    if (answer.wire !== undefined) incoming.add(answer.wire);
    return answer;
  });
  const transfer = createTransfer(
    {
      flights,
      transport,
      clock,
      logger,
      // The same figures for the same seed; the lookup has its own order.
      random: () => 0,
      router: {
        async *lookup(key, { limit }) {
          const names = isDigest(key) ? await deps.lookup(key) : [];
          for (const name of names.slice(0, limit)) {
            const peer = network.peerOf(name);
            if (peer !== undefined && name !== network.self) yield peer;
          }
        },
        isUnsettled: () => false,
      },
      observer: {
        peerAsked: () => {},
        bytesMoved: () => {},
        lookupEnded: () => {},
        flightEnded: deps.onOutcome,
      },
    },
    { registryPort: 5000, resolveTimeoutMs: 20, resolveRetries: 3, flightsMaxHoldMs: MAX_HOLD_MS },
  );
  void flights?.run(lifetime.signal);

  const answerManifest = async (digest: Digest, isFlight: boolean, gone: AbortSignal): Promise<SimAnswer> => {
    const local = async () =>
      (await store.stat(digest)) === undefined ? undefined : contentOf(digest)?.bytes;
    let bytes = await local();
    if (bytes === undefined && isFlight) {
      const download = await transfer.awaitDownload(digest, gone);
      if (download === 'waiting') return flightAnswer(503, 'waiting');
      bytes = await local();
    }
    if (bytes === undefined) return { status: 404, headers: {} };
    const { mediaType } = parseManifest(bytes);
    return {
      status: 200,
      headers: manifestHeaders({ mediaType, digest, registry: REGISTRY, origin: 'local' }),
      bytes,
    };
  };

  const answerBlob = async (digest: Digest, request: SimPeerRequest): Promise<SimAnswer | undefined> => {
    const { host, headers, onHead, gone } = request;
    const range = parseRange(headers['range']);
    const client = createSendingResponse({
      clock,
      start(head: ResponseHead, firstByte) {
        const wire = deps.startWire(host, firstByte, head.contentLength);
        wires.add(wire);
        onHead({ status: head.status, headers: headersOf(head), wire, bytes: contentOf(digest)?.bytes });
        return wire;
      },
      onOffered(path, toByte) {
        if (containerd.bytesAt(path) < toByte) deps.onViolation(`${path} has no byte ${toByte}`);
      },
    });
    gone.addEventListener('abort', () => client.leave(), { once: true });
    let local = await store.stat(digest);
    if (local === undefined && headers[FLIGHT_HEADER] === '1') {
      const outcome = await transfer.serveDownload({ digest, registry: REGISTRY, range }, client);
      if (outcome === 'waiting' || outcome === 'queued') return flightAnswer(503, outcome);
      if (outcome === 'given-up') return flightAnswer(404, outcome);
      if (outcome === 'unsatisfiable') return { status: 416, headers: {} };
      if (outcome !== 'absent') return undefined;
      local = await store.stat(digest);
    }
    const outcome = await transfer.serveBlob(
      { digest, repository: '', registry: REGISTRY, range, local, mayAskPeers: false },
      client,
    );
    if (outcome.how === 'missing') return { status: 404, headers: {} };
    return outcome.how === 'unsatisfiable' ? { status: 416, headers: {} } : undefined;
  };

  const ownManifest = async ({
    image,
    content,
    onHead,
    onBytes,
    signal,
  }: MirrorRequest): Promise<MirrorAnswer> => {
    const { digest } = content;
    const { repository } = image;
    const fetched = await transfer.fetchManifest(
      { key: digest, repository, registry: REGISTRY, reference: digest, isOwn: true },
      { gone: signal },
    );
    if (!('bytes' in fetched)) return 'absent';
    transfer.learnSizes(parseManifest(fetched.bytes).references);
    onHead();
    onBytes(fetched.bytes.length);
    return 'bytes';
  };

  const ownBlob = async (
    { image, content, fromByte, onHead, onBytes, signal }: MirrorRequest,
    over: () => void,
  ): Promise<MirrorAnswer> => {
    const client = createOwnResponse({ clock, receiver: { onHead, onBytes, onOver: over } });
    signal.addEventListener('abort', () => client.leave(), { once: true });
    const outcome = await transfer.serveBlob(
      {
        digest: content.digest,
        repository: image.repository,
        registry: REGISTRY,
        range: fromByte > 0 ? { start: fromByte } : undefined,
        local: undefined,
        mayAskPeers: true,
        isOwn: true,
        onMoved(origin, end) {
          if (end.how === 'source-broken') deps.onBroken(content.digest, origin);
        },
      },
      client,
    );
    return outcome.how === 'missing' || outcome.how === 'unsatisfiable' ? 'absent' : 'bytes';
  };

  return {
    get handler() {
      return handler;
    },
    flights,
    get isGone() {
      return isGone;
    },
    answerOwn(request) {
      if (isGone) return Promise.resolve('refused');
      return new Promise((resolve, reject) => {
        let hasHead = false;
        // The process is gone in mid-request, or containerd does not wait any longer.
        const end = () => {
          left.abort();
          ownEnds.delete(end);
          resolve(hasHead ? 'bytes' : 'refused');
        };
        const left = new AbortController();
        const cancelHeadTimer = time.after(CONTAINERD_HEAD_TIMEOUT_MS, () => {
          if (hasHead) return;
          deps.onViolation('containerd has waited for a head for too long');
          end();
        });
        ownEnds.add(end);
        request.signal.addEventListener('abort', end, { once: true });
        const own: MirrorRequest = {
          ...request,
          signal: left.signal,
          onHead() {
            hasHead = true;
            cancelHeadTimer();
            request.onHead();
          },
          onBytes(toByte) {
            if (!left.signal.aborted) request.onBytes(toByte);
          },
        };
        const answer = request.content.kind === 'manifest' ? ownManifest(own) : ownBlob(own, end);
        answer.then((how) => {
          cancelHeadTimer();
          ownEnds.delete(end);
          request.signal.removeEventListener('abort', end);
          resolve(how);
        }, reject);
      });
    },
    async answerPeer(request) {
      const { path, headers, onHead, gone } = request;
      if (path === '/v2/') {
        // A probe.
        onHead({ status: 200, headers: {} });
        return;
      }
      const [, kind = '', reference = ''] = /^\/v2\/.*\/(manifest|blob)s\/([^?]*)/.exec(path) ?? [];
      if (!isDigest(reference)) throw new TypeError(`What is ${path}?`);
      const answer =
        kind === 'manifest'
          ? await answerManifest(reference, headers[FLIGHT_HEADER] === '1', gone)
          : await answerBlob(reference, request);
      if (answer !== undefined && !isGone) onHead(answer);
    },
    end(how) {
      isGone = true;
      for (const wire of wires) {
        if (how === 'kill') wire.end('lost');
        else wire.hold(true);
      }
      if (how === 'stop') {
        for (const wire of incoming) wire.hold(true);
        return;
      }
      lifetime.abort();
      for (const wire of incoming) wire.close();
      for (const end of ownEnds) end();
    },
  };
}

const flightAnswer = (status: number, how: string): SimAnswer => ({
  status,
  headers: { [FLIGHT_HEADER]: how },
});

/** What a request to a node that is not there ends with. */
export function requestError(code: PeerRequestError['code']): PeerRequestError {
  return new PeerRequestError(code, 'The simulated node does not answer');
}
