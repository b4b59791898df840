import { parse, type Type } from 'protobufjs';
import protoText from './containerd.proto' with { type: 'text' };

/** An image record. Digests are unchecked text. */
export interface ImageMessage {
  readonly name: string;
  readonly target: { readonly mediaType: string; readonly digest: string; readonly size: number } | null;
}

/** What the namespace's metadata says of a blob. */
export interface InfoMessage {
  readonly digest: string;
  readonly size: number;
  readonly createdAt: { readonly seconds: number } | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** An event with its payload still encoded. */
export interface EnvelopeMessage {
  readonly namespace: string;
  readonly topic: string;
  readonly event: { readonly typeUrl: string; readonly value: Uint8Array } | null;
}

/** A plugin of containerd with what it says of itself. */
export interface PluginMessage {
  readonly type: string;
  readonly id: string;
  readonly exports: Readonly<Record<string, string>>;
}

/** A gRPC method: its path, and how its messages are written and read. */
export interface ApiMethod<Request, Response> {
  readonly path: string;
  readonly encode: (request: Request) => Buffer;
  readonly decode: (bytes: Buffer) => Response;
}

interface Filters {
  readonly filters: readonly string[];
}

const { root } = parse(protoText);

function method<Request extends object, Response>(
  path: string,
  requestType: string,
  responseType: string,
): ApiMethod<Request, Response> {
  const request = root.lookupType(`containerd.${requestType}`);
  const response = root.lookupType(`containerd.${responseType}`);
  return {
    path,
    encode: (value) => Buffer.from(request.encode(request.fromObject({ ...value })).finish()),
    decode: (bytes) => decodeWith(response, bytes) as Response,
  };
}

function decodeWith(type: Type, bytes: Uint8Array): object {
  return type.toObject(type.decode(bytes), { longs: Number, defaults: true });
}

const subject = root.lookupType('containerd.Subject');

/** The image name or the digest that an event is about; throws on bytes that are no message. */
export function decodeSubject(bytes: Uint8Array): string {
  return (decodeWith(subject, bytes) as { id: string }).id;
}

const contentCreate = root.lookupType('containerd.ContentCreate');

/** The blob that a `/content/create` event is about; a size of 0 bytes: it does not say. Throws as decodeSubject(). */
export function decodeContentCreate(bytes: Uint8Array): { readonly digest: string; readonly size: number } {
  return decodeWith(contentCreate, bytes) as { digest: string; size: number };
}

/** The methods of containerd that are called here (containerd's api/services, v1). */
export const API = {
  getImage: method<{ name: string }, { image: ImageMessage | null }>(
    '/containerd.services.images.v1.Images/Get',
    'GetImageRequest',
    'GetImageResponse',
  ),
  listImages: method<Filters, { images: readonly ImageMessage[] }>(
    '/containerd.services.images.v1.Images/List',
    'ListImagesRequest',
    'ListImagesResponse',
  ),
  contentInfo: method<{ digest: string }, { info: InfoMessage | null }>(
    '/containerd.services.content.v1.Content/Info',
    'InfoRequest',
    'InfoResponse',
  ),
  listContent: method<Filters, { info: readonly InfoMessage[] }>(
    '/containerd.services.content.v1.Content/List',
    'ListContentRequest',
    'ListContentResponse',
  ),
  abortIngest: method<{ ref: string }, object>(
    '/containerd.services.content.v1.Content/Abort',
    'AbortRequest',
    'Empty',
  ),
  subscribe: method<Filters, EnvelopeMessage>(
    '/containerd.services.events.v1.Events/Subscribe',
    'SubscribeRequest',
    'Envelope',
  ),
  version: method<object, { version: string; revision: string }>(
    '/containerd.services.version.v1.Version/Version',
    'Empty',
    'VersionResponse',
  ),
  plugins: method<Filters, { plugins: readonly PluginMessage[] }>(
    '/containerd.services.introspection.v1.Introspection/Plugins',
    'PluginsRequest',
    'PluginsResponse',
  ),
} as const;

interface OfImage {
  readonly image: { readonly image: string };
}

/** The methods of the CRI that are called here (runtime.v1, which containerd has from 1.6 on). */
export const CRI = {
  pullImage: method<OfImage, { readonly imageRef: string }>(
    '/runtime.v1.ImageService/PullImage',
    'PullImageRequest',
    'PullImageResponse',
  ),
  removeImage: method<OfImage, object>('/runtime.v1.ImageService/RemoveImage', 'RemoveImageRequest', 'Empty'),
} as const;
