/** The steps of instances within one transaction: inputs become events, effects become commands, answers and timers. */
import type { ChartState } from "../../core/chart.ts";
import type { Transaction } from "../../core/event-store.ts";
import { Fault, type FaultCode } from "../../core/fault.ts";
import type { Metadata, RecordedEvent } from "../../core/message.ts";
import type { Answer, Question, RejectedCommand, SagaCommand, StepInfo } from "../../core/saga.ts";
import {
  type Effect,
  isOfSaga,
  SagaFault,
  type SagaStep,
  sagaAccepts,
  startSaga,
  stepSaga,
} from "../../core/saga-chart.ts";
import {
  type CommandRecord,
  type ConsumedRecord,
  type SagaEvents,
  type SagaEventType,
  type StepRecord,
  sagaCategory,
} from "../../core/saga-events.ts";
import { timersAfter } from "../../core/saga-history.ts";
import { answeredInput, eventInput, rejectedInput, timerInput } from "../../core/saga-inputs.ts";
import { isStreamId } from "../../core/stream.ts";
import { type CommandRequest, checkCommand } from "../../wire/command-request.ts";
import { tooFar } from "../decider.ts";
import type { LiveActor } from "../live-actors.ts";
import type { Instance } from "./instance.ts";
import { type SagaTools, TooFarAway } from "./tools.ts";
import { type Work, workText } from "./work.ts";

/** What is refused by the domain goes back to the saga; everything else is the machinery's failure, and the saga waits. */
const comesBack: ReadonlySet<FaultCode> = new Set([
  "INVALID_COMMAND",
  "UNKNOWN_CATEGORY",
  "UNKNOWN_COMMAND",
  "WRONG_EXPECTED_VERSION",
  "PAYLOAD_TOO_LARGE",
  "NOT_ALLOWED_IN_STATE",
  "REJECTED",
]);

/** A saga that takes more steps than this on one input goes round in circles with its own commands. */
const maxSteps = 200;
const defaultRows = 100;

/** Why instances, by stream, are not to be worked for: transactions have failed at them again and again. */
export type SetAside = ReadonlyMap<string, SagaFault>;

/** Takes the steps of instances, whatever their saga. */
export class Steps {
  readonly #tx: Transaction;
  readonly #tools: SagaTools;
  readonly #now: string;
  readonly #setAside: SetAside;
  /** The states of the aggregates that commands have led to: to be kept when the transaction is durable. */
  readonly touched = new Map<string, LiveActor>();
  /** Events appended, of sagas and by their commands. */
  appended = 0;
  /** The event of the log at hand, as stored; none while timers fire. */
  current: RecordedEvent | undefined;
  /** The stream of the instance that is being worked for. */
  at: string | undefined;

  constructor(tx: Transaction, tools: SagaTools, now: string, setAside: SetAside) {
    this.#tx = tx;
    this.#tools = tools;
    this.#now = now;
    this.#setAside = setAside;
  }

  /**
   * Does what an instance has to do, until there is nothing left, it ends, or it is stuck.
   * @throws what is the fault of neither the saga nor a command: half of a step may be written, so all has to be undone.
   */
  run(instance: Instance): void {
    this.at = instance.stream;
    this.#run(instance);
    this.at = undefined;
  }

  #run(instance: Instance): void {
    const unable = this.#setAside.get(instance.stream);
    if (unable !== undefined && instance.stuck === undefined) this.stop(instance, unable);
    for (let steps = 0; instance.stuck === undefined && !instance.isEnded; ) {
      const work = instance.queue.first;
      const hasChartEnded = instance.state !== undefined && instance.state.status !== "active";
      if (hasChartEnded && !instance.queue.hasEffects) {
        const { value, output } = instance.state as ChartState;
        this.end(instance, { how: "done", state: value, ...(output !== undefined && { output }) });
        return;
      }
      if (work === undefined) return;
      try {
        if (steps >= maxSteps) throw new SagaFault("ENDLESS", `it has taken ${maxSteps} steps and has more to do`);
        // A step may well have thousands of commands.
        if (!instance.queue.hasEffects) steps += 1;
        this.#do(instance, work);
      } catch (error) {
        if (!isOfSaga(error)) throw error;
        this.stop(instance, asSagaFault(error, "STEP_FAILED"));
      }
    }
  }

  /** Computes first and writes after, so that a step which fails has written nothing; its work stays the first in the queue. */
  #do(instance: Instance, work: Work): void {
    if (work.kind === "command") this.#command(instance, work);
    else if (work.kind === "ask") this.#ask(instance, work);
    else if (work.kind === "event") this.#event(instance, work.position);
    else if (work.kind === "timer") this.#timer(instance, work);
    else this.#reply(instance, work);
  }

  #event(instance: Instance, position: number): void {
    const event = this.#tools.latest(this.eventAt(position));
    const consumed = consumedRecord(event);
    if (instance.state === undefined) {
      const { name, version } = instance.loaded.saga;
      const info = this.#info(instance);
      const step = startSaga(instance.loaded.saga, { id: instance.id, ...info });
      const start = { saga: name, instance: instance.id, sagaVersion: version, startedBy: consumed };
      this.#record(instance, "SagaStarted", start, { step, causationId: event.id });
      // The event itself comes next, behind the effects of the start.
      return;
    }
    const input = eventInput(event, this.#info(instance));
    const accepted = sagaAccepts(instance.state, input);
    const step = accepted ? stepSaga(instance.loaded.saga, instance.state, input) : undefined;
    instance.queue.removeFirst();
    if (step !== undefined) this.#record(instance, "SagaAdvanced", { consumed }, { step, causationId: event.id });
  }

  #timer(instance: Instance, { id, dueMs, event }: Extract<Work, { kind: "timer" }>): void {
    const input = timerInput(event, this.#info(instance));
    const state = instance.state as ChartState;
    const step = sagaAccepts(state, input) ? stepSaga(instance.loaded.saga, state, input) : undefined;
    instance.queue.removeFirst();
    if (step === undefined) return;
    const fired = { timer: id, dueAt: new Date(dueMs).toISOString(), event };
    this.#record(instance, "SagaTimerFired", fired, { step });
  }

  /** What comes back from the saga's own effects. */
  #reply(instance: Instance, work: Extract<Work, { kind: "rejected" | "answered" }>): void {
    const info = this.#info(instance);
    const input = work.kind === "rejected" ? rejectedInput(work.data, info) : answeredInput(work.data, info);
    const state = instance.state as ChartState;
    const isAccepted = sagaAccepts(state, input);
    // It was accepted where the command was refused; what came in between may have led elsewhere.
    if (!isAccepted && work.kind === "rejected") throw refused(work.data);
    const step = isAccepted ? stepSaga(instance.loaded.saga, state, input) : undefined;
    instance.queue.removeFirst();
    if (step === undefined) return;
    const { causationId } = work;
    if (work.kind === "answered") this.#record(instance, "SagaAnswered", work.data, { step, causationId });
    else {
      const data = { ...work.data, commandId: work.commandId };
      this.#record(instance, "SagaCommandRejected", data, { step, causationId });
    }
  }

  #command(instance: Instance, work: Extract<Work, { kind: "command" }>): void {
    const rejected = this.#decide(instance, work);
    if (rejected !== undefined) {
      const input = rejectedInput(rejected, this.#info(instance));
      if (!sagaAccepts(instance.state as ChartState, input)) throw refused(rejected);
    }
    instance.queue.removeFirst();
    const { commandId, causationId } = work;
    if (rejected !== undefined) instance.queue.add({ kind: "rejected", commandId, data: rejected, causationId });
  }

  #decide(instance: Instance, work: Extract<Work, { kind: "command" }>): RejectedCommand | undefined {
    let request: CommandRequest;
    try {
      request = this.#request(instance, work);
    } catch (error) {
      return rejectionOf(work.command, error);
    }
    const outcome = this.#tools.decider.decide(this.#tx, request, this.touched);
    if (outcome === tooFar) throw new TooFarAway(request.category, request.stream);
    if (outcome instanceof Fault) return rejectionOf(work.command, outcome);
    this.appended += outcome.events.length;
    return undefined;
  }

  #request(
    instance: Instance,
    { command, commandId, causationId }: Extract<Work, { kind: "command" }>,
  ): CommandRequest {
    const { category, id, type, data = {} } = command;
    if (!isStreamId(id)) throw new Fault("INVALID_COMMAND", `"${id}" is no id: 1 to 128 of A-Z a-z 0-9 _ - ~`);
    const sent = { address: { category, id, type }, body: () => data, headers: () => undefined, bytes: maxUnmeasured };
    const checked = checkCommand(sent, this.#tools.requests);
    const metadata = this.#metadata(instance, causationId, commandId);
    return { ...checked, command: { ...checked.command, metadata } };
  }

  #ask(instance: Instance, { question, causationId }: Extract<Work, { kind: "ask" }>): void {
    const rows = this.rows({ limit: defaultRows, ...question });
    instance.queue.removeFirst();
    const position = this.current?.position ?? this.#tools.store.position();
    instance.queue.add({ kind: "answered", data: { question, position, rows }, causationId });
  }

  rows(question: Question): Answer["rows"] {
    return this.#tools.rows(this.#tx, question);
  }

  /** A step: its event, its state, its timers; its effects are what comes next. */
  #record<Type extends "SagaStarted" | "SagaAdvanced" | "SagaTimerFired" | "SagaCommandRejected" | "SagaAnswered">(
    instance: Instance,
    type: Type,
    what: Omit<SagaEvents[Type], keyof StepRecord>,
    { step, causationId }: { readonly step: SagaStep; readonly causationId?: string },
  ): void {
    const { state, effects } = step;
    const commands = effects.flatMap((effect) => (effect.kind === "send" ? [effect.command] : []));
    const commandIdAt = (i: number): string => `${instance.stream}@${instance.version + 1}.${i + 1}`;
    const sent = commands.map(({ category, id, type: name }, i): CommandRecord => {
      return { commandId: commandIdAt(i), category, id, type: name };
    });
    const record: StepRecord = {
      from: instance.state?.value ?? null,
      to: state.value,
      commands: sent,
      timers: timerRecords(effects, this.#now),
      policyVersion: this.#tools.policies.current(instance.loaded.saga).version,
    };
    const event = this.append(instance, type, { ...what, ...record } as never, causationId);
    instance.state = state;
    instance.timers = state.status === "active" ? timersAfter(instance.timers, effects, this.#now) : new Map();
    let commandCount = 0;
    for (const effect of effects) {
      const causation = { causationId: causationId ?? event.id };
      if (effect.kind === "cancel" || effect.kind === "timer") instance.queue.removeTimer(effect.id);
      if (effect.kind === "ask") instance.queue.add({ kind: "ask", question: effect.question, ...causation });
      if (effect.kind !== "send") continue;
      const commandId = (sent[commandCount] as CommandRecord).commandId;
      commandCount += 1;
      instance.queue.add({ kind: "command", commandId, command: effect.command, ...causation });
    }
  }

  stop(instance: Instance, { reason, message }: SagaFault): void {
    const work = instance.queue.first;
    const at = work === undefined ? null : workText(work);
    const state = instance.state?.value ?? null;
    this.append(instance, "SagaStuck", { reason, message, at, state });
    instance.stuck = { reason, message, since: this.#now };
    this.#tools.log.warn({ saga: instance.stream, reason, at }, `a saga is stuck: ${message}`);
  }

  end(instance: Instance, end: Omit<SagaEvents["SagaEnded"], "state"> & { readonly state?: unknown }): void {
    const state = instance.state?.value ?? null;
    this.append(instance, "SagaEnded", { state, ...end });
    instance.isEnded = true;
  }

  append<Type extends SagaEventType>(
    instance: Instance,
    type: Type,
    data: SagaEvents[Type],
    causationId = instance.lastEventId,
  ): RecordedEvent {
    const version = instance.version + 1;
    const id = this.#tools.clock.newId();
    const { stream } = instance;
    const [event] = this.#tools.decider.append(this.#tx, [
      {
        id,
        stream,
        category: sagaCategory,
        version,
        type,
        schemaVersion: 1,
        data,
        occurredAt: this.#now,
        recordedAt: this.#now,
        metadata: this.#metadata(instance, causationId ?? id, `${stream}@${version}`),
      },
    ]);
    instance.version = version;
    instance.lastEventId = id;
    this.appended += 1;
    return event as RecordedEvent;
  }

  #metadata({ correlationId, traceparent, loaded }: Instance, causationId: string, commandId: string): Metadata {
    return {
      correlationId,
      causationId,
      commandId,
      actor: { id: `saga:${loaded.saga.name}`, verified: true },
      ...(traceparent !== undefined && { traceparent }),
    };
  }

  #info({ loaded }: Instance): StepInfo {
    const { settings, version: policyVersion } = this.#tools.policies.current(loaded.saga);
    return { now: this.#now, settings, policyVersion };
  }

  eventAt(position: number): RecordedEvent {
    if (this.current?.position === position) return this.current;
    for (const event of this.#tools.store.readAll({ afterPosition: position - 1, limit: 1 })) return event;
    throw new Error(`the log has no position ${position}`);
  }
}

/** What a saga sends was never on a wire; its size is looked at like that of a large body. */
const maxUnmeasured = Number.MAX_SAFE_INTEGER;

function rejectionOf(command: SagaCommand, error: unknown): RejectedCommand {
  if (!(error instanceof Fault)) throw asSagaFault(error, "STEP_FAILED");
  if (!comesBack.has(error.code)) throw error;
  const { code, message, details } = error;
  const reason = details.reason;
  return { command, code, ...(typeof reason === "string" && { reason }), message };
}

function refused({ command, message }: RejectedCommand): SagaFault {
  const what = `${command.type} to ${command.category}-${command.id}`;
  return new SagaFault("COMMAND_REJECTED", `${what} was refused, and the chart has no way on: ${message}`);
}

/** Any error as what a saga is stuck at. */
export function asSagaFault(error: unknown, reason: string): SagaFault {
  if (error instanceof SagaFault) return error;
  return new SagaFault(
    error instanceof Fault ? error.code : reason,
    error instanceof Error ? error.message : String(error),
  );
}

function consumedRecord({ id, position, stream, version, type }: RecordedEvent): ConsumedRecord {
  return { id, position, stream, version, type };
}

function timerRecords(effects: readonly Effect[], now: string): StepRecord["timers"] {
  const set = effects.flatMap((effect) => {
    if (effect.kind !== "timer") return [];
    return [{ id: effect.id, dueAt: new Date(Date.parse(now) + effect.delayMs).toISOString() }];
  });
  return { set, cancelled: effects.flatMap((effect) => (effect.kind === "cancel" ? [effect.id] : [])) };
}
