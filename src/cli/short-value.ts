/** A value of any size on one line for people. */

const defaultLength = 100;
/** `JSON.stringify` leaves these as they are, and a terminal obeys them. */
const controls = /[\u007f-\u009f]/g;

/** The value as JSON, cut where it is long; nothing there is `(none)`. */
export function shortValue(value: unknown, maxLength = defaultLength): string {
  if (value === undefined) return "(none)";
  const text = JSON.stringify(value).replace(controls, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, "")}… (${text.length} characters)`;
}
