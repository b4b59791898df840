import { isDomainName } from '../runtime/domain-name.ts';

/** A registry or a mirror by its URL, which has nothing but these two parts. */
export interface RegistryUrl {
  readonly scheme: 'http' | 'https';
  /** As it was written, with the port if there is one, IPv6 in brackets: containerd looks folders up by this text. */
  readonly host: string;
}

/** Thrown by parseRegistryUrl; the message quotes the URL and says what is wrong. */
export class InvalidRegistryUrlError extends Error {
  override readonly name = 'InvalidRegistryUrlError';
  readonly code = 'INVALID_REGISTRY_URL';
}

const MAX_PORT = 65_535;

/**
 * Parses `https://registry.lab:5000` or throws InvalidRegistryUrlError. The URL has no path, query or user.
 * IPv6 may stand without brackets (`http://fd00::1:30020`, as Helm charts write it from a node's IP):
 * what follows the last colon is then the port. A host name may have what a URL's may, also what no image name takes: an
 * underscore (as names of Docker Compose have), a dot at its end.
 */
export function parseRegistryUrl(text: string): RegistryUrl {
  const fail = (what: string) =>
    new InvalidRegistryUrlError(`Cannot parse registry URL ${JSON.stringify(text.slice(0, 300))}: ${what}`);
  const match = /^(https?):\/\/([^/?#]*)(.*)$/is.exec(text);
  if (match === null) throw fail('it does not start with http:// or https://');
  const [, scheme = '', authority = '', rest = ''] = match;
  if (rest !== '' && rest !== '/') throw fail('it has more than a host and a port');
  if (authority.includes('@')) throw fail('it has a user or password; give those as basic auth');
  const host = bracketIpv6(authority);
  const port = /:(\d+)$/.exec(host)?.[1];
  if (!isHost(host) || !URL.canParse(`http://${host}`)) throw fail('its host is invalid');
  if (port !== undefined && (Number(port) > MAX_PORT || Number(port) === 0)) {
    throw fail('its port is invalid');
  }
  return { scheme: scheme.toLowerCase() as RegistryUrl['scheme'], host };
}

/** Writes a URL the way parseRegistryUrl reads it. */
export function formatRegistryUrl({ scheme, host }: RegistryUrl): string {
  return `${scheme}://${host}`;
}

/** True for a host name, an IPv4 address or a bracketed IPv6 address, with an optional port. */
function isHost(text: string): boolean {
  const name = text.replace(/:\d{1,5}$/, '');
  return /^\[[\da-f:.]+\]$/i.test(name) || isDomainName(name);
}

function bracketIpv6(authority: string): string {
  if (authority.startsWith('[') || authority.indexOf(':') === authority.lastIndexOf(':')) return authority;
  const colon = authority.lastIndexOf(':');
  const address = authority.slice(0, colon);
  if (URL.canParse(`http://[${address}]`)) return `[${address}]${authority.slice(colon)}`;
  return `[${authority}]`;
}
