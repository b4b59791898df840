/** What all canaries are below; the rest of the name is fresh each time. */
const FOLDER = 'spegel-canary';
const REPOSITORY = new RegExp(`^${FOLDER}/[0-9a-f]{32}$`);

/** What the path of each request for a canary begins with, as containerd asks a mirror. */
export const CANARY_PATH_PREFIX = `/v2/${FOLDER}/`;
/**
 * The registry of canaries where all registries are mirrored: no such host can ever be (RFC 6761, 6.4), so that no registry is
 * asked where the mirror is not in use.
 */
export const NO_REGISTRY = 'canary.spegel.invalid';

/** The repository of one canary. `random` has 32 hex digits. */
export function canaryRepository(random: string): string {
  return `${FOLDER}/${random}`;
}

/** True for the repository of a canary, of this node or of another one, now or earlier. */
export function isCanaryRepository(repository: string): boolean {
  return REPOSITORY.test(repository);
}

/** The registry whose pulls are to go through the mirror; `mirrored`: those of --mirrored-registries, undefined: all. */
export function canaryRegistry(mirrored: ReadonlySet<string> | undefined): string {
  const [first = NO_REGISTRY] = mirrored ?? [];
  return first;
}
