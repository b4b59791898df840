import { join } from 'node:path';

const REPOSITORY = join(import.meta.dir, '../..');
/** Where scripts/chart-helm puts what it builds. */
const BUILT = '/opt/spegel-tools/helm-*/helm';

/**
 * The real helm, from the PATH or built by scripts/chart-helm; undefined if there is none. With BUILD_HELM=1 in the
 * environment it is built first, where there is Go.
 */
export function findHelm(): string | undefined {
  const onPath = Bun.which('helm');
  if (onPath !== null) return onPath;
  if (process.env['BUILD_HELM'] === '1' && Bun.which('go') !== null) {
    const { exitCode } = Bun.spawnSync([join(REPOSITORY, 'scripts/chart-helm')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (exitCode !== 0) throw new Error('scripts/chart-helm failed: see above');
  }
  return [...new Bun.Glob(BUILT.slice(1)).scanSync({ cwd: '/', absolute: true })].sort().at(-1);
}

/** What to say where tests are skipped since there is no helm. */
export const NO_HELM =
  'helm is not on this machine; scripts/chart-helm builds it with Go, BUILD_HELM=1 scripts/test too';
