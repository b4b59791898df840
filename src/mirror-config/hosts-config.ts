import type { RegistryUrl } from './registry-url.ts';

/** A mirror for one registry only. */
export interface AdditionalTarget {
  /** The registry, and its URL if it was given as one. */
  readonly registry: string;
  readonly registryUrl: RegistryUrl | undefined;
  readonly target: RegistryUrl;
}

/** What containerd's registry configuration should become. */
export interface HostsConfig {
  /** The folder that containerd's `config_path` names. It is made if it is not there. */
  readonly configPath: string;
  /** Mirror every registry: `_default`, and each registry that has a folder already, since that hides `_default`. */
  readonly allRegistries: boolean;
  /** Registries to mirror by name. */
  readonly registries: readonly RegistryUrl[];
  /** URLs of the mirror, in the order to try. */
  readonly targets: readonly RegistryUrl[];
  /** Tried after those, each for its registry, which is mirrored or all are; they do not get `authorization`. */
  readonly additionalTargets: readonly AdditionalTarget[];
  /** Ask the mirror for tags too. */
  readonly resolveTags: boolean;
  /** Keep the hosts that were configured, after the mirror. */
  readonly prependExisting: boolean;
  /** Authorization header for the mirror. */
  readonly authorization: string | undefined;
}

/** One file of the plan. */
export interface PlannedHostsToml {
  readonly path: string;
  /** The registry, or `_default`. */
  readonly registry: string;
  readonly text: string;
  readonly mode: number;
  /** False: the file says this already. */
  readonly changed: boolean;
}

/** Where the Go implementation keeps what it found, and this one too; no registry's folder. */
export const BACKUP_FOLDER = '_backup';

/** Thrown when the configuration cannot be read or written; the message names the path. */
export class HostsConfigError extends Error {
  override readonly name = 'HostsConfigError';
  readonly code = 'HOSTS_CONFIG';
}

/** The error of a file operation, with what to do about it. */
export function hostsConfigFailure(what: string, error: unknown): HostsConfigError {
  if (error instanceof HostsConfigError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const advice: Readonly<Record<string, string>> = {
    EROFS: 'the file system is read-only; mount it writable',
    EACCES: 'permission denied; run as root',
    EPERM: 'permission denied; run as root on a file that is not immutable',
    ENOTDIR: 'a part of the path is no folder',
    EISDIR: 'it is a folder',
    ELOOP: 'its links lead in a circle; move it away',
    ENOSPC: 'the disk is full',
  };
  return new HostsConfigError(`${what}: ${advice[code ?? ''] ?? message}`, { cause: error });
}
