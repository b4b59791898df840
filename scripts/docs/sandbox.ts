/**
 * Runs what follows with /etc, /usr/local and /var/lib as they are, and every change to them thrown away: overlays in a mount
 * namespace of its own. `ip netns exec` and container engines mount single files into /etc; these are copied.
 */
const SCRIPT = `set -eu
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/files /mnt/home
for file in /etc/hosts /etc/resolv.conf /etc/hostname; do
  if [ -e "$file" ]; then cp "$file" /mnt/files/; fi
done
for folder in /etc /usr/local /var/lib; do
  mkdir -p "/mnt/upper$folder" "/mnt/work$folder"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=/mnt/upper$folder,workdir=/mnt/work$folder" "$folder"
done
cp /mnt/files/* /etc/
export HOME=/mnt/home
exec "$@"`;

/** Prefix that runs a command in such a sandbox, with a network of its own in which only loopback is. Needs root. */
export const SANDBOX: readonly string[] = [
  'unshare',
  '--mount',
  '--net',
  '--propagation=private',
  'sh',
  '-c',
  `ip link set lo up; ${SCRIPT}`,
  'sandbox',
];
