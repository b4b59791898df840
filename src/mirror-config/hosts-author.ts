import { isSealed } from './hosts-toml-seal.ts';

/** Who wrote a hosts.toml: this program, the Go implementation of it, or somebody else. */
export type HostsAuthor = 'spegel' | 'original' | 'other';

/** The first table as Spegel v0.7.4 writes it (templateHosts in pkg/oci/containerd.go). */
const ORIGINAL =
  /^(?:server = '[^'\n]*'\n\n)?\[host\.'[^'\n]*'\]\ncapabilities = \['pull'(?:, 'resolve')?\](?:\ndial_timeout = '[^'\n]*')?(?=\n|$)/;

/**
 * Tells who wrote a hosts.toml, from its text and from what `_backup` has in its place (undefined: no such file).
 * The original has no mark: what it writes has that form and no line end at its end, and it makes a `_backup` before it
 * writes. So without one, or when the file is the one in there, it is somebody else's.
 */
export function hostsAuthor(
  text: string,
  backup: { readonly exists: boolean; readonly text: string | undefined },
): HostsAuthor {
  if (isSealed(text)) return 'spegel';
  const hasForm = ORIGINAL.test(text) && !text.endsWith('\n');
  return hasForm && backup.exists && text !== backup.text ? 'original' : 'other';
}
