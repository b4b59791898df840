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

/** A URL of `http…` as Go's url.Parse reads it, which takes other texts than the URL standard does. */
export function parseGoUrl(text: string): GoUrl {
  if (Array.from(text).some((char) => char < ' ' || char === '\u007F')) {
    throw new InvalidGoUrlError('it has a control character');
  }
  const [withoutFragment = '', fragment = ''] = splitOnce(text, '#');
  checkEscapes(fragment);
  const scheme = /^([a-z][a-z\d+.-]*):/i.exec(withoutFragment)?.[1] ?? '';
  const afterScheme = scheme === '' ? withoutFragment : withoutFragment.slice(scheme.length + 1);
  const [rest = ''] = splitOnce(afterScheme, '?');
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { scheme: scheme.toLowerCase(), host: '', path: '' };
    if (splitOnce(rest, '/')[0]?.includes(':') === true) {
      throw new InvalidGoUrlError('it has a colon before the first slash');
    }
  }
  const hasAuthority = rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'));
  const authority = hasAuthority ? (splitOnce(rest.slice(2), '/')[0] ?? '') : '';
  const path = hasAuthority ? rest.slice(2 + authority.length) : rest;
  checkEscapes(path);
  return { scheme: scheme.toLowerCase(), host: hostOf(authority), path: decode(path) };
}

function hostOf(authority: string): string {
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const user = authority.slice(0, at);
    if (!/^[\w.~!$&'()*+,;=%@:-]*$/.test(user)) throw new InvalidGoUrlError('its user is invalid');
    checkEscapes(user);
  }
  const host = authority.slice(at + 1);
  const bracket = host.lastIndexOf(']');
  if (host.startsWith('[') && bracket < 0) throw new InvalidGoUrlError('a ] is missing in its host');
  const colon = host.lastIndexOf(':');
  const port = host.startsWith('[') ? host.slice(bracket + 1) : colon < 0 ? '' : host.slice(colon);
  if (!/^(?::\d*)?$/.test(port)) throw new InvalidGoUrlError('its port is no number');
  // Escapes of ASCII characters are not taken in a host, but for the zone of an IPv6 address.
  if (/%(?!25|[89a-f][\da-f])/i.test(host) || /[^\w.~!$&'()*+,;=:[\]<>"%\u0080-\u{10FFFF}-]/u.test(host)) {
    throw new InvalidGoUrlError('its host has a character that no host has');
  }
  return decode(host);
}

function checkEscapes(text: string): void {
  if (/%(?![\da-f]{2})/i.test(text)) throw new InvalidGoUrlError('it has a % that begins no escape');
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
