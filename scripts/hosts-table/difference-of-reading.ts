import type { ContainerdVersion } from '../../src/containerd-config/containerd-version.ts';
import { certificatesOf, formatAskedHost } from '../../src/mirror-config/hosts-reading.fixture.ts';
import { readAsContainerd } from '../../src/mirror-config/hosts-reading.ts';
import type { GeneratedTree } from '../../src/mirror-config/hosts-trees.fixture.ts';
import { type ContainerdAnswer, formatContainerdHost } from './containerd-answers.ts';

const VERSIONS = {
  '1.7': { major: 1, minor: 7 },
  '2.3': { major: 2, minor: 3 },
} satisfies Record<string, ContainerdVersion>;

/** Where we read a folder in another way than that containerd did; undefined if we read it alike. */
export function differenceOfReading(
  { registry, text, files }: GeneratedTree,
  version: keyof typeof VERSIONS,
  answer: ContainerdAnswer,
): string | undefined {
  const { problem, hosts } = readAsContainerd(text, {
    registry,
    version: VERSIONS[version],
    certificates: certificatesOf(files),
  });
  const isCrash = answer.failure.startsWith('panic: ');
  if ((problem?.effect === 'crashes') !== isCrash) return `we read a crash: ${problem?.effect === 'crashes'}`;
  if (isCrash) return undefined;
  if ((problem !== undefined) !== (answer.problem !== '')) return `we read as a problem: ${problem?.why}`;
  // Which certificates can be loaded is not in the text.
  if (answer.failure !== '') return undefined;
  const read = hosts.map((host) => formatAskedHost(host));
  const asked = (answer.hosts ?? []).map((host) => formatContainerdHost(host));
  return Bun.deepEquals(read, asked) ? undefined : `we read: ${read.join(' | ')}`;
}
