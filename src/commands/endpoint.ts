/** A server to ask. */
export interface Endpoint {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const MAX_PORT = 65_535;

/** Parses `127.0.0.1:9090`, `[::1]:9090`, `name:9090`, or `:9090` for this machine; throws a TypeError that quotes anything else. */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port === 0 || port > MAX_PORT) {
    throw new TypeError(`${JSON.stringify(text)} is no address of the form 127.0.0.1:9090 or [::1]:9090`);
  }
  return { host: (match[1] ?? match[2]) || '127.0.0.1', port };
}
