import { appendFile, readFile, writeFile } from 'node:fs/promises';
import type { Finding, FixStep } from '../../src/doctor/finding.ts';

/** Who carries out what is no edit. */
export interface FixHands {
  /** Runs `spegel …`, given without its name. */
  readonly spegel: (args: readonly string[]) => Promise<void>;
  readonly restartContainerd: () => Promise<void>;
}

/** Does what a finding says, as somebody would who trusts it. Throws for a step that only a person can do. */
export async function applyFix({ fix }: Pick<Finding, 'fix'>, hands: FixHands): Promise<void> {
  const startOf = (step: FixStep) =>
    step.do === 'replace' ? step.first : step.do === 'insert' ? step.after : Infinity;
  const edits = fix.filter(({ do: kind }) => kind !== 'run').toSorted((a, b) => startOf(b) - startOf(a));
  for (const step of edits) await edit(step);
  for (const step of fix) {
    if (step.do !== 'run') continue;
    const [program, ...args] = step.command.split(' ');
    if (program === 'spegel') await hands.spegel(args);
    else if (step.command === 'systemctl restart containerd') await hands.restartContainerd();
    else throw new Error(`Cannot run "${step.command}" in a lab`);
  }
}

async function edit(step: FixStep): Promise<void> {
  if (step.do === 'write') {
    await appendFile(step.file, `${step.lines.join('\n')}\n`);
    return;
  }
  if (step.do !== 'replace' && step.do !== 'insert') {
    throw new Error(`A person has to do this: ${JSON.stringify(step)}`);
  }
  const lines = (await readFile(step.file, 'utf8')).split('\n');
  if (step.do === 'insert') lines.splice(step.after, 0, ...step.lines);
  else lines.splice(step.first - 1, step.last - step.first + 1, ...step.lines);
  await writeFile(step.file, lines.join('\n'));
}
