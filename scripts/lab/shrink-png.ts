import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE_BYTES = 8;
/** Of a chunk: its length, its name, and its checksum. */
const CHUNK_BYTES = 12;
/** Channels by colour type, of 8 bits each: RGB and RGBA. */
const CHANNELS: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/** Writes a picture of a screen anew, with the same pixels: flat areas and text pack better without the filters of PNG. */
export function shrinkPng(png: Buffer): Buffer {
  const chunks = readChunks(png);
  const header = chunks.find(({ name }) => name === 'IHDR')?.data ?? Buffer.alloc(0);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const channels = CHANNELS[header[9] ?? 0];
  if (header[8] !== 8 || channels === undefined) throw new Error('The picture is not RGB of 8 bits');
  const data = Buffer.concat(chunks.filter(({ name }) => name === 'IDAT').map((chunk) => chunk.data));
  const rows = unfilter(inflateSync(data), { stride: width * channels, height, channels });
  const packed = deflateSync(rows, { level: 9 });
  const end = { name: 'IEND', data: Buffer.alloc(0) };
  const written = [{ name: 'IHDR', data: header }, { name: 'IDAT', data: packed }, end].map(writeChunk);
  return Buffer.concat([png.subarray(0, SIGNATURE_BYTES), ...written]);
}

interface Chunk {
  readonly name: string;
  readonly data: Buffer;
}

function readChunks(png: Buffer): readonly Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE_BYTES; at < png.length;) {
    const length = png.readUInt32BE(at);
    chunks.push({
      name: png.toString('latin1', at + 4, at + 8),
      data: png.subarray(at + 8, at + 8 + length),
    });
    at += CHUNK_BYTES + length;
  }
  return chunks;
}

function writeChunk({ name, data }: Chunk): Buffer {
  const chunk = Buffer.alloc(CHUNK_BYTES + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(name, 4, 'latin1');
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** Undoes the filters of the rows (PNG specification, section 9); each row keeps its first byte, which then says that it has none. */
function unfilter(
  raw: Buffer,
  {
    stride,
    height,
    channels,
  }: { readonly stride: number; readonly height: number; readonly channels: number },
): Buffer {
  const size = stride + 1;
  for (let y = 0; y < height; y++) {
    const start = y * size;
    const filter = raw[start] ?? 0;
    raw[start] = 0;
    for (let x = 1; x <= stride; x++) {
      const left = x > channels ? (raw[start + x - channels] ?? 0) : 0;
      const above = y > 0 ? (raw[start - size + x] ?? 0) : 0;
      const corner = x > channels && y > 0 ? (raw[start - size + x - channels] ?? 0) : 0;
      raw[start + x] = ((raw[start + x] ?? 0) + predict(filter, { left, above, corner })) & 255;
    }
  }
  return raw;
}

function predict(
  filter: number,
  { left, above, corner }: { readonly left: number; readonly above: number; readonly corner: number },
): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const sum = left + above - corner;
  const [toLeft, toAbove, toCorner] = [Math.abs(sum - left), Math.abs(sum - above), Math.abs(sum - corner)];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
