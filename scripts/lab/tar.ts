/** A file or folder in a tar archive; a folder's name ends with a slash. */
export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
}

const BLOCK = 512;

/** Writes a tar archive in the ustar format (POSIX.1-1988). Everything belongs to root and has no date, so equal entries give equal bytes. */
export function createTar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const size = entries.reduce((sum, { content }) => sum + BLOCK + padded(content.length), 2 * BLOCK);
  const archive = new Uint8Array(size);
  let offset = 0;
  for (const { name, content } of entries) {
    archive.set(createHeader(name, content.length), offset);
    archive.set(content, offset + BLOCK);
    offset += BLOCK + padded(content.length);
  }
  return archive;
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function createHeader(name: string, size: number): Uint8Array {
  if (Buffer.byteLength(name) > 99) throw new RangeError(`Name is too long for ustar: "${name}"`);
  const header = Buffer.alloc(BLOCK);
  const isFolder = name.endsWith('/');
  header.write(name, 0);
  header.write(isFolder ? '0000755\0' : '0000644\0', 100);
  header.write('0000000\x000000000\0', 108);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(isFolder ? '5' : '0', 156);
  header.write('ustar\x0000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
