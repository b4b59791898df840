import { networkInterfaces } from 'node:os';

/** Addresses of this machine, or of the pod that this process is in, and those that were given. IPv6 without brackets. */
export function nodeAddresses(...given: ReadonlyArray<string | undefined>): readonly string[] {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [...given.filter((address) => address !== undefined), ...own.map(({ address }) => address)];
}
