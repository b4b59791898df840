/** What containerd does about something that it cannot use in a registry's folder. */
export type HostsEffect =
  /** It goes on as if there was no hosts.toml. */
  | 'ignores-file'
  /** It ends with a panic each time it reads the file. */
  | 'crashes'
  /** It asks the other hosts. */
  | 'passes-over'
  /** It fails each pull from the registry. */
  | 'fails-pulls';

/** Why containerd cannot use a hosts.toml, or a host in it. Quotes no header and no password. */
export interface HostsProblem {
  readonly effect: HostsEffect;
  /** Counted from 1; undefined: it cannot be told. */
  readonly line: number | undefined;
  /** The keys that lead to the value, none for the file as a whole. */
  readonly key: readonly string[];
  readonly why: string;
  /** What containerd 1.x alone does not take and `configure` writes, or fixes; undefined for all else. */
  readonly only1x?: 'bracket' | 'no-host-table';
}

/** The problem as a sentence without its subject, the file. */
export function formatHostsProblem({ line, key, why }: HostsProblem): string {
  const place = line === undefined ? '' : `line ${line}`;
  const name = key.map((part) => (/^[\w-]+$/.test(part) ? part : `'${maskUser(part)}'`)).join('.');
  return [place, name, why].filter((part) => part !== '').join(': ');
}

function maskUser(text: string): string {
  return text.replace(/:\/\/[^/]*@/, '://(not shown)@').slice(0, 200);
}
