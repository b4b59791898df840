import { dlopen, type FFIFunction, type Library } from 'bun:ffi';

/** The C library by its names: glibc, then musl. */
const LIBC_NAMES = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`];

/** Functions of the C library, for calls that Bun does not have; undefined where it cannot be called. Opens it each time. */
export function openLibc<const S extends Record<string, FFIFunction>>(
  symbols: S,
): Library<S>['symbols'] | undefined {
  if (process.platform !== 'linux') return undefined;
  for (const name of LIBC_NAMES) {
    try {
      return dlopen(name, symbols).symbols;
    } catch {
      // The next name.
    }
  }
  return undefined;
}
