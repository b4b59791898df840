/** A size in the text of /proc/[pid]/status (proc_pid_status(5)), in bytes; undefined where it is not. */
export function statusBytes(text: string, name: string): number | undefined {
  const kib = new RegExp(String.raw`^${name}:\s+(\d+) kB$`, 'm').exec(text)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
