import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import type { Clock } from '../runtime/clock.ts';
import { createFairShares, type FairShares } from '../runtime/fair-shares.ts';
import type { MemoryPlan } from '../runtime/memory/memory-plan.ts';
import type { MemoryRoom } from '../runtime/memory/memory-room.ts';

const KIB = 1024;
const SECOND_MS = 1000;

/** What a request that is being answered holds besides its body, in bytes: its objects, its head, what it waits for. */
export const REQUEST_BYTES = 12 * KIB;
/** What a body from this node's disk holds, in bytes: the kernel's buffer for its client. Chunks are counted by their pool. */
export const FILE_BODY_BYTES = 96 * KIB;
/** What a body from a peer holds, in bytes: the kernel's buffers on both sides, and a chunk between them. */
export const PEER_BODY_BYTES = 224 * KIB;
/** A body or a manifest up to this size is answered without waiting for a share: it is gone when it was sent. */
export const SHORT_BODY_BYTES = 64 * KIB;
/** An answer up to this size may wait for its client as a copy of its own. Of larger ones, what the client has not taken is not copied. */
export const COPIED_ANSWER_BYTES = 8 * KIB;
/** The part of each share that only this node itself and other nodes may take. */
const RESERVED = 0.2;
/** The part of each share that only this node itself may take: its containerd comes before other nodes. */
const RESERVED_FOR_SELF = 0.1;
/** How long a request waits for its share: longer, and upstream is the better way. */
const WAIT_MS = 4 * SECOND_MS;
/**
 * A client that has taken no byte for this long gives way to clients that wait. The kernel says that there is room once a
 * third of its buffer is free: a client that reads 30 KB/s seems to take nothing for 3 s.
 */
const STALL_MS = 3 * SECOND_MS;
/** The part of the bodies' memory that is for the chunks of files. */
const FILE_CHUNKS_PART = 0.22;

/** What requests share, see docs/SECURITY.md. Weights are bytes. */
export interface RegistryShares {
  /** Requests below /v2/ that are being answered. */
  readonly requests: FairShares;
  /** Bodies that move. */
  readonly bodies: FairShares;
  /** Manifests above SHORT_BODY_BYTES that are read or sent. */
  readonly manifests: FairShares;
}

/** The parts of a memory plan that the registry's requests may hold, less of them while there is little room. */
export function createRegistryShares(clock: Clock, plan: MemoryPlan, room?: MemoryRoom): RegistryShares {
  const create = (total: number) =>
    createFairShares({
      clock,
      total,
      reserved: Math.floor(RESERVED * total),
      reservedForFirst: Math.floor(RESERVED_FOR_SELF * total),
      waitMs: WAIT_MS,
      maxWaiting: Math.max(64, Math.floor(plan.clientsBytes / REQUEST_BYTES / 2)),
      stallMs: STALL_MS,
      room,
    });
  return {
    requests: create(plan.clientsBytes),
    bodies: create(plan.bodiesBytes - fileChunkBytes(plan)),
    manifests: create(plan.manifestsBytes - manifestCacheBytes(plan)),
  };
}

/** The part of a memory plan that is for the chunks of files, in bytes. */
export function fileChunkBytes(plan: MemoryPlan): number {
  return Math.floor(FILE_CHUNKS_PART * plan.bodiesBytes);
}

/** The part of a memory plan that is for manifests that are kept, in bytes: half of what a manifest of the largest size leaves. */
export function manifestCacheBytes(plan: MemoryPlan): number {
  return Math.floor(Math.max(0, plan.manifestsBytes - MAX_MANIFEST_BYTES) / 2);
}
