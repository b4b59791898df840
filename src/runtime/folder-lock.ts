import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, systemClock } from './clock.ts';
import { openLibc } from './libc.ts';

/*
 * flock(2) on the folder itself: the kernel gives it back when the process ends in whatever way, it leaves no file
 * behind, and it is the same lock in every mount namespace that has the folder. Bun has no call for it.
 */

const SYMBOLS = { flock: { args: ['i32', 'i32'], returns: 'i32' } } as const;
type Libc = NonNullable<ReturnType<typeof openLibc<typeof SYMBOLS>>>;

/** Linux, asm-generic/fcntl.h. */
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const RETRY_MS = 20;
/** A run takes far less, on slow disks too; what holds it longer hangs. */
const WAIT_MS = 60_000;

let libc: Libc | 'unavailable' | undefined;

/** Thrown by lockFolder when another process keeps the lock. */
export class FolderLockedError extends Error {
  override readonly name = 'FolderLockedError';
  readonly code = 'FOLDER_LOCKED';
}

/**
 * Waits until no other process holds the lock of the folder, and holds it until disposal. A folder that is not there, or
 * cannot be opened, has no lock: what is done with it says why. Throws FolderLockedError after a minute.
 */
export async function lockFolder(
  path: string,
  { clock = systemClock, waitMs = WAIT_MS }: { readonly clock?: Clock; readonly waitMs?: number } = {},
): Promise<AsyncDisposable> {
  const giveUpAtMs = clock.nowMs() + waitMs;
  for (;;) {
    const handle = await openFolder(path);
    if (handle === undefined) return { [Symbol.asyncDispose]: async () => {} };
    let isLocked = false;
    try {
      while (!tryLock(handle.fd)) {
        if (clock.nowMs() >= giveUpAtMs) {
          throw new FolderLockedError(
            `Another process has locked ${path} for ${Math.round(waitMs / 1000)} s: a run of configure or cleanup that hangs. End it (lslocks shows its PID), then run this again`,
          );
        }
        await clock.sleep(RETRY_MS);
      }
      // Meanwhile another folder may be in its place.
      isLocked = await isStill(path, handle);
    } finally {
      if (!isLocked) await handle.close();
    }
    if (isLocked) return { [Symbol.asyncDispose]: async () => handle.close() };
  }
}

async function openFolder(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
}

async function isStill(path: string, handle: FileHandle): Promise<boolean> {
  const now = await openFolder(path);
  if (now === undefined) return false;
  try {
    const [left, right] = await Promise.all([handle.stat(), now.stat()]);
    return left.ino === right.ino && left.dev === right.dev;
  } finally {
    await now.close();
  }
}

/** True also where the file system has no locks or the C library cannot be called. */
function tryLock(fd: number): boolean {
  libc ??= openLibc(SYMBOLS) ?? 'unavailable';
  if (libc === 'unavailable') return true;
  // Giving back what is not held succeeds wherever there are locks.
  return libc.flock(fd, LOCK_EX | LOCK_NB) === 0 || libc.flock(fd, LOCK_UN) !== 0;
}
