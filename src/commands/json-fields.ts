import { harmless } from '../terminal/text-width.ts';
import { DaemonError } from './daemon-error.ts';

/** Fields of a JSON object from the daemon, each read as the type it must have; throws DaemonError for another one. */
export interface JsonFields {
  text(name: string): string;
  texts(name: string): readonly string[];
  flag(name: string): boolean;
  /** Undefined when absent or null. */
  optionalFlag(name: string): boolean | undefined;
  number(name: string): number;
  /** Undefined when absent or null. */
  optionalNumber(name: string): number | undefined;
  /** Undefined when absent or null. */
  optionalText(name: string): string | undefined;
  object(name: string): JsonFields;
  /** Undefined when absent or null. */
  optionalObject(name: string): JsonFields | undefined;
  objects(name: string): readonly JsonFields[];
  /** Undefined when absent or null. */
  optionalObjects(name: string): readonly JsonFields[] | undefined;
}

/** Reads an object. Other members than those asked for are ignored, so that a newer daemon can have more. */
export function readJsonFields(value: unknown, where = 'the answer'): JsonFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'an object');
  const members = value as Readonly<Record<string, unknown>>;
  const place = (name: string) => `${where}: ${name}`;
  const isAbsent = (name: string) => members[name] === undefined || members[name] === null;
  const object = (name: string) => readJsonFields(members[name], place(name));
  const array = (name: string): readonly unknown[] => {
    const items = members[name];
    if (!Array.isArray(items)) throw wrong(place(name), 'a list');
    return items;
  };
  const objects = (name: string) => array(name).map((item) => readJsonFields(item, place(name)));
  const text = (value: unknown, name: string): string => {
    if (typeof value !== 'string') throw wrong(place(name), 'a text');
    // Part of it comes from other nodes.
    return harmless(value);
  };
  const flag = (name: string): boolean => {
    const value = members[name];
    if (typeof value !== 'boolean') throw wrong(place(name), 'true or false');
    return value;
  };
  const number = (name: string): number => {
    const value = members[name];
    if (typeof value !== 'number') throw wrong(place(name), 'a number');
    return value;
  };
  return {
    text: (name) => text(members[name], name),
    texts: (name) => array(name).map((item) => text(item, name)),
    flag,
    optionalFlag: (name) => (isAbsent(name) ? undefined : flag(name)),
    number,
    optionalNumber: (name) => (isAbsent(name) ? undefined : number(name)),
    optionalText: (name) => (isAbsent(name) ? undefined : text(members[name], name)),
    object,
    optionalObject: (name) => (isAbsent(name) ? undefined : object(name)),
    objects,
    optionalObjects: (name) => (isAbsent(name) ? undefined : objects(name)),
  };
}

function wrong(where: string, expected: string): DaemonError {
  return new DaemonError(
    `Cannot read what spegel answered: ${where} is not ${expected}; is it another version?`,
  );
}
