import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { NetworkNamespace } from './network-namespace.ts';

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

/** The line that says that all readers are under way. */
export const UNDER_WAY = 'under way';

/** Readers that were started. */
export interface StartedReaders {
  /** Resolves once each reader has the first byte of a body, or has ended. */
  readonly underWay: Promise<void>;
  readonly readings: Promise<BlobReading[]>;
}

/** Starts the readers side by side in a namespace, whose TCP receive buffers it makes small for good. */
export function startReaders(
  namespace: NetworkNamespace,
  readers: readonly BlobReader[],
  { timeoutMs = 120_000 }: { readonly timeoutMs?: number } = {},
): StartedReaders {
  const child = Bun.spawn([...namespace.enter, 'setpriv', '--pdeathsig', 'KILL', process.execPath, SCRIPT], {
    stdin: new TextEncoder().encode(JSON.stringify(readers)),
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const lines = createInterface({ input: Readable.fromWeb(child.stdout as never) })[Symbol.asyncIterator]();
  const readLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`The readers ended too early, with ${await child.exited}`);
    return value;
  };
  const underWay = readLine().then((line) => {
    if (line !== UNDER_WAY) throw new Error(`The readers said "${line}" in place of "${UNDER_WAY}"`);
  });
  return { underWay, readings: underWay.then(async () => JSON.parse(await readLine()) as BlobReading[]) };
}

/** Runs the readers of startReaders() to their end. */
export async function readBlobs(
  namespace: NetworkNamespace,
  readers: readonly BlobReader[],
): Promise<BlobReading[]> {
  return startReaders(namespace, readers).readings;
}
