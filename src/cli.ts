import { Command, CommanderError, Option } from 'commander';
import {
  type Flag,
  type FlagTable,
  type FlagValues,
  environmentName,
  flagName,
  readFlags,
} from './cli/flag.ts';
import { cleanupFlags, cleanupOptions, cleanupWaitFlags, cleanupWaitOptions } from './cli/cleanup-flags.ts';
import { configureFlags, configureOptions } from './cli/configure-flags.ts';
import { type CommandText, COMMANDS, globalFlags, versionFlags } from './cli/command-table.ts';
import { DaemonError } from './commands/daemon-error.ts';
import { doctorFlags, doctorOptions } from './cli/doctor-flags.ts';
import { askFlags, peersFlags } from './cli/peers-flags.ts';
import { registryFlags, registryOptions } from './cli/registry-flags.ts';
import type { Output } from './commands/question.ts';
import type { WatchOutput } from './commands/show-answer.ts';
import { UsageError } from './commands/usage-error.ts';
import { createLogger, type Logger } from './observe/log.ts';
import { systemClock } from './runtime/clock.ts';
import { listenForSignals } from './runtime/signals.ts';
import { createLook, type Screen } from './terminal/look.ts';

/** What a run of the command line reads and writes; injected in tests. */
export interface CliContext {
  /** Arguments without the program's name. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly writeOut: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** The terminal that writeOut writes to; undefined: it writes elsewhere. */
  readonly screen?: Screen | undefined;
  /** What startWithEngineSettings returned, which a daemon logs. */
  readonly engineFailure?: Error | undefined;
}

/** A wrong command line, as shells and Go programs have it. */
const EXIT_USAGE = 2;
/** It could not be found out, where 1 is the answer "no node". */
const EXIT_UNKNOWN = 3;

/** What reads the output has seen enough, as head(1) has: that of a process that SIGPIPE ends (128 + number). */
const EXIT_PIPE = 141;

/** Every flag that may stand alone, by its name with its dashes. */
const OPTIONAL_FLAGS = new Map(
  Object.values(COMMANDS)
    .flatMap(({ flags }) => Object.entries<Flag<unknown>>(flags))
    .filter(([, flag]) => flag.kind === 'optional')
    .map(([key, flag]) => [`--${flagName(key)}`, flag]),
);

/** What is never the value of a flag that may stand alone. */
const COMMAND_NAMES = new Set(Object.values(COMMANDS).map(({ usage }) => usage.split(' ')[0] ?? ''));

/** Names of the commands that take words besides flags. */
const COMMANDS_WITH_WORDS = new Set(
  Object.values(COMMANDS).flatMap(({ usage }) => {
    const [name = '', ...words] = usage.split(' ');
    return words.length > 0 ? [name] : [];
  }),
);

/** Longer lines are hard to read. */
const MAX_HELP_WIDTH = 110;

/**
 * Runs one command and returns the exit code: 0; 1 for an error, which is then the last log line, or one sentence on
 * stderr when a running spegel cannot be asked; 2 for a wrong command line, with one sentence on stderr and nothing
 * started.
 * Commands are imported when they run: `configure` then starts in a tenth of the time.
 */
export async function runCli(context: CliContext): Promise<number> {
  const { args, environment, writeOut, writeError, screen, engineFailure } = context;
  let logger = createLogger({ level: 'info', write: writeError });
  let exitCode = 0;
  let errorCode = 1;

  /** Adds flags to a command and runs it with their values. */
  const action =
    <F extends FlagTable>(
      flags: F,
      run: (values: FlagValues<F>, logger: Logger, name: string | undefined) => Promise<number | void>,
    ) =>
    async (...parameters: unknown[]) => {
      const command = parameters.at(-1) as Command;
      const given = command.optsWithGlobals<Record<string, string[]>>();
      const { logLevel } = readFlags(globalFlags, given, environment);
      logger = createLogger({
        level: logLevel.toLowerCase() as Lowercase<typeof logLevel>,
        write: writeError,
      });
      const [name] = command.processedArgs as (string | undefined)[];
      exitCode = (await run(readFlags(flags, given, environment), logger, name)) ?? 0;
    };

  const outputOf = ({ wide }: { readonly wide: boolean }): Output => ({
    writeOut,
    look: () => createLook({ screen, isWide: wide, environment }),
  });
  /** Runs a command once, or until SIGINT or SIGTERM with --watch, which is then a success. */
  const watched = async (
    values: FlagValues<typeof peersFlags>,
    run: (output: WatchOutput) => Promise<number | void>,
  ): Promise<number | void> => {
    const output = outputOf(values);
    if (values.watch === undefined) return run(output);
    using termination = listenForSignals();
    const { signal } = termination;
    const clocks = { clock: systemClock, wallClockMs: Date.now };
    await run({ ...output, watch: { intervalMs: values.watch, signal, screen, writeError, ...clocks } });
    return 0;
  };

  const program = new Command('spegel')
    .description('Serves the images that this node already has to the other nodes of the cluster.')
    .exitOverride()
    .configureOutput({ writeOut, writeErr: writeError })
    .configureHelp({
      showGlobalOptions: true,
      helpWidth: Math.min(MAX_HELP_WIDTH, createLook({ screen, isWide: false, environment }).width),
      minWidthToWrap: 20,
      optionDescription: (option) => option.description,
    })
    .showHelpAfterError('(--help after the command shows its flags)');
  addFlags(program, globalFlags);

  const add = (parent: Command, { usage, description, flags, examples }: CommandText) =>
    addFlags(parent.command(usage).description(description), flags).addHelpText(
      'after',
      `\nExamples:\n${examples.replaceAll(/^/gm, '  $ ')}`,
    );

  add(program, COMMANDS.configure)
    .alias(COMMANDS.configure.alias)
    .action(
      action(configureFlags, async (values, logger) => {
        const options = configureOptions(values);
        const { runConfigure } = await import('./commands/configure.ts');
        await runConfigure(options, { logger, writeOut });
      }),
    );

  add(program, COMMANDS.cleanup).action(
    action(cleanupFlags, async (values, logger) => {
      const options = cleanupOptions(values);
      using termination = listenForSignals();
      const { runCleanup } = await import('./commands/cleanup.ts');
      await runCleanup(options, { logger, signal: termination.signal });
      logger.info('exit gracefully');
    }),
  );

  add(program, COMMANDS.cleanupWait).action(
    action(cleanupWaitFlags, async (values, logger) => {
      const options = cleanupWaitOptions(values);
      using termination = listenForSignals();
      const { runCleanupWait } = await import('./commands/cleanup-wait.ts');
      await runCleanupWait(options, { logger, signal: termination.signal });
    }),
  );

  add(program, COMMANDS.registry).action(
    action(registryFlags, async (values, logger) => {
      const options = registryOptions(values);
      if (engineFailure !== undefined) {
        logger.warn('Cannot start with the settings of the engine: it takes more CPU time when idle', {
          error: engineFailure,
        });
      }
      using termination = listenForSignals();
      const { runRegistry } = await import('./daemon/registry.ts');
      // Kubernetes sets it in every container.
      const isPod = environment['KUBERNETES_SERVICE_HOST'] !== undefined;
      await runRegistry(options, { logger, signal: termination.signal, isPod });
      logger.info('exit gracefully');
    }),
  );

  const peers = add(program, COMMANDS.peers).action(
    action(peersFlags, async (values) =>
      watched(values, async (output) => {
        const { runPeers } = await import('./commands/peers.ts');
        await runPeers(values, output);
      }),
    ),
  );
  add(peers, COMMANDS.peersFind).action(
    action(peersFlags, async (values, _logger, name = '') => {
      if (values.watch !== undefined) {
        throw new UsageError('peers find asks once: leave out --watch, and WATCH in the environment');
      }
      const { runPeersFind } = await import('./commands/peers-find.ts');
      errorCode = EXIT_UNKNOWN;
      const found = await runPeersFind({ ...values, name }, outputOf(values));
      return found ? 0 : 1;
    }),
  );

  add(peers, COMMANDS.peersFlights).action(
    action(peersFlags, async (values, _logger, name) =>
      watched(values, async (output) => {
        const { runPeersFlights } = await import('./commands/peers-flights.ts');
        errorCode = EXIT_UNKNOWN;
        const found = await runPeersFlights({ ...values, name }, output);
        return { found: 0, none: 1, unknown: EXIT_UNKNOWN }[found];
      }),
    ),
  );

  add(peers, COMMANDS.peersTransfers).action(
    action(peersFlags, async (values) =>
      watched(values, async (output) => {
        const { runPeersTransfers } = await import('./commands/peers-transfers.ts');
        await runPeersTransfers(values, output);
      }),
    ),
  );

  add(program, COMMANDS.why).action(
    action(askFlags, async (values, _logger, name = '') => {
      const { runWhy } = await import('./commands/why.ts');
      errorCode = EXIT_UNKNOWN;
      return (await runWhy({ ...values, name }, outputOf(values))) ? 0 : 1;
    }),
  );

  add(program, COMMANDS.doctor).action(
    action(doctorFlags, async (values) => {
      const options = doctorOptions(values);
      const { runDoctor } = await import('./commands/doctor.ts');
      return runDoctor(options, outputOf(values));
    }),
  );

  add(program, COMMANDS.version).action(
    action(versionFlags, async ({ format }) => {
      const { runVersion } = await import('./commands/version.ts');
      await runVersion({ format }, { writeOut });
    }),
  );

  // Each command has taken over the hint above; this is for a word that is none of them.
  program.showHelpAfterError('(spegel --help lists the commands)');

  try {
    await program.parseAsync(completeOptionals(asCommand(args)), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (error instanceof UsageError) {
      writeError(`error: ${error.message}\n`);
      return EXIT_USAGE;
    }
    if (error instanceof DaemonError) writeError(`error: ${error.message}\n`);
    else logger.error('exit with error', { error });
    return errorCode;
  }
}

/**
 * Runs the command line of this process and exits. Errors that nobody caught end it with a log line and exit 1.
 * `engineFailure` is what startWithEngineSettings returned.
 */
export async function main(engineFailure?: Error): Promise<never> {
  const writeError = (text: string) => void process.stderr.write(text);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      createLogger({ level: 'error', write: writeError }).error('exit with error', { error });
      void exit(1);
    });
  }
  const { stdout } = process;
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? EXIT_PIPE : 1));
  const exitCode = await runCli({
    args: process.argv.slice(2),
    environment: process.env,
    writeOut: (text) => void stdout.write(text),
    writeError,
    screen: stdout.isTTY ? { columns: () => stdout.columns, rows: () => stdout.rows } : undefined,
    engineFailure,
  });
  return exit(exitCode);
}

/** Exits once what was written has left the process: what libraries hold open must not keep it. */
async function exit(code: number): Promise<never> {
  const flush = (stream: NodeJS.WriteStream) => new Promise((resolve) => stream.write('', resolve));
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  return process.exit(code);
}

/** What other programs understand, too: `--version`, and `help` with a command below a command. */
function asCommand(args: readonly string[]): readonly string[] {
  const [first, ...others] = args;
  if (first === 'help' && others.length > 1) return [...others, '--help'];
  return first === '--version' || first === '-V' ? ['version', ...others] : args;
}

/**
 * Writes `--json` as `--json=true` unless its value follows, so that it does not take the word after it. Where no other
 * word can follow, any word is its value: `--json maybe` is refused with the same sentence as `--json=maybe`.
 */
function completeOptionals(args: readonly string[]): string[] {
  const takesWords = args.some((arg) => COMMANDS_WITH_WORDS.has(arg));
  return args.map((arg, index) => {
    const flag = OPTIONAL_FLAGS.get(arg);
    if (flag === undefined) return arg;
    const next = args[index + 1] ?? '-';
    const isCommand = COMMAND_NAMES.has(next);
    const isValue = takesWords ? flag.isValue?.(next) === true : !isCommand && !next.startsWith('-');
    return isValue ? arg : `${arg}=true`;
  });
}

function addFlags(command: Command, flags: FlagTable): Command {
  for (const [key, flag] of Object.entries(flags)) command.addOption(createOption(key, flag));
  return command;
}

function createOption(key: string, flag: Flag<unknown>): Option {
  const argument = {
    value: `<${flag.argument}>`,
    list: `[${flag.argument}...]`,
    optional: `[${flag.argument}]`,
  };
  const notes = [
    ...(flag.required ? ['required'] : []),
    ...(flag.defaultText === undefined ? [] : [`default: ${flag.defaultText}`]),
    `env: ${environmentName(key)}`,
  ];
  const option = new Option(
    `--${flagName(key)} ${argument[flag.kind]}`,
    `${flag.help} (${notes.join(', ')})`,
  );
  // A list without items, as a chart writes an empty one, is the same as none.
  if (flag.kind === 'list') option.preset('');
  return option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
}
