import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { BootstrapError } from './bootstrapper.ts';

/** Certificates of bootstrapping, PEM: this node's own, and the authority that other nodes' certificates come from. */
export interface BootstrapTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A bundle of authorities has some hundred KB at most. */
const MAX_PEM_BYTES = 1024 * 1024;

/**
 * Reads --http-bootstrap-cert-dir: ca.crt, tls.crt and tls.key, as a Kubernetes TLS secret is mounted.
 * Rejects with BootstrapError when they cannot be used, also while they are being replaced one after the other.
 */
export async function readTlsFolder(folder: string): Promise<BootstrapTls> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'tls.crt', 'tls.key'].map(async (name) => readPem(folder, name)),
  );
  const tls = { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
  let isPair: boolean;
  try {
    const [authority, own] = [new X509Certificate(tls.ca), new X509Certificate(tls.cert)];
    isPair = authority.raw.length > 0 && own.checkPrivateKey(createPrivateKey(tls.key));
  } catch (cause) {
    throw new BootstrapError(`Cannot use ca.crt, tls.crt and tls.key in ${folder}: they must be PEM`, {
      cause,
    });
  }
  if (!isPair) throw new BootstrapError(`Cannot use ${folder}: tls.key is not the key of tls.crt`);
  return tls;
}

async function readPem(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new BootstrapError(
      `Cannot read ${path}: --http-bootstrap-cert-dir needs ca.crt, tls.crt and tls.key`,
      { cause },
    );
  }
  if (text.length > MAX_PEM_BYTES) throw new BootstrapError(`Cannot use ${path}: it is too large`);
  return text;
}
