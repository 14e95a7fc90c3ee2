/** The workload: training runs that start and report their progress, as requests on the bare NATS library. */
import { headers, type NatsConnection } from "@nats-io/nats-core";

const timeoutMs = 30_000;
const encoder = new TextEncoder();

/** What one step reports: the data of the command as of its event. */
export function progress(step: number): { readonly step: number; readonly metrics: { readonly loss: number } } {
  return { step, metrics: { loss: 1.25 } };
}

/** The same as bytes, encoded each time like a user's would be. */
export function progressBody(step: number): Uint8Array {
  return encoder.encode(JSON.stringify(progress(step)));
}

/** Sends acknowledged commands, each under a fresh command id; a reply that is not an acknowledgement throws. */
export class TrainingRuns {
  readonly #nats: NatsConnection;
  readonly #name: string;
  readonly #steps: number[] = [];
  #sent = 0;

  /** `name` begins the ids of streams and commands. */
  constructor(nats: NatsConnection, name: string) {
    this.#nats = nats;
    this.#name = name;
  }

  /** Starts one run. */
  async start(index: number): Promise<void> {
    this.#steps[index] = 0;
    await this.#send(index, "StartTraining", encoder.encode("{}"));
  }

  /** Reports the next step of one run that has started. */
  async progress(index: number): Promise<void> {
    const step = (this.#steps[index] as number) + 1;
    this.#steps[index] = step;
    await this.#send(index, "RecordProgress", progressBody(step));
  }

  async #send(index: number, type: string, body: Uint8Array): Promise<void> {
    this.#sent += 1;
    const sent = headers();
    sent.set("Nats-Msg-Id", `${this.#name}-${this.#sent}`);
    const subject = `retrace.cmd.training-run.${this.#name}${index}.${type}`;
    const reply = await this.#nats.request(subject, body, { headers: sent, timeout: timeoutMs });
    if (reply.headers !== undefined) throw new Error(`${type} was refused: ${reply.string()}`);
  }
}
