/** Colours for people at a terminal: never in a pipe, whatever the environment says about CI, unless they are forced. */
import picocolors from "picocolors";

const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== "0" && FORCE_COLOR !== "";
const isUnwanted = (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb";

/** The painters of picocolors, which do nothing where colours do not belong. */
export const colors = picocolors.createColors(isForced || (process.stdout.isTTY === true && !isUnwanted));
