/** The longest value of a label in Kubernetes. */
export const MAX_LABEL_VALUE_LENGTH = 63;

const LABEL_VALUE = /^[a-z0-9](?:[-_.a-z0-9]*[a-z0-9])?$/i;

/** True for what a label of Kubernetes can have as its value, other than the empty text: ASCII, with a bounded length. */
export function isLabelValue(text: string): boolean {
  return text.length <= MAX_LABEL_VALUE_LENGTH && LABEL_VALUE.test(text);
}
