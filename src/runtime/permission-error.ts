const PERMISSION_CODES = new Set<unknown>(['EACCES', 'EPERM']);
/** As a library has it that keeps only the text of the system's error: `connect EACCES /run/containerd/containerd.sock`. */
const PERMISSION_TEXT = /\b(?:EACCES|EPERM)\b/;

/** True if the user of this process may not do what has failed: the error, or one of its causes, says so (errno(3)). */
export function isPermissionError(error: unknown): boolean {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if ('code' in each && PERMISSION_CODES.has(each.code)) return true;
    if (PERMISSION_TEXT.test(each.message)) return true;
  }
  return false;
}
