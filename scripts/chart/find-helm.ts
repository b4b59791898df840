/** Where scripts/chart-helm puts what it builds. */
const BUILT = '/opt/spegel-tools/helm-*/helm';

/** The real helm, from the PATH or built by scripts/chart-helm; undefined if there is none. */
export function findHelm(): string | undefined {
  const onPath = Bun.which('helm');
  if (onPath !== null) return onPath;
  return [...new Bun.Glob(BUILT.slice(1)).scanSync({ cwd: '/', absolute: true })].sort().at(-1);
}

/** What to say where tests are skipped because there is no helm. */
export const NO_HELM =
  'helm is not on this machine; scripts/chart-helm builds it with Go, and so does scripts/test';
