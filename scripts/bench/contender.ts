import { createLab, type Lab } from '../lab/lab.ts';
import { type LabNode, NO_MIRROR } from '../lab/lab-node.ts';

/** One of those that are compared: a lab of two nodes of its own, so that nobody meets the other's traffic. */
export interface Contender {
  /** `spegel`, `other` or `no mirror`. */
  readonly name: string;
  readonly lab: Lab;
  /** Has the image already. Without a mirror, upstream takes its part. */
  readonly holder: LabNode;
  /** The node whose pulls are measured. */
  readonly puller: LabNode;
  /** Both nodes' mirrors; empty without. */
  readonly mirrored: readonly LabNode[];
}

/** Options of startContenders. */
export interface ContenderOptions {
  readonly binary: string;
  /** Another binary with the same command line. */
  readonly other?: string | undefined;
  readonly containerdBinDir?: string | undefined;
  /** Room for one contender's images, in bytes. */
  readonly roomBytes: number;
}

/** The contender that the others are compared with. */
export const NO_MIRROR_NAME = 'no mirror';

/** Starts all of them; they are disposed with the stack. */
export async function startContenders(
  stack: AsyncDisposableStack,
  { binary, other, containerdBinDir, roomBytes }: ContenderOptions,
): Promise<Contender[]> {
  const binaries = { spegel: binary, ...(other === undefined ? {} : { other }), [NO_MIRROR_NAME]: NO_MIRROR };
  const contenders: Contender[] = [];
  for (const [name, each] of Object.entries(binaries)) {
    const lab = stack.use(
      await createLab({
        nodes: 2,
        binary: each,
        // As users run it: the lab's own level writes lines for each request.
        mirrorArgs: ['--log-level', 'INFO'],
        roomBytes,
        ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
      }),
    );
    const [holder, puller] = [lab.node(1), lab.node(2)];
    contenders.push({
      name,
      lab,
      holder,
      puller,
      mirrored: [holder, puller].filter(({ hasMirror }) => hasMirror),
    });
  }
  return contenders;
}

/** The contenders in another order each round, so that nobody always comes first. */
export function inTurn<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
