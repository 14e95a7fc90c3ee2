/** Text of others on a terminal: a model's output must not move the cursor or colour the screen. */

/** The text with its control characters written out, but line breaks and tabs as they are. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
