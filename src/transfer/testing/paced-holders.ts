import type { MoveEnd } from '../../http/transport.ts';
import { rangeLength } from '../../oci/byte-range.ts';
import type { VirtualClock } from '../../runtime/testing/virtual-clock.ts';
import type { BlobSources, Holder, HolderPart, OpenedBlob } from '../blob-sources-contract.ts';
import type { MoveOpened } from '../move-piece.ts';

/** How a holder gives its parts. */
export interface PacedHolder {
  /** Bytes per ms, of all parts that it gives at a time. */
  readonly bytesPerMs: number;
  /** From then on it gives nothing, and what was asked for breaks when this is told of it. */
  readonly failsAtMs?: number;
  /** From then on it gives nothing, and says nothing. */
  readonly hangsAtMs?: number;
}

/** A part that a holder gives. */
interface Given {
  readonly holder: number;
  readonly start: number;
  readonly sizeBytes: number;
  arrivedBytes: number;
  isClosed: boolean;
}

/**
 * Holders h1, h2, … whose parts come at their own pace into a buffer for each part, on a virtual clock, and a client that takes
 * what comes in order. `linkBytesPerMs`: what all of them together can give.
 */
export function createPacedHolders(
  clock: VirtualClock,
  holders: readonly PacedHolder[],
  { clientBytesPerMs = 1e9, linkBytesPerMs = 1e9 } = {},
) {
  const given: Given[] = [];
  /** Bytes of each holder that went to the client. */
  const takenBytes = holders.map(() => 0);
  const ends: MoveEnd[] = [];
  let nextByte = 0;
  let found = 0;
  let mostOpen = 0;
  const isDead = ({ failsAtMs = Infinity }: PacedHolder) => clock.nowMs() >= failsAtMs;

  /** A millisecond passes: what each holder gives goes to its oldest part first. */
  const tick = () => {
    const isComing = (part: Given, n: number) =>
      part.holder === n && !part.isClosed && part.arrivedBytes < part.sizeBytes;
    const giving = holders.flatMap((holder, n) => {
      const isSilent = isDead(holder) || clock.nowMs() >= (holder.hangsAtMs ?? Infinity);
      const parts = isSilent ? [] : given.filter((part) => isComing(part, n));
      return parts.length === 0 ? [] : { holder, parts };
    });
    for (const { holder, parts } of giving) {
      let left = Math.min(holder.bytesPerMs, Math.floor(linkBytesPerMs / giving.length));
      for (const part of parts) {
        const bytes = Math.min(left, part.sizeBytes - part.arrivedBytes);
        part.arrivedBytes += bytes;
        left -= bytes;
      }
    }
  };
  const holderAt = (n: number): Holder => ({
    peer: { id: `h${n + 1}`, addresses: [] },
    host: `10.0.0.${n + 1}`,
  });
  const open = (host: string, { range, sizeBytes }: HolderPart): OpenedBlob => {
    const part: Given = {
      holder: Number(host.split('.').at(-1)) - 1,
      start: range.start,
      sizeBytes: rangeLength(range),
      arrivedBytes: 0,
      isClosed: false,
    };
    given.push(part);
    mostOpen = Math.max(mostOpen, given.filter(({ isClosed }) => !isClosed).length);
    const source = Object.assign(part, { close: () => void (part.isClosed = true) });
    const { peer } = holderAt(part.holder);
    return { source, range, sizeBytes, origin: host, peer, stallTimeoutMs: 1000, pace: undefined };
  };

  const blobs: Pick<BlobSources, 'findHolder' | 'holderOf' | 'openAt' | 'moved'> = {
    holderOf: ({ peer, origin }) => peer && { peer, host: origin },
    async findHolder() {
      await clock.sleep(1);
      found++;
      return found < holders.length ? holderAt(found) : undefined;
    },
    async openAt({ host }, part) {
      await clock.sleep(1);
      const holder = holders[Number(host.split('.').at(-1)) - 1];
      return holder === undefined || isDead(holder) ? undefined : open(host, part);
    },
    moved: (_opened, end) => void ends.push(end),
  };

  /** The client: takes what has come of one part, and asks its judge. */
  const move: MoveOpened = async ({ source }, { pace, signal }) => {
    const part = source as unknown as Given;
    if (part.start !== nextByte) throw new Error(`Byte ${part.start} follows byte ${nextByte}`);
    let [movedBytes, waitedMs, silentMs, judgedMs] = [0, 0, 0, clock.nowMs()];
    const end = (ended: MoveEnd) => {
      source.close();
      return ended;
    };
    for (;;) {
      const bytes = Math.min(clientBytesPerMs, part.arrivedBytes - movedBytes);
      movedBytes += bytes;
      nextByte += bytes;
      takenBytes[part.holder] = (takenBytes[part.holder] ?? 0) + bytes;
      if (movedBytes === part.sizeBytes) return end({ how: 'complete', movedBytes });
      if (signal?.aborted === true) return end({ how: 'cancelled', movedBytes });
      const holder = holders[part.holder];
      if (holder !== undefined && isDead(holder)) {
        return end({ how: 'source-broken', movedBytes, reason: 'connection-lost' });
      }
      if (bytes < clientBytesPerMs) waitedMs++;
      silentMs = bytes === 0 ? silentMs + 1 : 0;
      if (silentMs >= 1000) return end({ how: 'source-broken', movedBytes, reason: 'stalled' });
      if (pace !== undefined && clock.nowMs() - judgedMs >= pace.everyMs) {
        judgedMs = clock.nowMs();
        const reason = pace.judge({ movedBytes, waitedMs });
        if (reason !== undefined) return end({ how: 'source-broken', movedBytes, reason });
      }
      await clock.sleep(1);
    }
  };

  return {
    blobs,
    move,
    takenBytes,
    ends,
    /** The body from the first holder. */
    first: (sizeBytes: number) => open('10.0.0.1', { range: { start: 0, end: sizeBytes - 1 }, sizeBytes }),
    nextByte: () => nextByte,
    mostOpen: () => mostOpen,
    openParts: () => given.filter(({ isClosed }) => !isClosed).length,
    /** Lets time pass until the work is done. */
    async during<T>(work: Promise<T>, forMs = 60_000): Promise<T> {
      const over = new AbortController();
      const done = work.finally(() => over.abort());
      const endMs = clock.nowMs() + forMs;
      const passing = async () => {
        while (!over.signal.aborted && clock.nowMs() < endMs) {
          tick();
          await clock.advance(1);
        }
        if (!over.signal.aborted) throw new Error(`Not done within ${forMs} ms`);
      };
      const [result] = await Promise.all([done, passing()]);
      return result;
    },
  };
}
