const SECOND_MS = 1000;
/** For so long a process has to be calm. */
const CALM_MS = 20 * SECOND_MS;
/** How often that is looked at, and how often a process is that has something to do: it may grow fast. */
const CALM_LOOK_MS = 2 * SECOND_MS;
const BUSY_LOOK_MS = SECOND_MS;
/** Share of a core below which the process has little to do: it has found its cluster, say. */
const CALM_SHARE = 0.02;

/** Tells when a process has had little to do for a while. */
export interface CalmWatch {
  /** Time until the next look, in ms. */
  readonly lookMs: number;
  /** A look: the time in ms has passed, with so much CPU time. True when it has been calm for 20 s, each time once. */
  passed(ms: number, cpuMs: number): boolean;
}

/** True if so much CPU time in the time, both in ms, is next to nothing. */
export function isLittle(cpuMs: number, ms: number): boolean {
  return cpuMs <= CALM_SHARE * ms;
}

/** Makes a watch for a process that has just started. */
export function createCalmWatch(isIdle: () => boolean): CalmWatch {
  /** For how long it has been calm, and what it has needed of a core meanwhile. */
  let [calmMs, calmCpuMs] = [0, 0];
  return {
    get lookMs() {
      return calmMs > 0 ? CALM_LOOK_MS : BUSY_LOOK_MS;
    },
    passed(ms, cpuMs) {
      calmMs += ms;
      calmCpuMs += cpuMs;
      if (!isIdle() || !isLittle(calmCpuMs, CALM_MS)) [calmMs, calmCpuMs] = [0, 0];
      if (calmMs < CALM_MS) return false;
      [calmMs, calmCpuMs] = [ms, 0];
      return true;
    },
  };
}
