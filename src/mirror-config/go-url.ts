/** What containerd uses of a URL. */
export interface GoUrl {
  /** Empty for a text without one. */
  readonly scheme: string;
  /** With the port if there is one. */
  readonly host: string;
  /** Escapes decoded. */
  readonly path: string;
}

/** Thrown by parseGoUrl; the message says what is wrong and quotes nothing, because a URL may have a password. */
export class InvalidGoUrlError extends Error {
  override readonly name = 'InvalidGoUrlError';
  readonly code = 'INVALID_GO_URL';
}

/**
 * A URL of `http…` as Go's url.Parse reads it, which takes other texts than the URL standard does. `hasStrictColons`: as
 * Go does from 1.26 on, where `http://fd00::1:5000` is an error; before it was a host that nothing has.
 */
export function parseGoUrl(text: string, { hasStrictColons }: { readonly hasStrictColons: boolean }): GoUrl {
  if (Array.from(text).some((char) => char < ' ' || char === '\u007F')) {
    throw new InvalidGoUrlError('it has a control character');
  }
  const [withoutFragment = '', fragment = ''] = splitOnce(text, '#');
  checkEscapes(fragment);
  const scheme = /^([a-z][a-z\d+.-]*):/i.exec(withoutFragment)?.[1]?.toLowerCase() ?? '';
  const afterScheme = scheme === '' ? withoutFragment : withoutFragment.slice(scheme.length + 1);
  const [rest = ''] = splitOnce(afterScheme, '?');
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { scheme, host: '', path: '' };
    if (splitOnce(rest, '/')[0]?.includes(':') === true) {
      throw new InvalidGoUrlError('it has a colon before the first slash');
    }
  }
  const hasAuthority = rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'));
  const authority = hasAuthority ? (splitOnce(rest.slice(2), '/')[0] ?? '') : '';
  const path = hasAuthority ? rest.slice(2 + authority.length) : rest;
  const host = hostOf(authority, hasStrictColons && /^https?$/.test(scheme));
  checkEscapes(path);
  return { scheme, host, path: decode(path) };
}

function hostOf(authority: string, hasStrictColons: boolean): string {
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const user = authority.slice(0, at);
    if (!/^[\w.~!$&'()*+,;=%@:-]*$/.test(user)) {
      throw new InvalidGoUrlError('its user or password has a character that has to be escaped');
    }
    checkEscapes(user);
  }
  const host = authority.slice(at + 1);
  const bracket = host.lastIndexOf('[');
  if (bracket > 0) throw new InvalidGoUrlError('a bracket stands within its host');
  if (bracket === 0) return bracketedHostOf(host);
  const colon = hasStrictColons ? host.indexOf(':') : host.lastIndexOf(':');
  if (hasStrictColons && colon !== host.lastIndexOf(':')) {
    throw new InvalidGoUrlError('its host has more than one colon; an IPv6 address needs brackets');
  }
  checkPort(colon < 0 ? '' : host.slice(colon));
  checkHost(host);
  return decode(host);
}

function bracketedHostOf(host: string): string {
  const end = host.lastIndexOf(']');
  if (end < 0) throw new InvalidGoUrlError('a ] is missing in its host');
  checkPort(host.slice(end + 1));
  const [, address = '', zone] = /^(.*?)(%25.*)?$/s.exec(host.slice(1, end)) ?? [];
  checkHost(address);
  if (zone !== undefined) {
    checkEscapes(zone);
    // There any character may be escaped that may stand in a host, and a space.
    checkHost(
      zone.replaceAll(/%([\da-f]{2})/gi, (escape, hex: string) =>
        ['25', '20'].includes(hex) ? '' : /^[0-7]/.test(hex) ? decode(escape) : '/',
      ),
    );
  }
  if (!URL.canParse(`http://[${decode(address)}]`) || zone === '%25') {
    throw new InvalidGoUrlError('what is in its brackets is not an IPv6 address');
  }
  return decode(host);
}

function checkPort(port: string): void {
  if (!/^(?::\d*)?$/.test(port)) throw new InvalidGoUrlError('its port is not a number');
}

/** Escapes of ASCII characters are not taken in a host, but for the percent sign itself. */
function checkHost(host: string): void {
  if (/%(?!25|[89a-f][\da-f])/i.test(host) || /[^\w.~!$&'()*+,;=:[\]<>"%\u0080-\u{10FFFF}-]/u.test(host)) {
    throw new InvalidGoUrlError('its host has a character that no host has');
  }
}

function checkEscapes(text: string): void {
  if (/%(?![\da-f]{2})/i.test(text)) {
    throw new InvalidGoUrlError('it has a percent sign without two digits after it');
  }
}

function decode(text: string): string {
  const bytes = Buffer.from(text).toString('latin1');
  const decoded = bytes.replaceAll(/%([\da-f]{2})/gi, (_all, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
  return Buffer.from(decoded, 'latin1').toString();
}

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
