import { createSocket, type RemoteInfo } from 'node:dgram';

import { parseIp } from '../../runtime/ip-address.ts';

/** What a server is asked for. */
export interface DnsQuestion {
  /** Lower case, without the dot at the end. */
  readonly name: string;
  readonly type: 'A' | 'AAAA';
}

/**
 * What it answers: addresses (it sends those of the type), an error, nothing, or bytes behind the ID of the question.
 */
export type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly truncated?: boolean }
  | { readonly error: 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' }
  | { readonly raw: Uint8Array }
  | 'silence';

/** A running server. */
export interface DnsServer extends AsyncDisposable {
  readonly port: number;
  /** Every question so far, as `name type transport`. */
  readonly questions: readonly string[];
}

/** RFC 1035, 3.2.2 and RFC 3596. */
const TYPES: Readonly<Record<number, DnsQuestion['type']>> = { 1: 'A', 28: 'AAAA' };
const RCODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 } as const;
const HEADER_BYTES = 12;
/** QR, RD and RA. */
const RESPONSE = 0x8180;
const TRUNCATED = 0x0200;
/** A pointer to the name of the question. */
const NAME_POINTER = 0xc00c;
const CLASS_IN = 1;
const TTL_SECONDS = 5;

/** Starts a name server (RFC 1035) on UDP and TCP that answers what it is told to. For tests, and for the lab. */
export async function startDnsServer(
  answer: (question: DnsQuestion) => DnsAnswer,
  { host = '127.0.0.1', port = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<DnsServer> {
  const questions: string[] = [];
  const respond = (query: Uint8Array, transport: 'udp' | 'tcp') => {
    const asked = parseQuery(query);
    if (asked === undefined) return undefined;
    questions.push(`${asked.question.name} ${asked.question.type} ${transport}`);
    return formatAnswer(asked, answer(asked.question), transport === 'udp');
  };
  const tcp = Bun.listen({
    hostname: host,
    port,
    socket: {
      data(socket, data) {
        // Two bytes of length before each message (RFC 1035, 4.2.2); queries are short and come in one piece here.
        for (let at = 0; at + 2 <= data.length;) {
          const end = at + 2 + data.readUInt16BE(at);
          const message = respond(data.subarray(at + 2, end), 'tcp');
          if (message !== undefined) socket.write(Buffer.concat([uint16(message.length), message]));
          at = end;
        }
      },
    },
  });
  const udp = createSocket('udp4');
  udp.on('message', (query: Uint8Array, { address, port: to }: RemoteInfo) => {
    const message = respond(query, 'udp');
    if (message !== undefined) udp.send(message, to, address);
  });
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(tcp.port, host, resolve);
  });
  return {
    port: tcp.port,
    questions,
    async [Symbol.asyncDispose]() {
      tcp.stop(true);
      await new Promise<void>((resolve) => udp.close(() => resolve()));
    },
  };
}

interface Asked {
  readonly id: Uint8Array;
  /** The question's section as it was sent. */
  readonly section: Uint8Array;
  readonly question: DnsQuestion;
}

function parseQuery(query: Uint8Array): Asked | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(Buffer.from(query.subarray(at + 1, at + 1 + length)).toString('latin1'));
    at += 1 + length;
  }
  const type = TYPES[((query[at + 1] ?? 0) << 8) | (query[at + 2] ?? 0)];
  if (type === undefined) return undefined;
  return {
    id: query.slice(0, 2),
    section: query.slice(HEADER_BYTES, at + 5),
    question: { name: labels.join('.').toLowerCase(), type },
  };
}

function formatAnswer(
  { id, section, question }: Asked,
  answer: DnsAnswer,
  isUdp: boolean,
): Buffer | undefined {
  if (answer === 'silence') return undefined;
  if ('raw' in answer) return Buffer.concat([id, answer.raw]);
  if ('error' in answer) return message(RESPONSE | RCODES[answer.error], []);
  if (answer.truncated === true && isUdp) return message(RESPONSE | TRUNCATED, []);
  const records = answer.addresses.flatMap((text) => {
    const bytes = parseIp(text);
    const isWanted = bytes?.length === (question.type === 'A' ? 4 : 16);
    return bytes === undefined || !isWanted ? [] : [record(bytes)];
  });
  return message(RESPONSE, records);

  function message(flags: number, answers: readonly Buffer[]): Buffer {
    const counts = [flags, 1, answers.length, 0, 0].map(uint16);
    return Buffer.concat([id, ...counts, section, ...answers]);
  }
  function record(data: Uint8Array): Buffer {
    const type = data.length === 4 ? 1 : 28;
    const head = [NAME_POINTER, type, CLASS_IN, 0, TTL_SECONDS, data.length].map(uint16);
    return Buffer.concat([...head, data]);
  }
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
