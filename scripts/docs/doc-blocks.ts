import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { REPOSITORY } from '../chart/render-chart.ts';

/**
 * Where a block's commands are run: `sandbox` is this machine with changes that are thrown away, `render` the same with
 * helm, whose install and upgrade render only; `lab` is beside the lab of scripts/lab-up.ts, `node` on a node of it.
 */
export type Runner = 'sandbox' | 'render' | 'lab' | 'node';

/** A fenced block of a document. */
export interface DocBlock {
  /** From the repository's root. */
  readonly file: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** What follows the fence, such as `sh`; empty if nothing does. */
  readonly language: string;
  readonly text: string;
  /** From a comment `<!-- run: lab -->` on the line above it; undefined: it is only read. */
  readonly runner: Runner | undefined;
}

const RUNNERS: ReadonlySet<string> = new Set<Runner>(['sandbox', 'render', 'lab', 'node']);
const MARK = /^<!-- run: (\S*) -->$/;

/** The documents of the repository, from its root. */
export async function listDocuments(): Promise<readonly string[]> {
  const names = await readdir(join(REPOSITORY, 'docs'));
  const docs = names.filter((name) => name.endsWith('.md')).sort();
  return [
    'README.md',
    'CHANGELOG.md',
    'deploy/charts/spegel/README.md',
    ...docs.map((name) => join('docs', name)),
  ];
}

/** All blocks of all documents. Throws what parseBlocks throws. */
export async function readBlocks(): Promise<readonly DocBlock[]> {
  const blocks: DocBlock[] = [];
  for (const file of await listDocuments()) {
    blocks.push(...parseBlocks(await readFile(join(REPOSITORY, file), 'utf8'), file));
  }
  return blocks;
}

/** The fenced blocks of a document. Throws TypeError for a mark that is wrong, or that has no `sh` block below it. */
export function parseBlocks(text: string, file: string): readonly DocBlock[] {
  const lines = text.split('\n');
  const blocks: DocBlock[] = [];
  let open: { readonly line: number; readonly language: string; readonly fence: string } | undefined;
  for (const [index, line] of lines.entries()) {
    const fence = /^ *(?<fence>`{3,})(?<language>\w*)/.exec(line)?.groups;
    if (open === undefined) {
      if (fence !== undefined) {
        open = { line: index + 1, language: fence['language'] ?? '', fence: fence['fence'] ?? '' };
      } else if (MARK.test(line) && !lines[index + 1]?.startsWith('```sh')) {
        throw new TypeError(`${file}:${index + 1}: there is no block of sh below this`);
      }
    } else if (line.trim() === open.fence) {
      const { language } = open;
      const text = lines.slice(open.line, index).join('\n');
      blocks.push({
        file,
        line: open.line,
        language,
        text,
        runner: readMark(lines[open.line - 2] ?? '', file, open.line),
      });
      open = undefined;
    }
  }
  if (open !== undefined) throw new TypeError(`${file}:${open.line}: this block has no end`);
  return blocks;
}

function readMark(line: string, file: string, number: number): Runner | undefined {
  const name = MARK.exec(line)?.[1];
  if (name === undefined) return undefined;
  if (isRunner(name)) return name;
  throw new TypeError(
    `${relative('.', file)}:${number - 1}: ${JSON.stringify(name)} is none of ${[...RUNNERS].join(', ')}`,
  );
}

function isRunner(name: string): name is Runner {
  return RUNNERS.has(name);
}
