import { afterAll, beforeAll, setDefaultTimeout } from 'bun:test';
import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { parseContainerdVersion } from '../lab/containerd-config.ts';
import { createLab, type Lab, type LabOptions } from '../lab/lab.ts';

/** Folder of another containerd than the one on PATH. */
const CONTAINERD_BIN_DIR = process.env['CONTAINERD_BIN_DIR'];

/** The containerd that the lab starts. */
export function containerdBinary(): string {
  return CONTAINERD_BIN_DIR === undefined ? 'containerd' : join(CONTAINERD_BIN_DIR, 'containerd');
}

/** Its major version. */
export function containerdMajor(): number {
  return parseContainerdVersion(Bun.spawnSync([containerdBinary(), '--version']).stdout.toString()).major;
}

const START_TIMEOUT_MS = 120_000;
/** Longer than any pull waits: when a test takes this long, bun kills all processes of the lab. */
const TEST_TIMEOUT_MS = 180_000;

/** Starts a lab before the tests of a file and removes it after them. Call the result inside of tests. */
export function useLab(options: LabOptions): () => Lab {
  setDefaultTimeout(TEST_TIMEOUT_MS);
  let lab: Lab | undefined;
  beforeAll(async () => {
    lab = await createLab({
      binary: BINARY,
      ...(CONTAINERD_BIN_DIR === undefined ? {} : { containerdBinDir: CONTAINERD_BIN_DIR }),
      ...options,
    });
  }, START_TIMEOUT_MS);
  afterAll(async () => lab?.[Symbol.asyncDispose](), START_TIMEOUT_MS);
  return () => {
    if (lab === undefined) throw new Error('The lab did not start');
    return lab;
  };
}
