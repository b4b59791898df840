/** What containerd's own code says of a registry, see main.go.txt. */
export interface ContainerdAnswer {
  /** Why it does not take the hosts.toml, empty if it does. */
  readonly problem: string;
  /** Why no pull is possible, also without the file; `panic: …` if containerd crashes. Empty if pulls are possible. */
  readonly failure: string;
  readonly hosts: readonly ContainerdHost[] | null;
}

/** One host that it would ask. */
export interface ContainerdHost {
  readonly url: string;
  readonly fallback: boolean;
  readonly capabilities: readonly string[];
  readonly header: Readonly<Record<string, readonly string[]>> | null;
  readonly skipVerify: boolean;
  /** Common names. */
  readonly ca: readonly string[];
  readonly client: readonly string[];
}

/** Asks the program that `build` has made, in the order of the questions. */
export async function askContainerd(
  program: string,
  questions: ReadonlyArray<{ readonly root: string; readonly host: string }>,
): Promise<readonly ContainerdAnswer[]> {
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join('');
  const process = Bun.spawn([program], { stdin: Buffer.from(input), stdout: 'pipe', stderr: 'inherit' });
  const lines = (await process.stdout.text()).trimEnd().split('\n');
  if ((await process.exited) !== 0 || lines.length !== questions.length) {
    throw new Error(`${program} answered ${lines.length} of ${questions.length} questions`);
  }
  return lines.map((line) => JSON.parse(line) as ContainerdAnswer);
}

/** A host as one line of the table. */
export function formatContainerdHost(host: ContainerdHost): string {
  const { url, fallback, capabilities, header, skipVerify, ca, client } = host;
  const sorted = Object.entries(header ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return [
    url,
    fallback ? 'or-http' : '',
    capabilities.join(','),
    skipVerify ? 'skip-verify' : '',
    ca.length === 0 ? '' : `ca=${ca.join(',')}`,
    client.length === 0 ? '' : `client=${client.join(',')}`,
    sorted.length === 0 ? '' : `header=${JSON.stringify(Object.fromEntries(sorted))}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}
