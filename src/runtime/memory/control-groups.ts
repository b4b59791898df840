/** Where the memory of a control group is counted, as paths of its tree, `/` first; undefined where it is in none. */
export interface ControlGroups {
  readonly v2: string | undefined;
  /** Of the hierarchy of the memory controller. */
  readonly v1: string | undefined;
}

/** Where cgroups of v2 are mounted, and those of v1's memory controller. */
export const V2_MOUNT = '/sys/fs/cgroup';
/** See V2_MOUNT. */
export const V1_MOUNT = '/sys/fs/cgroup/memory';

/** Reads the text of /proc/[pid]/cgroup, see cgroups(7). */
export function parseControlGroups(text: string): ControlGroups {
  return {
    v2: /^0::(\/.*)$/m.exec(text)?.[1],
    v1: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(text)?.[1],
  };
}
