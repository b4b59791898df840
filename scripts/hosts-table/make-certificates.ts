import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CERTIFICATE_FILES } from '../../src/mirror-config/hosts-trees.fixture.ts';

/** The content of the CERTIFICATE_FILES by their names, made with openssl. */
export async function makeCertificates(): Promise<Readonly<Record<string, string>>> {
  const folder = await mkdtemp(join(tmpdir(), 'spegel-pem-'));
  try {
    const made: Record<string, string> = {};
    for (const name of new Set(Object.values(CERTIFICATE_FILES))) {
      const command = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -out ${name}.pem -subj /CN=${name} -days 3650`;
      const { exitCode } = Bun.spawnSync(command.split(' '), { cwd: folder, stderr: 'ignore' });
      if (exitCode !== 0) throw new Error('openssl cannot make a certificate');
      const [key, pem] = await Promise.all(
        ['key', 'pem'].map(async (kind) => readFile(join(folder, `${name}.${kind}`), 'utf8')),
      );
      made[`${name}.key`] = key ?? '';
      for (const kind of ['pem', 'cert', 'crt']) {
        made[`${name}.${kind}`] = (pem ?? '') + (name === 'd' ? key : '');
      }
    }
    return made;
  } finally {
    await rm(folder, { recursive: true });
  }
}
