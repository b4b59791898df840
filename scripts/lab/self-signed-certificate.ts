import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** PEM texts. */
export interface Certificate {
  readonly certificate: string;
  readonly privateKey: string;
}

const HOUR_MS = 60 * 60 * 1000;
/** Longer than any lab runs; the hour before covers clocks that are set back. */
const VALID_MS = 30 * 24 * HOUR_MS;

/** Makes an X.509 v3 certificate (RFC 5280) for a DNS name that signs itself and may be trusted as its own CA. */
export function createSelfSignedCertificate(dnsName: string, nowMs = Date.now()): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(oid('550403'), der(0x0c, Buffer.from(dnsName)))));
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const serial = Buffer.concat([Buffer.from([0x40]), randomBytes(15)]);
  const extensions = sequence(
    sequence(oid('551d13'), der(0x01, Buffer.from([0xff])), octets(sequence(der(0x01, Buffer.from([0xff]))))),
    sequence(oid('551d11'), octets(sequence(der(0x82, Buffer.from(dnsName))))),
  );
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    name,
    sequence(time(nowMs - HOUR_MS), time(nowMs + VALID_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, algorithm, der(0x03, Buffer.from([0]), signature));
  return {
    certificate: pem('CERTIFICATE', certificate),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

/** One tag, length, value of ASN.1's distinguished encoding (X.690). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  if (value.length < 0x80) return Buffer.concat([Buffer.from([tag, value.length]), value]);
  // As few bytes as possible: a leading zero is malformed.
  const length = Buffer.from(
    value.length < 0x100 ? [value.length] : [value.length >> 8, value.length & 0xff],
  );
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, value]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function set(...parts: readonly Buffer[]): Buffer {
  return der(0x31, ...parts);
}

function octets(value: Buffer): Buffer {
  return der(0x04, value);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function time(ms: number): Buffer {
  return der(
    0x17,
    Buffer.from(
      new Date(ms)
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2),
    ),
  );
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
