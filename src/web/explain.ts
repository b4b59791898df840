import type { Digest } from '../oci/digest.ts';
import { type Manifest, parseManifest } from '../oci/manifest.ts';
import { isConfigType, MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import { type Platform, platformManifest } from '../oci/platform-manifest.ts';
import { parseRoutingKey } from '../oci/routing-key.ts';
import type { Router } from '../routing/router.ts';
import type { WhyContent, WhyQuestion, WhyReport } from '../routing/why-report.ts';
import { createSemaphore } from '../runtime/semaphore.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { ImageFilter, ImageName } from '../store/image-filter.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import {
  type Explained,
  explainContent,
  type ExplainContentDeps,
  type ProbeTarget,
} from './explain-content.ts';

/** What explaining needs. */
export interface ExplainDeps extends ExplainContentDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat' | 'read' | 'references'>;
  readonly policy: Pick<SharingPolicy, 'sharesDigest'>;
  readonly router: Pick<Router, 'lookup' | 'ready' | 'peers'>;
  /** The manifest from a peer; undefined if none gives it. */
  readonly fetchManifest: (
    question: { readonly key: string; readonly target: ProbeTarget },
    signal: AbortSignal,
  ) => Promise<{ readonly digest: Digest; readonly bytes: Uint8Array } | undefined>;
  readonly isStoreConnected: () => boolean;
}

/** What the node was started with. */
export interface ExplainOptions {
  /** Undefined: all. */
  readonly mirroredRegistries: ReadonlySet<string> | undefined;
  readonly filters: ReadonlyArray<{ readonly expression: string; readonly matches: ImageFilter }>;
  readonly resolveTimeoutMs: number;
  readonly resolveRetries: number;
  readonly platform: Platform;
}

/** Pieces of content that are looked at: an image has ten layers, seldom fifty. */
const MAX_CONTENTS = 64;
/** Pieces of content that are looked up at once. */
const CONCURRENCY = 8;
/** Between nodes only the digest counts where the image is not known. */
const UNKNOWN_REPOSITORY = 'unknown/unknown';

/** The question's registry, repository and tag or digest; undefined if it cannot be understood. */
export function parseWhyQuestion({
  key,
  name,
}: WhyQuestion): (Partial<ImageName> & { digest?: Digest }) | undefined {
  const content = parseRoutingKey(key);
  if (content === undefined || !('digest' in content)) return name === undefined ? content : undefined;
  if (name === undefined) return content;
  const named = parseRoutingKey(`${name}:latest`);
  if (named === undefined || 'digest' in named) return undefined;
  return { digest: content.digest, registry: named.registry, repository: named.repository };
}

/**
 * Says why this node serves what is asked for, or does not: the filters, its store, the peers, what each of them says now, for
 * all that an image leads to. Changes nothing. A question that cannot be understood is a TypeError.
 */
export async function explain(
  deps: ExplainDeps,
  options: ExplainOptions,
  question: WhyQuestion,
  signal: AbortSignal,
): Promise<WhyReport> {
  const { key } = question;
  const asked = parseWhyQuestion(question);
  if (asked === undefined) throw new TypeError(`Cannot explain ${JSON.stringify(key)}`);
  const reference = asked.digest === undefined ? undefined : deps.store.references(asked.digest)[0];
  const { registry = reference?.registry, repository = reference?.repository, tag, digest } = asked;
  const name = registry === undefined || repository === undefined ? undefined : { registry, repository, tag };
  const isMirrored = registry === undefined ? undefined : options.mirroredRegistries?.has(registry) !== false;
  const filters = name === undefined ? [] : options.filters.filter(({ matches }) => matches(name));
  const isConnected = deps.isStoreConnected();
  const report: Omit<WhyReport, 'contents' | 'omitted' | 'problem'> = {
    key,
    registry,
    repository,
    isReady: deps.router.ready(),
    isStoreConnected: isConnected,
    isMirrored,
    filters: filters.map(({ expression }) => expression),
    resolveTimeoutMs: options.resolveTimeoutMs,
  };
  if (isMirrored === false || filters.length > 0) {
    const outcome = { how: 'missing', status: 404, reason: 'filter' } as const;
    const kind = digest === undefined ? 'tag' : 'content';
    return { ...report, contents: [{ kind, key, isHere: false, peers: [], outcome }], omitted: 0 };
  }
  const states = new Map((await deps.router.peers()).map(({ id, state }) => [id, state]));
  const look = async (content: {
    readonly key: string;
    readonly digest: Digest | undefined;
    readonly kind: ProbeTarget['kind'];
  }) => {
    const target: ProbeTarget = {
      kind: content.kind,
      registry,
      repository: repository ?? UNKNOWN_REPOSITORY,
      reference: content.digest ?? tag ?? '',
    };
    const explained = await explainContent(deps, { ...options, states }, { ...content, target }, signal);
    return { explained, target };
  };
  const { contents, omitted, problem } = await walk(deps, options, { key, digest, look }, signal);
  return { ...report, contents, omitted, problem };
}

type Look = (content: {
  readonly key: string;
  readonly digest: Digest | undefined;
  readonly kind: ProbeTarget['kind'];
}) => Promise<{ readonly explained: Explained; readonly target: ProbeTarget }>;

/** Looks at what is asked for and at what it leads to. */
async function walk(
  deps: ExplainDeps,
  { platform }: ExplainOptions,
  {
    key,
    digest: asked,
    look,
  }: { readonly key: string; readonly digest: Digest | undefined; readonly look: Look },
  signal: AbortSignal,
): Promise<Pick<WhyReport, 'contents' | 'omitted' | 'problem'>> {
  const contents: WhyContent[] = [];
  /** The bytes of a manifest, from here or from a peer; undefined for what is not a manifest, or is nowhere. */
  const readManifest = async (
    content: { readonly key: string; readonly digest: Digest | undefined },
    { explained, target }: Awaited<ReturnType<Look>>,
  ) => {
    const { digest = content.digest, isHere, sizeBytes = 0, outcome } = explained;
    if (isHere && digest !== undefined) {
      if (sizeBytes > MAX_MANIFEST_BYTES) return undefined;
      const bytes = await deps.store.read(digest, MAX_MANIFEST_BYTES, { signal });
      return bytes === undefined ? undefined : { digest, bytes };
    }
    if (outcome.how !== 'peer') return undefined;
    return deps.fetchManifest({ key: content.key, target: { ...target, kind: 'manifest' } }, signal);
  };

  const first = { key, digest: asked };
  const looked = await look({ ...first, kind: asked === undefined ? 'manifest' : 'blob' });
  const read = await readManifest(first, looked);
  let manifest = parsed(read?.bytes);
  const { digest: _, ...explained } = looked.explained;
  if (asked === undefined) {
    const { sizeBytes: _size, ...ofTag } = explained;
    contents.push({ kind: 'tag', key, digest: read?.digest ?? looked.explained.digest, ...ofTag });
    if (read === undefined) return { contents, omitted: 0 };
    const own = await look({ key: read.digest, digest: read.digest, kind: 'blob' });
    contents.push(contentOf(manifest?.kind ?? 'content', read.digest, own.explained, read.bytes.length));
  } else contents.push(contentOf(manifest?.kind ?? 'content', key, looked.explained, read?.bytes.length));

  if (manifest?.kind === 'index' && read !== undefined) {
    const digest = platformManifest(read.bytes, platform);
    if (digest === undefined) {
      const problem = `The index has no manifest for ${platform.os}/${platform.architecture}, the platform of this node`;
      return { contents, omitted: 0, problem };
    }
    const of = { key: digest, digest };
    const next = await look({ ...of, kind: 'blob' });
    const nextRead = await readManifest(of, next);
    manifest = parsed(nextRead?.bytes);
    contents.push(contentOf('manifest', digest, next.explained, nextRead?.bytes.length));
  }
  if (manifest?.kind !== 'manifest') return { contents, omitted: 0 };

  const references = [...new Map(manifest.references.map((each) => [each.digest, each])).values()];
  const semaphore = createSemaphore(CONCURRENCY);
  const rest = await Promise.all(
    references.slice(0, MAX_CONTENTS).map(async ({ digest, mediaType, sizeBytes }) =>
      semaphore.use(async () => {
        const { explained } = await look({ key: digest, digest, kind: 'blob' });
        return contentOf(isConfigType(mediaType) ? 'config' : 'layer', digest, explained, sizeBytes);
      }),
    ),
  );
  return { contents: [...contents, ...rest], omitted: Math.max(0, references.length - MAX_CONTENTS) };
}

function contentOf(
  kind: WhyContent['kind'],
  key: string,
  { sizeBytes, isHere, peers, outcome }: Explained,
  saidBytes: number | undefined,
): WhyContent {
  return { kind, key, sizeBytes: sizeBytes ?? saidBytes, isHere, peers, outcome };
}

function parsed(bytes: Uint8Array | undefined): Manifest | undefined {
  if (bytes === undefined) return undefined;
  try {
    return parseManifest(bytes);
  } catch {
    // A layer, a config: it leads nowhere.
    return undefined;
  }
}
