import { existsSync, readlinkSync } from 'node:fs';

/** Of the namespace's number, so many characters in base 36 are kept: names of interfaces have room for no more. */
const NAMESPACE_CHARACTERS = 2;
const NAMESPACES = 36 ** NAMESPACE_CHARACTERS;
const LAB_NAME = new RegExp(`^lab(\\d+)-([a-z0-9]{${NAMESPACE_CHARACTERS}})[a-z0-9]+`);

/**
 * A name for a lab: the pid of the process that makes it and the PID namespace that this pid is of, so that another lab
 * can tell whether that process still runs, and that only where it can see it.
 */
export function createLabId(): string {
  const random = Math.random().toString(36).slice(2, 5);
  return `lab${process.pid}-${pidNamespace()}${random}`;
}

/** True for a name that starts with the ID of a lab whose process has ended; false where that cannot be told. */
export function isOfDeadLab(name: string): boolean {
  const [, pid, namespace] = LAB_NAME.exec(name) ?? [];
  return pid !== undefined && namespace === pidNamespace() && !existsSync(`/proc/${pid}`);
}

function pidNamespace(): string {
  // `pid:[4026531836]`
  const number = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  return (number % NAMESPACES).toString(36).padStart(NAMESPACE_CHARACTERS, '0');
}
