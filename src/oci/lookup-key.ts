import { type Digest, isDigest } from './digest.ts';
import { InvalidReferenceError, parseReference } from './reference.ts';
import { routingKey } from './routing-key.ts';

/**
 * The routing key for what a user types: a digest, or an image name the way docker reads it (`nginx` is
 * docker.io/library/nginx:latest). With a digest in the name that is the key. Throws InvalidReferenceError.
 */
export function lookupKey(name: string): Digest | string {
  return lookupName(name).key;
}

/** The same with the name of the image, `registry/repository`, where the user types it. Throws InvalidReferenceError. */
export function lookupName(name: string): { readonly key: Digest | string; readonly image?: string } {
  if (isDigest(name)) return { key: name };
  // Nobody means the tag of an image that is called so.
  if (/^sha256:[0-9a-f]+$/.test(name)) {
    throw new InvalidReferenceError(
      `${JSON.stringify(name)} is no complete digest: sha256: and 64 hex digits`,
    );
  }
  const { registry, repository, tag, digest } = parseReference(completeName(name));
  const key = digest ?? routingKey({ registry, repository, tag: tag ?? 'latest' });
  return { key, image: `${registry}/${repository}` };
}

/** Adds what may be left out: docker.io, library/ and :latest (github.com/distribution/reference, "normalize"). */
function completeName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const hasRegistry =
    rest.length > 0 && (/[.:[]/.test(first) || first === 'localhost' || /[A-Z]/.test(first));
  const registry = hasRegistry ? first : 'docker.io';
  const path = hasRegistry ? rest.join('/') : name;
  // index.docker.io is the old name of the same registry.
  const host = registry === 'index.docker.io' ? 'docker.io' : registry;
  const repository = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  const hasReference = repository.includes('@') || repository.split('/').at(-1)?.includes(':') === true;
  return `${host}/${repository}${hasReference ? '' : ':latest'}`;
}
