/** What the commands and events of a policy carry. */
import { z } from "zod";
import { jsonObject, text } from "./fields.ts";

/** The state keeps the settings, and every saga that asks reads them. */
const maxSettingsLength = 64 * 1024;

const settings = jsonObject.refine((value) => JSON.stringify(value).length <= maxSettingsLength, {
  error: `at most ${maxSettingsLength} characters as JSON`,
  /** What is no JSON cannot be measured. */
  when: ({ issues }) => issues.length === 0,
});

const policySet = { settings, reason: text.optional() };

export const policy = {
  commands: {
    /** All the settings: what it leaves out is not set any more. */
    SetPolicy: z.strictObject(policySet),
  },
  events: {
    PolicySet: z.looseObject(policySet),
  },
};
