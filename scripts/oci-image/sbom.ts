import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A package in an image. */
export interface ImagePackage {
  readonly name: string;
  readonly version: string;
  /** Package URL (purl). */
  readonly purl: string;
  /** SPDX expression, undefined: not declared. */
  readonly license: string | undefined;
  /** SHA-512 of the package's archive in hex, undefined: not recorded. */
  readonly sha512: string | undefined;
}

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What bun.lock puts into the binary: the dependencies that are no development tools, with theirs, sorted. */
export async function lockedPackages(root: string): Promise<readonly ImagePackage[]> {
  const text = await readFile(join(root, 'bun.lock'), 'utf8');
  const lock = JSON.parse(text.replaceAll(/,(\s*[}\]])/g, '$1')) as {
    readonly workspaces: Readonly<Record<string, LockedPackage>>;
    readonly packages: Readonly<
      Record<string, readonly [id: string, registry: string, about: LockedPackage, integrity?: string]>
    >;
  };
  const found = new Map<string, ImagePackage>();
  const visit = async (key: string): Promise<void> => {
    const entry = lock.packages[key];
    if (entry === undefined || found.has(key)) return;
    const [id, , about, integrity] = entry;
    const at = id.lastIndexOf('@');
    const [name, version] = [id.slice(0, at), id.slice(at + 1)];
    found.set(key, {
      name,
      version,
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      license: await licenseOf(root, key),
      sha512:
        integrity?.startsWith('sha512-') === true
          ? Buffer.from(integrity.slice(7), 'base64').toString('hex')
          : undefined,
    });
    // A package of its own copy is below the one that needs it: `a/b`.
    for (const dependency of Object.keys({ ...about.dependencies, ...about.optionalDependencies })) {
      const own = `${key}/${dependency}`;
      await visit(own in lock.packages ? own : dependency);
    }
  };
  for (const name of Object.keys(lock.workspaces['']?.dependencies ?? {})) await visit(name);
  return Array.from(found.values()).sort((a, b) => (a.purl < b.purl ? -1 : a.purl > b.purl ? 1 : 0));
}

/** Options of formatSbom. */
export interface SbomOptions {
  readonly name: string;
  readonly version: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** Digest of the image's manifest: makes the document's name unique. */
  readonly digest: string;
  readonly packages: readonly ImagePackage[];
}

/** An SPDX 2.3 document. Equal input gives equal text. */
export function formatSbom({ name, version, created, digest, packages }: SbomOptions): string {
  const describe = (item: ImagePackage, id: string) => ({
    SPDXID: id,
    name: item.name,
    versionInfo: item.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: item.license ?? 'NOASSERTION',
    ...(item.sha512 === undefined
      ? {}
      : { checksums: [{ algorithm: 'SHA512', checksumValue: item.sha512 }] }),
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: item.purl },
    ],
  });
  const purl = `pkg:oci/${name}@${encodeURIComponent(digest)}`;
  const image = { name, version, purl, license: 'Apache-2.0', sha512: undefined };
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}-${version}`,
    documentNamespace: `urn:spegel:sbom:${digest}`,
    creationInfo: { created, creators: ['Tool: scripts/image'] },
    packages: [
      describe(image, 'SPDXRef-image'),
      ...packages.map((item, index) => describe(item, `SPDXRef-package-${index}`)),
    ],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: 'SPDXRef-image',
      },
      ...packages.map((_, index) => ({
        spdxElementId: 'SPDXRef-image',
        relationshipType: 'CONTAINS',
        relatedSpdxElement: `SPDXRef-package-${index}`,
      })),
    ],
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

async function licenseOf(root: string, key: string): Promise<string | undefined> {
  const text = await readFile(join(root, 'node_modules', key, 'package.json'), 'utf8').catch(() => '{}');
  const { license } = JSON.parse(text) as { readonly license?: unknown };
  return typeof license === 'string' ? license : undefined;
}
