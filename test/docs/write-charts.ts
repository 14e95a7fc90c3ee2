/** `npm run charts`: brings actors/README.md up to date with the aggregates and sagas. */
import { readFileSync, writeFileSync } from "node:fs";
import { actorsReadme, withCharts } from "./actors-readme.ts";

writeFileSync(actorsReadme, await withCharts(readFileSync(actorsReadme, "utf8")));
