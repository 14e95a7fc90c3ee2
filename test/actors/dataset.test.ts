/** The dataset: rounds, versions that are never replaced, and versions built from the log itself. */
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import dataset from "../../actors/aggregates/dataset.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof dataset.schemas>;
type Command = CommandOf<typeof dataset.schemas>;

const contentRef = { ref: "s3://raw", sha256: "aa", bytes: 10, mediaType: "text/csv" };
const outputRef = { ref: "s3://clean", sha256: "bb", bytes: 9, mediaType: "text/csv" };

const ingested: Event = { type: "DataIngested", data: { contentRef, contentHash: "sha256:aa" } };
const preprocessed: Event = { type: "DataPreprocessed", data: { steps: ["dedupe"], outputRef } };
const validated: Event = { type: "DataValidated", data: { checks: ["no nulls"] } };
const rejected: Event = { type: "DataRejected", data: { failures: ["nulls"] } };
const retired: Event = { type: "DatasetRetired", data: {} };

function versioned(version: string): Event {
  return { type: "DatasetVersioned", data: { version, contentHash: "sha256:aa" } };
}

const builtFrom = { position: 40, spec: { format: "trl" }, rowCount: 7, sha256: "cc" };

describe("the chart", () => {
  const commands: Command[] = [
    { type: "IngestData", data: {} },
    { type: "PreprocessData", data: {} },
    { type: "ValidateData", data: {} },
    { type: "ValidateData", data: { failures: ["nulls"] } },
    { type: "VersionDataset", data: { version: "new" } },
    { type: "RetireDataset", data: {} },
  ];
  const twoRounds = [ingested, validated, versioned("v1"), ingested];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["IngestData"]],
    ["ingested", [ingested], ["PreprocessData", "ValidateData", "ValidateData", "RetireDataset"]],
    ["preprocessed", [ingested, preprocessed], ["ValidateData", "ValidateData", "RetireDataset"]],
    ["validated", [ingested, validated], ["IngestData", "VersionDataset", "RetireDataset"]],
    ["rejected", [ingested, rejected], ["IngestData", "RetireDataset"]],
    ["versioned", [ingested, validated, versioned("v1")], ["IngestData", "RetireDataset"]],
    ["ingested", twoRounds, ["PreprocessData", "ValidateData", "ValidateData", "RetireDataset"]],
    ["retired", [ingested, retired], []],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(dataset, history).state.value).toBe(value);
    expect(acceptedIn(dataset, history, commands)).toEqual(accepted);
  });

  test("a rejected round begins again", () => {
    const state = given(dataset, [ingested, rejected, ingested, validated]).state;
    expect(state.value).toBe("validated");
  });
});

describe("ingesting and preprocessing", () => {
  test("record what they were told", () => {
    const data = { source: { name: "crm" }, contentRef, rowCount: 3, schema: { id: "int" }, contentHash: "sha256:aa" };
    given(dataset)
      .when({ type: "IngestData", data })
      .then([{ type: "DataIngested", data }]);
    const steps = { steps: ["dedupe", { name: "lowercase" }], codeVersion: "3f2a", outputRef };
    given(dataset, [ingested])
      .when({ type: "PreprocessData", data: steps })
      .then([{ type: "DataPreprocessed", data: steps }]);
  });
});

describe("validating", () => {
  const { when } = given(dataset, [ingested]);

  test("passes without failures", () => {
    when({ type: "ValidateData", data: { checks: ["no nulls", { name: "range", passed: true, rows: 3 }] } }).then([
      { type: "DataValidated", data: { checks: ["no nulls", { name: "range", passed: true, rows: 3 }] } },
    ]);
    when({ type: "ValidateData", data: { failures: [] } }).then([{ type: "DataValidated", data: { checks: [] } }]);
  });

  test("rejects on any failure, a check that says so included", () => {
    when({ type: "ValidateData", data: { checks: ["range"], failures: ["nulls"] } }).then([
      { type: "DataRejected", data: { failures: ["nulls"], checks: ["range"] } },
    ]);
    const check = { name: "range", passed: false };
    when({ type: "ValidateData", data: { checks: [check] } }).then([
      { type: "DataRejected", data: { failures: [check], checks: [check] } },
    ]);
  });
});

describe("versions", () => {
  test("stand for the content of their round", () => {
    const parents = [{ datasetId: "raw", version: "v7" }];
    given(dataset, [ingested, validated])
      .when({ type: "VersionDataset", data: { version: "v1", parents } })
      .then([{ type: "DatasetVersioned", data: { version: "v1", parents, contentRef, contentHash: "sha256:aa" } }]);
    given(dataset, [ingested, preprocessed, validated])
      .when({ type: "VersionDataset", data: { version: "v1" } })
      .then([{ type: "DatasetVersioned", data: { version: "v1", contentRef: outputRef, contentHash: "bb" } }]);
    given(dataset, [ingested, validated])
      .when({ type: "VersionDataset", data: { version: "v1", contentHash: "own" } })
      .then([{ type: "DatasetVersioned", data: { version: "v1", contentHash: "own" } }]);
  });

  test("are never replaced, even when retracted", () => {
    const history: Event[] = [ingested, validated, versioned("v1"), ingested, validated];
    const again = { type: "VersionDataset", data: { version: "v1" } } as const;
    given(dataset, history).when(again).thenRejected("VERSION_EXISTS");
    given(dataset, [...history, { type: "DatasetVersionRetracted", data: { version: "v1" } }])
      .when(again)
      .thenRejected("VERSION_EXISTS");
  });

  test.each<[string, Event[]]>([
    ["empty", []],
    ["validated", [ingested, validated]],
    ["rejected", [ingested, rejected]],
    ["versioned", [ingested, validated, versioned("v1")]],
  ])("built from the log need no round of their own: %s", (_state, history) => {
    given(dataset, history)
      .when({ type: "VersionDataset", data: { version: "built", builtFrom } })
      .then([{ type: "DatasetVersioned", data: { version: "built", builtFrom, contentHash: "cc" } }]);
  });

  test("built from the log do not cut a round short", () => {
    given(dataset, [ingested])
      .when({ type: "VersionDataset", data: { version: "built", builtFrom } })
      .thenNotAllowed({ state: "ingested" });
  });

  test("may bear the names of what every object has", () => {
    given(dataset, [ingested, validated])
      .when({ type: "VersionDataset", data: { version: "constructor" } })
      .then([{ type: "DatasetVersioned", data: { version: "constructor" } }]);
    given(dataset, [ingested, validated])
      .when({ type: "RetractVersion", data: { version: "toString" } })
      .thenRejected("UNKNOWN_VERSION");
  });
});

describe("retracting a version", () => {
  const retraction = { type: "RetractVersion", data: { version: "v1", reason: "leaked test rows" } } as const;
  const retracted: Event = { type: "DatasetVersionRetracted", data: { version: "v1" } };
  const history: Event[] = [ingested, validated, versioned("v1")];

  test.each<[string, Event[]]>([
    ["versioned", history],
    ["ingested", [...history, ingested]],
    ["retired", [...history, retired]],
  ])("is possible for good: %s", (value, events) => {
    const state = given(dataset, events)
      .when(retraction)
      .then([{ type: "DatasetVersionRetracted", data: { version: "v1", reason: "leaked test rows" } }]);
    expect(state.value).toBe(value);
    expect(state.context.versions.v1).toEqual({ contentHash: "sha256:aa", isRetracted: true });
  });

  test("again is success without an event", () => {
    given(dataset, [...history, retracted])
      .when(retraction)
      .thenNothing();
  });

  test("needs a version that there is", () => {
    given(dataset).when(retraction).thenRejected("UNKNOWN_VERSION");
    given(dataset, history)
      .when({ type: "RetractVersion", data: { version: "v2" } })
      .thenRejected("UNKNOWN_VERSION");
  });
});

describe("retiring", () => {
  test("says why", () => {
    given(dataset, [ingested])
      .when({ type: "RetireDataset", data: { reason: "licence ended" } })
      .then([{ type: "DatasetRetired", data: { reason: "licence ended" } }]);
  });
});

describe("fields", () => {
  test.each<[string, string, unknown, string]>([
    ["an unknown field", "IngestData", { rows: 3 }, "rows"],
    ["a row count below 0", "IngestData", { rowCount: -1 }, "rowCount"],
    ["a reference without its place", "IngestData", { contentRef: { bytes: 3 } }, "contentRef.ref"],
    ["a number that is none", "IngestData", { schema: { max: Number.POSITIVE_INFINITY } }, "schema"],
    ["a version no object can hold", "VersionDataset", { version: "__proto__" }, "version"],
    ["a version with a control character", "VersionDataset", { version: "v\n1" }, "version"],
    ["an empty version", "VersionDataset", { version: "" }, "version"],
    [
      "a parent without its version",
      "VersionDataset",
      { version: "v1", parents: [{ datasetId: "d" }] },
      "parents.0.version",
    ],
    ["an unknown position", "VersionDataset", { version: "v1", builtFrom: { rowCount: 1 } }, "builtFrom.position"],
    ["a retraction of nothing", "RetractVersion", { reason: "x" }, "version"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(dataset, [ingested, validated]).whenRaw(type, data).thenInvalid(path);
  });

  test("nested objects keep fields that the schema does not name", () => {
    const data = { contentRef: { ...contentRef, region: "eu" } };
    given(dataset)
      .whenRaw("IngestData", data)
      .then([{ type: "DataIngested", data }]);
  });

  test("JSON deeper than 64 levels is invalid, not a crash", () => {
    const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
    given(dataset).whenRaw("IngestData", { schema: deep }).thenInvalid("schema");
    given(dataset)
      .whenRaw("IngestData", { contentRef: { ref: "x", deep } })
      .thenInvalid("contentRef.deep");
  });
});
