import { isIpv4, parseIp } from '../runtime/ip-address.ts';

/**
 * The proxy that a Go program with this environment asks for a URL, undefined if it asks the server itself
 * (ProxyFromEnvironment in net/http): this machine is never asked through one.
 */
export function usesProxy(url: string, environment: ReadonlyMap<string, string>): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  const isTls = protocol === 'https:';
  const proxy = read(environment, isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (proxy === '' || isLoopback(host)) return undefined;
  const number = port || (isTls ? '443' : '80');
  const exceptions = read(environment, 'NO_PROXY').toLowerCase().split(',');
  return exceptions.some((entry) => excepts(entry.trim(), host, number)) ? undefined : proxy;
}

/** True for this machine, by name or address; IPv6 without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIpv4(host) && host.startsWith('127.'));
}

function read(environment: ReadonlyMap<string, string>, name: string): string {
  return environment.get(name) || environment.get(name.toLowerCase()) || '';
}

/** One entry of NO_PROXY: `*`, a network, an address or a name with all below it; these with a port or for every one. */
function excepts(entry: string, host: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  const [, network, prefix] = /^([\da-f.:]+)\/(\d+)$/.exec(entry) ?? [];
  if (network !== undefined) return isIn(host, network, Number(prefix));
  if (parseIp(entry) !== undefined) return isSame(entry, host);
  const [, bracketed, plain, own] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  if (own !== undefined && own !== port) return false;
  const name = (bracketed ?? plain ?? entry).replace(/^\*(?=\.)/, '');
  if (parseIp(name) !== undefined) return isSame(name, host);
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || host.endsWith(`.${name}`);
}

function isSame(left: string, right: string): boolean {
  const [one, other] = [parseIp(left), parseIp(right)];
  return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0;
}

function isIn(host: string, network: string, prefix: number): boolean {
  const [address, base] = [parseIp(host), parseIp(network)];
  if (address === undefined || base === undefined || address.length !== base.length) return false;
  if (prefix > base.length * 8) return false;
  return base.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefix - index * 8));
    const mask = (0xff << (8 - bits)) & 0xff;
    return ((address[index] ?? 0) & mask) === (byte & mask);
  });
}
