/** What the registry was to a pull: its only source, a source that should not be needed, or gone. */
export type RegistryWas = 'needed' | 'not needed' | 'gone';

/** One pull of the demo, as it was measured. Every blob of the image was there afterwards, with the right bytes. */
export interface DemoPull {
  readonly node: string;
  /** The image by its tag. Pulls of the same image are compared with each other. */
  readonly image: string;
  readonly registryWas: RegistryWas;
  readonly ms: number;
  /** Blobs of the image, manifest and config among them. */
  readonly blobs: number;
  /** Size of all blobs together. */
  readonly contentBytes: number;
  /** Requests for manifests and blobs that reached the registry. */
  readonly registryRequests: number;
  /** Everything that the registry's machine sent, headers included. */
  readonly registryBytes: number;
  /** Requests that the node's mirror passed on to other nodes. */
  readonly hits: number;
  /** Requests that no other node could serve. */
  readonly misses: number;
}

/** What a run of the demo has shown. */
export interface DemoVerdict {
  /** Sentences about what happened. They claim nothing that `failures` takes back. */
  readonly findings: readonly string[];
  /** What did not happen although it should have, in sentences. Empty is success. */
  readonly failures: readonly string[];
}

/** What the registry's machine may send during a pull that it has no part in, such as address resolution. */
export const REGISTRY_NOISE_BYTES = 10_000;
/** Part of the time that the link needs by its rate. A pull that is faster did not come over that link. */
const LINK_TOLERANCE = 0.95;

/** Judges the pulls of a demo whose registry has a link of `registryMbit` Mbit/s. */
export function judgeDemo(pulls: readonly DemoPull[], registryMbit: number): DemoVerdict {
  const failures = pulls.flatMap((pull) =>
    pull.registryWas === 'needed' ? judgeFirst(pull, registryMbit) : judgeLater(pull),
  );
  const later = pulls.filter(({ registryWas }) => registryWas !== 'needed');
  const shared = later.filter((pull) => judgeLater(pull).length === 0);
  const findings = [
    `${shared.length} of ${count(pulls.length, 'pull')} came from other nodes, with every blob: ` +
      `${megabytes(contentOf(shared))} that the registry was not asked for.`,
  ];

  for (const first of pulls.filter(({ registryWas }) => registryWas === 'needed')) {
    const others = shared.filter(
      ({ image, registryWas }) => image === first.image && registryWas === 'not needed',
    );
    if (others.length === 0) continue;
    const savedMs = others.reduce((sum, { ms }) => sum + first.ms - ms, 0);
    const times = others.map(({ node, ms }) => `${node} ${seconds(ms)}`).join(' and ');
    const compared = `${first.image} took ${first.node} ${seconds(first.ms)} from the registry, ${times} from other nodes`;
    if (savedMs > 0) {
      findings.push(`${compared}: ${seconds(savedMs)} saved, against as many pulls like ${first.node}'s.`);
    } else failures.push(`${compared}: that saved no time. This machine may be too busy.`);
  }

  const gone = shared.filter(({ registryWas }) => registryWas === 'gone');
  if (gone.length > 0) {
    findings.push(
      `${count(gone.length, 'pull')}, ${megabytes(contentOf(gone))}, succeeded while the registry was gone, ` +
        'which could have served none of it.',
    );
  }
  for (const registryWas of ['not needed', 'gone'] as const) {
    if (!later.some((pull) => pull.registryWas === registryWas)) {
      failures.push(`There was no pull while the registry was ${registryWas}.`);
    }
  }
  return { findings, failures };
}

function judgeFirst(
  { node, image, ms, contentBytes, registryBytes }: DemoPull,
  registryMbit: number,
): string[] {
  const failures: string[] = [];
  if (registryBytes < contentBytes) {
    failures.push(
      `${node} should have had ${image} from the registry, but that sent only ${megabytes(registryBytes)}.`,
    );
  }
  const linkMs = (contentBytes * 8) / (registryMbit * 1000);
  if (ms < linkMs * LINK_TOLERANCE) {
    failures.push(
      `${node} pulled ${image} in ${seconds(ms)}, faster than a link of ${registryMbit} Mbit/s can carry it.`,
    );
  }
  return failures;
}

function judgeLater({ node, image, blobs, registryRequests, registryBytes, hits, misses }: DemoPull) {
  const failures: string[] = [];
  const fail = (what: string) =>
    failures.push(`${node} should have had ${image} from other nodes, but ${what}.`);
  if (hits < blobs) fail(`its mirror had ${hits} of ${blobs} blobs from them`);
  if (misses > 0) fail(`its mirror found no source for ${count(misses, 'request')}`);
  if (registryRequests > 0) fail(`${count(registryRequests, 'request')} reached the registry`);
  if (registryBytes > REGISTRY_NOISE_BYTES) fail(`the registry sent ${megabytes(registryBytes)}`);
  return failures;
}

function contentOf(pulls: readonly DemoPull[]): number {
  return pulls.reduce((sum, { contentBytes }) => sum + contentBytes, 0);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Formats a size with the unit MB, which is 1,000,000 bytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Formats a time, given in ms, in seconds. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
