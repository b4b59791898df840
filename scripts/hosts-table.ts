import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { planConfiguration } from '../src/mirror-config/hosts-configure.ts';
import { HostsConfigError } from '../src/mirror-config/hosts-config.ts';
import { createHostsFolder, type HostsFolder } from '../src/mirror-config/hosts-folder.fixture.ts';
import { restoreHosts } from '../src/mirror-config/hosts-restore.ts';
import {
  CERTIFICATE_FILES,
  filesOf,
  type GeneratedTree,
  generateTrees,
  MIRROR_DOMAIN,
} from '../src/mirror-config/hosts-trees.fixture.ts';
import { parseHostsToml } from '../src/mirror-config/hosts-toml.ts';
import { writeHosts } from '../src/mirror-config/write-hosts.ts';
import { differenceOfReading } from './hosts-table/difference-of-reading.ts';
import { makeCertificates } from './hosts-table/make-certificates.ts';
import { SPECIAL_TEXTS } from './hosts-table/special-texts.ts';
import {
  askContainerd,
  type ContainerdAnswer,
  formatContainerdHost,
} from './hosts-table/containerd-answers.ts';

const USAGE = `Compares what containerd's own code makes of generated folders with what configure and doctor read in them, and what it asks a
registry before configure, after it and after cleanup.
  scripts/hosts-table/build FOLDER                          build containerd's code, needs Go
  bun scripts/hosts-table.ts --programs FOLDER              compare
    --trees N    folders to generate (10000)
    --seed N     other folders (1)
    --write      write the answers for the first 500 into the table that the tests read
`;
const VERSIONS = ['1.7', '2.3'] as const;
const TABLE = join(import.meta.dir, '../src/mirror-config/testdata/containerd-hosts.json');
const CERTIFICATES = join(
  import.meta.dir,
  '../src/mirror-config/testdata/containerd-hosts-certificates.json',
);
const TABLE_ROWS = 500;
const BATCH = 500;
const TARGET = 'http://10.0.0.1:30020';
type Version = (typeof VERSIONS)[number];
type Answers = Readonly<Record<Version, readonly ContainerdAnswer[]>>;

const { values } = parseArgs({
  options: {
    programs: { type: 'string' },
    trees: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help || values.programs === undefined) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 2);
}
const { programs } = values;
const pems = await makeCertificates();
const specials = SPECIAL_TEXTS.map(([registry, text]): GeneratedTree => ({
  registry,
  folder: registry,
  text,
  files: Object.keys(CERTIFICATE_FILES).filter((name) => !name.startsWith('b.')),
  prependExisting: true,
}));
const trees = [...specials, ...generateTrees(Number(values.seed), Number(values.trees))];
const counts: Record<string, number> = {};
const rows: unknown[] = [];
let differences = 0;
for (let start = 0; start < trees.length; start += BATCH) {
  await compareBatch(trees.slice(start, start + BATCH));
}
if (values.write) {
  await writeFile(TABLE, `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
  await writeFile(CERTIFICATES, `${JSON.stringify(pems, undefined, 2)}\n`);
}
process.stdout.write(`${trees.length} trees, ${differences} differences: ${JSON.stringify(counts)}\n`);
process.exitCode = differences === 0 ? 0 : 1;

async function compareBatch(batch: readonly GeneratedTree[]): Promise<void> {
  const folders = await Promise.all(batch.map(async () => createHostsFolder()));
  try {
    await Promise.all(batch.map(async (tree, index) => folders[index]?.make(filesOf(tree, pems))));
    const before = await ask(batch, folders);
    const refusals = await Promise.all(batch.map(async (tree, index) => configure(tree, folders[index])));
    const after = await ask(batch, folders);
    await Promise.all(folders.map(async ({ configPath }) => restoreHosts(configPath)));
    const restored = await ask(batch, folders);
    for (const [index, tree] of batch.entries()) {
      for (const version of VERSIONS) {
        const answers = [before, after, restored].map((all) => all[version][index]);
        check(
          tree,
          version,
          answers as [ContainerdAnswer, ContainerdAnswer, ContainerdAnswer],
          refusals[index],
        );
      }
      if (rows.length < TABLE_ROWS) rows.push(rowOf(tree, before, index));
    }
  } finally {
    await Promise.all(folders.map(async (folder) => folder[Symbol.asyncDispose]()));
  }
}

function check(
  tree: GeneratedTree,
  version: Version,
  [before, after, restored]: readonly [ContainerdAnswer, ContainerdAnswer, ContainerdAnswer],
  refusal: string | undefined,
): void {
  const fail = (what: string) => {
    differences += 1;
    if (differences > 20) return;
    const shown = (answer: ContainerdAnswer) =>
      `${answer.problem} ${answer.failure} ${lines(answer).join(' | ')}`;
    process.stdout.write(
      `--- ${what} (${version})\n${JSON.stringify(tree)}\n${tree.text}\nbefore ${shown(before)}\nafter  ${shown(after)}\n${refusal ?? ''}\n`,
    );
  };
  const count = (what: string) => {
    counts[`${version} ${what}`] = (counts[`${version} ${what}`] ?? 0) + 1;
  };
  const different = differenceOfReading(tree, version, before);
  if (different !== undefined) fail(different);
  if (JSON.stringify(plain(before)) !== JSON.stringify(plain(restored))) fail('cleanup did not restore it');
  const isCrash = before.failure.startsWith('panic: ');
  const isRefused = before.problem !== '';
  const keys =
    isCrash || isRefused || (version === '1.7' && refusal !== undefined)
      ? []
      : parseHostsToml(tree.text ?? '').hosts.filter(({ form }) => form === 'key');
  if (version === '2.3' && !isCrash && (refusal !== undefined) !== isRefused) {
    // 2.x does not look at all that is in hosts that are no tables; once they are tables it would.
    if (refusal === undefined) fail('configure took what containerd refuses');
    else if (
      !keys.some(
        ({ url }) =>
          refusal.includes(`host.'${url.replace('user', '(not shown)')}'`) || refusal.includes('host.'),
      )
    ) {
      fail('configure refused what containerd takes');
    }
    return;
  }
  if (refusal !== undefined) {
    count('refused');
    return;
  }
  if (isCrash) {
    count('crashed before');
    return;
  }
  if (
    isRefused &&
    [before.problem, after.problem].some((problem) => !['', 'invalid `host` tree'].includes(problem))
  ) {
    // Valid for 2.x only: 1.x does not see what is in the file, the mirror included, as long as that is there.
    count('read by 2.x only');
    return;
  }
  if (before.failure !== '') {
    count('cannot be pulled from before');
    // Certificates that cannot be loaded are left out where a version ignored them.
    if (after.failure === '' && !isRefused) fail('it can be pulled from after');
    return;
  }
  const [left, right] = [registryLines(withRealServer(before)), registryLines(after)];
  if (version === '2.3' && keys.length > 0) {
    // We write hosts as tables: 1.x asked them before, so 2.x asks them now.
    count('has hosts that are no tables');
    if (!includesAll(right, left)) fail('the registry is not asked as before');
    return;
  }
  if (lines(after)[0]?.startsWith(`${TARGET}/v2 `) !== true) fail('the mirror is not asked first');
  if (isRefused) {
    // 1.x takes no file without a [host] table, and reads the same file once there is a mirror in it.
    count('has no host table');
    const kept = (before.hosts ?? []).every(({ ca, client }) =>
      (after.hosts ?? []).some((host) => includesAll(host.ca, ca) && includesAll(host.client, client)),
    );
    const isHttp = /^server = ["']http:/im.test(tree.text ?? '');
    if (!kept && !isHttp) fail('certificates beside the file are lost');
    return;
  }
  const hasTable = tree.text === undefined || tree.text === '' || parseHostsToml(tree.text).hasHostTable;
  if (!hasTable && tree.files.some((name) => /\.c/.test(name))) {
    count('with certificates beside that only 1.x reads');
    if (JSON.stringify(withoutBeside(left)) !== JSON.stringify(withoutBeside(right))) {
      fail('the registry is asked in another way');
    }
    return;
  }
  count('compared');
  if (JSON.stringify(left) !== JSON.stringify(right)) fail('the registry is asked in another way');
}

/** configure writes the registry behind docker.io in place of that name, which has none. */
function withRealServer(answer: ContainerdAnswer): ContainerdAnswer {
  const server = answer.hosts?.at(-1);
  if (answer.hosts === null || server === undefined) return answer;
  const url = server.url
    .replace(/^https:\/\/docker\.io\/*$/, 'https://registry-1.docker.io')
    .replace(/^https:\/\/docker\.io\/+v2$/, 'https://registry-1.docker.io/v2');
  return { ...answer, hosts: [...answer.hosts.slice(0, -1), { ...server, url }] };
}

/** Hosts that are the registry itself; the second of two that are the same has nothing to add. */
function registryLines(answer: ContainerdAnswer): readonly string[] {
  const own = (answer.hosts ?? []).filter(
    ({ url }) => url !== '://' && !url.includes(MIRROR_DOMAIN) && !url.startsWith(TARGET),
  );
  return Array.from(new Set(own.map((host) => formatContainerdHost(host))));
}

function withoutBeside(all: readonly string[]): readonly string[] {
  return all.map((line) =>
    line.replaceAll(/ (?:ca|client)=(\S+)/g, (part, names: string) => {
      const rest = names.split(',').filter((name) => name !== 'b' && name !== 'c');
      return rest.length === 0 ? '' : `${part.slice(0, part.indexOf('=') + 1)}${rest.join(',')}`;
    }),
  );
}

function includesAll(list: readonly string[], items: readonly string[]): boolean {
  return items.every((item) => list.includes(item));
}

function lines({ hosts }: ContainerdAnswer): readonly string[] {
  return (hosts ?? []).map((host) => formatContainerdHost(host));
}

function plain(answer: ContainerdAnswer): unknown {
  return [answer.problem !== '', answer.failure, lines(answer)];
}

function rowOf(
  { registry, folder, text, files, prependExisting }: GeneratedTree,
  answers: Answers,
  index: number,
) {
  const asked = VERSIONS.map((version) => {
    const answer = answers[version][index];
    const isTaken = answer?.problem === '';
    const hosts =
      answer === undefined || answer.failure !== '' ? answer?.failure.replace(/ .*/s, '') : lines(answer);
    return [version, { isTaken, hosts }];
  });
  return { registry, folder, text, files, prependExisting, ...Object.fromEntries(asked) };
}

async function ask(batch: readonly GeneratedTree[], folders: readonly HostsFolder[]): Promise<Answers> {
  const questions = batch.map(({ registry }, index) => ({
    root: folders[index]?.configPath ?? '',
    host: registry,
  }));
  const answers = VERSIONS.map(async (version) =>
    askContainerd(join(programs ?? '', `containerd-${version}`), questions),
  );
  const [v1 = [], v2 = []] = await Promise.all(answers);
  return { '1.7': v1, '2.3': v2 };
}

async function configure(tree: GeneratedTree, folder: HostsFolder | undefined): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  try {
    const config = folder.config({ allRegistries: true, prependExisting: tree.prependExisting });
    const { state, changes } = await planConfiguration(config);
    await writeHosts(state, changes);
    return undefined;
  } catch (error) {
    if (error instanceof HostsConfigError) return error.message;
    throw error;
  }
}
