/** How much of a text the schemas take; what imports bring beyond that is cut, because a row is worth more than its end. */

/** Of a comment. */
export const maxCommentCharacters = 4096;
/** Of a tag. */
export const maxTagCharacters = 256;
