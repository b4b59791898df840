/** Labels of letters, digits, hyphens and underscores; a dot at the end says that the name is complete. */
const DOMAIN = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/i;
/** The longest name that DNS can carry, written with the dot at its end (RFC 1035, 2.3.4). */
const MAX_LENGTH = 254;

/** True for a name that DNS can be asked for. */
export function isDomainName(text: string): boolean {
  return text.length <= MAX_LENGTH && DOMAIN.test(text);
}
