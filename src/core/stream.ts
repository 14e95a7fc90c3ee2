/** Stream names: `<category>-<id>`, where neither part can be mistaken for the other. */

const categoryPattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const idPattern = /^[A-Za-z0-9_~-]{1,128}$/;

/** Whether `text` can name a category: kebab-case, beginning with a letter, at most 64 characters. */
export function isCategory(text: string): boolean {
  return text.length <= 64 && categoryPattern.test(text);
}

/** Whether `text` can be the id of an aggregate: 1 to 128 of `A-Z a-z 0-9 _ - ~`. */
export function isStreamId(text: string): boolean {
  return idPattern.test(text);
}

/** The name of the stream that holds the history of one aggregate. */
export function streamName(category: string, id: string): string {
  return `${category}-${id}`;
}

/** The id within its category. */
export function streamId(stream: string, category: string): string {
  return stream.slice(category.length + 1);
}
