/** Drift: what crosses a threshold, what is done about it, once, and what is left alone. */
import assert from "node:assert/strict";
import { Fault } from "retrace";
import { describe, expect, test } from "vitest";
import feedback from "../../../actors/aggregates/feedback.ts";
import inference from "../../../actors/aggregates/inference.ts";
import model from "../../../actors/aggregates/model.ts";
import policy from "../../../actors/aggregates/policy.ts";
import feedbackStats from "../../../actors/projections/feedback-stats.ts";
import modelCatalog from "../../../actors/projections/model-catalog.ts";
import driftGuard from "../../../actors/sagas/drift-guard.ts";
import { checkSaga } from "../../../src/core/check-saga.ts";
import { openSagas, type SagaSetting } from "../../sagas/setting.ts";
import { assertSagaLaws } from "./laws.ts";

const actors = [feedback, inference, model, policy, feedbackStats, modelCatalog, driftGuard];

interface Data {
  readonly [name: string]: unknown;
}

interface Models extends SagaSetting {
  tell(category: string, id: string, type: string, data?: object): Promise<void>;
  /** Feedback on a version, one signal after another. */
  rate(ratings: readonly number[], more?: object): Promise<void>;
  /** Human labels: whether each agrees. */
  label(agreements: readonly boolean[], more?: object): Promise<void>;
  /** What happened to the model, without how it came to be deployed. */
  events(): readonly { readonly type: string; readonly data: Data; readonly actor: string | undefined }[];
  /** How each instance ended, in the order of their ids. */
  endings(): readonly { readonly state: unknown; readonly output: Data; readonly id: string }[];
}

/** v1 and then v2 in production, v2 with all the traffic. */
async function openModels(settings: object = {}, given: Parameters<typeof openSagas>[1] = {}): Promise<Models> {
  const setting = await openSagas(actors, given);
  const { store, send, settle } = setting;
  let count = 0;
  const tell: Models["tell"] = async (category, id, type, data = {}) => {
    const outcome = await send(category, id, type, data);
    assert(!(outcome instanceof Fault), `${type}: ${(outcome as Fault).message}`);
    await settle();
  };
  await tell("policy", "drift-guard", "SetPolicy", {
    settings: { negativeRate: { minCount: 4 }, accuracy: { minCount: 4 }, ...settings },
  });
  await tell("model", "m", "CreateModel");
  for (const version of ["v1", "v2"]) {
    await tell("model", "m", "VersionModel", { version });
    await tell("model", "m", "ApproveVersion", { version });
    await tell("model", "m", "DeployModel", { version, environment: "prod" });
  }
  const deployed = store.head("model-m").version;
  return {
    ...setting,
    tell,
    rate: async (ratings, more = {}) => {
      for (const rating of ratings) {
        const context = { modelId: "m", modelVersion: "v2" };
        await tell("feedback", "f", "RateOutput", { rating, context, ...more });
      }
    },
    label: async (agreements, more = {}) => {
      for (const agrees of agreements) {
        count += 1;
        const about = { modelId: "m", modelVersion: "v2", ...more };
        await tell("inference", `i${count}`, "RecordInference", { ...about, output: "a", label: agrees ? "a" : "b" });
      }
    },
    events: () =>
      Array.from(store.readStream("model-m", { fromVersion: deployed + 1 }), ({ type, data, metadata }) => {
        return { type, data: data as Data, actor: metadata.actor?.id };
      }),
    endings: () =>
      Array.from(store.readAll({ types: ["SagaEnded"] }), ({ stream, data }) => {
        const { state, output } = data as { readonly state: unknown; readonly output: Data };
        return { state, output, id: stream.slice("saga-drift-guard-".length) };
      }).sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

const fiveOnly = { negativeRate: { minCount: 4, windows: ["5m"] } };

test("the saga keeps the loader's rules", () => {
  const known = [feedback, inference, model].flatMap(({ schemas }) => Object.keys(schemas.events));
  expect(checkSaga(driftGuard, new Set(known))).toEqual([]);
});

describe("negative feedback", () => {
  test("above the threshold rolls the version back at once, with the evidence", async () => {
    const models = await openModels();
    await models.rate([5, 1, 1]);
    expect(models.events()).toEqual([]);
    await models.rate([1]);
    expect(models.events()).toMatchObject([
      {
        type: "DeploymentRolledBack",
        actor: "saga:drift-guard",
        data: {
          environment: "prod",
          fromVersion: "v2",
          toVersion: "v1",
          reason: "drift: negative feedback 0.75 (3 of 4) is above 0.5 in the 5m from 2026-01-01T00:00:00.000Z",
          evidence: {
            metric: "negative-rate",
            remedy: "roll-back",
            value: 0.75,
            count: 3,
            of: 4,
            threshold: 0.5,
            minCount: 4,
            window: "5m",
            policyVersion: 1,
            row: { window: "5m", negative: { count: 3, of: 4, rate: 0.75 }, counts: { UserRatedOutput: 4 } },
          },
        },
      },
    ]);
    assertSagaLaws(models);
  });

  test("crosses once in each window: what follows finds the version gone", async () => {
    const models = await openModels();
    await models.rate([1, 1, 1, 1, 1, 1, 1]);
    expect(models.events()).toHaveLength(1);
    expect(models.endings().map(({ state, id }) => [id, state])).toEqual([
      ["m~v2~negative-rate~roll-back~1h~202601010000", "notServing"],
      ["m~v2~negative-rate~roll-back~5m~202601010000", "acted"],
    ]);
    expect([...models.store.readAll({ types: ["SagaStarted"] })]).toHaveLength(2);
  });

  test("leaves no trace until a threshold is crossed", async () => {
    const models = await openModels();
    await models.rate([5, 1, 5, 5, 5, 5, 1, 5]);
    expect([...models.store.readAll({})].filter(({ category }) => category === "saga")).toEqual([]);
  });

  test("that is serious, but not that serious, adjusts the traffic, and rolls back when it gets worse", async () => {
    const models = await openModels(fiveOnly);
    await models.rate([5, 5, 1, 1]);
    expect(models.events()).toMatchObject([
      { type: "TrafficAdjusted", data: { version: "v2", trafficShare: 0.1, evidence: { remedy: "adjust-traffic" } } },
    ]);
    await models.rate([1]);
    expect(models.events().at(-1)).toMatchObject({ type: "DeploymentRolledBack", data: { evidence: { value: 0.6 } } });
    expect(models.endings().map(({ state }) => state)).toEqual(["acted", "acted"]);
  });

  test("in the next window is another crossing", async () => {
    const models = await openModels(fiveOnly);
    await models.rate([5, 5, 1, 1]);
    await models.pass(5 * 60_000);
    await models.rate([5, 5, 1, 1]);
    expect(models.events()).toHaveLength(1);
    expect(models.endings().map(({ state, output }) => [state, output.left])).toEqual([
      ["acted", []],
      ["kept", [{ environment: "prod", why: "it has no more traffic than it would be left" }]],
    ]);
  });

  test("counts verdicts and feedback on inferences, too", async () => {
    const models = await openModels();
    const context = { modelId: "m", modelVersion: "v2" };
    await models.tell("feedback", "f", "RejectOutput", { context });
    await models.tell("feedback", "f", "ApproveOutput", { context });
    await models.tell("inference", "i", "RecordInference", { modelId: "m", modelVersion: "v2", output: "a" });
    await models.tell("inference", "i", "RecordInferenceFeedback", { kind: "thumbs-down" });
    expect(models.events()).toEqual([]);
    await models.tell("feedback", "f", "RejectOutput", { context });
    expect(models.events()).toMatchObject([{ type: "DeploymentRolledBack", data: { evidence: { count: 3, of: 4 } } }]);
  });

  test("is also weighed for each tag, where it would drown in all the rest", async () => {
    const models = await openModels();
    await models.rate(Array.from({ length: 30 }, () => 5));
    await models.rate([1, 1, 1, 1], { tags: ["de"] });
    expect(models.events()).toMatchObject([
      { type: "DeploymentRolledBack", data: { evidence: { tag: "de", of: 4, row: { tag: "de" } } } },
    ]);
    expect(models.endings().map(({ id }) => id)).toContain("m~v2~negative-rate~roll-back~5m~202601010000~de");
    const without = await openModels({ perTag: false });
    await without.rate(Array.from({ length: 30 }, () => 5));
    await without.rate([1, 1, 1, 1], { tags: ["de"] });
    expect(without.endings()).toEqual([]);
  });

  test("that was retracted does not count", async () => {
    const models = await openModels();
    await models.rate([1, 1, 1]);
    const [first] = [...models.store.readStream("feedback-f")];
    await models.tell("feedback", "f", "RetractFeedback", { eventId: first?.id });
    await models.rate([5]);
    expect(models.endings()).toEqual([]);
    await models.rate([1]);
    expect(models.events()).toMatchObject([{ data: { evidence: { count: 3, of: 4 } } }]);
  });
});

describe("accuracy against human labels", () => {
  test("below the threshold rolls back", async () => {
    const models = await openModels();
    await models.label([true, false, false]);
    expect(models.events()).toEqual([]);
    await models.label([false]);
    expect(models.events()).toMatchObject([
      {
        type: "DeploymentRolledBack",
        data: {
          evidence: { metric: "accuracy", value: 0.25, threshold: 0.5, window: "1h", row: { accuracy: { of: 4 } } },
        },
      },
    ]);
  });

  test("is watched by the thresholds of the model, where it has its own, and not where there is none", async () => {
    const own = await openModels({ models: { m: { accuracy: { minCount: 2, rollBackBelow: 0.9 } } } });
    await own.label([true, false]);
    expect(own.events()).toMatchObject([{ type: "DeploymentRolledBack", data: { evidence: { threshold: 0.9 } } }]);
    const off = await openModels({ accuracy: { minCount: 2, rollBackBelow: null, adjustTrafficBelow: null } });
    await off.label([false, false, false]);
    expect(off.endings()).toEqual([]);
  });
});

describe("what comes late", () => {
  test("and is not old counts where it belongs, and triggers", async () => {
    const models = await openModels(fiveOnly);
    await models.rate([1, 1, 1]);
    await models.pass(10 * 60_000);
    const late = { occurredAt: "2026-01-01T00:04:00.000Z", recordedAt: models.clock.now() };
    await append(models, late);
    expect(models.events()).toMatchObject([{ data: { evidence: { of: 4, start: "2026-01-01T00:00:00.000Z" } } }]);
  });

  test("and is history counts where it belongs, and triggers nothing", async () => {
    const models = await openModels({ negativeRate: { minCount: 4, windows: ["5m", "1d"] } });
    await models.pass(3 * 3_600_000);
    for (const minute of [1, 2, 3, 4, 5, 6]) {
      const old = { occurredAt: `2026-01-01T00:0${minute}:00.000Z`, recordedAt: models.clock.now() };
      await append(models, old);
    }
    expect(models.endings()).toEqual([]);
    const row = models.options.rows(models.store as never, {
      projection: "feedback-stats",
      keys: ["m/v2/1d/2026-01-01T00:00:00.000Z"],
    })[0]?.value;
    expect(row).toMatchObject({ negative: { count: 6, of: 6 } });
  });

  async function append(models: Models, times: { occurredAt: string; recordedAt: string }): Promise<void> {
    const { decider } = models.options;
    const id = models.clock.newId();
    const context = { modelId: "m", modelVersion: "v2" };
    const data = { rating: 1, scale: { min: 1, max: 5 }, negative: true, context };
    await models.store.withTransaction((tx) => {
      decider.append(tx, [
        {
          ...{ id, stream: "feedback-late", category: "feedback", type: "UserRatedOutput", schemaVersion: 2, data },
          ...times,
          metadata: { correlationId: id, causationId: id, commandId: id },
        },
      ]);
      decider.finish(tx);
    });
    await models.settle();
  }
});

describe("where a version serves", () => {
  test("in several environments each is rolled back, and named in what it did", async () => {
    const models = await openModels();
    for (const version of ["v1", "v2"]) await models.tell("model", "m", "DeployModel", { version, environment: "eu" });
    await models.rate([1, 1, 1, 1]);
    expect(models.events().slice(2)).toMatchObject([
      { type: "DeploymentRolledBack", data: { environment: "prod" } },
      { type: "DeploymentRolledBack", data: { environment: "eu" } },
    ]);
    expect(models.endings()[1]).toMatchObject({
      state: "acted",
      output: {
        outcomes: [
          { environment: "prod", outcome: "rolled back", toVersion: "v1" },
          { environment: "eu", outcome: "rolled back", toVersion: "v1" },
        ],
      },
    });
  });

  test("only in the environments that the policy names is anything done", async () => {
    const models = await openModels({ environments: ["eu"] });
    await models.rate([1, 1, 1, 1]);
    expect(models.endings()[0]).toMatchObject({ state: "notServing", output: { outcomes: [], left: [] } });
  });

  test("it keeps serving where no other version could take over, and that is said", async () => {
    const models = await openModels();
    await models.tell("model", "m", "RollBackDeployment", { environment: "prod", fromVersion: "v1" });
    await models.rate([1, 1, 1, 1]);
    expect(models.events().slice(1)).toEqual([]);
    expect(models.endings()[0]).toMatchObject({
      state: "kept",
      output: {
        evidence: { value: 1 },
        left: [{ environment: "prod", why: "no other version could take over" }],
      },
    });
  });

  test("or stops serving there, where the policy says so", async () => {
    const models = await openModels({ whenAlone: "stop" });
    await models.tell("model", "m", "RollBackDeployment", { environment: "prod", fromVersion: "v1" });
    await models.rate([1, 1, 1, 1]);
    const last = models.events().at(-1);
    expect(last).toMatchObject({ type: "DeploymentRolledBack", data: { fromVersion: "v2", environment: "prod" } });
    expect(last?.data).not.toHaveProperty("toVersion");
  });

  test("of a retired model nothing is done", async () => {
    const models = await openModels();
    await models.tell("model", "m", "RetireModel");
    await models.rate([1, 1, 1, 1]);
    expect(models.endings()[0]).toMatchObject({ state: "notServing" });
  });

  test("of a model that was never deployed here nothing is even started", async () => {
    const models = await openModels();
    const context = { modelId: "elsewhere", modelVersion: "v2" };
    for (let i = 0; i < 6; i++) await models.tell("feedback", "f", "RateOutput", { rating: 1, context });
    expect([...models.store.readAll({ types: ["SagaStarted"] })]).toEqual([]);
  });
});

describe("what is refused", () => {
  test("because the model knows better comes back, and is what the guard ends with", async () => {
    // The row is behind: it has the version where it was rolled back already.
    let isBehind = false;
    const both = [
      { version: "v1", trafficShare: 0 },
      { version: "v2", trafficShare: 1 },
    ];
    const versions = { v1: { status: "deployed" }, v2: { status: "deployed" } };
    const stale = { versions, deployments: { prod: both, eu: both } };
    const models = await openModels();
    const { rows } = models.options;
    (models.options as { rows: typeof rows }).rows = (tx, question) => {
      return isBehind && question.projection === "model-catalog" ? [{ key: "m", value: stale }] : rows(tx, question);
    };
    isBehind = true;
    await models.rate([1, 1, 1, 1]);
    expect(models.endings()[1]).toMatchObject({
      state: "acted",
      output: {
        outcomes: [
          { environment: "eu", outcome: "refused", reason: "version v2 is not deployed in eu" },
          { environment: "prod", outcome: "rolled back" },
        ],
      },
    });
    expect(models.endings()[0]).toMatchObject({ state: "refused" });
    assertSagaLaws(models);
  });

  test("of a model that was retired in the meantime ends it, too", async () => {
    const models = await openModels();
    const { rows } = models.options;
    const row = rows(models.store as never, { projection: "model-catalog", keys: ["m"] });
    (models.options as { rows: typeof rows }).rows = (tx, question) => {
      return question.projection === "model-catalog" ? row : rows(tx, question);
    };
    await models.tell("model", "m", "RetireModel");
    await models.rate([1, 1, 1, 1]);
    expect(models.endings()[0]).toMatchObject({
      state: "refused",
      output: { outcomes: [{ environment: "prod", outcome: "refused" }] },
    });
  });
});

describe("names", () => {
  test("that are long, or hold any characters, are guarded like others", async () => {
    const setting = await openModels();
    const version = `${"v".repeat(100)}/ü ~`;
    await setting.tell("model", "m", "VersionModel", { version });
    await setting.tell("model", "m", "ApproveVersion", { version });
    await setting.tell("model", "m", "DeployModel", { version, environment: "prod" });
    const tags = ["t".repeat(200), "t".repeat(201)];
    const context = { modelId: "m", modelVersion: version };
    for (let i = 0; i < 4; i++) await setting.tell("feedback", "f", "RateOutput", { rating: 1, context, tags });
    const states = setting.endings().map(({ state }) => state);
    expect(states.sort()).toEqual(["acted", ...Array.from({ length: 5 }, () => "notServing")]);
    expect(new Set(setting.endings().map(({ id }) => id)).size).toBe(6);
    expect(setting.events().at(-1)).toMatchObject({ type: "DeploymentRolledBack", data: { fromVersion: version } });
  });
});
