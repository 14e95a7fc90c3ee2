/** Published as `retrace/testing`: what authors of aggregates and stores test with. */
export { type CommandOf, type Given, given, type Then, type WhenOptions } from "./given.ts";
export { type StoreConformance, type StoreOnTrial, storeConformance } from "./store-conformance.ts";
