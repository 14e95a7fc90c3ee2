/** The public API of Retrace. The only barrel: files inside `src/` import one another directly. */

export { type Reaper, reapOnDeath } from "./broker/reaper.ts";
export { colors } from "./cli/colors.ts";
export { type ClientOptions, defineVerb, type Progress, type Verb, type VerbTools } from "./cli/verb.ts";
export {
  type Aggregate,
  type AggregateDefinition,
  type ChartEventOf,
  type DecideContext,
  type Decision,
  defineAggregate,
  type EventOf,
  type Rejection,
  reject,
} from "./core/aggregate.ts";
export { digest } from "./core/digest.ts";
export type { Domain, DomainCommand } from "./core/domain.ts";
export type {
  AppendResult,
  EventStore,
  Head,
  Key,
  KeyRange,
  LogFilter,
  StreamRange,
  Subscription,
  SubscriptionHandler,
  Table,
  TableReader,
  Transaction,
} from "./core/event-store.ts";
export { type ErrorBody, Fault, type FaultCode } from "./core/fault.ts";
export { fold, foldEvent } from "./core/history.ts";
export type { Actor, ChartEvent, Command, DomainEvent, Metadata, NewEvent, RecordedEvent } from "./core/message.ts";
export { definePart, type Part, type PartDefinition, type PartStates, stateIn } from "./core/part.ts";
export {
  defineProjection,
  type KeyedRows,
  type Projection,
  type ProjectionDefinition,
  type ProjectionHandler,
  type ProjectionMode,
  type RowHandler,
  type Rows,
  type RowsHandler,
} from "./core/projection.ts";
export {
  type Answer,
  ask,
  type Correlate,
  type CorrelationContext,
  defineSaga,
  type OldInstance,
  type Question,
  type RejectedCommand,
  type Saga,
  type SagaAnswered,
  type SagaCommand,
  type SagaCommandRejected,
  type SagaDefinition,
  type SagaEvent,
  type SagaEventOf,
  type SagaInput,
  type SagaReplies,
  type StepInfo,
  send,
} from "./core/saga.ts";
export type {
  CommandData,
  CommandInput,
  EventData,
  EventSchema,
  Schemas,
  Upcaster,
  VersionedSchema,
} from "./core/schema.ts";
export { builtInActors } from "./runtime/actor-files.ts";
export { type Clock, systemClock } from "./runtime/clock.ts";
export { type ActorDefinition, type LoadedActors, loadActors } from "./runtime/loader.ts";
export { createRuntime, type Runtime, type RuntimeOptions } from "./runtime/runtime.ts";
export { type LmdbOptions, openLmdbStore } from "./store/lmdb.ts";
export { openMemoryStore } from "./store/memory.ts";
export {
  type AddressedDomainCommand,
  type AsOf,
  type Client,
  type ConnectOptions,
  connect,
  type SendOptions,
  type UpdateOptions,
} from "./wire/client.ts";
export type { CommandMetadata } from "./wire/command-headers.ts";
export { type BrokerAddress, openConnection } from "./wire/connection.ts";
export type { ObjectData, ObjectReference, ReadOptions, StoredObject } from "./wire/objects.ts";
export type { Replayed, ReplayHandler, ReplayOptions, ReplayProgress } from "./wire/replay.ts";
export type {
  CommandReply,
  EventMention,
  EventsReply,
  HistoryReply,
  StateReply,
  WhyReply,
  WireState,
} from "./wire/replies.ts";
export type { AddressedCommand, SendManyOptions, Sent } from "./wire/send-many.ts";
export type { EventTypeOf, SubscribedEvent, SubscribeOptions } from "./wire/subscribe.ts";
export type { EventSubscription, SubscriptionStatus } from "./wire/subscription-run.ts";
export type { Delivery, EventHandler, SubscriptionNotice } from "./wire/subscription-work.ts";
