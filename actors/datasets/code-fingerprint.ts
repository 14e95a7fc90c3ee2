/** Which rows this code makes of which events, in a word: it is in every manifest, and in no row. */

/**
 * The version of the rows, and a piece of the SHA-256 of what they are for the events of `test/datasets/sample-log.ts` in
 * every format. The test there fails when the rows have changed: then old datasets cannot be built again, and the version
 * has to say so.
 */
export const codeFingerprint = "rows-1-38cf4aac081e";
