/** Where a listener listens, or where a client finds it. */
export interface ListenAddress {
  /** Name or IP without brackets; undefined: every address of both families. */
  readonly host: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Thrown by parseListenAddress; the message quotes the text and shows the forms. */
export class InvalidAddressError extends Error {
  override readonly name = 'InvalidAddressError';
  readonly code = 'INVALID_ADDRESS';
}

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([\w.-]+))?:(\d{1,5})$/;
const MAX_PORT = 65_535;

/** Parses `:5000`, `1.2.3.4:5000`, `name:5000` or `[::1]:5000`, or throws InvalidAddressError. */
export function parseListenAddress(text: string): ListenAddress {
  const match = ADDRESS.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > MAX_PORT) {
    throw new InvalidAddressError(
      `Cannot parse address ${JSON.stringify(text)}: write :5000, 1.2.3.4:5000 or [::1]:5000`,
    );
  }
  return { host: match[1] ?? match[2], port };
}

/** Writes an address the way parseListenAddress reads it. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  if (host === undefined) return `:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
