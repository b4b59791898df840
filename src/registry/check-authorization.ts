import { createHash, timingSafeEqual } from 'node:crypto';
import { DistributionError } from '../oci/distribution-error.ts';

/**
 * Refuses a request whose Authorization header is not the expected one (RFC 7617), in constant time.
 * The 401 carries no WWW-Authenticate on purpose: containerd would answer that by sending the credentials of the
 * image's pull secret to the mirror. hosts.toml gives it the mirror's own.
 */
export function checkAuthorization(expected: string | undefined, given: string | undefined): void {
  if (expected === undefined) return;
  // Hashed, since timingSafeEqual compares equal lengths only, and the length is a secret too.
  if (timingSafeEqual(sha256(expected), sha256(normalise(given ?? '')))) return;
  throw new DistributionError(
    401,
    'UNAUTHORIZED',
    'This mirror needs basic auth, and the request has none that fits',
  );
}

/** The scheme's case does not matter (RFC 9110, 11.1). */
function normalise(header: string): string {
  return header.replace(/^basic +/i, 'Basic ');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
