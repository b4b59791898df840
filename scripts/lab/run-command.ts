/** Options of runCommand. */
export interface RunOptions {
  /** Written to the command's standard input. */
  readonly stdin?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Killed after this long, in ms. Default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a command left behind. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command ended with another exit code than 0. */
class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code = 'COMMAND_FAILED';
  readonly result: CommandResult;

  constructor(argv: readonly string[], result: CommandResult) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-2000);
    super(`\`${argv.join(' ')}\` exited with ${result.exitCode}: ${said}`);
    this.result = result;
  }
}

/** Runs a command to its end and returns whatever came out, whichever its exit code. */
export async function tryCommand(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const { stdin, env, cwd, timeoutMs = 60_000, signal } = options;
  const child = Bun.spawn([...argv], {
    stdin: stdin === undefined ? 'ignore' : new TextEncoder().encode(stdin),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal }),
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

/** Runs a command and returns its standard output. Throws CommandError when it fails. */
export async function runCommand(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.exitCode !== 0) throw new CommandError(argv, result);
  return result.stdout;
}
