/** The part of containerd's version that its behaviour depends on. */
export interface ContainerdVersion {
  readonly major: number;
  readonly minor: number;
}

/** Reads `1.6.20~ds1`, `v2.3.4` or `2.1.5+unknown`; undefined for anything else. */
export function parseContainerdVersion(text: string): ContainerdVersion | undefined {
  const [, major, minor] = /^v?(\d{1,3})\.(\d{1,4})(?:\.|$|[-+~])/.exec(text.trim()) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** True if the version is `major.minor` or later. */
export function isAtLeast(version: ContainerdVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}

/** The newest `version` of config.toml that it writes; it migrates older ones (version/version.go). */
export function configVersionOf(version: ContainerdVersion): number {
  if (version.major < 2) return 2;
  return isAtLeast(version, 2, 3) ? 4 : 3;
}
