/** The model: the verdict on each version, what serves which environment, and aliases. */
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import model from "../../actors/aggregates/model.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof model.schemas>;
type Command = CommandOf<typeof model.schemas>;

const created: Event = { type: "ModelCreated", data: {} };
const retired: Event = { type: "ModelRetired", data: {} };

const versioned = (version: string): Event => ({ type: "ModelVersioned", data: { version } });
const approved = (version: string): Event => ({ type: "ModelVersionApproved", data: { version } });
const rejected = (version: string): Event => ({ type: "ModelVersionRejected", data: { version } });
const deployed = (version: string, trafficShare = 1, environment = "production"): Event => ({
  type: "ModelDeployed",
  data: { version, environment, trafficShare },
});
const rolledBack = (fromVersion: string, toVersion?: string, environment = "production"): Event => ({
  type: "DeploymentRolledBack",
  data: { environment, fromVersion, ...(toVersion !== undefined && { toVersion }) },
});
const aliased = (toVersion: string | null): Event => ({ type: "AliasMoved", data: { alias: "champion", toVersion } });

/** `v1` through all that a version goes through until it serves. */
const serving = (version: string, trafficShare = 1, environment = "production"): Event[] => [
  versioned(version),
  approved(version),
  deployed(version, trafficShare, environment),
];

describe("the chart", () => {
  const commands: Command[] = [
    { type: "CreateModel", data: {} },
    { type: "VersionModel", data: { version: "v9" } },
    { type: "RetireModel", data: {} },
  ];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["CreateModel"]],
    ["created", [created], ["VersionModel", "RetireModel"]],
    ["retired", [created, retired], []],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(model, history).state.value).toBe(value);
    expect(acceptedIn(model, history, commands)).toEqual(accepted);
  });

  test("records what it was told", () => {
    const data = { name: "Ranker", description: "ranks", userId: "ada", tags: ["search"] };
    given(model)
      .when({ type: "CreateModel", data })
      .then([{ type: "ModelCreated", data }]);
    given(model, [created])
      .when({ type: "RetireModel", data: { reason: "replaced" } })
      .then([{ type: "ModelRetired", data: { reason: "replaced" } }]);
  });
});

describe("the chart of a version", () => {
  const commands: Command[] = [
    { type: "VersionModel", data: { version: "v1" } },
    { type: "ApproveVersion", data: { version: "v1" } },
    { type: "RejectVersion", data: { version: "v1" } },
    { type: "DeployModel", data: { version: "v1", environment: "staging" } },
    { type: "MoveAlias", data: { alias: "champion", toVersion: "v1" } },
  ];
  const candidate = [created, versioned("v1")];

  test.each<[string | undefined, Event[], string[]]>([
    [undefined, [created], ["VersionModel"]],
    ["candidate", candidate, ["ApproveVersion", "RejectVersion", "MoveAlias"]],
    ["approved", [...candidate, approved("v1")], ["RejectVersion", "DeployModel", "MoveAlias"]],
    ["rejected", [...candidate, rejected("v1")], []],
    ["deployed", [created, ...serving("v1")], ["DeployModel", "MoveAlias"]],
    ["rolledBack", [created, ...serving("v1"), rolledBack("v1")], ["ApproveVersion", "RejectVersion", "MoveAlias"]],
    [
      "approved",
      [created, ...serving("v1"), rolledBack("v1"), approved("v1")],
      ["RejectVersion", "DeployModel", "MoveAlias"],
    ],
    ["rejected", [created, ...serving("v1"), rolledBack("v1"), rejected("v1")], []],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(model, history).state.context.versions.v1).toBe(value);
    expect(acceptedIn(model, history, commands)).toEqual(accepted);
  });

  test("a refusal names the version and its state", () => {
    given(model, candidate)
      .when({ type: "DeployModel", data: { version: "v1", environment: "production" } })
      .thenNotAllowed({ state: "candidate", part: { name: "version", key: "v1" } });
    given(model, candidate)
      .when({ type: "ApproveVersion", data: { version: "v2" } })
      .thenNotAllowed({ state: "absent", part: { name: "version", key: "v2" } });
    given(model, candidate)
      .when({ type: "ApproveVersion", data: { version: "constructor" } })
      .thenNotAllowed({ state: "absent", part: { name: "version", key: "constructor" } });
  });

  test("versions are independent of each other", () => {
    const state = given(model, [...candidate, versioned("v2"), approved("v2"), rejected("v1")]).state;
    expect(state.context.versions).toEqual({ v1: "rejected", v2: "approved" });
  });

  test("verdicts record what they were told", () => {
    const artifactRef = { ref: "s3://m", sha256: "aa", bytes: 5, mediaType: "application/x" };
    const version = { version: "v1", trainingRunId: "r1", artifactRef, metrics: { auc: 0.9 } };
    given(model, [created])
      .when({ type: "VersionModel", data: version })
      .then([{ type: "ModelVersioned", data: version }]);
    const approval = { version: "v1", reviewId: "rev1", approvers: ["bob"] };
    given(model, candidate)
      .when({ type: "ApproveVersion", data: approval })
      .then([{ type: "ModelVersionApproved", data: approval }]);
    const rejection = { version: "v1", reason: "biased" };
    given(model, candidate)
      .when({ type: "RejectVersion", data: rejection })
      .then([{ type: "ModelVersionRejected", data: rejection }]);
  });
});

describe("deploying", () => {
  const production = (history: Event[]) => given(model, history).state.context.deployments.production;

  test("takes all the traffic unless it says less", () => {
    given(model, [created, versioned("v1"), approved("v1")])
      .when({ type: "DeployModel", data: { version: "v1", environment: "production" } })
      .then([{ type: "ModelDeployed", data: { version: "v1", environment: "production", trafficShare: 1 } }]);
    given(model, [created, versioned("v1"), approved("v1")])
      .when({ type: "DeployModel", data: { version: "v1", environment: "production", trafficShare: 0.1 } })
      .then([{ type: "ModelDeployed", data: { version: "v1", environment: "production", trafficShare: 0.1 } }]);
  });

  test("leaves the rest to the versions that serve already", () => {
    expect(production([created, ...serving("v1"), ...serving("v2", 0.1)])).toEqual([
      { version: "v1", trafficShare: 0.9 },
      { version: "v2", trafficShare: 0.1 },
    ]);
    expect(production([created, ...serving("v1"), ...serving("v2")])).toEqual([
      { version: "v1", trafficShare: 0 },
      { version: "v2", trafficShare: 1 },
    ]);
    expect(production([created, ...serving("v1"), ...serving("v2", 0.5), ...serving("v3", 0.4)])).toEqual([
      { version: "v1", trafficShare: 0.3 },
      { version: "v2", trafficShare: 0.3 },
      { version: "v3", trafficShare: 0.4 },
    ]);
  });

  test("keeps environments apart, and a version once in each", () => {
    const history = [created, ...serving("v1", 1, "staging"), deployed("v1"), ...serving("v2", 0.2), deployed("v1")];
    expect(given(model, history).state.context.deployments).toEqual({
      staging: [{ version: "v1", trafficShare: 1 }],
      production: [
        { version: "v2", trafficShare: 0 },
        { version: "v1", trafficShare: 1 },
      ],
    });
  });
});

describe("adjusting traffic", () => {
  const history = [created, ...serving("v1"), ...serving("v2", 0.1)];
  const adjust = (version: string, trafficShare: number, environment = "production") =>
    ({ type: "AdjustTraffic", data: { version, environment, trafficShare, reason: "fine so far" } }) as const;

  test("moves the other versions too", () => {
    const state = given(model, history)
      .when(adjust("v2", 0.5))
      .then([{ type: "TrafficAdjusted", data: { version: "v2", environment: "production", trafficShare: 0.5 } }]);
    expect(state.context.deployments.production).toEqual([
      { version: "v1", trafficShare: 0.5 },
      { version: "v2", trafficShare: 0.5 },
    ]);
  });

  test("gives back to a version that stands by", () => {
    const state = given(model, [created, ...serving("v1"), ...serving("v2")])
      .when(adjust("v2", 0.25))
      .then([{ type: "TrafficAdjusted", data: adjust("v2", 0.25).data }]);
    expect(state.context.deployments.production).toEqual([
      { version: "v1", trafficShare: 0.75 },
      { version: "v2", trafficShare: 0.25 },
    ]);
  });

  test("needs a version that is deployed there", () => {
    given(model, history)
      .when(adjust("v1", 0.5, "staging"))
      .thenRejected("NOT_DEPLOYED");
    given(model, [...history, versioned("v3")])
      .when(adjust("v3", 0.5))
      .thenRejected("NOT_DEPLOYED");
    given(model, history)
      .when(adjust("v1", 0.5, "constructor"))
      .thenRejected("NOT_DEPLOYED");
  });

  test("is possible on a version that was rolled back and rejected elsewhere", () => {
    const elsewhere = [created, ...serving("v1"), deployed("v1", 1, "staging"), rolledBack("v1"), rejected("v1")];
    given(model, elsewhere)
      .when(adjust("v1", 0, "staging"))
      .then([{ type: "TrafficAdjusted", data: { version: "v1", environment: "staging", trafficShare: 0 } }]);
  });

  test("of a retired model is refused", () => {
    given(model, [...history, retired])
      .when(adjust("v2", 0.5))
      .thenNotAllowed({ state: "retired" });
  });
});

describe("rolling back", () => {
  const history = [created, ...serving("v1"), ...serving("v2", 0.25)];
  const rollBack = (data: { fromVersion?: string; toVersion?: string } = {}, environment = "production") =>
    ({ type: "RollBackDeployment", data: { environment, reason: "drift", ...data } }) as const;

  test("goes from the newest version to the one before, which takes its share over", () => {
    const state = given(model, history)
      .when(rollBack())
      .then([
        {
          type: "DeploymentRolledBack",
          data: { environment: "production", fromVersion: "v2", toVersion: "v1", reason: "drift" },
        },
      ]);
    expect(state.context.versions).toEqual({ v1: "deployed", v2: "rolledBack" });
    expect(state.context.deployments.production).toEqual([{ version: "v1", trafficShare: 1 }]);
  });

  test("goes where it is told", () => {
    const state = given(model, [...history, versioned("v3"), approved("v3")])
      .when(rollBack({ fromVersion: "v1", toVersion: "v3" }))
      .then([rolledBack("v1", "v3")]);
    expect(state.context.versions).toEqual({ v1: "rolledBack", v2: "deployed", v3: "deployed" });
    expect(state.context.deployments.production).toEqual([
      { version: "v2", trafficShare: 0.25 },
      { version: "v3", trafficShare: 0.75 },
    ]);
  });

  test("of an older version falls to the newer one when there is none before", () => {
    given(model, history)
      .when(rollBack({ fromVersion: "v1" }))
      .then([rolledBack("v1", "v2")]);
  });

  test("of the only version leaves the environment without one", () => {
    const state = given(model, [created, ...serving("v1")])
      .when(rollBack())
      .then([rolledBack("v1")]);
    expect(state.context.deployments.production).toEqual([]);
    given(model, [created, ...serving("v1"), rolledBack("v1")])
      .when(rollBack())
      .thenRejected("NOT_DEPLOYED");
  });

  test("passes over versions that may not serve", () => {
    const v2FellInStaging = [
      created,
      ...serving("v1"),
      ...serving("v2"),
      deployed("v2", 1, "staging"),
      rolledBack("v2", undefined, "staging"),
      ...serving("v3"),
    ];
    given(model, v2FellInStaging)
      .when(rollBack())
      .then([rolledBack("v3", "v1")]);
    given(model, v2FellInStaging)
      .when(rollBack({ toVersion: "v2" }))
      .thenNotAllowed({ state: "rolledBack", part: { name: "version", key: "v2" } });
  });

  test("is possible wherever the version still serves, whatever the verdict", () => {
    const elsewhere = [created, ...serving("v1"), deployed("v1", 1, "staging"), rolledBack("v1")];
    given(model, elsewhere)
      .when(rollBack({}, "staging"))
      .then([rolledBack("v1", undefined, "staging")]);
    const state = given(model, [...elsewhere, rejected("v1")])
      .when(rollBack({}, "staging"))
      .then([rolledBack("v1", undefined, "staging")]);
    expect(state.context.versions.v1).toBe("rejected");
  });

  test("needs something to roll back, and something else to go to", () => {
    given(model, [created]).when(rollBack()).thenRejected("NOT_DEPLOYED");
    given(model, history).when(rollBack({}, "staging")).thenRejected("NOT_DEPLOYED");
    given(model, history)
      .when(rollBack({ fromVersion: "v3" }))
      .thenRejected("NOT_DEPLOYED");
    given(model, history)
      .when(rollBack({ toVersion: "v2" }))
      .thenRejected("SAME_VERSION");
    given(model, history)
      .when(rollBack({ toVersion: "v9" }))
      .thenNotAllowed({ state: "absent", part: { name: "version", key: "v9" } });
  });
});

describe("aliases", () => {
  const history = [created, versioned("v1"), versioned("v2")];
  const move = (toVersion: string | null, fromVersion?: string) =>
    ({ type: "MoveAlias", data: { alias: "champion", toVersion, ...(fromVersion && { fromVersion }) } }) as const;

  test("say from where they moved", () => {
    given(model, history)
      .when(move("v1"))
      .then([aliased("v1")]);
    const state = given(model, [...history, aliased("v1")])
      .when(move("v2"))
      .then([{ type: "AliasMoved", data: { alias: "champion", fromVersion: "v1", toVersion: "v2" } }]);
    expect(state.context.aliases).toEqual({ champion: "v2" });
  });

  test("that are there already are success without an event", () => {
    given(model, [...history, aliased("v1")])
      .when(move("v1"))
      .thenNothing();
    given(model, history).when(move(null)).thenNothing();
    given(model, [...history, aliased("v1"), retired])
      .when(move("v1"))
      .thenNotAllowed({ state: "retired" });
  });

  test("can be taken away", () => {
    const state = given(model, [...history, aliased("v1")])
      .when(move(null))
      .then([{ type: "AliasMoved", data: { alias: "champion", fromVersion: "v1", toVersion: null } }]);
    expect(state.context.aliases).toEqual({});
  });

  test("move only from where the sender believes them", () => {
    given(model, [...history, aliased("v1")])
      .when(move("v2", "v1"))
      .then([{ type: "AliasMoved", data: { alias: "champion", fromVersion: "v1", toVersion: "v2" } }]);
    given(model, [...history, aliased("v2")])
      .when(move("v1", "v1"))
      .thenRejected("ALIAS_MOVED");
    given(model, history).when(move("v1", "v2")).thenRejected("ALIAS_MOVED");
  });

  test("never go to a version that is absent or rejected", () => {
    given(model, history)
      .when(move("v3"))
      .thenNotAllowed({ state: "absent", part: { name: "version", key: "v3" } });
    given(model, [...history, rejected("v1")])
      .when(move("v1"))
      .thenNotAllowed({ state: "rejected", part: { name: "version", key: "v1" } });
  });

  test("may bear the names of what every object has", () => {
    given(model, history)
      .when({ type: "MoveAlias", data: { alias: "constructor", toVersion: "v1" } })
      .then([{ type: "AliasMoved", data: { alias: "constructor", toVersion: "v1" } }]);
  });
});

describe("events about a version that names its training run", () => {
  const ofRun = (version: string, trainingRunId: string): Event => ({
    type: "ModelVersioned",
    data: { version, trainingRunId },
  });
  const history = [created, ofRun("v1", "r1"), approved("v1"), deployed("v1"), ofRun("v2", "r2"), versioned("v3")];

  test("name it, too", () => {
    const { when } = given(model, [...history, approved("v2")]);
    const about = { version: "v2", trainingRunId: "r2" };
    given(model, history)
      .when({ type: "ApproveVersion", data: { version: "v2" } })
      .then([{ type: "ModelVersionApproved", data: about }]);
    when({ type: "RejectVersion", data: { version: "v2" } }).then([{ type: "ModelVersionRejected", data: about }]);
    when({ type: "DeployModel", data: { version: "v2", environment: "production" } }).then([
      { type: "ModelDeployed", data: { ...about, environment: "production", trafficShare: 1 } },
    ]);
    when({ type: "AdjustTraffic", data: { version: "v1", environment: "production", trafficShare: 0.5 } }).then([
      {
        type: "TrafficAdjusted",
        data: { version: "v1", environment: "production", trafficShare: 0.5, trainingRunId: "r1" },
      },
    ]);
    when({ type: "RollBackDeployment", data: { environment: "production" } }).then([
      { type: "DeploymentRolledBack", data: { environment: "production", fromVersion: "v1", trainingRunId: "r1" } },
    ]);
  });

  test("are those of an alias's new version, and of all that a retirement leaves open", () => {
    given(model, [...history, aliased("v1")])
      .when({ type: "MoveAlias", data: { alias: "champion", toVersion: "v2" } })
      .then([
        {
          type: "AliasMoved",
          data: { alias: "champion", fromVersion: "v1", toVersion: "v2", trainingRunId: "r2" },
        },
      ]);
    given(model, [...history, rejected("v2")])
      .when({ type: "RetireModel", data: {} })
      .then([{ type: "ModelRetired", data: { trainingRunIds: ["r1"] } }]);
    const many = Array.from({ length: 600 }, (_, i) => ofRun(`x${i}`, `run${i}`));
    const state = given(model, [created, ...many]);
    state.when({ type: "RetireModel", data: {} }).then([
      {
        type: "ModelRetired",
        data: {
          trainingRunIds: many.slice(100).map(({ data }) => (data as { trainingRunId: string }).trainingRunId),
        },
      },
    ]);
  });

  test("name none where none is known", () => {
    const noted = given(model, history)
      .when({ type: "ApproveVersion", data: { version: "v3" } })
      .then([{ type: "ModelVersionApproved", data: { version: "v3" } }]);
    expect(noted.context.runs).toEqual({ v1: "r1", v2: "r2" });
  });
});

describe("fields", () => {
  test.each<[string, string, unknown, string]>([
    ["an unknown field", "CreateModel", { colour: "red" }, "colour"],
    ["a version no object can hold", "VersionModel", { version: "__proto__" }, "version"],
    ["an alias no object can hold", "MoveAlias", { alias: "__proto__", toVersion: "v1" }, "alias"],
    ["an environment no object can hold", "RollBackDeployment", { environment: "__proto__" }, "environment"],
    ["a share above 1", "DeployModel", { version: "v1", environment: "p", trafficShare: 10 }, "trafficShare"],
    ["a share that is missing", "AdjustTraffic", { version: "v1", environment: "p" }, "trafficShare"],
    ["an alias without its target", "MoveAlias", { alias: "a" }, "toVersion"],
    ["a verdict on nothing", "ApproveVersion", {}, "version"],
    ["text as a metric", "VersionModel", { version: "v1", metrics: { auc: "good" } }, "metrics.auc"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(model, [created]).whenRaw(type, data).thenInvalid(path);
  });
});
