/** Requests besides commands: the queries, and the verbs that change the running system, with their bodies and replies. */
import { z } from "zod";
import { body as helpBody } from "../admin/help-saga.ts";
import { body as importBody } from "../admin/import-events.ts";
import { bodies as projectionBodies } from "../admin/projections.ts";
import { eventsBody, historyBody } from "../queries/events.ts";
import { body as projectionBody } from "../queries/projection.ts";
import { diffBody, parkedBody } from "../queries/projection-rows.ts";
import { body as sagasBody } from "../queries/sagas.ts";
import { body as stateBody } from "../queries/state.ts";
import { body as whyBody } from "../queries/why.ts";
import { queryReplies, verbReplies } from "./reply-schemas.ts";

/** A request by its name. */
export interface RequestContract {
  readonly summary: string;
  readonly body: z.ZodType;
  readonly reply: z.ZodType;
}

const nothing = z.strictObject({});

/** On `<prefix>.qry.<name>`. */
export const queries: Readonly<Record<keyof typeof queryReplies, RequestContract>> = {
  state: {
    summary: "The state of an aggregate, or of a saga's instance, now or as of a point in its history.",
    body: stateBody,
    reply: queryReplies.state,
  },
  history: { summary: "The events of one stream, by version.", body: historyBody, reply: queryReplies.history },
  why: {
    summary: "Which event last set a field of an aggregate, who did it, and what led to that.",
    body: whyBody,
    reply: queryReplies.why,
  },
  events: { summary: "Events of the log, by position.", body: eventsBody, reply: queryReplies.events },
  health: {
    summary: "Whether everything that was accepted is also where it belongs.",
    body: nothing,
    reply: queryReplies.health,
  },
  catalog: {
    summary: "Every command and event with its schema; the sagas and the projections.",
    body: nothing,
    reply: queryReplies.catalog,
  },
  sagas: { summary: "Instances of sagas that are under way.", body: sagasBody, reply: queryReplies.sagas },
  projection: {
    summary: "Rows of a projection: one by its key, or many, now or in the past.",
    body: projectionBody,
    reply: queryReplies.projection,
  },
  "projection-parked": {
    summary: "Events that a projection could not take.",
    body: parkedBody,
    reply: queryReplies["projection-parked"],
  },
  "projection-diff": {
    summary: "What two sets of rows have differently.",
    body: diffBody,
    reply: queryReplies["projection-diff"],
  },
};

/** On `<prefix>.adm.<name>`. */
export const verbs: Readonly<Record<keyof typeof verbReplies, RequestContract>> = {
  "import-events": {
    summary: "Brings an exported log back, event by event the same.",
    body: importBody,
    reply: verbReplies["import-events"],
  },
  rebuild: {
    summary: "Begins to make the rows of a projection anew, beside those that are read.",
    body: projectionBodies.rebuild,
    reply: verbReplies.rebuild,
  },
  "cancel-build": {
    summary: "Gives up the build under way.",
    body: projectionBodies["cancel-build"],
    reply: verbReplies["cancel-build"],
  },
  switch: {
    summary: "Makes what stands by live; what was live stands by.",
    body: projectionBodies.switch,
    reply: verbReplies.switch,
  },
  "drop-standby": {
    summary: "Gives up what stands by.",
    body: projectionBodies["drop-standby"],
    reply: verbReplies["drop-standby"],
  },
  "retry-parked": {
    summary: "Applies parked events to the rows as they are now.",
    body: projectionBodies["retry-parked"],
    reply: verbReplies["retry-parked"],
  },
  "skip-parked": {
    summary: "Leaves parked events out for good.",
    body: projectionBodies["skip-parked"],
    reply: verbReplies["skip-parked"],
  },
  retry: {
    summary: "Has what a saga's instance is stuck at tried again.",
    body: helpBody,
    reply: verbReplies.retry,
  },
  skip: { summary: "Leaves out what a saga's instance is stuck at.", body: helpBody, reply: verbReplies.skip },
  resolve: {
    summary: "Ends a saga's instance: somebody has taken care of it.",
    body: helpBody,
    reply: verbReplies.resolve,
  },
};
