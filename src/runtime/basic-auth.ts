import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the chart mounts the secret that `basicAuthSecretName` names. */
export const BASIC_AUTH_FOLDER = '/etc/secrets/basic-auth';

/**
 * The Authorization header for the files `username` and `password` of a folder, byte for byte as they are;
 * undefined when neither is there. Throws when one cannot be read, or when the user name has a colon (RFC 7617).
 */
export async function readBasicAuth(folder: string): Promise<string | undefined> {
  const [username, password] = await Promise.all(
    ['username', 'password'].map((name) => readIfPresent(join(folder, name))),
  );
  const user = username ?? Buffer.alloc(0);
  const pass = password ?? Buffer.alloc(0);
  if (user.length === 0 && pass.length === 0) return undefined;
  if (user.includes(':')) {
    throw new TypeError(`Cannot use ${join(folder, 'username')}: a user name must not contain a colon`);
  }
  return `Basic ${Buffer.concat([user, Buffer.from(':'), pass]).toString('base64')}`;
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
