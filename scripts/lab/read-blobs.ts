import { fileURLToPath } from 'node:url';
import type { NetworkNamespace } from './network-namespace.ts';
import { runCommand } from './run-command.ts';

/** One client that reads a blob, as slowly as it is told to. */
export interface BlobReader {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Every byte that comes is compared with this file's. */
  readonly file: string;
  /** First byte to ask for. Default 0, without a Range header. */
  readonly offset?: number;
  /** Default as fast as it comes. */
  readonly bytesPerSecond?: number;
  /** Leaves, with a reset, after so many bytes. */
  readonly abortAfterBytes?: number;
  /** Asks for the rest, as containerd does, when a body ends early, for 10 s without a byte. Default false. */
  readonly resumes?: boolean;
}

/** What became of a reader. */
export interface BlobReading {
  readonly ended: 'complete' | 'aborted' | 'short' | 'reset' | 'refused';
  /** Bytes that came and were those of the file, over all requests. */
  readonly receivedBytes: number;
  /** Where in the blob the first wrong byte was; undefined: none was wrong. */
  readonly wrongAt: number | undefined;
  readonly requests: number;
  /** Of the last answer. */
  readonly status: number;
  readonly durationMs: number;
}

const SCRIPT = fileURLToPath(import.meta.resolve('./read-blobs-process.ts'));

/** Runs the readers side by side in a namespace, whose TCP receive buffers it makes small for good. */
export async function readBlobs(
  namespace: NetworkNamespace,
  readers: readonly BlobReader[],
  { timeoutMs = 120_000 }: { readonly timeoutMs?: number } = {},
): Promise<BlobReading[]> {
  const argv = [...namespace.enter, 'setpriv', '--pdeathsig', 'KILL', process.execPath, SCRIPT];
  return JSON.parse(await runCommand(argv, { stdin: JSON.stringify(readers), timeoutMs })) as BlobReading[];
}
