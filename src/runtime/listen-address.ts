import { isIpv4, isIpv6 } from './ip-address.ts';

/** Where to listen. */
export interface ListenAddress {
  /** An IP address, IPv6 without brackets; undefined is every address of both families. */
  readonly host: string | undefined;
  /** 0 takes a free port. */
  readonly port: number;
}

/** Parses `:5000`, `1.2.3.4:5000` or `[::1]:5000`; throws a TypeError that quotes anything else. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const [, bracketed, plain = '', digits = ''] = match ?? [];
  const port = Number(digits);
  const valid =
    match !== null &&
    port <= 65_535 &&
    (bracketed === undefined ? plain === '' || isIpv4(plain) : isIpv6(bracketed));
  if (!valid) {
    throw new TypeError(
      `Cannot parse listen address ${JSON.stringify(text.slice(0, 100))}: use ":5000", "192.0.2.1:5000" or "[2001:db8::1]:5000"`,
    );
  }
  return { host: bracketed ?? (plain === '' ? undefined : plain), port };
}

/** The address as parseListenAddress reads it. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${host?.includes(':') === true ? `[${host}]` : (host ?? '')}:${port}`;
}
