import type { BodySource } from '../../../src/http/transport.ts';
import type { TransferContent } from './sim-contents.ts';
import type { TransferJudge } from './transfer-play.ts';

/** How a body ends. `stall`: it does not, but nothing comes any more. */
export type BodyEnd = 'complete' | 'fin' | 'lost' | 'stall';

/** A body on its way from a peer. */
export interface SimBody {
  readonly host: string;
  readonly content: TransferContent;
  /** The place of its first byte in the content. */
  readonly start: number;
  /** What Content-Length said. */
  readonly saidBytes: number;
  /** So many bytes come. */
  readonly comingBytes: number;
  readonly end: BodyEnd;
  readonly bytesPerMs: number;
  readonly startedMs: number;
  /** The bytes are not those of the content. */
  readonly isWrong: boolean;
  /** The content's size, as the peer said it. */
  readonly saidSizeBytes: number;
  /** What is read into memory. */
  readonly bytes: Uint8Array;
}

/** A source that only this simulation understands. */
export type SimSource = BodySource &
  (
    | { readonly kind: 'body'; readonly body: SimBody }
    | { readonly kind: 'memory'; readonly bytes: Uint8Array }
  );

/** Sources that were opened and not closed. */
export interface OpenSources {
  ofBody(body: SimBody): SimSource;
  ofMemory(bytes: Uint8Array): SimSource;
  /** Takes the source for a move or a read, which close it. Throws if it was closed or taken before. */
  take(source: BodySource): SimSource;
  readonly count: number;
}

/** Makes the count of a transport that has opened nothing. */
export function createOpenSources(judge: Pick<TransferJudge, 'check'>): OpenSources {
  const open = new Set<SimSource>();
  const taken = new WeakSet<SimSource>();
  const opened = (make: (close: () => void) => SimSource): SimSource => {
    const source = make(() => void open.delete(source));
    open.add(source);
    return source;
  };
  return {
    ofBody: (body) => opened((close) => ({ kind: 'body', body, sizeBytes: body.saidBytes, close })),
    ofMemory: (bytes) => opened((close) => ({ kind: 'memory', bytes, sizeBytes: bytes.length, close })),
    take(given) {
      const source = given as SimSource;
      judge.check(open.has(source) && !taken.has(source), 'a source was used after it was closed, or twice');
      taken.add(source);
      return source;
    },
    get count() {
      return open.size;
    },
  };
}

/** How many bytes of the body are there. */
export function arrivedBytes({ comingBytes, bytesPerMs, startedMs }: SimBody, nowMs: number): number {
  return Math.min(comingBytes, Math.floor((nowMs - startedMs) * bytesPerMs));
}

/** In how many ms the last of its bytes comes. */
export function msUntilEnd({ comingBytes, bytesPerMs, startedMs }: SimBody, nowMs: number): number {
  return Math.max(0, startedMs + comingBytes / bytesPerMs - nowMs);
}
