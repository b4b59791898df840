import { formatListenAddress, type ListenAddress } from '../../runtime/listen-address.ts';

/** Errors of a machine without IPv6. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);

/**
 * Listens at the address; without a host on IPv4 and IPv6, or on IPv4 alone where there is no IPv6. Rejects with an
 * Error that names the address, with the system's code and the cause.
 */
export async function listenAt<T>(
  address: ListenAddress,
  listenOn: (host: string) => Promise<T>,
): Promise<T> {
  const { host } = address;
  try {
    if (host !== undefined) return await listenOn(host);
    try {
      return await listenOn('::');
    } catch (error) {
      if (!NO_IPV6.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return await listenOn('0.0.0.0');
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const where = formatListenAddress(address);
    const why = code === 'EADDRINUSE' ? 'another process listens there' : (code ?? 'see the cause');
    throw Object.assign(new Error(`Cannot listen on ${where}: ${why}`, { cause }), { code });
  }
}
