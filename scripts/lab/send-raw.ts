import { fileURLToPath } from 'node:url';
import type { NetworkNamespace } from './network-namespace.ts';
import { runCommand } from './run-command.ts';

/** Bytes for a server, whatever they are. */
export interface RawRequest {
  readonly host: string;
  readonly port: number;
  /** Each character is a byte. */
  readonly text: string;
  /** Sends one byte, and the next one so many ms later. Default all at once. */
  readonly byteEveryMs?: number;
  /** Leaves the connection after this long, in ms. Default 3,000. */
  readonly patienceMs?: number;
}

/** What came back. */
export interface RawAnswer {
  /** Up to 4,000 bytes, one character each. */
  readonly text: string;
  /** Of each head that came. */
  readonly statuses: readonly number[];
  /** How the server ended the connection; `open`: not at all. */
  readonly end: 'open' | 'fin' | 'reset' | 'refused';
  readonly durationMs: number;
}

const SCRIPT = fileURLToPath(import.meta.resolve('./send-raw-process.ts'));

/** Sends all requests at once, each on a connection of its own, from inside a namespace. */
export async function sendRaw(
  namespace: NetworkNamespace,
  requests: readonly RawRequest[],
): Promise<RawAnswer[]> {
  const argv = [...namespace.enter, 'setpriv', '--pdeathsig', 'KILL', process.execPath, SCRIPT];
  return JSON.parse(await runCommand(argv, { stdin: JSON.stringify(requests) })) as RawAnswer[];
}
