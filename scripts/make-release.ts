import { chmod, link, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { CHART, REPOSITORY } from './chart/render-chart.ts';
import { tryCommand } from './lab/run-command.ts';
import { readScriptOptions } from './lab/script-options.ts';
import { changelogSection } from './release-parts/changelog-section.ts';
import { packageChart } from './release-parts/package-chart.ts';

const USAGE = `Usage: scripts/release [TAG]

Makes all files of the version that package.json names, in dist/release:

  spegel-linux-x64, spegel-linux-arm64    the program
  spegel-image.tar                        the container image of both processors, with their SBOMs
  spegel-linux-{amd64,arm64}.spdx.json    the SBOMs, SPDX 2.3
  spegel-VERSION.tgz                      the chart
  NOTES.md                                the section of CHANGELOG.md, and the digest of the image
  SHA256SUMS                              of all of these

With a TAG it refuses any other than v and that version. It builds what is committed: with a change that is not, it
refuses, too. Needs what scripts/setup installs, and the network, for what scripts/image --help says.

The same commit, Bun and Debian packages give the same bytes, wherever and whenever they are built.`;

const { version } = packageJson;
const dist = join(REPOSITORY, 'dist');
/** What scripts/image makes, by the names that it has in a release, too. */
const BUILT = [
  'spegel-linux-x64',
  'spegel-linux-arm64',
  'spegel-image.tar',
  'spegel-linux-amd64.spdx.json',
  'spegel-linux-arm64.spdx.json',
];

/** Ends this process with 1 and one sentence. */
function fail(reason: string): never {
  console.error(`release: ${reason}`);
  process.exit(1);
}

/** Runs a command with its output on this terminal, and ends this process if it fails. */
async function run(...argv: readonly string[]): Promise<void> {
  const child = Bun.spawn([...argv], { cwd: REPOSITORY, stdio: ['ignore', 'inherit', 'inherit'] });
  if ((await child.exited) !== 0) fail(`${argv.join(' ')} failed`);
}

const { positionals } = readScriptOptions({ script: 'release', usage: USAGE, maxPositionals: 1 });
const [tag] = positionals;
if (tag !== undefined && tag !== `v${version}`) {
  fail(`the tag is ${tag}, and package.json has version ${version}, whose tag is v${version}`);
}
if (Bun.version !== packageJson.engines.bun) {
  fail(`this is Bun ${Bun.version}, and package.json wants ${packageJson.engines.bun}: run scripts/setup`);
}
const git = ['git', '-c', `safe.directory=${REPOSITORY}`, '-C', REPOSITORY];
const status = await tryCommand([...git, 'status', '--porcelain']);
if (status.exitCode !== 0) fail('this is not a git checkout, so that the release could name no commit');
if (status.stdout !== '') fail(`commit or remove what is changed first:\n${status.stdout.trimEnd()}`);

let section;
try {
  section = changelogSection(await readFile(join(REPOSITORY, 'CHANGELOG.md'), 'utf8'), version);
} catch (error) {
  fail((error as Error).message);
}

await run('bun', 'install', '--frozen-lockfile');
await run('scripts/image');

const work = await mkdtemp(join(dist, '.release.'));
try {
  const index = JSON.parse(await readFile(join(dist, 'image/index.json'), 'utf8')) as {
    readonly manifests: readonly [{ readonly digest: string }];
  };
  const notes = `# spegel ${version}, ${section.date}

${section.text}

## Files

The image of linux/amd64 and linux/arm64 is \`${index.manifests[0].digest}\`. \`spegel-image.tar\` has it, with an SBOM of each.
\`sha256sum --check --ignore-missing SHA256SUMS\` checks what you have downloaded.
`;
  const chart = `spegel-${version}.tgz`;
  // Not copies: scripts/build puts new files in the place of these, and does not write into them.
  for (const name of BUILT) await link(join(dist, name), join(work, name));
  await writeFile(join(work, chart), await packageChart(CHART));
  await writeFile(join(work, 'NOTES.md'), notes);
  const sums: string[] = [];
  for (const name of [...BUILT, chart, 'NOTES.md']) {
    const hasher = new Bun.CryptoHasher('sha256');
    for await (const chunk of Bun.file(join(work, name)).stream()) hasher.update(chunk);
    sums.push(`${hasher.digest('hex')}  ${name}\n`);
  }
  await writeFile(join(work, 'SHA256SUMS'), sums.join(''));
  console.log(sums.join('').trimEnd());
  await chmod(work, 0o755);
  const release = join(dist, 'release');
  await rm(release, { recursive: true, force: true });
  await rename(work, release);
} finally {
  await rm(work, { recursive: true, force: true });
}
console.log(`spegel ${version}: all files are in dist/release`);
