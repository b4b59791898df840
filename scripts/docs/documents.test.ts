import { beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { COMMANDS, globalFlags } from '../../src/cli/command-table.ts';
import { flagName } from '../../src/cli/flag.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { createMetrics } from '../../src/observe/metrics.ts';
import { REPOSITORY } from '../chart/render-chart.ts';
import { readChartValues } from './chart-values.ts';
import { type DocBlock, listDocuments, parseBlocks } from './doc-blocks.ts';

const { version } = packageJson;
const files = await listDocuments();
const texts = new Map<string, string>();
const blocks: DocBlock[] = [];
beforeAll(async () => {
  for (const file of files) {
    const text = await readFile(join(REPOSITORY, file), 'utf8');
    texts.set(file, text);
    blocks.push(...parseBlocks(text, file));
  }
});

/** The text of a document without its fenced blocks. */
function prose(file: string): string {
  return (texts.get(file) ?? '').replaceAll(/^( *)(`{3,})[^]*?^\1\2$/gm, '');
}

/** Anchors of a document's headings, as GitHub makes them. */
function anchors(file: string): ReadonlySet<string> {
  const headings = Array.from(prose(file).matchAll(/^#+ (.+)$/gm), ([, heading = '']) => heading);
  const seen = new Map<string, number>();
  return new Set(
    headings.map((heading) => {
      const anchor = heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-');
      const count = seen.get(anchor) ?? 0;
      seen.set(anchor, count + 1);
      return count === 0 ? anchor : `${anchor}-${count}`;
    }),
  );
}

/** Flags of other programs that the text names: helm, kubectl, ctr, docker and the scripts. */
const FLAGS_OF_OTHERS = new Set([
  '--agents',
  '--all',
  '--binary',
  '--container-runtime',
  '--content',
  '--dest-tls-verify',
  '--fault',
  '--images',
  '--limit-view',
  '--local',
  '--measure',
  '--namespace',
  '--node',
  '--nodes',
  '--other',
  '--parallel-ranges',
  '--platform',
  '--private',
  '--reset-then-reuse-values',
  '--reuse-values',
  '--scenario',
  '--set',
  '--set-string',
  '--timeout',
  '--upstream-mbit',
  '--values',
  // What stands for any flag, and what every command has.
  '--flag',
  '--help',
]);

/** What people read in deploy/: values and notes of the chart, manifests and the service's files, with their comments. */
const deployed = Array.from(
  new Bun.Glob('deploy/**/*.{yaml,json,txt,tpl,env,service}').scanSync(REPOSITORY),
).sort();

/** Where a text says "Spegel" without "(Go)", with what follows. A header's name is neither program. */
function bareNames(text: string): readonly string[] {
  return text.match(/(?<!X-)\bSpegel\b(?!\s+(?:# )?\(Go\))[^\n]{0,40}/g) ?? [];
}

describe('the documents', () => {
  test.each(files)('%s has only links that lead somewhere', (file) => {
    const links = Array.from(prose(file).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
    const wrong = links.filter((link) => {
      if (/^https?:/.test(link)) return !URL.canParse(link);
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(REPOSITORY, target))) return true;
      return anchor !== undefined && (!files.includes(target) || !anchors(target).has(anchor));
    });
    expect(wrong).toEqual([]);
  });

  test.each(files)('%s tells Spegel (Go) and spegel apart by more than a capital letter', (file) => {
    expect(bareNames(texts.get(file) ?? '')).toEqual([]);
  });

  test.each(deployed)('%s tells Spegel (Go) and spegel apart by more than a capital letter', async (file) => {
    expect(bareNames(await readFile(join(REPOSITORY, file), 'utf8'))).toEqual([]);
  });

  test('they name the image with the tag of this version', () => {
    const tags = files.flatMap((file) =>
      Array.from(
        (texts.get(file) ?? '').matchAll(/\bspegel(?:-image\.tar)?:(\d+\.\d+\.\d+)/g),
        ([name, tag]) => ({ file, name, tag }),
      ),
    );
    expect(tags).not.toEqual([]);
    expect(tags.filter(({ tag }) => tag !== version)).toEqual([]);
  });

  test('README.md leads to all of docs/', () => {
    const readme = texts.get('README.md') ?? '';
    const below = files.filter((file) => file.startsWith('docs/'));
    expect(below).not.toEqual([]);
    expect(below.filter((file) => !readme.includes(`](${file})`))).toEqual([]);
  });

  test.each([
    ['toml', (text: string) => Bun.TOML.parse(text)],
    ['yaml', (text: string) => Bun.YAML.parse(text)],
  ] as const)('their blocks of %s can be parsed', (language, parse) => {
    const ours = blocks.filter((block) => block.language === language);
    expect(ours).not.toEqual([]);
    const wrong = ours.filter((block) => {
      try {
        parse(block.text);
        return false;
      } catch {
        return true;
      }
    });
    expect(wrong).toEqual([]);
  });

  test('their command lines of spegel have flags that there are', () => {
    const commands = new Map(
      Object.values(COMMANDS).map(({ usage, flags, ...rest }) => [
        'parent' in rest ? `${rest.parent} ${usage.split(' ')[0]}` : usage,
        flags,
      ]),
    );
    const checked: string[] = [];
    const wrong = blocks.flatMap(({ file, line, text }) =>
      Array.from(
        text.replaceAll('\\\n', ' ').matchAll(/(?:^|[\s/])spegel ([a-z][a-z-]*)((?: [^\n|&;#]*)?)/gm),
        ([all, name = '', rest = '']) => {
          const flags = commands.get(name === 'configuration' ? 'configure' : name);
          // A word that happens to follow: a release, a namespace, a resource.
          if (flags === undefined) return [];
          checked.push(all);
          const known = new Set(Object.keys({ ...flags, ...globalFlags }).map((key) => `--${flagName(key)}`));
          const given = rest.match(/(?<=\s)--[a-z][a-z-]*/g) ?? [];
          const unknown = given.filter((flag) => flag !== '--help' && !known.has(flag));
          return unknown.map((flag) => `${file}:${line}: ${flag} in ${all.trim()}`);
        },
      ).flat(),
    );
    expect(checked).not.toEqual([]);
    expect(wrong).toEqual([]);
  });

  test.each(files)('%s names no flag that is not there', (file) => {
    const known = new Set(
      Object.values(COMMANDS)
        .flatMap(({ flags }) => Object.keys({ ...flags, ...globalFlags }))
        .map((key) => `--${flagName(key)}`),
    );
    const code = Array.from(prose(file).matchAll(/`([^`]+)`/g), ([, text = '']) => text).join('\n');
    const named = code.match(/(?<=^|\s)--[a-z][a-z-]*/gm) ?? [];
    expect(named.filter((flag) => !known.has(flag) && !FLAGS_OF_OTHERS.has(flag))).toEqual([]);
  });

  test('the values and metrics that they name are there', async () => {
    const yaml = await readFile(join(REPOSITORY, 'deploy/charts/spegel/values.yaml'), 'utf8');
    const values = readChartValues(yaml).map(({ path }) => path);
    const roots = new Set(values.filter((path) => path.includes('.')).map((path) => path.split('.')[0]));
    const hasValue = (path: string) =>
      values.some((value) => value === path || value.startsWith(`${path}.`) || path.startsWith(`${value}.`));
    const { definitions } = createMetrics({ version: '', commit: '' });
    const metrics = new Set(
      definitions.flatMap(({ name }) => ['', '_bucket', '_sum', '_count'].map((end) => name + end)),
    );
    const checked = { paths: 0, names: 0 };
    const wrong = files.flatMap((file) => {
      const text = texts.get(file) ?? '';
      const named = Array.from(
        text.matchAll(/(?<=`|--set )([a-z][A-Za-z]*)((?:\.[a-z][A-Za-z]*)+)(?=[`=:])/g),
      );
      const paths = named.filter(([, root]) => roots.has(root)).map(([path]) => path);
      const names = Array.from(text.matchAll(/\b(?:spegel|http)_[a-z]+_[a-z_]+\b/g), ([name]) => name);
      checked.paths += paths.length;
      checked.names += names.length;
      return [...paths.filter((path) => !hasValue(path)), ...names.filter((name) => !metrics.has(name))].map(
        (name) => `${file}: ${name}`,
      );
    });
    expect(checked.paths).toBeGreaterThan(0);
    expect(checked.names).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
