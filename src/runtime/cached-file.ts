import { FFIType, ptr, read as readMemory } from 'bun:ffi';
import { closeSync, fstatSync, lstatSync, readSync, type Stats, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type FileState, fileState } from './file-stamp.ts';
import { openLibc } from './libc.ts';
import { lruSet } from './lru-set.ts';

/*
 * Reads of files that the kernel has in memory, which the calling thread can do at once: each trip to a thread of the pool and
 * back costs ten times what such a read costs. What is not in memory is not waited for (openat2(2) with RESOLVE_CACHED,
 * preadv2(2) with RWF_NOWAIT): the disk may be slow, or hang.
 */

const SYMBOLS = {
  syscall: { args: ['i64', 'i64', 'ptr', 'ptr', 'i64'], returns: FFIType.i64_fast },
  preadv2: { args: ['i32', 'ptr', 'i32', 'i64', 'i32'], returns: FFIType.i64_fast },
  __errno_location: { args: [], returns: 'ptr' },
} as const;

/** Linux, asm-generic/unistd.h: the same on x86-64 and arm64. */
const SYS_OPENAT2 = 437;
const AT_FDCWD = -100;
const O_CLOEXEC = 0x8_0000;
const O_NONBLOCK = 0x800;
/** The value of O_NOFOLLOW differs between processors. */
const O_NOFOLLOW = process.arch === 'arm64' ? 0x8000 : 0x2_0000;
const RESOLVE_CACHED = 0x20;
const RWF_NOWAIT = 8;
/** An older kernel, or a filter that does not let the call through. */
const NEVER = new Set([1 /* EPERM */, 22 /* EINVAL */, 38 /* ENOSYS */]);
/** Linux, linux/magic.h: a file system that has everything in memory, and knows no RWF_NOWAIT. */
const TMPFS_MAGIC = 0x0102_1994;

type Libc = NonNullable<ReturnType<typeof openLibc<typeof SYMBOLS>>>;

/** The C library, or that it cannot do this, or that it was not looked for. */
let libc: Libc | 'unavailable' | undefined;
let errnoAt: ReturnType<Libc['__errno_location']> = null;
/** struct open_how: flags, mode, resolve. */
const HOW = new BigUint64Array([BigInt(O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), 0n, BigInt(RESOLVE_CACHED)]);
/** struct iovec: where to, and how much. */
const iovec = new BigUint64Array(2);

const ENOENT = 2;
const EAGAIN = 11;
/** Folders of blobs: one for each algorithm. */
const MAX_FOLDERS = 8;
const isTmpfsFolder = new Map<string, boolean>();
/** Folders that are not there, and whether they would be in a tmpfs as things are: something else may be mounted there later. */
const wouldBeInTmpfs = new Map<string, boolean>();
/** Of the last file that could not be opened. */
let lastErrno = 0;

/** An open file that is in the kernel's memory, to be read at once. */
export interface CachedFile extends FileState, Disposable {
  /** Fills the memory from an offset of the file on; false if not all of that is in the kernel's memory. */
  readInto(bytes: Uint8Array<ArrayBuffer>, offset: number): boolean;
}

/**
 * Opens a regular file without waiting for the disk; undefined if that cannot be done, for whatever reason: what is wrong with
 * it is told where it is opened the slow way. A symbolic link is not followed.
 */
export function openCachedFile(path: string): CachedFile | undefined {
  const calls = libcOrUndefined();
  // A NUL would end the path.
  if (calls === undefined || path.includes('\0')) return undefined;
  const opened = Number(calls.syscall(SYS_OPENAT2, AT_FDCWD, Buffer.from(`${path}\0`), HOW, HOW.byteLength));
  if (opened < 0) {
    lastErrno = errnoAt === null ? 0 : readMemory.i32(errnoAt, 0);
    if (NEVER.has(lastErrno)) libc = 'unavailable';
    return undefined;
  }
  lastErrno = 0;
  const state = fileState(statsOrUndefined(opened));
  if (state === undefined) {
    closeSync(opened);
    return undefined;
  }
  return {
    ...state,
    readInto(bytes, offset) {
      // Empty memory has no address.
      if (bytes.length === 0) return true;
      if (isInTmpfs(dirname(path))) return readAll(opened, bytes, offset);
      iovec[0] = BigInt(ptr(bytes));
      iovec[1] = BigInt(bytes.length);
      return Number(calls.preadv2(opened, iovec, 1, offset, RWF_NOWAIT)) === bytes.length;
    },
    [Symbol.dispose]: () => closeSync(opened),
  };
}

/** The state of a regular file, and its bytes if they were wanted and are in memory. */
export interface CachedFileState extends FileState {
  readonly bytes?: Uint8Array | undefined;
}

/**
 * The state of a regular file, without waiting for the disk; undefined if that cannot be told, as for what is no such file. Of a
 * file of at most `bytesUpTo` bytes with its bytes.
 */
export function cachedFileState(path: string, bytesUpTo = 0): CachedFileState | 'absent' | undefined {
  const folder = dirname(path);
  // Such a look is in memory there, and costs less than a file that cannot be opened.
  if (isTmpfsFolder.get(folder) === true && statOrUndefined(path) === undefined) return 'absent';
  if (wouldBeInTmpfs.get(folder) === true) {
    if (statOrUndefined(folder) === undefined) return 'absent';
    wouldBeInTmpfs.delete(folder);
  }
  using file = openCachedFile(path);
  if (file === undefined) return isKnownAbsent(path) ? 'absent' : undefined;
  const { sizeBytes, stamp } = file;
  if (bytesUpTo === 0 || sizeBytes > bytesUpTo) return { sizeBytes, stamp };
  const bytes = new Uint8Array(sizeBytes);
  return { sizeBytes, stamp, bytes: file.readInto(bytes, 0) ? bytes : undefined };
}

/** After a file could not be opened: whether the kernel knows that there is none. */
function isKnownAbsent(path: string): boolean {
  if (libc === undefined || libc === 'unavailable' || path.includes('\0')) return false;
  if (lastErrno === ENOENT) return true;
  if (lastErrno !== EAGAIN) return false;
  const folder = dirname(path);
  // A containerd that has never had a blob has no folder for blobs either.
  if (!isTmpfsFolder.has(folder) && statOrUndefined(folder) === undefined) {
    if (!wouldBeInTmpfs.has(folder)) lruSet(wouldBeInTmpfs, folder, isBelowTmpfs(folder), MAX_FOLDERS);
    return true;
  }
  // A tmpfs does not keep in mind what is not there: it looks, in memory.
  return isInTmpfs(folder) === true && statOrUndefined(path) === undefined;
}

/** Undefined if there is no such folder, or if that cannot be told. */
function isInTmpfs(folder: string): boolean | undefined {
  const known = isTmpfsFolder.get(folder);
  if (known !== undefined) return known;
  const found = isOnTmpfs(folder);
  // What is not there yet may come.
  if (found !== undefined) lruSet(isTmpfsFolder, folder, found, MAX_FOLDERS);
  return found;
}

/** Whether the first of the folders above that is there is in a tmpfs. */
function isBelowTmpfs(folder: string): boolean {
  const above = dirname(folder);
  return isOnTmpfs(above) ?? (above !== folder && isBelowTmpfs(above));
}

/** Undefined if there is no such file. */
function statOrUndefined(path: string): unknown {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return error;
  }
}

function statsOrUndefined(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor);
  } catch {
    return undefined;
  }
}

function readAll(descriptor: number, bytes: Uint8Array, offset: number): boolean {
  try {
    return readSync(descriptor, bytes, 0, bytes.length, offset) === bytes.length;
  } catch {
    return false;
  }
}

/** Undefined if there is nothing at the path. */
function isOnTmpfs(path: string): boolean | undefined {
  try {
    return statfsSync(path).type === TMPFS_MAGIC;
  } catch {
    return undefined;
  }
}

function libcOrUndefined(): Libc | undefined {
  libc ??= openLibc(SYMBOLS) ?? 'unavailable';
  if (libc === 'unavailable') return undefined;
  errnoAt ??= libc.__errno_location();
  return libc;
}
