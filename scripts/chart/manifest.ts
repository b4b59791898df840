/** One Kubernetes object, as far as tests look into it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
}

/** The objects of a YAML text, ordered by kind and name: versions of helm differ in their order. */
export function parseManifests(text: string): readonly Manifest[] {
  const parsed: unknown = Bun.YAML.parse(text);
  const objects = (Array.isArray(parsed) ? parsed : [parsed]).filter(
    (object) => object !== null,
  ) as Manifest[];
  return objects.sort((a, b) => manifestKey(a).localeCompare(manifestKey(b)));
}

/** What names an object: kind/name. */
export function manifestKey({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}
