/** The feature set: rounds, checks that keep features from becoming a version, and versions that are never replaced. */
import type { EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import featureSet from "../../actors/aggregates/feature-set.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof featureSet.schemas>;
type Command = CommandOf<typeof featureSet.schemas>;

const outputRef = { ref: "s3://features", sha256: "ff", bytes: 12, mediaType: "application/parquet" };
const round = { datasetId: "lines", datasetVersion: "v1", definitionHash: "d1", codeVersion: "3f2a", outputRef };

const computed: Event = { type: "FeatureComputed", data: round };
const validated: Event = { type: "FeatureValidated", data: { checks: ["no nulls"] } };

function versioned(version: string): Event {
  return { type: "FeatureVersioned", data: { version, ...round } };
}

describe("the chart", () => {
  const commands: Command[] = [
    { type: "ComputeFeatures", data: {} },
    { type: "ValidateFeatures", data: {} },
    { type: "VersionFeatures", data: { version: "new" } },
  ];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["ComputeFeatures"]],
    ["computed", [computed], ["ComputeFeatures", "ValidateFeatures"]],
    ["computed", [computed, computed], ["ComputeFeatures", "ValidateFeatures"]],
    ["validated", [computed, validated], ["ComputeFeatures", "VersionFeatures"]],
    ["versioned", [computed, validated, versioned("v1")], ["ComputeFeatures"]],
    ["computed", [computed, validated, versioned("v1"), computed], ["ComputeFeatures", "ValidateFeatures"]],
    ["computed", [computed, validated, computed], ["ComputeFeatures", "ValidateFeatures"]],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(featureSet, history).state.value).toBe(value);
    expect(acceptedIn(featureSet, history, commands)).toEqual(accepted);
  });

  test("a refusal names the state", () => {
    given(featureSet).when({ type: "ValidateFeatures", data: {} }).thenNotAllowed({ state: "empty" });
    given(featureSet, [computed])
      .when({ type: "VersionFeatures", data: { version: "v1" } })
      .thenNotAllowed({ state: "computed" });
    given(featureSet, [computed, validated])
      .when({ type: "ValidateFeatures", data: {} })
      .thenNotAllowed({ state: "validated" });
    given(featureSet, [computed, validated, versioned("v1")])
      .when({ type: "VersionFeatures", data: { version: "v2" } })
      .thenNotAllowed({ state: "versioned" });
  });
});

describe("computing", () => {
  test("records what it was told", () => {
    given(featureSet)
      .when({ type: "ComputeFeatures", data: round })
      .then([{ type: "FeatureComputed", data: round }]);
  });

  test("again forgets the round before", () => {
    const state = given(featureSet, [computed])
      .when({ type: "ComputeFeatures", data: { datasetId: "words" } })
      .then([{ type: "FeatureComputed", data: { datasetId: "words" } }]);
    expect(state.context.round).toEqual({ datasetId: "words" });
  });
});

describe("validating", () => {
  const { when } = given(featureSet, [computed]);
  const failed = { name: "range", passed: false, rows: 3 };

  test("passes without a check that failed", () => {
    const checks = ["no nulls", { name: "range", passed: true, rows: 3 }, { name: "drift" }];
    when({ type: "ValidateFeatures", data: { checks } }).then([{ type: "FeatureValidated", data: { checks } }]);
    when({ type: "ValidateFeatures", data: {} }).then([{ type: "FeatureValidated", data: { checks: [] } }]);
  });

  test("with a check that failed is rejected, so that no version can follow", () => {
    when({ type: "ValidateFeatures", data: { checks: ["no nulls", failed] } }).thenRejected("CHECKS_FAILED");
    when({ type: "ValidateFeatures", data: { checks: [{ passed: false }] } }).thenRejected("CHECKS_FAILED");
    when({ type: "ValidateFeatures", data: { checks: Array(1000).fill(failed) } }).thenRejected("CHECKS_FAILED");
  });

  test("is refused by the chart, not for its checks, where there is nothing to validate", () => {
    given(featureSet, [computed, validated])
      .when({ type: "ValidateFeatures", data: { checks: [failed] } })
      .thenNotAllowed({ state: "validated" });
  });
});

describe("versions", () => {
  test("say what their round was computed from", () => {
    const state = given(featureSet, [computed, validated])
      .when({ type: "VersionFeatures", data: { version: "v1" } })
      .then([{ type: "FeatureVersioned", data: { version: "v1", ...round } }]);
    const { outputRef: _, ...kept } = round;
    expect(state.context.versions).toEqual({ v1: kept });
  });

  test("stand for the last computation of their round", () => {
    const again: Event = { type: "FeatureComputed", data: { datasetId: "words", definitionHash: "d2" } };
    given(featureSet, [computed, again, validated])
      .when({ type: "VersionFeatures", data: { version: "v1" } })
      .then([{ type: "FeatureVersioned", data: { version: "v1", datasetId: "words", definitionHash: "d2" } }]);
  });

  test("are never replaced", () => {
    const firstRound = [computed, validated, versioned("v1")];
    for (const history of [firstRound, [...firstRound, computed, validated]]) {
      given(featureSet, history)
        .when({ type: "VersionFeatures", data: { version: "v1" } })
        .thenRejected("VERSION_EXISTS");
    }
    given(featureSet, [...firstRound, computed, validated])
      .when({ type: "VersionFeatures", data: { version: "v2" } })
      .then([versioned("v2")]);
  });

  test("may bear the names of what every object has", () => {
    given(featureSet, [computed, validated])
      .when({ type: "VersionFeatures", data: { version: "constructor" } })
      .then([{ type: "FeatureVersioned", data: { version: "constructor" } }]);
  });
});

describe("fields", () => {
  test.each<[string, string, unknown, string]>([
    ["an unknown field", "ComputeFeatures", { rows: 3 }, "rows"],
    ["a reference without its place", "ComputeFeatures", { outputRef: { bytes: 3 } }, "outputRef.ref"],
    ["an empty dataset", "ComputeFeatures", { datasetId: "" }, "datasetId"],
    ["a dataset version no object can hold", "ComputeFeatures", { datasetVersion: "__proto__" }, "datasetVersion"],
    ["failures beside the checks", "ValidateFeatures", { failures: ["nulls"] }, "failures"],
    ["a check that is neither name nor finding", "ValidateFeatures", { checks: [3] }, "checks.0"],
    ["too many checks", "ValidateFeatures", { checks: Array(1001).fill("a") }, "checks"],
    ["a version no object can hold", "VersionFeatures", { version: "__proto__" }, "version"],
    ["no version", "VersionFeatures", {}, "version"],
    ["a version with a control character", "VersionFeatures", { version: "v\n1" }, "version"],
    ["what the round knows", "VersionFeatures", { version: "v1", datasetId: "lines" }, "datasetId"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(featureSet, [computed, validated]).whenRaw(type, data).thenInvalid(path);
  });

  test("nested objects keep fields that the schema does not name", () => {
    const data = { outputRef: { ...outputRef, region: "eu" } };
    given(featureSet)
      .whenRaw("ComputeFeatures", data)
      .then([{ type: "FeatureComputed", data }]);
  });
});
