/** Which sample this code draws, in a word. */

/**
 * The version of the sampling, and a piece of the SHA-256 of what is drawn from `test/replay/sample-transitions.ts`. The test there fails
 * when that has changed: then samples of before cannot be drawn again, and the version has to say so.
 */
export const sampleFingerprint = "sample-1-03155e33276c";
