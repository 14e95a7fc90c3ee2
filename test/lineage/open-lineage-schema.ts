/**
 * What OpenLineage 2-0-2 asks of a RunEvent and of the facets that are used here, as a JSON Schema of our own: the facts are
 * those of https://openlineage.io/spec/2-0-2/OpenLineage.json and of https://openlineage.io/spec/facets.
 */
const text = { type: "string" };
const uri = { type: "string", format: "uri" };

/** A facet says who made it and which schema it follows, besides its own fields. */
function facet(required: readonly string[] = [], properties: object = {}): object {
  return {
    type: "object",
    required: ["_producer", "_schemaURL", ...required],
    properties: { _producer: uri, _schemaURL: uri, ...properties },
  };
}

function facets(known: object): object {
  return { type: "object", properties: known, additionalProperties: facet() };
}

const dataset = {
  type: "object",
  required: ["namespace", "name"],
  properties: {
    namespace: text,
    name: text,
    facets: facets({ version: facet(["datasetVersion"], { datasetVersion: text }) }),
  },
};

const parameter = {
  type: "object",
  required: ["key"],
  properties: { key: text, name: text, description: text, value: true },
  additionalProperties: false,
};

/** Of one RunEvent; formats count. */
export const runEventSchema = {
  type: "object",
  required: ["eventTime", "producer", "schemaURL", "run", "job"],
  properties: {
    eventType: { enum: ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"] },
    eventTime: { type: "string", format: "date-time" },
    producer: uri,
    schemaURL: uri,
    run: {
      type: "object",
      required: ["runId"],
      properties: {
        runId: { type: "string", format: "uuid" },
        facets: facets({ jobRunParameters: facet([], { parameters: { type: "array", items: parameter } }) }),
      },
    },
    job: {
      type: "object",
      required: ["namespace", "name"],
      properties: {
        namespace: text,
        name: text,
        facets: facets({
          jobType: facet(["processingType", "integration"], { processingType: text, integration: text, jobType: text }),
        }),
      },
    },
    inputs: { type: "array", items: dataset },
    outputs: { type: "array", items: dataset },
  },
};
