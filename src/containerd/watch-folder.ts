import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from '../observe/log.ts';

/** A folder under watch, from before it exists until it is closed. */
export interface FolderWatch extends Disposable {
  /** Looks whether the folder has come, gone or been replaced, and watches what is there now. */
  check(): void;
}

/** Options of watchFolder. */
export interface WatchFolderOptions {
  readonly path: string;
  /** An entry of that name came or went. */
  readonly onEntry: (name: string) => void;
  /** The folder is watched from now on: what is in it already was not told of. */
  readonly onAttached: () => void;
  readonly logger: Logger;
}

interface Place {
  readonly path: string;
  readonly id: string;
}

/**
 * Watches a folder with inotify. As long as it does not exist, its nearest parent is watched for it.
 * Errors of the watch end in the log; the next check() tries again.
 */
export function watchFolder({ path, onEntry, onAttached, logger }: WatchFolderOptions): FolderWatch {
  let watcher: FSWatcher | undefined;
  let watched: Place | undefined;
  let closed = false;
  let warned = false;

  function detach(): void {
    watcher?.close();
    watcher = undefined;
    watched = undefined;
  }

  function attach(place: Place): void {
    const current = watch(place.path, (event, name) => {
      // containerd changes the mode of a blob after its rename, which is another event for nothing.
      if (current !== watcher || event !== 'rename') return;
      if (place.path !== path) check();
      else if (name !== null) onEntry(name);
    });
    watcher = current;
    watched = place;
    current.on('error', (error) => {
      logger.debug('watch of folder broke', { path: place.path, error });
      if (current === watcher) detach();
    });
  }

  function check(): void {
    try {
      // Again after each change: a folder may appear between the look and the watch.
      for (;;) {
        const place = closed ? undefined : nearest(path);
        if (place === undefined || (place.path === watched?.path && place.id === watched.id)) return;
        detach();
        attach(place);
        if (place.path === path) onAttached();
      }
    } catch (error) {
      detach();
      // Gone between the look and the watch; its parent's next event or the next check sees to it.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || warned) return;
      warned = true;
      logger.warn(
        'folder cannot be watched, changes are found late: raise fs.inotify.max_user_watches and max_user_instances',
        { path, error },
      );
    }
  }

  check();
  return {
    check,
    [Symbol.dispose]() {
      closed = true;
      detach();
    },
  };
}

/** The path or its nearest parent that exists, with what tells it from another folder at the same path. */
function nearest(path: string): Place | undefined {
  for (let at = path; ; at = dirname(at)) {
    const stats = statSync(at, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return { path: at, id: `${stats.dev}:${stats.ino}` };
    if (dirname(at) === at) return undefined;
  }
}
