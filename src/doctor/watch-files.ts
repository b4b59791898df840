import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FilesReport } from './examine-files.ts';
import type { Finding, Severity } from './finding.ts';
import { formatStep } from './format-report.ts';

/** What a look at the files gives. */
export type FilesLook = Pick<
  FilesReport,
  'findings' | 'unknown' | 'isVisible' | 'isVersionKnown' | 'version' | 'distribution'
>;

/** Collaborators of createFilesWatch. */
export interface FilesWatchDeps {
  /** Looks at the files; may take long, or hang on a dead network file system. */
  readonly examine: () => Promise<FilesLook>;
  /** Told of what each look has found. */
  readonly onChecked: (findings: readonly Finding[]) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Looks at the node's files while the daemon runs. */
export interface FilesWatch {
  /** Something has changed, such as containerd's connection: looks again soon. */
  again(): void;
  /** What the last look has found; undefined before the first, and where the files cannot be seen. */
  last(): readonly Finding[] | undefined;
  /** Looks until the signal aborts. Never rejects for what a look finds, or for one that fails. */
  run(signal: AbortSignal): Promise<void>;
}

/** For containerd to answer after the start, so that its version is known at the first look. */
const FIRST_LOOK_MS = 10 * 1000;
/** Somebody who fixes a file sees the metric follow; a look costs some milliseconds. */
const INTERVAL_MS = 10 * 60 * 1000;
/** Reading some small files takes milliseconds; more is a disk that hangs. */
const TIMEOUT_MS = 15 * 1000;
const LEVELS: Readonly<Record<Severity, 'error' | 'warn' | 'info'>> = {
  error: 'error',
  warning: 'warn',
  info: 'info',
};

/**
 * Logs each finding once, and that it is gone once. Where the files cannot be seen, as in a pod without their mounts, says
 * so once and does nothing else.
 */
export function createFilesWatch({ examine, onChecked, logger, clock }: FilesWatchDeps): FilesWatch {
  /** By what they say: the same finding about another file is another one. */
  let known = new Map<string, Finding>();
  let last: readonly Finding[] | undefined;
  let unseen = new Set<string>();
  let hanging: Promise<unknown> | undefined;
  let wake = () => {};
  let isAsked = false;

  function report({ findings, unknown, isVisible, isVersionKnown, version, distribution }: FilesLook): void {
    for (const text of unknown.filter((text) => !unseen.has(text))) {
      logger.info("part of this node's configuration is not looked at", { reason: text });
    }
    unseen = new Set(unknown);
    last = isVisible ? findings : undefined;
    if (!isVisible) return;
    const now = new Map(findings.map((finding) => [JSON.stringify([finding.id, finding.seen]), finding]));
    const containerd = `${version.major}.${version.minor}${isVersionKnown ? '' : ' (guess)'}`;
    for (const [key, { id, severity, what, seen, fix }] of now) {
      if (known.has(key)) continue;
      logger[LEVELS[severity]]('this node needs fixing', {
        code: id,
        what,
        seen,
        fix: fix.map((step) => formatStep(step).join('\n')),
        distribution: distribution.id,
        containerd,
      });
    }
    for (const [key, { id }] of known) {
      if (!now.has(key)) logger.info('this node was fixed', { code: id });
    }
    known = now;
    onChecked(findings);
  }

  async function look(signal: AbortSignal): Promise<void> {
    if (hanging !== undefined) return;
    const started = examine();
    hanging = started.catch(() => {}).finally(() => (hanging = undefined));
    const over = new AbortController();
    const timeout = clock.sleep(TIMEOUT_MS, AbortSignal.any([signal, over.signal])).then(() => {
      throw new Error(`no result within ${TIMEOUT_MS} ms`);
    });
    try {
      report(await Promise.race([started, timeout]));
    } catch (error) {
      if (!signal.aborted) logger.warn("cannot look at this node's configuration", { error });
    } finally {
      over.abort();
      await timeout.catch(() => {});
    }
  }

  /** Waits for the time or for again(). */
  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    if (isAsked) return;
    const over = new AbortController();
    wake = () => over.abort();
    await clock.sleep(ms, AbortSignal.any([signal, over.signal])).catch(() => {});
    wake = () => {};
  }

  return {
    again() {
      isAsked = true;
      wake();
    },
    last: () => last,
    async run(signal) {
      await pause(FIRST_LOOK_MS, signal);
      while (!signal.aborted) {
        isAsked = false;
        await look(signal);
        await pause(INTERVAL_MS, signal);
      }
    },
  };
}
