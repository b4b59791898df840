/** A file or folder in a tar archive; a folder's name ends with a slash. */
export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
  /** Default 755 for a folder, 644 for a file. */
  readonly mode?: number;
  /** Makes it a link to this; it has no content then. */
  readonly linkTo?: string;
}

const BLOCK = 512;

/** Writes a tar archive in the ustar format (POSIX.1-1988). Everything belongs to root and has no date, so equal entries give equal bytes. */
export function createTar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const size = entries.reduce((sum, { content }) => sum + BLOCK + padded(content.length), 2 * BLOCK);
  const archive = new Uint8Array(size);
  let offset = 0;
  for (const entry of entries) {
    const { content } = entry;
    archive.set(createHeader(entry), offset);
    archive.set(content, offset + BLOCK);
    offset += BLOCK + padded(content.length);
  }
  return archive;
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function createHeader({ name, content, mode, linkTo }: TarEntry): Uint8Array {
  if (Buffer.byteLength(name) > 99) throw new RangeError(`Name is too long for ustar: "${name}"`);
  const header = Buffer.alloc(BLOCK);
  const isFolder = name.endsWith('/');
  header.write(name, 0);
  header.write(`${(mode ?? (isFolder ? 0o755 : 0o644)).toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\x000000000\0', 108);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(linkTo === undefined ? (isFolder ? '5' : '0') : '2', 156);
  if (linkTo !== undefined) header.write(linkTo, 157);
  header.write('ustar\x0000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
