import type { Server } from 'node:net';
import { formatListenAddress, type ListenAddress } from '../runtime/listen-address.ts';

/** Errors of a machine without IPv6. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);

/** Listens at the address; without a host on IPv4 and IPv6, or on IPv4 alone where there is no IPv6. */
export async function listen(server: Server, address: ListenAddress): Promise<void> {
  const { host, port } = address;
  try {
    if (host !== undefined) {
      await listenOn(server, host, port);
      return;
    }
    try {
      await listenOn(server, '::', port);
    } catch (error) {
      if (!NO_IPV6.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await listenOn(server, '0.0.0.0', port);
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const where = formatListenAddress(address);
    const why = code === 'EADDRINUSE' ? 'another process listens there' : (code ?? 'see the cause');
    throw Object.assign(new Error(`Cannot listen on ${where}: ${why}`, { cause }), { code });
  }
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: false, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
