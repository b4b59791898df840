import { open } from 'node:fs/promises';

/** Section type of the symbol versions that a program needs (Linux Standard Base, "Symbol Versioning"). */
const SHT_GNU_VERNEED = 0x6ffffffe;
/** ELF64, little-endian: where the file header has the section table, and the sizes in bytes. */
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;

/**
 * The newest version of glibc whose symbols a 64-bit program asks for, such as `2.17`: with an older one the loader
 * refuses it. Throws for a file that asks for none.
 */
export async function neededGlibc(path: string): Promise<string> {
  await using file = await open(path, 'r');
  const read = async (offset: number, sizeBytes: number) => {
    const { buffer } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
    return buffer;
  };
  const header = await read(0, HEADER_BYTES);
  const count = header.readUInt16LE(60);
  const table = await read(Number(header.readBigUInt64LE(40)), count * SECTION_BYTES);
  const contentOf = async (index: number) => {
    const at = index * SECTION_BYTES;
    return read(Number(table.readBigUInt64LE(at + 24)), Number(table.readBigUInt64LE(at + 32)));
  };
  const sections = Array.from({ length: count }, (_, index) => index);
  const needs = sections.find((index) => table.readUInt32LE(index * SECTION_BYTES + 4) === SHT_GNU_VERNEED);
  if (needs === undefined) throw new Error(`${path} needs no symbol versions: is it a dynamic program?`);
  const names = await contentOf(table.readUInt32LE(needs * SECTION_BYTES + 40));
  const versions = neededVersions(await contentOf(needs), names).flatMap(
    (name) => /^GLIBC_(\d+\.\d+)/.exec(name)?.[1] ?? [],
  );
  const [newest] = versions.sort((a, b) => minorOf(b) - minorOf(a));
  if (newest === undefined) throw new Error(`${path} needs no version of glibc`);
  return newest;
}

/** Walks the chain of libraries (Elfxx_Verneed), and for each of them that of its versions (Elfxx_Vernaux). */
function neededVersions(needs: Buffer, names: Buffer): readonly string[] {
  const found: string[] = [];
  for (let at = 0, next = -1; next !== 0; at += next) {
    const count = needs.readUInt16LE(at + 2);
    let version = at + needs.readUInt32LE(at + 8);
    for (let index = 0; index < count; index++) {
      const start = needs.readUInt32LE(version + 8);
      found.push(names.toString('latin1', start, names.indexOf(0, start)));
      version += needs.readUInt32LE(version + 12);
    }
    next = needs.readUInt32LE(at + 12);
  }
  return found;
}

/** All versions of glibc are 2.x. */
function minorOf(version: string): number {
  return Number(version.split('.')[1]);
}
