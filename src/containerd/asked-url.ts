import { posix } from 'node:path';

/** Where containerd sends requests to a host of a hosts.toml. */
export interface AskedUrl {
  readonly scheme: string;
  readonly host: string;
  /** What comes before the path of the distribution API; `/v2` in general. */
  readonly path: string;
}

/** Thrown by parseAskedUrl; the message says what is wrong and quotes nothing, because the URL may have a password in it. */
export class InvalidAskedUrlError extends Error {
  override readonly name = 'InvalidAskedUrlError';
  readonly code = 'INVALID_ASKED_URL';
}

/**
 * Reads the name of a `[host]` table, or a `server`, as containerd does (parseHostConfig in core/remotes/docker/config, with
 * url.Parse of Go's net/url), or throws InvalidAskedUrlError: containerd takes no notice of the whole file then. What has no
 * scheme is HTTPS. `/v2` is added unless it is there or `override_path` is true.
 */
export function parseAskedUrl(text: string, overridePath: boolean): AskedUrl {
  const whole = text.startsWith('http') ? text : `https://${text}`;
  refuse(
    Array.from(whole).some((character) => character < ' ' || character === '\u{7f}'),
    'it has a control character',
  );
  const [beforeFragment = '', ...fragment] = whole.split('#');
  const [, name, ofScheme] = /^([a-z][a-z\d+.-]*):(.*)$/is.exec(beforeFragment) ?? [];
  const scheme = (name ?? '').toLowerCase();
  const [rest = ''] = (ofScheme ?? beforeFragment).split('?', 1);
  checkEscapes(fragment.join('#'));
  // Without `//` there is no host, and containerd asks nothing that exists.
  if (!rest.startsWith('//')) return { scheme, host: '', path: '' };
  const [, authority = '', written = ''] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? [];
  const at = authority.lastIndexOf('@');
  refuse(
    at !== -1 && !/^[\w.~!$&'()*+,;=:%@-]*$/.test(authority.slice(0, at)),
    'its user or password has a character that has to be escaped',
  );
  checkEscapes(authority.slice(0, Math.max(0, at)));
  const host = authority.slice(at + 1);
  checkHost(host);
  checkEscapes(written);
  if (written === '') return { scheme, host, path: overridePath ? '' : '/v2' };
  const path = posix.normalize(written).replace(/(.)\/+$/, '$1');
  return { scheme, host, path: overridePath || path.endsWith('/v2') ? path : `${path}/v2` };
}

/** True if two names of hosts lead to the same one, wherever containerd asks it: the API is below `/v2` or below the root. */
export function isSameHost(left: string, right: string): boolean {
  const place = placeOf(left);
  return place !== undefined && place === placeOf(right);
}

function placeOf(text: string): string | undefined {
  try {
    const { scheme, host, path } = parseAskedUrl(text, true);
    const withoutPort = host.toLowerCase().replace(scheme === 'https' ? /:443$/ : /:80$/, '');
    return `${scheme}://${withoutPort}${path.replace(/\/v2$/, '').replace(/^\/$/, '')}`;
  } catch (error) {
    if (!(error instanceof InvalidAskedUrlError)) throw error;
    return undefined;
  }
}

function checkHost(host: string): void {
  const isBracketed = host.startsWith('[');
  refuse(isBracketed ? !host.includes(']') : host.includes('['), 'a bracket of its address is missing');
  // Go takes it since 1.26 for no host, before that for one that nothing has.
  refuse(!isBracketed && host.split(':').length > 2, 'its address needs brackets');
  const port = isBracketed ? host.slice(host.lastIndexOf(']') + 1) : /:[^:]*$/.exec(host)?.[0];
  refuse(port !== undefined && !/^(?::\d*)?$/.test(port), 'its port is not a number');
  // Of ASCII nothing may be escaped there but the percent sign before a zone.
  const others = host.replaceAll(/[\w.~!$&'()*+,;=:[\]<>"-]|%25|%[89a-f][\da-f]/gi, '');
  refuse(
    Array.from(others).some((character) => character < '\u{80}'),
    'its host has a character that no host has',
  );
}

function checkEscapes(text: string): void {
  refuse(/%(?![\da-f]{2})/i.test(text), 'it has a percent sign without two digits after it');
}

function refuse(isWrong: boolean, what: string): void {
  if (isWrong) throw new InvalidAskedUrlError(what);
}
