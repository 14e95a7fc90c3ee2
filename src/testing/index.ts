/** Published as `retrace/testing`: what authors of aggregates, sagas, projections and stores test with. */
export { type TestClock, testClock } from "./clock.ts";
export { type CommandOf, type Given, given, type Then, type WhenOptions } from "./given.ts";
export { type ProjectedEvent, project } from "./project.ts";
export { type DrivenInstance, type DrivenSagas, type DriveOptions, openSagas } from "./sagas.ts";
export {
  type RowsComparison,
  type RowsDifference,
  type ShadowOptions,
  type ShadowProjection,
  shadowProjection,
} from "./shadow-projection.ts";
export { type StoreConformance, type StoreOnTrial, storeConformance } from "./store-conformance.ts";
