import { type Digest, isDigest } from './digest.ts';

/** An image name that names its registry, as containerd's image list holds it. */
export interface Reference {
  /** Host with optional port, e.g. `docker.io`, `registry.lab:5000`, `[fd00::1]:5000`. */
  readonly registry: string;
  /** Path below the registry, e.g. `library/nginx`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Thrown by parseReference; the message says which part is wrong and quotes the name. */
export class InvalidReferenceError extends Error {
  override readonly name = 'InvalidReferenceError';
  readonly code = 'NAME_INVALID';
}

/** OCI distribution spec v1.1, "Pulling manifests": <name>. */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
/** OCI distribution spec v1.1, "Pulling manifests": <reference> as a tag. */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** A host name, an IPv4 address or a bracketed IPv6 address, with an optional port. */
const REGISTRY =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;
/** Longest repository name that is looked at; registries limit host and name to 255 together. */
const MAX_REPOSITORY_LENGTH = 255;

/** True if the text is a repository name of the distribution spec, at most 255 characters long. */
export function isRepository(text: string): boolean {
  return text.length <= MAX_REPOSITORY_LENGTH && REPOSITORY.test(text);
}

/** True if the text is a tag of the distribution spec. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** True if the text is a registry: host[:port]. */
export function isRegistry(text: string): boolean {
  return text.length <= MAX_REPOSITORY_LENGTH && REGISTRY.test(text);
}

/** True if the first component of a name is a host rather than a part of the repository: it has a dot, a port or brackets, or is `localhost`. */
export function isRegistryHost(text: string): boolean {
  return isRegistry(text) && (/[.:[]/.test(text) || text === 'localhost');
}

/**
 * Parses `registry/repository[:tag][@digest]` or throws InvalidReferenceError.
 * A name without a registry (`nginx:latest`) is an error: containerd stores such names
 * as they are, and no mirror request can ask for them.
 */
export function parseReference(name: string): Reference {
  const fail = (what: string) =>
    new InvalidReferenceError(`Cannot parse image name ${JSON.stringify(name.slice(0, 300))}: ${what}`);
  const at = name.indexOf('@');
  const digest = at === -1 ? undefined : name.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw fail('the part after @ is no digest');
  const rest = at === -1 ? name : name.slice(0, at);
  const slash = rest.indexOf('/');
  if (slash === -1) throw fail('it names no registry');
  const registry = rest.slice(0, slash);
  if (!isRegistryHost(registry)) {
    throw fail('the part before the first / is no registry host');
  }
  const path = rest.slice(slash + 1);
  const colon = path.lastIndexOf(':');
  const repository = colon === -1 ? path : path.slice(0, colon);
  const tag = colon === -1 ? undefined : path.slice(colon + 1);
  if (!isRepository(repository)) throw fail('the repository is invalid');
  if (tag !== undefined && !isTag(tag)) throw fail('the tag is invalid');
  if (tag === undefined && digest === undefined) throw fail('it has neither a tag nor a digest');
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The parts of an image name; the registry may be unknown. */
interface NameParts {
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** An image name as a person writes it. */
export function formatName({ registry, repository, tag, digest }: NameParts): string {
  const name = registry === undefined ? repository : `${registry}/${repository}`;
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The routing key of a tag, `registry/repository:tag`; see routingKey. */
export function tagKey(registry: string, repository: string, tag: string): string {
  return `${registry}/${repository}:${tag}`;
}
