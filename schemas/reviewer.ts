/** What the commands and events of a reviewer carry. */
import { z } from "zod";
import { count, identifier, text } from "./fields.ts";

const skills = z.array(identifier).max(64);

/** How many reviews at once; 0 is a pause, absent is no limit. */
const capacity = count;

const profile = { skills: skills.optional(), capacity: capacity.optional() };

/** All of the profile, so that no reader has to remember what it was before. */
const wholeProfile = { skills, capacity: capacity.optional() };

const retirement = { reason: text.optional() };

export const reviewer = {
  commands: {
    RegisterReviewer: z.strictObject(profile),
    /** What it leaves out stays as it is; `null` lifts the limit. */
    ChangeReviewer: z.strictObject({ ...profile, capacity: capacity.nullable().optional() }),
    RetireReviewer: z.strictObject(retirement),
  },
  events: {
    ReviewerRegistered: z.looseObject(wholeProfile),
    ReviewerChanged: z.looseObject(wholeProfile),
    ReviewerRetired: z.looseObject(retirement),
  },
};
